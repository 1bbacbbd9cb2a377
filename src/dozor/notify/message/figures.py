"""How durations, moments and measured values are put for people, in their language."""

import math
from collections.abc import Callable, Sequence
from datetime import datetime
from itertools import pairwise
from typing import Final

from dozor.notify.message.texts import Texts

Dates = Callable[[float], datetime]
"""`Clock.date`: the time of day that a timestamp is shown as."""

_SIZES: Final = (1, 60, 3600, 86_400)
_LONGEST_SECONDS: Final = 1e11


def moment(at: float, date: Dates, texts: Texts) -> str:
    """The time of day of the timestamp *at*, to the second."""
    return texts.moment.format(moment=f"{date(at):%Y-%m-%d %H:%M:%S}")


def duration(seconds: float, texts: Texts) -> str:
    """Seconds in the two largest units: `350 ms`, `1.5 s`, `3 min 5 s`, `2 h 10 min`, `3 d 4 h`."""
    if not seconds <= _LONGEST_SECONDS:
        return texts.units.nothing if math.isnan(seconds) else texts.units.infinite
    second = texts.units.durations[0]
    if seconds <= 0:
        return f"0 {second}"
    if seconds < 0.9995:
        return f"{number(seconds * 1000, texts)} {texts.units.milliseconds}"
    if seconds < 9.95:
        return f"{number(round(seconds, 1), texts)} {second}"
    return _in_two_units(round(seconds), texts.units.durations)


def _in_two_units(seconds: int, names: Sequence[str]) -> str:
    units = zip(reversed(_SIZES), reversed(names), strict=True)
    for (size, name), (smaller, smaller_name) in pairwise(units):
        if seconds >= size:
            count, rest = divmod(seconds, size)
            minor = rest // smaller
            return f"{count} {name} {minor} {smaller_name}" if minor else f"{count} {name}"
    return f"{seconds} {names[0]}"


def figure(value: float, unit: str, texts: Texts) -> str:
    """*value* as a person would write it, by its *unit* (`percent`, `ratio`, `seconds`, `bytes`; else none is shown)."""
    if not math.isfinite(value):
        return texts.units.nothing if math.isnan(value) else f"{'-' * (value < 0)}{texts.units.infinite}"
    match unit:
        case "percent":
            return f"{number(value, texts)} %"
        case "ratio":
            return f"{number(100 * value, texts)} %"
        case "seconds":
            return f"{'-' * (value < 0)}{duration(abs(value), texts)}"
        case "bytes":
            return _bytes(value, texts)
    return number(value, texts)


def number(value: float, texts: Texts) -> str:
    """Three significant digits below a thousand, whole numbers above; in the language's notation."""
    if abs(value) >= 1e15:
        shown = f"{value:.3g}"
    elif value == int(value) or abs(value) >= 1000:
        shown = f"{round(value):,}"
    else:
        shown = f"{value:.3g}"
    return shown.translate({ord(","): texts.units.thousands, ord("."): texts.units.decimal})


def _bytes(value: float, texts: Texts) -> str:
    scaled, names = value, texts.units.bytes
    for unit in names:
        if abs(scaled) < 1024 or unit == names[-1]:
            break
        scaled /= 1024
    return f"{number(scaled, texts)} {unit}"
