"""Selectors: what is asked of the store, and when."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from dozor.errors import PromQLError
from dozor.model.labels import METRIC_NAME, Labels
from dozor.promql.context import Context
from dozor.promql.parsing import Expr, milliseconds
from dozor.promql.vector import EMPTY, Matrix, Vector
from dozor.store import Matcher, MatchOperator, Selection, Window

if TYPE_CHECKING:
    from dozor.promql.compile import Compiler, MatrixNode, VectorNode

_OPERATORS: Final = {
    "MatchOp.Equal": MatchOperator.EQUAL,
    "MatchOp.NotEqual": MatchOperator.NOT_EQUAL,
    "MatchOp.Re": MatchOperator.REGEX,
    "MatchOp.NotRe": MatchOperator.NOT_REGEX,
}

Moment = Callable[[Context], int]
"""When a selector looks, in milliseconds, given when it is evaluated."""


class Timing:
    """The `offset` and `@` of a selector or subquery."""

    __slots__ = ("_at", "_offset")

    def __init__(self, at: Expr, offset: Expr) -> None:
        self._offset = milliseconds(offset)
        self._at: Moment | None = None if at is None else _fixed(at)

    @property
    def fixed(self) -> bool:
        """Whether the selector looks at the same time at every step."""
        return self._at is not None

    def moment(self, context: Context) -> int:
        """When the selector looks at the step being evaluated."""
        return (context.at if self._at is None else self._at(context)) - self._offset

    def extent(self, context: Context) -> tuple[int, int]:
        """When the selector looks first and last, of all steps."""
        if self._at is not None:
            moment = self.moment(context)
            return moment, moment
        return context.start - self._offset, context.end - self._offset


def _fixed(at: Expr) -> Moment:
    match str(at.type).rpartition(".")[2]:
        case "Start":
            return lambda context: context.query_start
        case "End":
            return lambda context: context.query_end
        case _:
            try:
                moment = round(at.at.timestamp() * 1000)
            except (OverflowError, ValueError):
                raise PromQLError("the time of the @ modifier is out of range") from None
            return lambda _: moment


def matchers_of(compiler: "Compiler", selector: Expr) -> tuple[Matcher, ...]:
    """The matchers of *selector*, its metric's name among them."""
    if selector.matchers.or_matchers:
        raise PromQLError('"or" between matchers is not PromQL; use a regular expression, or "or" between selectors')
    try:
        matchers = [
            Matcher(matcher.name, _OPERATORS[str(matcher.op)], matcher.value) for matcher in selector.matchers.matchers
        ]
    except ValueError as error:
        raise PromQLError(str(error)) from None
    if selector.name is not None:
        matchers.insert(0, Matcher(METRIC_NAME, MatchOperator.EQUAL, selector.name))
    for matcher in matchers:
        if matcher.name == METRIC_NAME and matcher.literals is not None:
            compiler.metric_names |= matcher.literals
    return tuple(matchers)


def compile_vector(compiler: "Compiler", selector: Expr) -> "VectorNode":
    """The last sample of each series."""
    matchers, timing = matchers_of(compiler, selector), Timing(selector.at, selector.offset)
    key = object()

    def select(context: Context) -> Vector:
        at = timing.moment(context)
        if context.start == context.end or timing.fixed:
            labels, values = context.store.latest(matchers, at, context.lookback)
        else:
            labels, found = _latest(_prepare(context, key, matchers, timing), at, context.lookback)
            values = [value for _, value in found]
        context.budget.charge(len(values))
        return Vector(labels, values) if values else EMPTY

    return select


def compile_timestamps(compiler: "Compiler", selector: Expr) -> "VectorNode":
    """When the last sample of each series was taken, in seconds."""
    matchers, timing = matchers_of(compiler, selector), Timing(selector.at, selector.offset)
    key = object()

    def select(context: Context) -> Vector:
        labels, found = _latest(_prepare(context, key, matchers, timing), timing.moment(context), context.lookback)
        context.budget.charge(len(found))
        return Vector(labels, [taken / 1000 for taken, _ in found])

    return select


def compile_matrix(compiler: "Compiler", selector: Expr) -> "MatrixNode":
    """The samples of each series over a range."""
    inner = selector.vector_selector
    matchers, timing = matchers_of(compiler, inner), Timing(inner.at, inner.offset)
    length = milliseconds(selector.range)
    key = object()

    def select(context: Context) -> Matrix:
        end = timing.moment(context)
        if context.start == context.end:
            selection = context.store.select(matchers, end - length, end)
            matrix = Matrix(selection.labels, selection.windows, end - length, end)
        else:
            prepared = context.prepared.get(key)
            if prepared is None:
                first, last = timing.extent(context)
                prepared = context.prepared[key] = context.store.select(matchers, first - length, last)
            matrix = stretch(prepared.labels, prepared.windows, end - length, end)
        context.budget.charge(sum(window.size for window in matrix.windows))
        return matrix

    return select


def stretch(labels: list[Labels], windows: list[Window], start: int, end: int) -> Matrix:
    """The parts of *windows* in (*start*, *end*]; series without any are left out."""
    parts = [window.between(start, end) for window in windows]
    present = [part for part in parts if part is not None]
    if len(present) < len(parts):
        labels = [one for one, part in zip(labels, parts, strict=True) if part is not None]
    return Matrix(labels, present, start, end)


def _prepare(context: Context, key: object, matchers: tuple[Matcher, ...], timing: Timing) -> Selection:
    """All that a selector of last samples will look at, fetched at the first step."""
    prepared: Selection | None = context.prepared.get(key)
    if prepared is None:
        first, last = timing.extent(context)
        prepared = context.store.select(matchers, first - context.lookback, last, markers=True)
        context.prepared[key] = prepared
        context.budget.charge(sum(window.size for window in prepared.windows))
    return prepared


def _latest(selection: Selection, at: int, lookback: int) -> tuple[list[Labels], list[tuple[int, float]]]:
    found = [window.latest(at, lookback) for window in selection.windows]
    present = [one for one in found if one is not None]
    if len(present) == len(found):
        return selection.labels, present
    return [labels for labels, one in zip(selection.labels, found, strict=True) if one is not None], present
