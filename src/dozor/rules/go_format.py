"""Go's `fmt`: how its templates turn values into text."""

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final

_VERB: Final = re.compile(
    r"%(?P<flags>[-+# 0]*)(?P<width>\d{1,3})?(?:\.(?P<precision>\d{0,3}))?(?P<verb>.)?", re.DOTALL
)


def go_float(value: float) -> str:
    """*value* as Go's `%v` writes it: the shortest digits, with an exponent from 1e+06 on and below 1e-04."""
    special = _special(value)
    if special:
        return special
    sign, digits, point = _digits(value)
    power = point - 1
    if value == 0:
        return f"{sign}0"
    if power < -4 or power >= 6:
        mantissa = digits[0] + ("." + digits[1:] if len(digits) > 1 else "")
        return f"{sign}{mantissa}e{'-' if power < 0 else '+'}{abs(power):02d}"
    if point <= 0:
        return f"{sign}0.{'0' * -point}{digits}"
    if point >= len(digits):
        return f"{sign}{digits}{'0' * (point - len(digits))}"
    return f"{sign}{digits[:point]}.{digits[point:]}"


def _special(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return ""


def _digits(value: float) -> tuple[str, str, int]:
    """Sign, shortest significant digits, and where the decimal point stands among them."""
    mantissa, _, exponent = repr(abs(value)).partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0")
    point = len(whole) + int(exponent or 0) - (len(whole + fraction) - len(digits))
    return ("-" if math.copysign(1, value) < 0 else ""), digits.rstrip("0") or "0", point


def go_print(value: object) -> str:  # noqa: PLR0911 - a table of types
    """*value* as Go's `%v` writes it."""
    match value:
        case None:
            return "<no value>"
        case bool():
            return "true" if value else "false"
        case float():
            return go_float(value)
        case Mapping():
            return f"map[{' '.join(f'{key}:{go_print(value[key])}' for key in sorted(value))}]"
        case str():
            return value
        case Sequence():
            return f"[{' '.join(go_print(item) for item in value)}]"
        case _:
            return str(value)


def go_sprint(values: Sequence[object]) -> str:
    """Go's `print`: a space only between neighbours neither of which is text."""
    parts: list[str] = []
    for index, value in enumerate(values):
        if index and not isinstance(value, str) and not isinstance(values[index - 1], str):
            parts.append(" ")
        parts.append(go_print(value))
    return "".join(parts)


def go_printf(form: str, values: Sequence[object]) -> str:
    """Go's `printf`. What does not fit is written into the result as Go does: `%!d(float64=1.5)`, `%!s(MISSING)`."""
    left = list(values)

    def replace(found: re.Match[str]) -> str:
        verb = found["verb"]
        if verb is None:
            return "%!(NOVERB)"
        if verb == "%":
            return "%"
        if not left:
            return f"%!{verb}(MISSING)"
        return _verb(verb, found["flags"], found["width"], found["precision"], left.pop(0))

    text = _VERB.sub(replace, form)
    if left:
        text += f"%!(EXTRA {', '.join(f'{_type(value)}={go_print(value)}' for value in left)})"
    return text


def _verb(verb: str, flags: str, width: str | None, precision: str | None, value: object) -> str:
    digits = None if precision is None else int(precision or 0)
    text = _converted(verb, digits, value)
    if text is None:
        return f"%!{verb}({_type(value)}={go_print(value)})"
    if "+" in flags and isinstance(value, int | float) and not text.startswith(("+", "-", "NaN")):
        text = "+" + text
    elif " " in flags and isinstance(value, int | float) and not text.startswith(("+", "-")):
        text = " " + text
    size = int(width or 0)
    if "-" in flags:
        return text.ljust(size)
    numeric = isinstance(value, int | float) and text.lstrip("+- ")[:1].isdigit()
    return text.zfill(size) if "0" in flags and numeric else text.rjust(size)


def _converted(verb: str, precision: int | None, value: object) -> str | None:  # noqa: PLR0911 - a table of types
    """None where the verb does not fit the value."""
    if verb == "v":
        return go_print(value)
    if verb == "T":
        return _type(value)
    if isinstance(value, bool):
        return go_print(value) if verb == "t" else None
    if isinstance(value, float):
        return _float_verb(verb, precision, value)
    if isinstance(value, int):
        convert = _INTEGER_VERBS.get(verb)
        return convert(value) if convert else None
    if isinstance(value, str):
        return _text_verb(verb, precision, value)
    return go_print(value) if verb == "s" and value is not None else None


def _float_verb(verb: str, precision: int | None, value: float) -> str | None:
    if verb not in "eEfFgG":
        return None
    special = _special(value)
    if special:
        return special
    if verb in "gG" and precision is None:
        return go_float(value) if verb == "g" else go_float(value).upper()
    return f"{value:.{6 if precision is None else precision}{verb}}"


def _text_verb(verb: str, precision: int | None, value: str) -> str | None:
    match verb:
        case "s":
            return value[:precision]
        case "q":
            return json.dumps(value[:precision], ensure_ascii=False)
        case "x":
            return value.encode("utf-8", "replace").hex()
        case _:
            return None


_INTEGER_VERBS: Final[Mapping[str, Callable[[int], str]]] = {
    "d": str,
    "b": lambda value: f"{value:b}",
    "o": lambda value: f"{value:o}",
    "x": lambda value: f"{value:x}",
    "X": lambda value: f"{value:X}",
    "c": lambda value: chr(value) if 0 <= value < 0x110000 else "\ufffd",
    "q": lambda value: f"'{chr(value)}'" if 0 <= value < 0x110000 else "'\ufffd'",
    "U": lambda value: f"U+{value:04X}",
}


def _type(value: object) -> str:  # noqa: PLR0911 - a table of types
    match value:
        case bool():
            return "bool"
        case float():
            return "float64"
        case int():
            return "int"
        case str():
            return "string"
        case None:
            return "<nil>"
        case Mapping():
            return "map[string]string"
        case _:
            return type(value).__name__
