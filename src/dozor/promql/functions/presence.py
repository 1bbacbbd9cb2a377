"""Whether there is anything at all, and the ways between numbers and vectors."""

import math
from typing import TYPE_CHECKING, Final

import promql_parser as tree

from dozor.model.labels import METRIC_NAME, Labels
from dozor.promql.context import Context
from dozor.promql.functions.base import ScalarBuilder, VectorBuilder
from dozor.promql.parsing import Expr, unwrapped
from dozor.promql.selectors import compile_timestamps, matchers_of
from dozor.promql.vector import EMPTY, UNLABELLED, Vector
from dozor.store import MatchOperator

if TYPE_CHECKING:
    from dozor.promql.compile import Compiler, ScalarNode, VectorNode


def _absent(compiler: "Compiler", args: list[Expr]) -> "VectorNode":
    node, missing = compiler.vector(args[0]), [_labels_of(compiler, args[0])]
    return lambda context: EMPTY if node(context).values else Vector(missing, [1.0])


def _absent_over_time(compiler: "Compiler", args: list[Expr]) -> "VectorNode":
    node, missing = compiler.matrix(args[0]), [_labels_of(compiler, args[0])]
    return lambda context: EMPTY if node(context).blocks else Vector(missing, [1.0])


def _labels_of(compiler: "Compiler", expr: Expr) -> Labels:
    """The labels that what *expr* selects would surely have: those that are demanded once, and to be equal."""
    selector = unwrapped(expr)
    if isinstance(selector, tree.MatrixSelector):
        selector = selector.vector_selector
    if not isinstance(selector, tree.VectorSelector):
        return Labels()
    matchers = [matcher for matcher in matchers_of(compiler, selector) if matcher.name != METRIC_NAME]
    names = [matcher.name for matcher in matchers]
    return Labels(
        (matcher.name, matcher.value)
        for matcher in matchers
        if matcher.operator is MatchOperator.EQUAL and names.count(matcher.name) == 1
    )


def _vector(compiler: "Compiler", args: list[Expr]) -> "VectorNode":
    number = compiler.scalar(args[0])
    return lambda context: Vector(UNLABELLED, [number(context)])


def _scalar(compiler: "Compiler", args: list[Expr]) -> "ScalarNode":
    node = compiler.vector(args[0])

    def evaluate(context: Context) -> float:
        values = node(context).values
        return values[0] if len(values) == 1 else math.nan

    return evaluate


def _timestamp(compiler: "Compiler", args: list[Expr]) -> "VectorNode":
    selector, drop = unwrapped(args[0]), compiler.dropper()
    plain = isinstance(selector, tree.VectorSelector)
    node = compile_timestamps(compiler, selector) if plain else compiler.vector(args[0])

    def evaluate(context: Context) -> Vector:
        vector = node(context)
        values = vector.values if plain else [context.at / 1000] * len(vector.values)
        return Vector(drop(vector.labels), values)

    return evaluate


FUNCTIONS: Final[dict[str, VectorBuilder]] = {
    "absent": _absent,
    "absent_over_time": _absent_over_time,
    "timestamp": _timestamp,
    "vector": _vector,
}
SCALAR_FUNCTIONS: Final[dict[str, ScalarBuilder]] = {
    "end": lambda _compiler, _args: lambda context: context.query_end / 1000,
    "range": lambda _compiler, _args: lambda context: (context.query_end - context.query_start) / 1000,
    "scalar": _scalar,
    "start": lambda _compiler, _args: lambda context: context.query_start / 1000,
    "step": lambda _compiler, _args: lambda context: context.step / 1000,
    "time": lambda _compiler, _args: lambda context: context.at / 1000,
}
