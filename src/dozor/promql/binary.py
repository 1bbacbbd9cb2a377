"""Binary operations: arithmetic, comparisons, sets."""

import math
import operator
from collections.abc import Callable
from itertools import compress
from typing import TYPE_CHECKING, Final

from dozor.model.labels import Labels
from dozor.promql.arithmetic import divide, modulo, power
from dozor.promql.context import Context
from dozor.promql.matching import (
    Matching,
    Pairs,
    Renaming,
    drop_name,
    drop_name_later,
    keep_name,
    matching_of,
    pair_up,
)
from dozor.promql.names import unique
from dozor.promql.parsing import Expr, Kind, kind
from dozor.promql.vector import EMPTY, NO_LABELS, Vector

if TYPE_CHECKING:
    from dozor.promql.compile import Compiler, ScalarNode, VectorNode

Calculation = Callable[[float, float], float]
Comparison = Callable[[float, float], bool]

ARITHMETIC: Final[dict[str, Calculation]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": divide,
    "%": modulo,
    "^": power,
    "atan2": math.atan2,
}
COMPARISONS: Final[dict[str, Comparison]] = {
    "==": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    "<": operator.lt,
    ">=": operator.ge,
    "<=": operator.le,
}


def compile_scalars(compiler: "Compiler", operation: Expr) -> "ScalarNode":
    """Two numbers."""
    left, right = compiler.scalar(operation.lhs), compiler.scalar(operation.rhs)
    sign = str(operation.op)
    if sign in COMPARISONS:
        compare = COMPARISONS[sign]
        return lambda context: 1.0 if compare(left(context), right(context)) else 0.0
    calculate = ARITHMETIC[sign]
    return lambda context: calculate(left(context), right(context))


def compile_vectors(compiler: "Compiler", operation: Expr) -> "VectorNode":
    """Two vectors, or a vector and a number."""
    sign = str(operation.op)
    if kind(operation.rhs) is Kind.SCALAR:
        return _with_number(compiler, operation, number_first=False)
    if kind(operation.lhs) is Kind.SCALAR:
        return _with_number(compiler, operation, number_first=True)
    if sign in _SETS:
        return _sets(compiler, operation)
    return _two_vectors(compiler, operation)


def _returns_bool(operation: Expr) -> bool:
    return operation.modifier is not None and bool(operation.modifier.return_bool)


def _with_number(compiler: "Compiler", operation: Expr, *, number_first: bool) -> "VectorNode":
    lhs, rhs = (operation.rhs, operation.lhs) if number_first else (operation.lhs, operation.rhs)
    node, number, sign = compiler.vector(lhs), compiler.scalar(rhs), str(operation.op)
    if sign in COMPARISONS and not _returns_bool(operation):
        return _filter(node, number, COMPARISONS[_MIRRORED[sign] if number_first else sign])
    calculate: Calculation = COMPARISONS[sign] if sign in COMPARISONS else ARITHMETIC[sign]
    boolean, drop = sign in COMPARISONS, compiler.dropper()

    def evaluate(context: Context) -> Vector:
        vector, other = node(context), number(context)
        if number_first:
            values = [calculate(other, value) for value in vector.values]
        else:
            values = [calculate(value, other) for value in vector.values]
        return Vector(drop(vector.labels), [float(value) for value in values] if boolean else values)

    return evaluate


# `5 < metric` is `metric > 5`; the vector's values are kept whichever side it stands on.
_MIRRORED: Final = {"==": "==", "!=": "!=", ">": "<", "<": ">", ">=": "<=", "<=": ">="}


def _filter(node: "VectorNode", number: "ScalarNode", compare: Comparison) -> "VectorNode":
    def evaluate(context: Context) -> Vector:
        vector, other = node(context), number(context)
        return _kept(vector.labels, vector.values, [compare(value, other) for value in vector.values])

    return evaluate


def _kept(labels: list[Labels], values: list[float], keep: list[bool]) -> Vector:
    if True not in keep:
        return EMPTY
    if False not in keep:
        return Vector(labels, values)
    return Vector(list(compress(labels, keep)), list(compress(values, keep)))


