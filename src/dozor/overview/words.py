"""How durations and figures are put for people."""

import math
from itertools import pairwise
from typing import Final

_UNITS: Final = ((86400.0, "d"), (3600.0, "h"), (60.0, "min"), (1.0, "s"))
_BYTES: Final = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")


def duration(seconds: float) -> str:
    """*seconds* in at most two units: `45 s`, `3 min`, `2 h 5 min`, `1 d 4 h`; below a second in ms."""
    if seconds < 0:
        return "0 s"
    if seconds < 0.9995:
        return f"{_round(seconds * 1000)} ms"
    if seconds < 10:
        return f"{_round(seconds)} s"
    whole = round(seconds)
    for (size, name), (smaller, smaller_name) in pairwise(_UNITS):
        if whole >= size:
            count, rest = divmod(whole, int(size))
            minor = rest // int(smaller)
            # Seconds beside minutes only while minutes are few; later nobody counts them.
            shown = minor and (name != "min" or count < 10)
            return f"{count} {name} {minor} {smaller_name}" if shown else f"{count} {name}"
    return f"{whole} s"


def figure(value: float, unit: str = "") -> str:
    """*value* with its unit as a person would write it: `1.2 GiB`, `87.5 %`, `12,345`, `350 ms`."""
    if math.isnan(value):
        return "no data"
    if math.isinf(value):
        return "infinite" if value > 0 else "minus infinite"
    if unit == "bytes":
        return _bytes(value)
    if unit == "seconds":
        return duration(value)
    if unit == "percent":
        return f"{_round(value)} %"
    return _round(value)


def _round(value: float) -> str:
    """Three significant digits below a thousand, whole numbers with separators above."""
    if value == int(value) or abs(value) >= 1000:
        return f"{round(value):,}"
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    text = f"{value:.{digits}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _bytes(value: float) -> str:
    scaled, unit = value, _BYTES[0]
    for unit in _BYTES:
        if abs(scaled) < 1024 or unit == _BYTES[-1]:
            break
        scaled /= 1024
    return f"{_round(scaled)} {unit}"
