"""What functions have in common: how a plain Python function becomes a node."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from dozor.model.labels import Labels
from dozor.promql.context import Context
from dozor.promql.parsing import Expr
from dozor.promql.vector import EMPTY, Matrix, Vector
from dozor.store import Window

if TYPE_CHECKING:
    from dozor.promql.compile import Compiler, ScalarNode, VectorNode

VectorBuilder = Callable[["Compiler", list[Expr]], "VectorNode"]
ScalarBuilder = Callable[["Compiler", list[Expr]], "ScalarNode"]

Dropping = Callable[[list[Labels]], list[Labels]]
"""What takes names off labels."""

OverRange = Callable[[Window, Matrix], float | None]
"""What a function makes of one series' samples in a range; None for no result."""


def over_range(function: OverRange, *, keep_name: bool = False) -> VectorBuilder:
    """`name(range)`."""

    def build(compiler: "Compiler", args: list[Expr]) -> "VectorNode":
        node, drop = compiler.matrix(args[0]), compiler.dropper()

        def evaluate(context: Context) -> Vector:
            matrix = node(context)
            results = [function(window, matrix) for window in matrix.windows]
            return collect(matrix, results, None if keep_name else drop)

        return evaluate

    return build


def collect(matrix: Matrix, results: list[float | None], drop: Dropping | None) -> Vector:
    """The vector of *results*, without the series that have none."""
    if not results:
        return EMPTY
    present = [result for result in results if result is not None]
    labels = matrix.labels
    if len(present) < len(results):
        labels = [one for one, result in zip(labels, results, strict=True) if result is not None]
    return Vector(labels if drop is None else drop(labels), present)


def mapped(function: Callable[[float], float]) -> VectorBuilder:
    """`name(vector)`: *function* of each value."""

    def build(compiler: "Compiler", args: list[Expr]) -> "VectorNode":
        node, drop = compiler.vector(args[0]), compiler.dropper()

        def evaluate(context: Context) -> Vector:
            vector = node(context)
            return Vector(drop(vector.labels), [function(value) for value in vector.values])

        return evaluate

    return build
