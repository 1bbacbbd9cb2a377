"""Closed stretches of a series, in few bytes.

Times of series that are appended together are one shared object. Values are kept once where they never change, as small
whole numbers where they are whole, else as they are. Packing is exact: the bits that come out are those that went in.
"""

from array import array
from bisect import bisect_right
from functools import lru_cache
from typing import Final

from msgspec import Struct

Times = range | array  # type: ignore[type-arg]  # array("q"), milliseconds
OVERHEAD_BYTES: Final = 240
"""What a chunk takes beside its samples: the objects themselves."""

_UNPACKED: Final = 512
"""So many chunks stay unpacked: a rule over `[30m]` looks at the same ones each time. 3 KiB each."""

_WHOLE_CODES: Final = (("B", 0xFF), ("H", 0xFFFF), ("I", 0xFFFF_FFFF))


def pack_times(times: "array[int]") -> Times:
    """*times* as a range where they are regular, else as they are."""
    step = times[1] - times[0] if len(times) > 1 else 1
    regular = range(times[0], times[-1] + step, step)
    return regular if len(regular) == len(times) and array("q", regular) == times else times


def size_of_times(times: Times) -> int:
    """Bytes that *times* take."""
    return 48 if isinstance(times, range) else times.itemsize * len(times)


class Chunk(Struct, frozen=True, eq=False):
    """At least one sample. `times` may be shared with other series' chunks; `times_size` is counted for one of them.

    Attributes:
        place: the first sample's place in the series' timeline.
        marked: whether there are staleness markers among the values.
    """

    place: int
    times: Times
    times_size: int
    values: "float | array[int] | array[float]"
    base: float
    marked: bool

    @property
    def size(self) -> int:
        """Bytes, its share of the times included."""
        values = 8 if isinstance(self.values, float) else self.values.itemsize * len(self.values)
        return OVERHEAD_BYTES + self.times_size + values

    @property
    def end(self) -> int:
        """The place after the last sample's."""
        return self.place + len(self.times)

    def value(self, place: int) -> float:
        """The value at *place*."""
        values = self.values
        if isinstance(values, float):
            return values
        value = values[place - self.place]
        return self.base + value if self.base else float(value)

    def cut(self, low: int, high: int) -> "array[float]":
        """The values at those of its places that are from *low* to *high* - 1."""
        begin, stop = max(low - self.place, 0), min(high - self.place, len(self.times))
        if stop - begin == len(self.times):
            return self.unpack()
        values = self.values
        if isinstance(values, float):
            return array("d", [values]) * (stop - begin)
        part = values[begin:stop]
        return array("d", [self.base + value for value in part]) if self.base else array("d", part)

    def place_after(self, time: int) -> int:
        """The place of the first sample that was taken after *time*; `end` where there is none."""
        times = self.times
        if isinstance(times, range):
            after = (time - times.start) // times.step + 1
            return self.place + min(max(after, 0), len(times))
        return self.place + bisect_right(times, time)

    def unpack(self) -> "array[float]":
        """The values as they were appended. Not to be changed."""
        values = self.values
        if isinstance(values, array) and values.typecode == "d":
            return values  # type: ignore[return-value]  # the typecode says that these are floats
        return _unpacked(self)


@lru_cache(maxsize=_UNPACKED)
def _unpacked(chunk: Chunk) -> "array[float]":
    values, base = chunk.values, chunk.base
    if isinstance(values, float):
        return array("d", [values]) * len(chunk.times)
    return array("d", [base + value for value in values]) if base else array("d", values)


@lru_cache(maxsize=_UNPACKED)
def _listed(times: range) -> "array[int]":
    return array("q", times)


def times_of(chunk: Chunk) -> "array[int]":
    """The times of *chunk*, each for itself. Not to be changed."""
    return _listed(chunk.times) if isinstance(chunk.times, range) else chunk.times


def pack(times: Times, values: "array[float]", *, place: int = 0, shared: bool = False, marked: bool = False) -> Chunk:
    """A chunk of *values*, which belong to *times*; *shared* where another chunk already counts the times' bytes."""
    times_size = 0 if shared else size_of_times(times)
    raw = values.tobytes()
    if raw == raw[:8] * len(values):
        return Chunk(place, times, times_size, values[0], 0.0, marked)
    whole, base = _pack_whole(values, raw) or (values, 0.0)
    return Chunk(place, times, times_size, whole, base, marked)


def _pack_whole(values: "array[float]", raw: bytes) -> "tuple[array[int], float] | None":
    if not all(map(float.is_integer, values)):  # as a NaN and the infinities are not
        return None
    numbers = [int(value) for value in values]
    base = min(numbers)
    span = max(numbers) - base
    # 2**53: beyond it base + offset would not be exact. The comparison of bits catches negative zeros.
    if abs(base) + span > 2**53 or span > _WHOLE_CODES[-1][1] or array("d", numbers).tobytes() != raw:
        return None
    if base > 0 and max(numbers) <= _WHOLE_CODES[1][1]:
        base = base if span <= _WHOLE_CODES[0][1] < max(numbers) else 0
    code = next(code for code, limit in _WHOLE_CODES if max(numbers) - base <= limit)
    return array(code, [number - base for number in numbers]), float(base)
