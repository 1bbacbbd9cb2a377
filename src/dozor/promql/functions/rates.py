"""How fast things change: rates of counters, slopes of gauges."""

import math
import operator
from array import array
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from typing_extensions import override

from dozor.promql.context import Context
from dozor.promql.functions.base import (
    OverRange,
    VectorBuilder,
    applied,
    of_values,
    over_moving_range,
    over_range,
)
from dozor.promql.parsing import Expr
from dozor.promql.rolling import Lines, Pairs, Rolling
from dozor.promql.vector import Matrix, Vector
from dozor.store import Columns

if TYPE_CHECKING:
    from dozor.promql.compile import Compiler, VectorNode

_COUNTER_SUFFIXES: Final = ("_total", "_sum", "_count", "_bucket")


def _extrapolated(columns: Columns, matrix: Matrix, *, counter: bool) -> list[float] | None:
    """By how much each series rose in the range, extended to the range's ends where the samples come close to them."""
    size = columns.size
    if size < 2:
        return None
    first_time, last_time = columns.first_moment, columns.last_moment
    sampled = (last_time - first_time) / 1000
    to_start, to_end = (first_time - matrix.start) / 1000, (matrix.end - last_time) / 1000
    # A gap of more than 1.1 usual steps means that the series began, or ended, inside the range: then it is taken to
    # reach half a step beyond its samples.
    step = sampled / (size - 1)
    if to_start >= step * 1.1:
        to_start = step / 2
    if to_end >= step * 1.1:
        to_end = step / 2
    firsts, lasts = columns.at(0), columns.at(-1)
    scale = (sampled + to_start + to_end) / sampled
    if not counter:
        return [(last - first) * scale for first, last in zip(firsts, lasts, strict=True)]
    rises = list(map(operator.sub, lasts, firsts))
    lost = columns.lost_to_resets()
    if lost is not None:
        rises = list(map(operator.add, rises, lost))
    # A counter was never below zero, so it cannot have begun before the time at which its line meets zero.
    return [
        rise * ((sampled + to_zero + to_end) / sampled)
        if rise > 0 and first >= 0 and (to_zero := sampled * (first / rise)) < to_start
        else rise * scale
        for first, rise in zip(firsts, rises, strict=True)
    ]


def _increase(columns: Columns, matrix: Matrix) -> list[float] | None:
    return _extrapolated(columns, matrix, counter=True)


def _rate(columns: Columns, matrix: Matrix) -> list[float] | None:
    increases = _extrapolated(columns, matrix, counter=True)
    seconds = (matrix.end - matrix.start) / 1000
    return None if increases is None else [increase / seconds for increase in increases]


def _delta(columns: Columns, matrix: Matrix) -> list[float] | None:
    return _extrapolated(columns, matrix, counter=False)


def _instant_rate(columns: Columns, _matrix: Matrix) -> list[float] | None:
    if columns.size < 2:
        return None
    seconds = _last_step(columns)
    return [(now if now < before else now - before) / seconds for before, now in _last_two(columns)]


def _instant_delta(columns: Columns, _matrix: Matrix) -> list[float] | None:
    return [now - before for before, now in _last_two(columns)] if columns.size > 1 else None


def _last_two(columns: Columns) -> Iterable[tuple[float, float]]:
    return zip(columns.at(-2), columns.at(-1), strict=True)


def _last_step(columns: Columns) -> float:
    times, last = columns.times, columns.first_time + columns.size - 1
    return (times[last] - times[last - 1]) / 1000


class Resets(Pairs):
    """Falls."""

    @staticmethod
    @override
    def count(values: Sequence[float]) -> int:
        return sum(map(operator.lt, values[1:], values))


class Changes(Pairs):
    """Samples that differ from the one before."""

    @staticmethod
    @override
    def count(values: Sequence[float]) -> int:
        changes: int = sum(map(operator.ne, values[1:], values))
        if changes and math.isnan(sum(values)):  # two NaN are unequal, and yet no change
            changes -= sum(
                math.isnan(value) and math.isnan(before) for value, before in zip(values[1:], values, strict=False)
            )
        return changes


