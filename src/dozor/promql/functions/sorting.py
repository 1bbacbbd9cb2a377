"""Order, for people: it means something only at the outermost level of an instant query."""

import math
import re
from typing import TYPE_CHECKING, Any, Final

from dozor.model.labels import Labels
from dozor.promql.context import Context
from dozor.promql.functions.base import VectorBuilder
from dozor.promql.parsing import Expr
from dozor.promql.vector import Vector

if TYPE_CHECKING:
    from dozor.promql.compile import Compiler, VectorNode

_DIGITS: Final = re.compile(r"(\d+)")


def _note_range(context: Context) -> None:
    if context.start != context.end:
        context.notes.warn("sort is ineffective for range queries since results are always ordered by labels")


def _by_value(sign: float) -> VectorBuilder:
    def build(compiler: "Compiler", args: list[Expr]) -> "VectorNode":
        node = compiler.vector(args[0])

        def evaluate(context: Context) -> Vector:
            _note_range(context)
            vector = node(context)
            values = vector.values
            # NaN goes to the end in both directions.
            order = sorted(range(len(values)), key=lambda place: (math.isnan(values[place]), sign * values[place]))
            return _ordered(vector, order)

        return evaluate

    return build


def _by_label(*, descending: bool) -> VectorBuilder:
    def build(compiler: "Compiler", args: list[Expr]) -> "VectorNode":
        node, names = compiler.vector(args[0]), [compiler.text(arg) for arg in args[1:]]

        def key(labels: Labels) -> tuple[Any, ...]:
            return [_natural(labels.get(name)) for name in names], labels

        def evaluate(context: Context) -> Vector:
            _note_range(context)
            vector = node(context)
            order = sorted(range(len(vector.values)), key=lambda place: key(vector.labels[place]), reverse=descending)
            return _ordered(vector, order)

        return evaluate

    return build


def _natural(text: str) -> list[tuple[int, int, str]]:
    """A sort key by which `node10` comes after `node9`."""
    return [(0, int(part), part) if part.isdigit() else (1, 0, part) for part in _DIGITS.split(text) if part]


def _ordered(vector: Vector, order: list[int]) -> Vector:
    return Vector([vector.labels[place] for place in order], [vector.values[place] for place in order])


FUNCTIONS: Final[dict[str, VectorBuilder]] = {
    "sort": _by_value(1.0),
    "sort_by_label": _by_label(descending=False),
    "sort_by_label_desc": _by_label(descending=True),
    "sort_desc": _by_value(-1.0),
}
