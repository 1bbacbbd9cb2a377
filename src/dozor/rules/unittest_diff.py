"""How what was expected differs from what was found, in lines for people."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Final, NamedTuple

from dozor.model.labels import Labels

_MOST_LINES: Final = 40
_STRANGERS: Final = (0, 0)
"""The likeness of alerts that have only their name in common."""


class FoundAlert(NamedTuple):
    """An alert as a test compares it: with `alertname` among its labels, and `severity` as the rule gives it."""

    labels: Mapping[str, str]
    annotations: Mapping[str, str]


def alert_differences(expected: Sequence[FoundAlert], found: Sequence[FoundAlert]) -> list[str]:
    """Nothing where both are the same alerts, in whatever order; else what is missing, too much, or otherwise."""
    rest = list(found)
    wanted = [one for one in expected if not _take(one, rest)]
    lines: list[str] = []
    for one in wanted:
        likest = max(rest, key=partial(_likeness, one), default=None)
        if likest is None or _likeness(one, likest) <= _STRANGERS:
            lines += [f"missing: {Labels(one.labels)}", *_annotations(one)]
        else:
            rest.remove(likest)
            lines += [f"differs: {Labels(likest.labels)}"]
            lines += _items("label", one.labels, likest.labels)
            lines += _items("annotation", one.annotations, likest.annotations)
    for other in rest:
        lines += [f"unexpected: {Labels(other.labels)}", *_annotations(other)]
    return _shortened(lines)


def sample_differences(
    expected: Sequence[tuple[Labels, float]], found: Sequence[tuple[Labels, float]], *, fuzzy: bool
) -> list[str]:
    """Nothing where both are the same samples, in whatever order; else what is missing, too much, or of another value."""
    lines: list[str] = []
    rest = list(found)
    for labels, value in expected:
        others = [other for other in rest if other[0] == labels]
        fitting = [other for other in others if same_number(value, other[1], fuzzy=fuzzy)]
        if not others:
            lines.append(f"missing: {labels} {value!r}")
            continue
        rest.remove(fitting[0] if fitting else others[0])
        if not fitting:
            lines.append(f"differs: {labels} expected {value!r}, got {others[0][1]!r}")
    lines += [f"unexpected: {labels} {value!r}" for labels, value in rest]
    return _shortened(lines)


def same_number(one: float, other: float, *, fuzzy: bool) -> bool:
    """Whether a test takes both for the same. NaN equals nothing, as in promtool."""
    return one == other or (fuzzy and other in (math.nextafter(one, -math.inf), math.nextafter(one, math.inf)))


def _take(wanted: FoundAlert, alerts: list[FoundAlert]) -> bool:
    for place, alert in enumerate(alerts):
        if Labels(alert.labels) == Labels(wanted.labels) and alert.annotations == wanted.annotations:
            del alerts[place]
            return True
    return False


def _likeness(one: FoundAlert, other: FoundAlert) -> tuple[int, int]:
    """How many labels and annotations are the same, beside the alert's name, and how many labels differ (less than 0)."""
    labels, others = one.labels.items(), other.labels.items()
    common = len(labels & others) - 1 + len(one.annotations.items() & other.annotations.items())
    return (common, -len(labels ^ others)) if common or labels != others else (1, 0)


def _items(what: str, expected: Mapping[str, str], found: Mapping[str, str]) -> Iterator[str]:
    for name in sorted(expected.keys() | found.keys()):
        one, other = expected.get(name), found.get(name)
        if one != other:
            yield f"  {what} {name}:"
            yield f"    expected {_quoted(one)}"
            yield f"    got {_quoted(other)}"


def _quoted(text: str | None) -> str:
    return "nothing" if text is None else json.dumps(text, ensure_ascii=False)


def _annotations(alert: FoundAlert) -> Iterator[str]:
    for name, text in sorted(alert.annotations.items()):
        yield f"  {name}: {_quoted(text)}"


def _shortened(lines: list[str]) -> list[str]:
    if len(lines) <= _MOST_LINES:
        return lines
    return [*lines[:_MOST_LINES], f"… and {len(lines) - _MOST_LINES} lines more"]
