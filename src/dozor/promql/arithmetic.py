"""Arithmetic as IEEE 754 has it and Prometheus with it: no exceptions, but infinities and NaN."""

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Final

NAN: Final = math.nan
INFINITY: Final = math.inf


def divide(dividend: float, divisor: float) -> float:
    """*dividend* / *divisor*."""
    try:
        return dividend / divisor
    except ZeroDivisionError:
        if dividend == 0 or math.isnan(dividend):
            return NAN
        return math.copysign(INFINITY, dividend) * math.copysign(1.0, divisor)


def modulo(dividend: float, divisor: float) -> float:
    """The remainder, with the sign of *dividend*."""
    try:
        return math.fmod(dividend, divisor)
    except ValueError:
        return NAN


def power(base: float, exponent: float) -> float:
    """*base* to the power of *exponent*."""
    try:
        return math.pow(base, exponent)
    except OverflowError:
        return -INFINITY if base < 0 and math.fmod(exponent, 2) != 0 else INFINITY
    except ValueError:
        if base != 0:  # a root of a negative number
            return NAN
        odd = math.fmod(exponent, 2) in (1, -1)
        return math.copysign(INFINITY, base) if odd else INFINITY


def total(values: Sequence[float]) -> float:
    """The sum, free of rounding errors on the way."""
    try:
        return math.fsum(values)
    except (OverflowError, ValueError):  # beyond the largest float, or infinities of both signs
        return sum(values)


def mean(values: Sequence[float]) -> float:
    """The mean; right also where the sum is beyond the largest float."""
    count = len(values)
    found = total(values) / count
    if math.isinf(found) and not any(math.isinf(value) for value in values):
        return total([value / count for value in values])
    return found


def variance(values: Sequence[float]) -> float:
    """The population variance."""
    if math.isfinite(values[0]) and values.count(values[0]) == len(values):
        return 0.0  # exactly, though the mean may be off by a rounding
    middle = mean(values)
    deviations = [value - middle for value in values]
    return total([deviation * deviation for deviation in deviations]) / len(values)


def largest(values: Sequence[float]) -> float:
    """The maximum; NaN only where there is nothing else."""
    found = max(values, default=NAN)
    # A NaN wins where it comes first, and only there: nothing compares with it.
    return max((value for value in values if not math.isnan(value)), default=NAN) if math.isnan(found) else found


def smallest(values: Sequence[float]) -> float:
    """The minimum; NaN only where there is nothing else."""
    found = min(values, default=NAN)
    return min((value for value in values if not math.isnan(value)), default=NAN) if math.isnan(found) else found


def quantile(q: float, values: Iterable[float]) -> float:
    """The *q*-quantile, interpolated between neighbours; NaN sorts first. Infinite for *q* outside 0 to 1."""
    ranked = sorted(values, key=lambda value: (not math.isnan(value), value))
    if not ranked or math.isnan(q):
        return NAN
    if not 0 <= q <= 1:
        return INFINITY if q > 1 else -INFINITY
    rank = q * (len(ranked) - 1)
    below = math.floor(rank)
    above = min(below + 1, len(ranked) - 1)
    weight = rank - below
    return ranked[below] * (1 - weight) + ranked[above] * weight


def guarded(function: Callable[[float], float], *, overflow: float = INFINITY) -> Callable[[float], float]:
    """*function* of the math module, giving NaN outside its domain and *overflow* (with the argument's sign) beyond range."""

    def guard(value: float) -> float:
        try:
            return function(value)
        except ValueError:
            return NAN
        except OverflowError:
            return overflow

    return guard


def format_value(value: float) -> str:
    """*value* as Prometheus writes it into a label: the shortest decimal without an exponent."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    text = repr(value)
    if "e" not in text:
        return text.removesuffix(".0")
    digits, _, exponent = text.partition("e")
    return _shift(digits.removesuffix(".0"), int(exponent))


def _shift(digits: str, places: int) -> str:
    sign, digits = ("-", digits[1:]) if digits.startswith("-") else ("", digits)
    whole, _, fraction = digits.partition(".")
    if places >= 0:
        fraction = fraction.ljust(places, "0")
        return sign + whole + fraction[:places] + ("." + fraction[places:] if fraction[places:] else "")
    return sign + "0." + "0" * (-places - len(whole)) + whole + fraction