def _pairs(kind: type[Pairs]) -> VectorBuilder:
    return over_moving_range(
        kind, lambda state: list(map(float, state.counts)), of_values(lambda values: float(kind.count(values)))
    )


def _regressions(columns: Columns, origin: int) -> list[tuple[float, float]]:
    """For each series slope per second, and value at *origin*, of the line that fits best."""
    times = columns.time_slice()
    if not isinstance(times, array):
        times = array("q", times)
    known = _since_first(times.tobytes())
    return [_regression(values, origin - times[0], *known) for values in columns.slices()]


def _regression(
    values: Sequence[float], origin: int, after: list[float], sum_x: int, sum_xx: int
) -> tuple[float, float]:
    count = len(values)
    if values[0] == values[-1] and values.count(values[0]) == count:
        return (math.nan, math.nan) if math.isinf(values[0]) else (0.0, values[0])
    sum_y, sum_xy = _sum(values), _sum(map(operator.mul, after, values))
    spread = count * sum_xx - sum_x * sum_x
    slope = (count * sum_xy - sum_x * sum_y) / spread if spread else math.nan
    return slope * 1000, sum_y / count + slope * (origin - sum_x / count)


@lru_cache(maxsize=32)
def _since_first(times: bytes) -> tuple[list[float], int, int]:
    """Of an array's times, the milliseconds since the first one, their sum and the sum of their squares, which are exact.

    Series that are scraped together share them.
    """
    milliseconds = array("q", times)
    after = [time - milliseconds[0] for time in milliseconds]
    return list(map(float, after)), sum(after), sum(map(operator.mul, after, after))


def _sum(values: Iterable[float]) -> float:
    try:
        return math.fsum(values)
    except (ValueError, OverflowError):
        return math.nan


def _derivative(columns: Columns, _matrix: Matrix) -> list[float] | None:
    if columns.size < 2:
        return None
    return [slope for slope, _ in _regressions(columns, columns.first_moment)]


def _predict_linear(compiler: "Compiler", args: list[Expr]) -> "VectorNode":
    node, ahead, drop = compiler.matrix(args[0]), compiler.scalar(args[1]), compiler.dropper()
    rolling = Rolling(Lines)

    def lines(columns: Columns, at: int) -> list[tuple[float, float]]:
        try:
            found = rolling(columns, lambda state: state.lines(at))
        except OverflowError:
            found = None
        return _regressions(columns, at) if found is None else found

    def evaluate(context: Context) -> Vector:
        matrix, seconds = node(context), ahead(context)
        rolling.forget(matrix)

        def predict(columns: Columns, _matrix: Matrix) -> list[float] | None:
            if columns.size < 2:
                return None
            return [slope * seconds + intercept for slope, intercept in lines(columns, context.at)]

        return applied(predict, matrix, drop)

    return evaluate


def _counter_function(function: OverRange) -> VectorBuilder:
    """*function*, with a note where a metric's name says that it is no counter."""

    def build(compiler: "Compiler", args: list[Expr]) -> "VectorNode":
        node, drop = compiler.matrix(args[0]), compiler.dropper()
        checked: list[object] = [None]

        def evaluate(context: Context) -> Vector:
            matrix = node(context)
            if checked[0] is not matrix.labels:
                odd = [labels.metric_name for labels in matrix.labels if _is_no_counter(labels.metric_name)]
                checked[0] = None if odd else matrix.labels
                for name in odd:
                    context.notes.inform(
                        f'metric might not be a counter, name does not end in _total/_sum/_count/_bucket: "{name}"'
                    )
            return applied(function, matrix, drop)

        return evaluate

    return build


def _is_no_counter(name: str) -> bool:
    return bool(name) and not name.endswith(_COUNTER_SUFFIXES)


FUNCTIONS: Final[dict[str, VectorBuilder]] = {
    "rate": _counter_function(_rate),
    "increase": _counter_function(_increase),
    "irate": over_range(_instant_rate),
    "delta": over_range(_delta),
    "idelta": over_range(_instant_delta),
    "deriv": over_moving_range(Lines, lambda state: [slope for slope, _ in state.lines(0)], _derivative),
    "predict_linear": _predict_linear,
    "resets": _pairs(Resets),
    "changes": _pairs(Changes),
}
