"""Prometheus' wire format: the protobuf messages of remote write and remote read, packed with snappy.

Read here and not by the protobuf library, for its size and for speed: what a sender repeats with every request is the labels
of its series, and they are looked up by their bytes, as they came, and not decoded again. A request of 2,000 series takes a few
milliseconds, and gives the same `Labels` objects each time, which the store knows by identity.

Sources: https://prometheus.io/docs/specs/prw/remote_write_spec/, prompb/types.proto and prompb/remote.proto of Prometheus.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from dozor.model.labels import METRIC_NAME, Labels
from dozor.model.sample import Family, MetricType, Sample

_MOST_REMEMBERED: Final = 50_000
_MOST_LABELS: Final = 128
_LENGTH_DELIMITED: Final = 2
_FIXED: Final = {1: 8, 5: 4}
_DOUBLE: Final = struct.Struct("<d")
# Protobuf tags: field number and wire type in one byte.
_LABEL_TAG: Final = 0x0A
_SAMPLE_TAG: Final = 0x12
_VALUE_TAG: Final = 0x09
_TIME_TAG: Final = 0x10
_TYPES: Final = (
    MetricType.UNKNOWN, MetricType.COUNTER, MetricType.GAUGE, MetricType.HISTOGRAM, MetricType.GAUGE_HISTOGRAM,
    MetricType.SUMMARY, MetricType.INFO, MetricType.STATE_SET,
)  # fmt: skip

SeriesKey = tuple[str, Labels]


class WireError(ValueError):
    """The bytes are not the message that they should be, or more than is allowed."""


class WireSeries(NamedTuple):
    """One series of a message: its samples as (Unix milliseconds, value); how many native histograms were passed over."""

    key: SeriesKey
    points: list[tuple[int, float]]
    histograms: int


@dataclass(slots=True)
class WriteRequest:
    """What one remote write says: samples by their time in Unix milliseconds; families without samples."""

    samples: dict[int, list[Sample]] = field(default_factory=dict)
    families: list[Family] = field(default_factory=list)
    histograms: int = 0


def unpack(body: bytes, limit: int) -> bytes:
    """What *body* holds, packed by snappy's block format. Raises WireError, also where that is more than *limit* bytes."""
    import cramjam  # noqa: PLC0415 - 40 ms, and only those who write or read remotely need it

    try:
        if cramjam.snappy.decompress_raw_len(body) > limit:
            raise WireError(f"unpacked, the body would be longer than {limit} bytes")
        return bytes(cramjam.snappy.decompress_raw(body))
    except cramjam.DecompressionError:
        raise WireError("the body is not packed with snappy") from None


def pack(body: bytes) -> bytes:
    """*body* in snappy's block format."""
    import cramjam  # noqa: PLC0415 - see `unpack`

    return bytes(cramjam.snappy.compress_raw(body))


class WireReader:
    """Reads messages of one sender, one at a time; remembers its series."""

    def __init__(self) -> None:
        self._known: dict[bytes, SeriesKey] = {}

    def write_request(self, message: bytes) -> WriteRequest:
        """A `WriteRequest` of version 1. Raises WireError."""
        request = WriteRequest()
        by_time = request.samples
        for number, start, end in _fields(message, 0, len(message)):
            if number == 1:
                (name, labels), points, histograms = self.series(message, start, end)
                request.histograms += histograms
                for time, value in points:
                    sample = Sample(name, labels, value)
                    if time in by_time:
                        by_time[time].append(sample)
                    else:
                        by_time[time] = [sample]
            elif number == 3:
                request.families.append(_metadata(message, start, end))
        return request

    def read_response(self, message: bytes) -> Iterator[WireSeries]:
        """The series of the results of a `ReadResponse`. Raises WireError."""
        for number, start, end in _fields(message, 0, len(message)):
            if number == 1:
                for inner, first, last in _fields(message, start, end):
                    if inner == 1:
                        yield self.series(message, first, last)

    def series(self, data: bytes, place: int, end: int) -> WireSeries:
        """The `TimeSeries` in *data* from *place* to *end*."""
        labels = b""
        points: list[tuple[int, float]] = []
        histograms = 0
        while place < end:
            tag = data[place]
            if tag == _LABEL_TAG:
                start = place
                while place < end and data[place] == _LABEL_TAG:
                    place = _stop(data, place + 1, end)[1]
                labels += data[start:place]
            elif tag == _SAMPLE_TAG:
                start, place = _stop(data, place + 1, end)
                points.append(_sample(data, start, place))
            else:
                number, _, place = _field(data, place, end)
                histograms += number == 4
        return WireSeries(self._known.get(labels) or self._learn(labels), points, histograms)

    def _learn(self, labels: bytes) -> SeriesKey:
        if len(self._known) >= _MOST_REMEMBERED:
            self._known.clear()  # the sender's series change all the time; what it repeats is known again after one request
        key = self._known[labels] = _series_key(labels)
        return key


