"""Prometheus' text format and OpenMetrics, read: each interval the same thousands of lines with other numbers.

Own, because prometheus-client's parser takes some 100 us a line. A line whose series stood in the scrape before costs a
search from its right end, a look-up and a number; only what is new is taken apart.

Sources: https://prometheus.io/docs/instrumenting/exposition_formats/, https://prometheus.io/docs/specs/om/open_metrics_spec/.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from msgspec import Struct

from dozor.errors import DozorError
from dozor.model.labels import Labels
from dozor.model.sample import Family, MetricType, Sample

SeriesKey = tuple[str, Labels]


class ExpositionError(DozorError):
    """What a target says of itself cannot be read, or is more than is allowed."""


class ExpositionLimits(Struct, frozen=True):
    """The most that one scrape may bring. Lengths are in characters."""

    samples: int = 50_000
    labels: int = 64
    name_length: int = 256
    value_length: int = 4096


class TimedSample(NamedTuple):
    """A sample that says itself when it was taken, in Unix milliseconds."""

    time: int
    sample: Sample


class Exposition(Struct, frozen=True):
    """What one scrape brought.

    *samples* are as of the scrape, *timed* say when they were taken. *families* hold what is said of the metrics, and no samples.
    """

    samples: list[Sample]
    timed: list[TimedSample]
    families: tuple[Family, ...]


@dataclass(slots=True)
class _Description:
    type: MetricType = MetricType.UNKNOWN
    help: str = ""
    unit: str = ""


@dataclass(slots=True)
class _Reading:
    """One text on its way to an `Exposition`."""

    openmetrics: bool
    known: dict[str, SeriesKey] = field(default_factory=dict)
    samples: list[Sample] = field(default_factory=list)
    timed: list[TimedSample] = field(default_factory=list)
    described: dict[str, _Description] = field(default_factory=dict)
    ended: bool = False


# Possessive: no text, however it is broken, makes the search go back.
_LINE: Final = re.compile(
    r"""(?P<series>(?:[^\s{}"#,=]++(?=[ \t{]))?+[ \t]*+(?:\{(?P<inner>(?:[^"{}]|"(?:[^"\\]|\\.)*+")*+)\})?+)"""
    r"""[ \t]*+(?P<value>[^\s#{]++)(?:[ \t]++(?P<time>[^\s#]++))?+[ \t]*+(?P<exemplar>\#.*+)?+""",
    re.DOTALL,
)
_LABEL: Final = re.compile(
    r"""[ \t]*+(?:(?P<name>[a-zA-Z_][a-zA-Z0-9_]*+)|"(?P<quoted>(?:[^"\\]|\\.)*+)")[ \t]*+"""
    r"""(?P<given>=[ \t]*+"(?P<value>(?:[^"\\]|\\.)*+)"[ \t]*+)?+(?:,|\Z)""",
    re.DOTALL,
)
_METRIC_NAME: Final = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_ESCAPE: Final = re.compile(r'\\([\\n"])')
_ESCAPED: Final = {"n": "\n", '"': '"', "\\": "\\"}
_TYPES: Final[Mapping[str, MetricType]] = {**{kind.value: kind for kind in MetricType}, "untyped": MetricType.UNKNOWN}
_SHOWN_CHARACTERS: Final = 60


