"""Durations as Prometheus writes them: `30s`, `1h30m`, `250ms`."""

import re
from typing import Final

_UNITS: Final = (("y", 365 * 86400.0), ("w", 7 * 86400.0), ("d", 86400.0), ("h", 3600.0), ("m", 60.0), ("s", 1.0))
_FORM: Final = re.compile(
    "".join(rf"(?:(?P<{unit}>\d{{1,12}}){unit})?" for unit, _ in _UNITS) + r"(?:(?P<ms>\d{1,15})ms)?", re.ASCII
)
# What a Prometheus duration, 64 bits of nanoseconds, can hold.
_LONGEST_SECONDS: Final = 2**63 / 1e9


def parse_duration(text: str) -> float:
    """The seconds that *text* means.

    Raises:
        ValueError: it is no duration, or one of more than 292 years.
    """
    if text == "0":
        return 0.0
    found = _FORM.fullmatch(text)
    if not text or found is None:
        raise ValueError(f"{text[:60]!r} is not a duration; write it like 30s, 5m or 1h30m")
    seconds = sum(int(found[unit] or 0) * size for unit, size in _UNITS) + int(found["ms"] or 0) / 1000
    if seconds > _LONGEST_SECONDS:
        raise ValueError(f"{text[:60]!r} is too long a duration")
    return seconds


def format_duration(seconds: float) -> str:
    """*seconds*, to the millisecond, as `parse_duration` reads it."""
    left = round(seconds * 1000)
    if left == 0:
        return "0s"
    parts = []
    for unit, size in _UNITS:
        count, left = divmod(left, round(size * 1000))
        if count:
            parts.append(f"{count}{unit}")
    if left:
        parts.append(f"{left}ms")
    return "".join(parts)