def message(*fields: tuple[int, int | bytes]) -> bytes:
    """A protobuf message of (number, value): an integer, or bytes that stand with their length."""
    parts = []
    for number, value in fields:
        if isinstance(value, int):
            parts.append(_encoded(number << 3) + _encoded(value & (2**64 - 1)))
        else:
            parts.append(_encoded(number << 3 | _LENGTH_DELIMITED) + _encoded(len(value)) + value)
    return b"".join(parts)


def _series_key(data: bytes) -> SeriesKey:
    pairs: dict[str, str] = {}
    for _, start, end in _fields(data, 0, len(data)):
        texts = {number: _text(data, first, last) for number, first, last in _fields(data, start, end)}
        name = texts.get(1, "")
        if not name or name in pairs:
            raise WireError(
                f"a series has {'the label ' + repr(name) + ' twice' if name else 'a label without a name'}"
            )
        pairs[name] = texts.get(2, "")
        if len(pairs) > _MOST_LABELS:
            raise WireError(f"a series has more than {_MOST_LABELS} labels")
    metric = pairs.pop(METRIC_NAME, "")
    if not metric:
        raise WireError("a series has no metric name")
    return metric, Labels(pairs)


def _sample(data: bytes, place: int, end: int) -> tuple[int, float]:
    # As every sender writes it; protobuf leaves out what is 0, and allows any order.
    if end - place > 10 and data[place] == _VALUE_TAG and data[place + 9] == _TIME_TAG:
        time, stop = _varint(data, place + 10, end)
        if stop == end:
            return _signed(time), _DOUBLE.unpack_from(data, place + 1)[0]
    found_time, found_value = 0, 0.0
    for number, start, stop in _fields(data, place, end):
        if number == 1 and stop - start == 8:
            found_value = _DOUBLE.unpack_from(data, start)[0]
        elif number == 2:
            found_time = _signed(_varint(data, start, stop)[0])
    return found_time, found_value


def _metadata(data: bytes, place: int, end: int) -> Family:
    kind, texts = 0, dict[int, str]()
    for number, start, stop in _fields(data, place, end):
        if number == 1:
            kind = _varint(data, start, stop)[0]
        else:
            texts[number] = _text(data, start, stop)
    known = _TYPES[kind] if kind < len(_TYPES) else MetricType.UNKNOWN
    return Family(texts.get(2, ""), known, texts.get(4, ""), texts.get(5, ""), ())


def _fields(data: bytes, place: int, end: int) -> Iterator[tuple[int, int, int]]:
    """(number, start, end) of each field's value."""
    while place < end:
        number, start, place = _field(data, place, end)
        yield number, start, place


def _field(data: bytes, place: int, end: int) -> tuple[int, int, int]:
    tag, start = _varint(data, place, end)
    kind = tag & 7
    if kind == _LENGTH_DELIMITED:
        start, stop = _stop(data, start, end)
    elif kind == 0:
        _, stop = _varint(data, start, end)
    elif kind in _FIXED:
        stop = start + _FIXED[kind]
    else:
        raise WireError("the message is not one of Prometheus' remote protocol")
    if stop > end:
        raise WireError("the message breaks off")
    return tag >> 3, start, stop


def _stop(data: bytes, place: int, end: int) -> tuple[int, int]:
    """Where the value begins and ends whose length stands at *place*."""
    if place < end and data[place] < 0x80:
        start = place + 1
        stop = start + data[place]
    else:
        length, start = _varint(data, place, end)
        stop = start + length
    if stop > end:
        raise WireError("the message breaks off")
    return start, stop


def _varint(data: bytes, place: int, end: int) -> tuple[int, int]:
    value = shift = 0
    while place < end and shift < 70:
        byte = data[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, place
        shift += 7
    raise WireError("the message breaks off")


def _encoded(value: int) -> bytes:
    found = bytearray()
    while value >= 0x80:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    found.append(value)
    return bytes(found)


def _signed(value: int) -> int:
    value &= 2**64 - 1
    return value - 2**64 if value >= 2**63 else value


def _text(data: bytes, start: int, end: int) -> str:
    try:
        return data[start:end].decode()
    except UnicodeDecodeError:
        raise WireError("a name or a value is not UTF-8") from None
