"""What a series did over a range: sums, extremes, quantiles."""

import math
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Final

from dozor.errors import PromQLError
from dozor.promql.aggregation import warn_of_quantile
from dozor.promql.arithmetic import mean, quantile, total, variance
from dozor.promql.context import Context
from dozor.promql.functions.base import OverRange, VectorBuilder, applied, of_values, over_moving_range, over_range
from dozor.promql.parsing import Expr
from dozor.promql.rolling import Totals
from dozor.promql.vector import Matrix, Vector
from dozor.store import Columns

if TYPE_CHECKING:
    from dozor.promql.compile import Compiler, VectorNode


def _extreme(choose: Callable[[Sequence[float]], float]) -> Callable[[Sequence[float]], float]:
    """*choose* (max or min) of what is not NaN, NaN where there is nothing else."""

    def extreme(values: Sequence[float]) -> float:
        numbers = [value for value in values if not math.isnan(value)] if math.isnan(sum(values)) else values
        return choose(numbers) if numbers else math.nan

    return extreme


def _extremes(choose: Callable[[Iterable[float]], float]) -> OverRange:
    """`_extreme` of each series; where there is no NaN, *choose* has the choice to itself."""
    careful = _extreme(choose)
    return lambda columns, _: columns.extremes(choose) if columns.clean else list(map(careful, columns.slices()))


def _median_deviation(values: Sequence[float]) -> float:
    if any(math.isnan(value) for value in values):
        return math.nan
    median = quantile(0.5, values)
    return quantile(0.5, [abs(value - median) for value in values])


def _time_of(choose: Callable[[Sequence[float]], float]) -> OverRange:
    extreme = _extreme(choose)

    def times_of(columns: Columns, _matrix: Matrix) -> list[float]:
        times = columns.time_slice()
        found = []
        for values in columns.slices():
            wanted = extreme(values)
            places = [place for place, value in enumerate(values) if value == wanted]
            found.append(times[places[-1] if places else -1] / 1000)
        return found

    return times_of


def _quantile_over_time(compiler: "Compiler", args: list[Expr]) -> "VectorNode":
    parameter, node, drop = compiler.scalar(args[0]), compiler.matrix(args[1]), compiler.dropper()

    def evaluate(context: Context) -> Vector:
        q, matrix = parameter(context), node(context)
        if matrix.blocks:
            warn_of_quantile(context, q)
        return applied(of_values(lambda values: quantile(q, values)), matrix, drop)

    return evaluate


def _double_exponential_smoothing(compiler: "Compiler", args: list[Expr]) -> "VectorNode":
    node, drop = compiler.matrix(args[0]), compiler.dropper()
    smoothing, trend = compiler.scalar(args[1]), compiler.scalar(args[2])

    def evaluate(context: Context) -> Vector:
        matrix = node(context)
        factors = smoothing(context), trend(context)
        for name, factor in zip(("smoothing", "trend"), factors, strict=True):
            if not 0 < factor < 1:
                raise PromQLError(f"invalid {name} factor. Expected: 0 < factor < 1, got: {factor:g}")
        return applied(lambda columns, _: _smoothed(columns, *factors), matrix, drop)

    return evaluate


def _smoothed(columns: Columns, smoothing: float, trend: float) -> list[float] | None:
    if columns.size < 2:
        return None
    return [_smooth(values, smoothing, trend) for values in columns.slices()]


def _smooth(values: Sequence[float], smoothing: float, trend: float) -> float:
    level, slope = values[0], values[1] - values[0]
    previous = 0.0
    for place, value in enumerate(values[1:]):
        if place:
            slope = trend * (level - previous) + (1 - trend) * slope
        previous, level = level, smoothing * value + (1 - smoothing) * (level + slope)
    return level


FUNCTIONS: Final[dict[str, VectorBuilder]] = {
    "avg_over_time": over_moving_range(Totals, Totals.means, of_values(mean)),
    "count_over_time": over_range(lambda columns, _: [float(columns.size)] * len(columns.rows)),
    "double_exponential_smoothing": _double_exponential_smoothing,
    "first_over_time": over_range(lambda columns, _: columns.at(0), keep_name=True),
    "last_over_time": over_range(lambda columns, _: columns.at(-1), keep_name=True),
    "mad_over_time": over_range(of_values(_median_deviation)),
    "max_over_time": over_range(_extremes(max)),
    "min_over_time": over_range(_extremes(min)),
    "present_over_time": over_range(lambda columns, _: [1.0] * len(columns.rows)),
    "quantile_over_time": _quantile_over_time,
    "stddev_over_time": over_range(of_values(lambda values: math.sqrt(variance(values)))),
    "stdvar_over_time": over_range(of_values(variance)),
    "sum_over_time": over_moving_range(Totals, Totals.totals, of_values(total)),
    "ts_of_first_over_time": over_range(lambda columns, _: [columns.first_moment / 1000] * len(columns.rows)),
    "ts_of_last_over_time": over_range(lambda columns, _: [columns.last_moment / 1000] * len(columns.rows)),
    "ts_of_max_over_time": over_range(_time_of(max)),
    "ts_of_min_over_time": over_range(_time_of(min)),
}
