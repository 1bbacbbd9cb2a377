"""Functions of single values: rounding, logarithms, angles, bounds."""

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from dozor.promql.arithmetic import INFINITY, divide, guarded
from dozor.promql.context import Context
from dozor.promql.functions.base import ScalarBuilder, VectorBuilder, mapped
from dozor.promql.parsing import Expr
from dozor.promql.vector import EMPTY, Vector

if TYPE_CHECKING:
    from dozor.promql.compile import Compiler, ScalarNode, VectorNode


def _whole(function: Callable[[float], int]) -> Callable[[float], float]:
    """*function* (ceil or floor), keeping infinities, NaN and the sign of zero."""
    return lambda value: math.copysign(function(value), value) if math.isfinite(value) else value


def _logarithm(function: Callable[[float], float]) -> Callable[[float], float]:
    def logarithm(value: float) -> float:
        if value > 0:
            return function(value)
        return -INFINITY if value == 0 else math.nan

    return logarithm


def _inverse_tangent(value: float) -> float:
    try:
        return math.atanh(value)
    except ValueError:
        return math.copysign(INFINITY, value) if abs(value) == 1 else math.nan


def _sign(value: float) -> float:
    return value if value == 0 or math.isnan(value) else math.copysign(1.0, value)


def _hyperbolic_sine(value: float) -> float:
    try:
        return math.sinh(value)
    except OverflowError:
        return math.copysign(INFINITY, value)


def _clamped(compiler: "Compiler", vector: Expr, low: "ScalarNode", high: "ScalarNode") -> "VectorNode":
    node, drop = compiler.vector(vector), compiler.dropper()

    def evaluate(context: Context) -> Vector:
        found, least, most = node(context), low(context), high(context)
        if most < least:
            return EMPTY
        return Vector(drop(found.labels), [_bounded(value, least, most) for value in found.values])

    return evaluate


def _bounded(value: float, least: float, most: float) -> float:
    # An infinite bound holds against NaN too.
    below = -INFINITY if most == -INFINITY else _ordered(min, most, value)
    return INFINITY if least == INFINITY else _ordered(max, least, below)


def _clamp(compiler: "Compiler", args: list[Expr]) -> "VectorNode":
    return _clamped(compiler, args[0], compiler.scalar(args[1]), compiler.scalar(args[2]))


def _clamp_max(compiler: "Compiler", args: list[Expr]) -> "VectorNode":
    return _clamped(compiler, args[0], lambda _: -INFINITY, compiler.scalar(args[1]))


def _clamp_min(compiler: "Compiler", args: list[Expr]) -> "VectorNode":
    return _clamped(compiler, args[0], compiler.scalar(args[1]), lambda _: INFINITY)


def _round(compiler: "Compiler", args: list[Expr]) -> "VectorNode":
    node, drop = compiler.vector(args[0]), compiler.dropper()
    nearest = compiler.scalar(args[1]) if len(args) > 1 else lambda _: 1.0

    def evaluate(context: Context) -> Vector:
        vector, inverse = node(context), divide(1.0, nearest(context))
        return Vector(drop(vector.labels), [_rounded(value, inverse) for value in vector.values])

    return evaluate


def _rounded(value: float, inverse: float) -> float:
    # Ties go up. Multiplying by the inverse loses less than dividing does.
    scaled = value * inverse + 0.5
    return divide(math.floor(scaled) if math.isfinite(scaled) else scaled, inverse)


def _largest(compiler: "Compiler", args: list[Expr]) -> "ScalarNode":
    first, second = compiler.scalar(args[0]), compiler.scalar(args[1])
    return lambda context: _ordered(max, first(context), second(context))


def _smallest(compiler: "Compiler", args: list[Expr]) -> "ScalarNode":
    first, second = compiler.scalar(args[0]), compiler.scalar(args[1])
    return lambda context: _ordered(min, first(context), second(context))


def _ordered(choose: Callable[[float, float], float], first: float, second: float) -> float:
    return math.nan if math.isnan(first) or math.isnan(second) else choose(first, second)


FUNCTIONS: Final[dict[str, VectorBuilder]] = {
    "abs": mapped(abs),
    "acos": mapped(guarded(math.acos)),
    "acosh": mapped(guarded(math.acosh)),
    "asin": mapped(guarded(math.asin)),
    "asinh": mapped(math.asinh),
    "atan": mapped(math.atan),
    "atanh": mapped(_inverse_tangent),
    "ceil": mapped(_whole(math.ceil)),
    "clamp": _clamp,
    "clamp_max": _clamp_max,
    "clamp_min": _clamp_min,
    "cos": mapped(guarded(math.cos)),
    "cosh": mapped(guarded(math.cosh)),
    "deg": mapped(math.degrees),
    "exp": mapped(guarded(math.exp)),
    "floor": mapped(_whole(math.floor)),
    "ln": mapped(_logarithm(math.log)),
    "log10": mapped(_logarithm(math.log10)),
    "log2": mapped(_logarithm(math.log2)),
    "rad": mapped(math.radians),
    "round": _round,
    "sgn": mapped(_sign),
    "sin": mapped(guarded(math.sin)),
    "sinh": mapped(_hyperbolic_sine),
    "sqrt": mapped(guarded(math.sqrt)),
    "tan": mapped(guarded(math.tan)),
    "tanh": mapped(math.tanh),
}
SCALAR_FUNCTIONS: Final[dict[str, ScalarBuilder]] = {
    "max_of": _largest,
    "min_of": _smallest,
    "pi": lambda _compiler, _args: lambda _context: math.pi,
}
