"""What functions have in common: how a plain Python function becomes a node."""

from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import TYPE_CHECKING, TypeVar

from dozor.model.labels import Labels
from dozor.promql.context import Context
from dozor.promql.parsing import Expr
from dozor.promql.rolling import Rolling, State
from dozor.promql.vector import EMPTY, Matrix, Vector
from dozor.store import Columns, in_rows

if TYPE_CHECKING:
    from dozor.promql.compile import Compiler, ScalarNode, VectorNode

VectorBuilder = Callable[["Compiler", list[Expr]], "VectorNode"]
ScalarBuilder = Callable[["Compiler", list[Expr]], "ScalarNode"]

S = TypeVar("S", bound=State)

Dropping = Callable[[list[Labels]], list[Labels]]
"""What takes names off labels."""

OverRange = Callable[[Columns, Matrix], Sequence[float] | None]
"""What a function makes of the samples of each of some series in a range; None: no result for any of them."""


def over_range(function: OverRange, *, keep_name: bool = False) -> VectorBuilder:
    """`name(range)`."""

    def build(compiler: "Compiler", args: list[Expr]) -> "VectorNode":
        node, drop = compiler.matrix(args[0]), compiler.dropper()

        def evaluate(context: Context) -> Vector:
            return applied(function, node(context), None if keep_name else drop)

        return evaluate

    return build


def over_moving_range(kind: type[S], known: Callable[[S], list[float]], function: OverRange) -> VectorBuilder:
    """`name(range)`, where *known* tells from the state of a range what *function* works out from its samples."""

    def build(compiler: "Compiler", args: list[Expr]) -> "VectorNode":
        node, drop, rolling = compiler.matrix(args[0]), compiler.dropper(), Rolling(kind)

        def remembering(columns: Columns, matrix: Matrix) -> Sequence[float] | None:
            try:
                found = rolling(columns, known)
            except OverflowError:
                found = None
            return function(columns, matrix) if found is None else found

        def evaluate(context: Context) -> Vector:
            matrix = node(context)
            rolling.forget(matrix)
            return applied(remembering, matrix, drop)

        return evaluate

    return build


def of_values(function: Callable[[Sequence[float]], float]) -> OverRange:
    """*function* of each series' values."""
    return lambda columns, _matrix: [function(values) for values in columns.slices()]


def applied(function: OverRange, matrix: Matrix, drop: Dropping | None) -> Vector:
    """The vector of what *function* makes of *matrix*, without the series of which it makes nothing."""
    blocks, labels = matrix.blocks, matrix.labels
    if len(blocks) == 1:
        single = function(blocks[0], matrix)
        return EMPTY if single is None else Vector(labels if drop is None else drop(labels), list(single))
    if not blocks:
        return EMPTY
    found = [function(block, matrix) for block in blocks]
    values = [one for one in found if one is not None]
    if len(values) < len(found):
        return _some(blocks, found, labels, drop)
    return Vector(labels if drop is None else drop(labels), in_rows(blocks, values))


def _some(
    blocks: list[Columns], found: list[Sequence[float] | None], labels: list[Labels], drop: Dropping | None
) -> Vector:
    rows = [
        (row, value)
        for block, values in zip(blocks, found, strict=True)
        if values is not None
        for row, value in zip(block.rows, values, strict=True)
    ]
    rows.sort(key=itemgetter(0))
    labels = [labels[row] for row, _ in rows]
    return Vector(labels if drop is None else drop(labels), [value for _, value in rows])


def mapped(function: Callable[[float], float]) -> VectorBuilder:
    """`name(vector)`: *function* of each value."""

    def build(compiler: "Compiler", args: list[Expr]) -> "VectorNode":
        node, drop = compiler.vector(args[0]), compiler.dropper()

        def evaluate(context: Context) -> Vector:
            vector = node(context)
            return Vector(drop(vector.labels), [function(value) for value in vector.values])

        return evaluate

    return build