def _two_vectors(compiler: "Compiler", operation: Expr) -> "VectorNode":
    left, right = compiler.vector(operation.lhs), compiler.vector(operation.rhs)
    sign, matching = str(operation.op), matching_of(operation.modifier)
    if matching.fill_many is not None or matching.fill_one is not None:
        compiler.require_experimental("fill()")
    fill_left, fill_right = matching.fill_many or 0.0, matching.fill_one or 0.0
    if matching.cardinality == "OneToMany":
        fill_left, fill_right = fill_right, fill_left
    boolean = _returns_bool(operation)
    pairs_of = _Remembered(matching, _renaming(compiler, sign, boolean=boolean))

    def operands(context: Context) -> tuple[Pairs, list[tuple[float, float]]]:
        lhs, rhs = left(context), right(context)
        pairs = pairs_of(lhs.labels, rhs.labels)
        ours, theirs = lhs.values, rhs.values
        return pairs, [
            (ours[one] if one >= 0 else fill_left, theirs[other] if other >= 0 else fill_right)
            for one, other in pairs.pairs
        ]

    if sign in ARITHMETIC:
        calculate = ARITHMETIC[sign]

        def arithmetic(context: Context) -> Vector:
            pairs, values = operands(context)
            return Vector(pairs.labels, [calculate(ours, theirs) for ours, theirs in values])

        return arithmetic

    compare = COMPARISONS[sign]

    def comparison(context: Context) -> Vector:
        pairs, values = operands(context)
        keep = [compare(ours, theirs) for ours, theirs in values]
        if boolean:
            return Vector(pairs.labels, [float(holds) for holds in keep])
        kept = _kept(pairs.labels, [ours for ours, _ in values], keep)
        if matching.cardinality != "OneToOne":
            unique(kept.labels)
        return kept

    return comparison


def _renaming(compiler: "Compiler", sign: str, *, boolean: bool) -> Renaming:
    if sign in ARITHMETIC:
        return drop_name
    if not boolean:
        return keep_name
    return drop_name_later if compiler.dialect.delayed_name_removal else drop_name


class _Remembered:
    """Matches two lists of labels, unless they are the two that it matched last."""

    __slots__ = ("_last", "_matching", "_rename")

    def __init__(self, matching: Matching, rename: Renaming) -> None:
        self._matching, self._rename = matching, rename
        self._last: tuple[list[Labels], list[Labels], Pairs] = (NO_LABELS, NO_LABELS, Pairs([], []))

    def __call__(self, left: list[Labels], right: list[Labels]) -> Pairs:
        ours, theirs, pairs = self._last
        if ours is not left or theirs is not right:
            pairs = self._pair(left, right)
            self._last = (left, right, pairs)
        return pairs

    def _pair(self, left: list[Labels], right: list[Labels]) -> Pairs:
        matching = self._matching
        if (not left or not right) and matching.fill_many is None and matching.fill_one is None:
            return Pairs([], NO_LABELS)
        pairs = pair_up(matching, left, right, self._rename)
        if self._rename is drop_name:
            unique(pairs.labels)
        return pairs


def _sets(compiler: "Compiler", operation: Expr) -> "VectorNode":
    left, right = compiler.vector(operation.lhs), compiler.vector(operation.rhs)
    combine, matching = _SETS[str(operation.op)], matching_of(operation.modifier)

    def evaluate(context: Context) -> Vector:
        return combine(matching, left(context), right(context))

    return evaluate


def _signatures(matching: Matching, vector: Vector) -> set[Labels]:
    return {matching.signature(labels) for labels in vector.labels}


def _and(matching: Matching, left: Vector, right: Vector) -> Vector:
    if not left.values or not right.values:
        return EMPTY
    present = _signatures(matching, right)
    return _kept(left.labels, left.values, [matching.signature(labels) in present for labels in left.labels])


def _unless(matching: Matching, left: Vector, right: Vector) -> Vector:
    if not left.values or not right.values:
        return left
    present = _signatures(matching, right)
    return _kept(left.labels, left.values, [matching.signature(labels) not in present for labels in left.labels])


def _or(matching: Matching, left: Vector, right: Vector) -> Vector:
    if not left.values or not right.values:
        return left if left.values else right
    present = _signatures(matching, left)
    added = _kept(right.labels, right.values, [matching.signature(labels) not in present for labels in right.labels])
    if not added.values:
        return left
    return Vector(left.labels + added.labels, left.values + added.values)


_SETS: Final[dict[str, Callable[[Matching, Vector, Vector], Vector]]] = {"and": _and, "or": _or, "unless": _unless}
