"""A compiled expression: what the rest of Dozor holds in its hands."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from msgspec import Struct, field

from dozor.errors import PromQLError, QueryLimitError
from dozor.model.labels import Labels
from dozor.promql.compile import Compiler, Dialect, MatrixNode, VectorNode
from dozor.promql.context import Budget, Context, Limits, Notes
from dozor.promql.names import finished
from dozor.promql.parsing import Expr, Kind, kind, parse
from dozor.promql.strictness import is_strict
from dozor.promql.subquery import Series
from dozor.promql.vector import NO_LABELS
from dozor.store import Queryable, Window, milliseconds

Points = list[tuple[float, float]]
"""(Unix seconds, value), in the order of time."""


_DEFAULT_LIMITS: Final = Limits()


class VectorSample(NamedTuple):
    """One element of a result. *labels* hold `__name__` where PromQL keeps it."""

    labels: Labels
    value: float


class Result(Struct, frozen=True):
    """All that an instant evaluation has to say.

    Attributes:
        kind: what the expression evaluates to; decides which of the next three is filled.
        vector: for vectors and scalars (one sample without labels); in the order of evaluation.
        series: for ranges.
        text: for strings.
        warnings, infos: what should be said beside it.
        samples: how many the evaluation looked at.
    """

    kind: Kind
    vector: list[VectorSample] = field(default_factory=list)
    series: list[tuple[Labels, Window]] = field(default_factory=list)
    text: str = ""
    warnings: tuple[str, ...] = ()
    infos: tuple[str, ...] = ()
    samples: int = 0

    @property
    def matrix(self) -> list[tuple[Labels, Points]]:
        """The series as points; made anew each time, which for many takes longer than the evaluation."""
        points = _points([window for _, window in self.series])
        return [(labels, one) for (labels, _), one in zip(self.series, points, strict=True)]


class Query:
    """An expression, parsed and compiled once. Evaluating is safe in any thread, one evaluation at a time is quickest.

    Attributes:
        expr: the expression as it was written.
        type: what it evaluates to.
    """

    __slots__ = ("_matrix", "_metric_names", "_text", "_unseen", "_vector", "expr", "type")

    def __init__(self, expr: str, dialect: Dialect) -> None:
        self.expr = expr
        parsed = parse(expr)
        self.type = kind(parsed)
        self._vector: VectorNode | None = None
        self._matrix: MatrixNode | None = None
        self._text = ""
        compiler = Compiler(dialect)
        try:
            self._compile(compiler, parsed)
        except RecursionError:
            raise QueryLimitError("the expression is nested too deep") from None
        self._metric_names = frozenset(compiler.metric_names)
        self._unseen = compiler.all_named and is_strict(parsed)
        """Whether it gives nothing while the store lacks its metrics, and has lacked them so far; what was there once mostly stays."""

    def _compile(self, compiler: Compiler, parsed: Expr) -> None:
        if self.type is Kind.STRING:
            self._text = compiler.text(parsed)
        elif self.type is Kind.MATRIX:
            self._matrix = compiler.matrix(parsed)
        else:
            self._vector = compiler.vector(parsed)

    def metric_names(self) -> frozenset[str]:
        """The metrics that the expression names outright; what regular expressions over `__name__` match is not told."""
        return self._metric_names

    def instant(self, store: Queryable, at: float, *, limits: Limits | None = None) -> list[VectorSample]:
        """The vector at *at*, in Unix seconds; a scalar is one sample without labels.

        Raises:
            PromQLError: the expression gives no vector, or cannot be evaluated over this data.
            QueryLimitError: it asks for more than *limits* allow.
        """
        if self._vector is None:
            raise PromQLError(f"the expression gives a {self.type.value}, not a vector")
        if self._unseen:
            if store.lacks(self._metric_names):
                return []
            self._unseen = False
        moment = milliseconds(at)
        context = Context(store, moment, moment, 0, budget=Budget(limits or _DEFAULT_LIMITS), notes=Notes())
        vector = self._vector(context)
        return list(map(VectorSample, finished(vector.labels), vector.values)) if vector.values else []

    def evaluate(self, store: Queryable, at: float, *, limits: Limits | None = None) -> Result:
        """Whatever the expression gives at *at*, with notes. Raises as `instant` does."""
        moment = milliseconds(at)
        context = Context(store, moment, moment, 0, budget=Budget(limits or _DEFAULT_LIMITS), notes=Notes())
        vector: list[VectorSample] = []
        series: list[tuple[Labels, Window]] = []
        if self._vector is not None:
            found = self._vector(context)
            vector = list(map(VectorSample, finished(found.labels), found.values))
        elif self._matrix is not None:
            ranges = self._matrix(context)
            context.budget.keep(ranges.size)
            series = list(zip(finished(ranges.labels), ranges.windows, strict=True))
        notes = context.notes
        return Result(
            self.type, vector, series, self._text, tuple(notes.warnings), tuple(notes.infos), context.budget.spent
        )

    def range(
        self, store: Queryable, start: float, end: float, step: float, *, limits: Limits | None = None
    ) -> list[tuple[Labels, Points]]:
        """The vector at *start* and each *step* seconds later up to *end*, as series in the order of their labels.

        Raises as `instant` does.
        """
        return self.evaluate_range(store, start, end, step, limits=limits).matrix

    def evaluate_range(
        self, store: Queryable, start: float, end: float, step: float, *, limits: Limits | None = None
    ) -> Result:
        """As `range`, with notes."""
        if self._vector is None:
            raise PromQLError(f"a range query needs a vector or a number, the expression gives a {self.type.value}")
        first, last, interval = milliseconds(start), milliseconds(end), milliseconds(step)
        if interval <= 0:
            raise PromQLError("the step of a range query must be at least a millisecond")
        context = Context(store, first, last, interval, budget=Budget(limits or _DEFAULT_LIMITS), notes=Notes())
        series = Series()
        known, labels = NO_LABELS, NO_LABELS
        for at in range(first, last + 1, interval):
            context.at = at
            vector = self._vector(context)
            context.budget.charge(len(vector.values) + 1)
            context.budget.keep(len(vector.values))
            if vector.labels is not known:
                known, labels = vector.labels, finished(vector.labels)
            series.add(at, labels, vector.values)
        return Result(
            Kind.MATRIX,
            series=list(zip(*series.collected(), strict=True)),
            warnings=tuple(context.notes.warnings),
            infos=tuple(context.notes.infos),
            samples=context.budget.spent,
        )


def compile_query(expr: str, *, dialect: Dialect | None = None) -> Query:
    """*expr*, ready to be evaluated as often as wanted. The caller keeps it.

    Raises:
        PromQLError: it cannot be parsed, or uses what is not supported.
        QueryLimitError: it is too long, or nested too deep.
    """
    return Query(expr, dialect or Dialect())


def _points(windows: Sequence[Window]) -> list[Points]:
    seconds: dict[tuple[int, int, int], list[float]] = {}
    points: list[Points] = []
    for window in windows:
        key = (id(window.times), window.first_time, window.size)
        shared = seconds.get(key)
        if shared is None:
            shared = seconds[key] = [time / 1000 for time in window.time_slice()]
        points.append(list(zip(shared, window.value_slice(), strict=True)))
    return points
