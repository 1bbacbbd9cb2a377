"""The series notation of promqltest and promtool: `metric{label="value"} 0+10x5 _ stale`.

Items of a series are separated by blanks, one sample each, an interval apart:

    7, -0.5, NaN, Inf     a value
    _  _x3                no sample, once or three times
    stale                 the series ends here
    5x3                   5 four times
    0+10x5  0-10x5        0 and then five more, each 10 above (below) the one before
"""

import re
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from dozor.errors import PromQLError
from dozor.model.labels import METRIC_NAME, Labels
from dozor.model.sample import Sample
from dozor.promql.parsing import parse
from dozor.store import STALE_NAN, Appendable

MAX_REPEATS: Final = 1_000_000

_NUMBER: Final = r"[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|[iI][nN][fF]|[nN][aA][nN])"
_ITEM: Final = re.compile(rf"({_NUMBER})(?:([+-]{_NUMBER})?x(\d+))?")
_OMITTED: Final = re.compile(r"_(?:x(\d+))?")


class SeriesValues(NamedTuple):
    """A series in the notation. *labels* hold `__name__`; a value is None where there is no sample."""

    labels: Labels
    values: list[float | None]


def parse_series(text: str) -> SeriesValues:
    """The series that *text* writes down. Raises PromQLError saying what is wrong."""
    metric, items = _split(text.strip())
    return SeriesValues(parse_metric(metric), parse_values(items))


def parse_metric(text: str) -> Labels:
    """The labels of `name{label="value"}`."""
    if re.fullmatch(r"\{\s*\}", text):
        return Labels()
    selector = parse(text)
    try:
        matchers = [(matcher.name, str(matcher.op), matcher.value) for matcher in selector.matchers.matchers]
        name = selector.name
    except AttributeError:
        raise PromQLError(f"{text!r} is no series: a name and labels are needed") from None
    if any(operator != "MatchOp.Equal" for _, operator, _ in matchers):
        raise PromQLError(f"{text!r} is no series: labels are given by =")
    pairs = [(label, value) for label, _, value in matchers]
    return Labels(pairs if name is None else [(METRIC_NAME, name), *pairs])


def parse_values(text: str) -> list[float | None]:
    """The values of the items in *text*."""
    values: list[float | None] = []
    if "{{" in text:
        raise PromQLError("native histograms, {{…}}, are not supported")
    for item in text.split():
        values.extend(_expand(item))
        if len(values) > MAX_REPEATS:
            raise PromQLError(f"a series may have {MAX_REPEATS} samples")
    return values


def append_series(store: Appendable, series: Iterable[SeriesValues], interval: float, start: float = 0.0) -> None:
    """Append *series* to *store*, the first sample of each at *start*, the others *interval* seconds apart."""
    columns = [(one.labels.get(METRIC_NAME), one.labels.without(METRIC_NAME), one.values) for one in series]
    for step in range(max((len(values) for _, _, values in columns), default=0)):
        samples = [
            Sample(name, labels, value)
            for name, labels, values in columns
            if step < len(values) and (value := values[step]) is not None
        ]
        if samples:
            store.append(start + step * interval, samples)


def _split(text: str) -> tuple[str, str]:
    """The metric and its items: what comes before the first blank outside braces, and what comes after."""
    depth, quote, at = 0, "", 0
    while at < len(text):
        character = text[at]
        if quote:
            at += character == "\\" and quote != "`"
            quote = "" if character == quote else quote
        elif character in "\"'`":
            quote = character
        elif character in "{}":
            depth += 1 if character == "{" else -1
        elif character.isspace() and depth == 0:
            rest = text[at:].lstrip()
            if not rest.startswith("{") or rest.startswith("{{"):
                return text[:at], rest
        at += 1
    return text, ""


def _expand(item: str) -> Sequence[float | None]:
    if item == "stale":
        return [STALE_NAN]
    omitted = _OMITTED.fullmatch(item)
    if omitted:
        return [None] * _count(omitted[1] or "1", item)
    match = _ITEM.fullmatch(item)
    if match is None:
        raise PromQLError(f"{item!r} is no value of a series")
    first, step = float(match[1]), float(match[2] or "0")
    return [first + step * place if place else first for place in range(_count(match[3] or "0", item) + 1)]


def _count(text: str, item: str) -> int:
    if len(text) > 7 or int(text) > MAX_REPEATS:
        raise PromQLError(f"{item!r} repeats more than {MAX_REPEATS} times")
    return int(text)
