"""Subqueries: an expression evaluated at regular steps, as if its results were samples."""

from array import array
from operator import itemgetter
from typing import TYPE_CHECKING

from dozor.errors import PromQLError
from dozor.model.labels import Labels
from dozor.promql.context import Context
from dozor.promql.parsing import Expr, Kind, kind, milliseconds
from dozor.promql.prepared import Prepared
from dozor.promql.selectors import Timing
from dozor.promql.vector import NO_LABELS, Matrix
from dozor.store import Window, in_columns

if TYPE_CHECKING:
    from dozor.promql.compile import Compiler, MatrixNode, VectorNode


class Series:
    """Collects the vectors of many steps into series."""

    def __init__(self) -> None:
        self._columns: dict[Labels, tuple[array[int], array[float]]] = {}
        self._last: tuple[list[Labels], list[tuple[array[int], array[float]]]] = (NO_LABELS, [])

    def add(self, at: int, labels: list[Labels], values: list[float]) -> None:
        """Take in the vector of the step *at*."""
        known, columns = self._last
        if known is not labels:
            columns = [self._column(one) for one in labels]
            self._last = (labels, columns)
        for (times, numbers), value in zip(columns, values, strict=True):
            if times and times[-1] == at:
                raise PromQLError("vector cannot contain metrics with the same labelset")
            times.append(at)
            numbers.append(value)

    def collected(self) -> tuple[list[Labels], list[Window]]:
        """The series and their samples, in the order of labels; equal times are one object."""
        ordered = sorted(self._columns.items(), key=itemgetter(0))
        alike: dict[bytes, array[int]] = {}
        windows = [
            Window(alike.setdefault(times.tobytes(), times), values, 0, 0, len(times)) for _, (times, values) in ordered
        ]
        return [labels for labels, _ in ordered], windows

    def _column(self, labels: Labels) -> "tuple[array[int], array[float]]":
        return self._columns.setdefault(labels, (array("q"), array("d")))


def compile_subquery(compiler: "Compiler", query: Expr) -> "MatrixNode":
    """`expression[range:step]`."""
    if kind(query.expr) not in (Kind.VECTOR, Kind.SCALAR):
        raise PromQLError("a subquery is made over a vector or a number")
    node, timing = compiler.vector(query.expr), Timing(query.at, query.offset)
    length, step = milliseconds(query.range), milliseconds(query.step)
    key = object()

    def evaluate(context: Context) -> Matrix:
        prepared: Prepared | None = context.prepared.get(key)
        if prepared is None:
            first, last = timing.extent(context)
            interval = step or round(context.budget.limits.subquery_step_seconds * 1000)
            prepared = context.prepared[key] = _run(context, node, first - length, last, interval)
        end = timing.moment(context)
        matrix = prepared.between(end - length, end)
        context.budget.charge(matrix.size)
        return matrix

    return evaluate


def _run(context: Context, node: "VectorNode", start: int, end: int, step: int) -> Prepared:
    """Evaluate *node* at the multiples of *step* in (*start*, *end*]."""
    first = (start // step + 1) * step
    context.budget.charge(max((end - first) // step + 1, 0))
    if first > end:
        return Prepared(NO_LABELS, [])
    inner = context.inner(first, end - (end - first) % step, step)
    series = Series()
    for at in range(first, end + 1, step):
        inner.at = at
        vector = node(inner)
        context.budget.charge(len(vector.values))
        series.add(at, vector.labels, vector.values)
    labels, windows = series.collected()
    return Prepared(labels, in_columns(windows))
