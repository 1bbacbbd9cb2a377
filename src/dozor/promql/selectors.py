"""Selectors: what is asked of the store, and when."""

from collections.abc import Callable
from operator import attrgetter
from typing import TYPE_CHECKING, Final

from dozor.errors import PromQLError
from dozor.model.labels import METRIC_NAME
from dozor.promql.context import Context
from dozor.promql.parsing import Expr, milliseconds
from dozor.promql.prepared import Prepared
from dozor.promql.vector import EMPTY, Matrix, Vector
from dozor.store import Matcher, MatchOperator

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

    __slots__ = ("_offset", "fixed", "moment")

    moment: Moment
    """When the selector looks at the step being evaluated."""

    def __init__(self, at: Expr, offset: Expr) -> None:
        self._offset = earlier = milliseconds(offset)
        self.fixed = at is not None
        """Whether the selector looks at the same time at every step."""
        moment = attrgetter("at") if at is None else _fixed(at)
        self.moment = (lambda context: moment(context) - earlier) if earlier else moment

    def extent(self, context: Context) -> tuple[int, int]:
        """When the selector looks first and last, of all steps."""
        if self.fixed:
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
    named = [one.literals for one in matchers if one.name == METRIC_NAME and one.literals is not None]
    compiler.metric_names.update(*named)
    compiler.all_named = compiler.all_named and bool(named)
    return tuple(matchers)


def compile_vector(compiler: "Compiler", selector: Expr) -> "VectorNode":
    """The last sample of each series."""
    matchers, timing = matchers_of(compiler, selector), Timing(selector.at, selector.offset)
    moment, fixed, key = timing.moment, timing.fixed, object()

    def select(context: Context) -> Vector:
        at = moment(context)
        if fixed or context.start == context.end:
            labels, values = context.store.latest(matchers, at, context.lookback)
        else:
            labels, values, _ = _prepare(context, key, matchers, timing).latest(at, context.lookback)
        context.budget.charge(len(values))
        return Vector(labels, values) if values else EMPTY

    return select


def compile_timestamps(compiler: "Compiler", selector: Expr) -> "VectorNode":
    """When the last sample of each series was taken, in seconds."""
    matchers, timing = matchers_of(compiler, selector), Timing(selector.at, selector.offset)
    key = object()

    def select(context: Context) -> Vector:
        prepared = _prepare(context, key, matchers, timing)
        labels, _, taken = prepared.latest(timing.moment(context), context.lookback)
        context.budget.charge(len(taken))
        return Vector(labels, [moment / 1000 for moment in taken])

    return select


def compile_matrix(compiler: "Compiler", selector: Expr) -> "MatrixNode":
    """The samples of each series over a range."""
    inner = selector.vector_selector
    matchers, timing = matchers_of(compiler, inner), Timing(inner.at, inner.offset)
    length = milliseconds(selector.range)
    moment, key = timing.moment, object()

    def select(context: Context) -> Matrix:
        end = moment(context)
        if context.start == context.end:
            selection = context.store.select(matchers, end - length, end)
            matrix = Matrix(selection.labels, selection.blocks, end - length, end)
        else:
            prepared: Prepared | None = context.prepared.get(key)
            if prepared is None:
                first, last = timing.extent(context)
                selection = context.store.select(matchers, first - length, last)
                prepared = context.prepared[key] = Prepared(selection.labels, selection.blocks)
            matrix = prepared.between(end - length, end)
        context.budget.charge(matrix.size)
        return matrix

    return select


def _prepare(context: Context, key: object, matchers: tuple[Matcher, ...], timing: Timing) -> Prepared:
    """All that a selector of last samples will look at, fetched at the first step."""
    prepared: Prepared | None = context.prepared.get(key)
    if prepared is None:
        first, last = timing.extent(context)
        selection = context.store.select(matchers, first - context.lookback, last, markers=True)
        prepared = context.prepared[key] = Prepared(selection.labels, selection.blocks)
        context.budget.charge(selection.size)
    return prepared