class ExpositionReader:
    """Reads one target's texts, one after another; remembers the series of the last.

    *target* labels are put on every sample. A label of the same name that was there is kept as `exported_…`.
    """

    def __init__(self, target: Labels, limits: ExpositionLimits | None = None) -> None:
        self._target = target
        self._limits = limits or ExpositionLimits()
        self._known: dict[str, SeriesKey] = {}

    def read(self, text: str, *, openmetrics: bool = False) -> Exposition:
        """What *text* says.

        Raises:
            ExpositionError: a line cannot be read, there is too much, or OpenMetrics' `# EOF` is missing. As in Prometheus, nothing of
                such a text counts.
        """
        reading = _Reading(openmetrics)
        known, seen, samples, limit = self._known, reading.known, reading.samples, self._limits.samples
        for number, line in enumerate(text.split("\n"), 1):
            try:
                cut = line.rfind(" ")
                start = line[:cut]
                key = known.get(start)
                if key is None:
                    self._line(reading, line)
                else:
                    samples.append(Sample(*key, _number(line[cut + 1 :])))
                    seen[start] = key
            except ValueError as error:
                raise ExpositionError(f"line {number}: {error}") from None
            if len(samples) > limit:
                raise ExpositionError(f"line {number}: there are more than {limit} samples")
        if openmetrics and not reading.ended:
            raise ExpositionError("the text does not end with '# EOF': it was cut off")
        self._known = reading.known
        families = tuple(Family(name, said.type, said.help, said.unit, ()) for name, said in reading.described.items())
        return Exposition(reading.samples, reading.timed, families)

    def _line(self, reading: _Reading, line: str) -> None:
        """A line that is no sample, was not there last time, or says more than a value."""
        if line[:1] == "#":
            _describe(reading, line)
        elif line and not line.isspace():
            self._sample(reading, line)

    def _sample(self, reading: _Reading, line: str) -> None:
        found = _LINE.fullmatch(line.strip(" \t\r"))
        if found is None or not found["series"] or reading.ended:
            raise ValueError(f"{_shown(line)} is not a sample")
        if found["exemplar"] and not reading.openmetrics:
            raise ValueError(f"{_shown(line)} has an exemplar, which only OpenMetrics may have")
        series = found["series"].rstrip(" \t")
        key = self._known.get(series) or reading.known.get(series) or self._series(series, found["inner"])
        reading.known[series] = key
        sample = Sample(*key, _number(found["value"]))
        if found["time"] is None:
            reading.samples.append(sample)
            return
        moment = _number(found["time"]) * (1000 if reading.openmetrics else 1)
        if not math.isfinite(moment):
            raise ValueError(f"{_shown(found['time'])} is no time")
        reading.timed.append(TimedSample(round(moment), sample))
        if len(reading.timed) > self._limits.samples:
            raise ValueError(f"there are more than {self._limits.samples} samples")

    def _series(self, series: str, inner: str | None) -> SeriesKey:
        name = series.partition("{")[0].rstrip(" \t") if inner is not None else series
        pairs: dict[str, str] = {}
        place = 0
        inner = (inner or "").strip(" \t")
        while place < len(inner):
            found = _LABEL.match(inner, place)
            if found is None:
                raise ValueError(f"{_shown(inner[place:])} is not a label and its value")
            place = found.end()
            label = found["name"] if found["quoted"] is None else _unescaped(found["quoted"])
            if found["given"] is None:  # a name that needs quotes stands among the labels
                if found["quoted"] is None or name:
                    raise ValueError(f"the label {_shown(label)} has no value")
                name = label
                continue
            if label in pairs:
                raise ValueError(f"the label {_shown(label)} is there twice")
            pairs[label] = _unescaped(found["value"])
        if not name or (not series.startswith("{") and not _METRIC_NAME.fullmatch(name)):
            raise ValueError(f"{_shown(series)} has no name that a metric may have")
        self._check(pairs)
        return name, self._labelled(pairs)

    def _check(self, pairs: Mapping[str, str]) -> None:
        limits = self._limits
        if len(pairs) > limits.labels:
            raise ValueError(f"a series has more than {limits.labels} labels")
        for name, value in pairs.items():
            if len(name) > limits.name_length or len(value) > limits.value_length:
                raise ValueError(f"the label {_shown(name)} is too long, or its value is")

    def _labelled(self, pairs: Mapping[str, str]) -> Labels:
        """*pairs* with the target's own over them."""
        labels = {name: value for name, value in pairs.items() if name not in self._target}
        for name in self._target:
            if pairs.get(name):
                exported = f"exported_{name}"
                while exported in labels or exported in self._target:
                    exported = f"exported_{exported}"
                labels[exported] = pairs[name]
        return Labels({**labels, **self._target})


def _describe(reading: _Reading, line: str) -> None:
    words = line.rstrip("\r").split(" ", 3)
    if words[:2] == ["#", "EOF"] and len(words) == 2:
        reading.ended = True
        return
    if len(words) < 3 or words[0] != "#" or words[1] not in {"HELP", "TYPE", "UNIT"}:
        return
    name, said = words[2].strip('"'), words[3] if len(words) == 4 else ""
    description = reading.described.setdefault(name, _Description())
    if words[1] == "HELP":
        description.help = _unescaped(said)
    elif words[1] == "UNIT":
        description.unit = said.strip()
    else:
        kind = _TYPES.get(said.strip())
        if kind is None:
            raise ValueError(f"{_shown(said)} is not a type of metrics")
        description.type = kind


def _number(text: str) -> float:
    # Python's numbers may hold underscores, and digits of any script.
    if "_" in text or not text.isascii():
        raise ValueError(f"{_shown(text)} is not a number")
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{_shown(text)} is not a number") from None


def _unescaped(text: str) -> str:
    return _ESCAPE.sub(lambda found: _ESCAPED[found[1]], text) if "\\" in text else text


def _shown(text: str) -> str:
    return repr(text if len(text) <= _SHOWN_CHARACTERS else text[: _SHOWN_CHARACTERS - 1] + "…")
