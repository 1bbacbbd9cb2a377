"""How fast things change: rates of counters, slopes of gauges."""

import math
import operator
from array import array
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from dozor.promql.context import Context
from dozor.promql.functions.base import VectorBuilder, collect, over_range
from dozor.promql.parsing import Expr
from dozor.promql.vector import Matrix, Vector
from dozor.store import Window

if TYPE_CHECKING:
    from dozor.promql.compile import Compiler, VectorNode

_COUNTER_SUFFIXES: Final = ("_total", "_sum", "_count", "_bucket")


def _extrapolated(window: Window, matrix: Matrix, *, counter: bool) -> float | None:
    """By how much the series rose in the range, extended to the range's ends where the samples come close to them."""
    size = window.size
    if size < 2:
        return None
    first_time, last_time = window.times[window.first_time], window.times[window.first_time + size - 1]
    first, last = window.values[window.first_value], window.values[window.first_value + size - 1]
    rise = last - first
    if counter:
        rise += window.lost_to_resets()
    sampled = (last_time - first_time) / 1000
    to_start, to_end = (first_time - matrix.start) / 1000, (matrix.end - last_time) / 1000
    # A gap of more than 1.1 usual steps means that the series began, or ended, inside the range: then it is taken to
    # reach half a step beyond its samples.
    step = sampled / (size - 1)
    if to_start >= step * 1.1:
        to_start = step / 2
    if counter and rise > 0 and first >= 0:
        to_start = min(to_start, sampled * (first / rise))  # a counter was never below zero
    if to_end >= step * 1.1:
        to_end = step / 2
    return rise * ((sampled + to_start + to_end) / sampled)


def _increase(window: Window, matrix: Matrix) -> float | None:
    return _extrapolated(window, matrix, counter=True)


def _rate(window: Window, matrix: Matrix) -> float | None:
    increase = _extrapolated(window, matrix, counter=True)
    return None if increase is None else increase / ((matrix.end - matrix.start) / 1000)


def _delta(window: Window, matrix: Matrix) -> float | None:
    return _extrapolated(window, matrix, counter=False)


def _instant_rate(window: Window, _matrix: Matrix) -> float | None:
    if window.size < 2:
        return None
    (earlier, before), (later, now) = _last_two(window)
    return (now if now < before else now - before) / ((later - earlier) / 1000)


def _instant_delta(window: Window, _matrix: Matrix) -> float | None:
    if window.size < 2:
        return None
    (_, before), (_, now) = _last_two(window)
    return now - before


def _last_two(window: Window) -> tuple[tuple[int, float], tuple[int, float]]:
    time, value = window.first_time + window.size - 2, window.first_value + window.size - 2
    return (window.times[time], window.values[value]), (window.times[time + 1], window.values[value + 1])


def _resets(window: Window, _matrix: Matrix) -> float:
    values = window.value_slice()
    return float(sum(map(operator.lt, values[1:], values)))


def _changes(window: Window, _matrix: Matrix) -> float:
    values = window.value_slice()
    changes = sum(map(operator.ne, values[1:], values))
    if changes and math.isnan(sum(values)):  # two NaN are unequal, and yet no change
        changes -= sum(
            math.isnan(value) and math.isnan(before) for value, before in zip(values[1:], values, strict=False)
        )
    return float(changes)


def _regression(window: Window, origin: int) -> tuple[float, float]:
    """Slope per second, and value at *origin*, of the line that fits best."""
    values = window.value_slice()
    count = len(values)
    if values[0] == values[-1] and values.count(values[0]) == count:
        return (math.nan, math.nan) if math.isinf(values[0]) else (0.0, values[0])
    times = array("q", window.time_slice())
    after, sum_x, sum_xx = _since_first(times.tobytes())
    sum_y, sum_xy = _sum(values), _sum(map(operator.mul, after, values))
    spread = count * sum_xx - sum_x * sum_x
    slope = (count * sum_xy - sum_x * sum_y) / spread if spread else math.nan
    return slope * 1000, sum_y / count + slope * (origin - times[0] - sum_x / count)


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


def _derivative(window: Window, _matrix: Matrix) -> float | None:
    return _regression(window, window.times[window.first_time])[0] if window.size > 1 else None


def _predict_linear(compiler: "Compiler", args: list[Expr]) -> "VectorNode":
    node, ahead, drop = compiler.matrix(args[0]), compiler.scalar(args[1]), compiler.dropper()

    def evaluate(context: Context) -> Vector:
        matrix, seconds = node(context), ahead(context)
        results: list[float | None] = []
        for window in matrix.windows:
            if window.size < 2:
                results.append(None)
                continue
            slope, intercept = _regression(window, context.at)
            results.append(slope * seconds + intercept)
        return collect(matrix, results, drop)

    return evaluate


def _counter_function(function: Callable[[Window, Matrix], float | None]) -> VectorBuilder:
    """*function*, with a note where a metric's name says that it is no counter."""

    def build(compiler: "Compiler", args: list[Expr]) -> "VectorNode":
        node, drop = compiler.matrix(args[0]), compiler.dropper()
        checked: list[object] = [None]

        def evaluate(context: Context) -> Vector:
            matrix = node(context)
            results = [function(window, matrix) for window in matrix.windows]
            if checked[0] is not matrix.labels:
                odd = [labels.metric_name for labels in matrix.labels if _is_no_counter(labels.metric_name)]
                checked[0] = None if odd else matrix.labels
                for name in odd:
                    context.notes.inform(
                        f'metric might not be a counter, name does not end in _total/_sum/_count/_bucket: "{name}"'
                    )
            return collect(matrix, results, drop)

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
    "deriv": over_range(_derivative),
    "predict_linear": _predict_linear,
    "resets": over_range(_resets),
    "changes": over_range(_changes),
}
