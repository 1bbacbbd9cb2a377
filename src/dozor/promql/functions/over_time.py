"""What a series did over a range: sums, extremes, quantiles."""

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from dozor.errors import PromQLError
from dozor.promql.aggregation import warn_of_quantile
from dozor.promql.arithmetic import mean, quantile, total, variance
from dozor.promql.context import Context
from dozor.promql.functions.base import VectorBuilder, collect, over_range
from dozor.promql.parsing import Expr
from dozor.promql.vector import Matrix, Vector
from dozor.store import Window

if TYPE_CHECKING:
    from dozor.promql.compile import Compiler, VectorNode


def _of_values(function: Callable[[Sequence[float]], float]) -> VectorBuilder:
    return over_range(lambda window, _matrix: function(window.value_slice()))


def _extreme(choose: Callable[[Sequence[float]], float]) -> Callable[[Sequence[float]], float]:
    """*choose* (max or min) of what is not NaN, NaN where there is nothing else."""

    def extreme(values: Sequence[float]) -> float:
        numbers = [value for value in values if not math.isnan(value)] if math.isnan(sum(values)) else values
        return choose(numbers) if numbers else math.nan

    return extreme


def _first(window: Window, _matrix: Matrix) -> float:
    return window.values[window.first_value]


def _last(window: Window, _matrix: Matrix) -> float:
    return window.values[window.first_value + window.size - 1]


def _median_deviation(values: Sequence[float]) -> float:
    if any(math.isnan(value) for value in values):
        return math.nan
    median = quantile(0.5, values)
    return quantile(0.5, [abs(value - median) for value in values])


def _time_of_first(window: Window, _matrix: Matrix) -> float:
    return window.times[window.first_time] / 1000


def _time_of_last(window: Window, _matrix: Matrix) -> float:
    return window.times[window.first_time + window.size - 1] / 1000


def _time_of(choose: Callable[[Sequence[float]], float]) -> VectorBuilder:
    extreme = _extreme(choose)

    def time_of(window: Window, _matrix: Matrix) -> float:
        values, times = window.value_slice(), window.time_slice()
        wanted = extreme(values)
        places = [place for place, value in enumerate(values) if value == wanted]
        return times[places[-1] if places else -1] / 1000

    return over_range(time_of)


def _quantile_over_time(compiler: "Compiler", args: list[Expr]) -> "VectorNode":
    parameter, node, drop = compiler.scalar(args[0]), compiler.matrix(args[1]), compiler.dropper()

    def evaluate(context: Context) -> Vector:
        q, matrix = parameter(context), node(context)
        if matrix.windows:
            warn_of_quantile(context, q)
        return collect(matrix, [quantile(q, window.value_slice()) for window in matrix.windows], drop)

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
        return collect(matrix, [_smoothed(window.value_slice(), *factors) for window in matrix.windows], drop)

    return evaluate


def _smoothed(values: Sequence[float], smoothing: float, trend: float) -> float | None:
    if len(values) < 2:
        return None
    level, slope = values[0], values[1] - values[0]
    previous = 0.0
    for place, value in enumerate(values[1:]):
        if place:
            slope = trend * (level - previous) + (1 - trend) * slope
        previous, level = level, smoothing * value + (1 - smoothing) * (level + slope)
    return level


FUNCTIONS: Final[dict[str, VectorBuilder]] = {
    "avg_over_time": _of_values(mean),
    "count_over_time": over_range(lambda window, _matrix: float(window.size)),
    "double_exponential_smoothing": _double_exponential_smoothing,
    "first_over_time": over_range(_first, keep_name=True),
    "last_over_time": over_range(_last, keep_name=True),
    "mad_over_time": _of_values(_median_deviation),
    "max_over_time": _of_values(_extreme(max)),
    "min_over_time": _of_values(_extreme(min)),
    "present_over_time": over_range(lambda _window, _matrix: 1.0),
    "quantile_over_time": _quantile_over_time,
    "stddev_over_time": _of_values(lambda values: math.sqrt(variance(values))),
    "stdvar_over_time": _of_values(variance),
    "sum_over_time": _of_values(total),
    "ts_of_first_over_time": over_range(_time_of_first),
    "ts_of_last_over_time": over_range(_time_of_last),
    "ts_of_max_over_time": _time_of(max),
    "ts_of_min_over_time": _time_of(min),
}
