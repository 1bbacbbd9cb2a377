"""Classic histograms: quantiles and fractions from the counts of buckets."""

import math
from bisect import bisect_left
from typing import TYPE_CHECKING, Final

from dozor.errors import PromQLError
from dozor.model.labels import METRIC_NAME, Labels
from dozor.promql.aggregation import warn_of_quantile
from dozor.promql.arithmetic import divide, format_value
from dozor.promql.context import Context
from dozor.promql.functions.base import VectorBuilder
from dozor.promql.names import like
from dozor.promql.parsing import Expr
from dozor.promql.vector import NO_LABELS, Vector

if TYPE_CHECKING:
    from dozor.promql.compile import Compiler, VectorNode

_BOUND: Final = "le"
_TOLERANCE: Final = 1e-12
"""Counts that differ by less than this, relatively, differ by rounding."""
_SURELY_MORE: Final = 2 * _TOLERANCE

_Layout = list[tuple[Labels, list[tuple[float, int]]]]
"""For each histogram its labels, and its buckets: upper bound and place in the vector, in rising order."""


class Buckets:
    """Sorts the elements of a vector into histograms. Remembers the last list of labels that it was handed."""

    __slots__ = ("_delayed", "_last", "_odd")

    def __init__(self, *, delayed: bool) -> None:
        self._delayed = delayed
        self._last: tuple[list[Labels], _Layout] = (NO_LABELS, [])
        self._odd: list[Labels] = []

    def __call__(self, context: Context, labels: list[Labels]) -> _Layout:
        """The histograms. What has no proper `le` is left out and noted."""
        known, layout = self._last
        if known is not labels:
            layout = self._lay_out(labels)
            self._last = (labels, layout)
        for odd in self._odd:
            name = odd.metric_name if self._delayed else ""
            context.notes.warn(
                f'bucket label "le" is missing or has a malformed value of "{odd.get(_BOUND)}"'
                + (f' for metric name "{name}"' if name else "")
            )
        return layout

    def _lay_out(self, labels: list[Labels]) -> _Layout:
        histograms: dict[Labels, list[tuple[float, int]]] = {}
        self._odd = []
        for place, one in enumerate(labels):
            bound = _parse_bound(one.get(_BOUND))
            if bound is None:
                self._odd.append(one)
            else:
                histograms.setdefault(like(one.without(_BOUND), one), []).append((bound, place))
        return [(key, sorted(buckets)) for key, buckets in histograms.items()]


def _parse_bound(text: str) -> float | None:
    try:
        bound = float(text)
    except ValueError:
        return None
    return None if math.isnan(bound) else bound


def _counts(buckets: list[tuple[float, int]], values: list[float]) -> tuple[list[float], list[float]]:
    """Upper bounds, each once, and the counts up to them."""
    bounds: list[float] = []
    counts: list[float] = []
    for bound, place in buckets:
        if bounds and bounds[-1] == bound:
            counts[-1] += values[place]
        else:
            bounds.append(bound)
            counts.append(values[place])
    return bounds, counts


def _make_monotonic(counts: list[float]) -> tuple[list[int], float]:
    """Raise each count to at least the one before; the places where that took more than rounding explains, and by how much at most."""
    forced: list[int] = []
    most = 0.0
    previous = counts[0]
    for place, count in enumerate(counts):
        if count == previous:
            continue
        if count - previous > _SURELY_MORE * (count + previous) >= 0:
            previous = count
        elif _nearly_equal(previous, count):
            counts[place] = previous
        elif count < previous:
            counts[place] = previous
            forced.append(place)
            most = max(most, previous - count)
        else:
            previous = count
    return forced, most


def _nearly_equal(one: float, other: float) -> bool:
    if math.isnan(one) or math.isnan(other):
        return math.isnan(one) and math.isnan(other)
    size = abs(one) + abs(other)
    return size != 0 and not math.isinf(size) and abs(one - other) / size < _TOLERANCE


def _bucket_quantile(q: float, bounds: list[float], counts: list[float]) -> float:
    """The *q*-quantile, taking values as spread evenly within their bucket. *counts* never fall."""
    if math.isnan(q) or len(bounds) < 2 or counts[-1] == 0 or math.isnan(counts[-1]):
        return math.nan
    rank = q * counts[-1]
    place = bisect_left(counts, rank, 0, len(counts) - 1)
    if place == len(counts) - 1:
        return bounds[-2]
    if place == 0 and bounds[0] <= 0:
        return bounds[0]
    lower, below = (bounds[place - 1], counts[place - 1]) if place else (0.0, 0.0)
    return lower + (bounds[place] - lower) * divide(rank - below, counts[place] - below)


def _quantile_of(context: Context, q: float, labels: Labels, bounds: list[float], counts: list[float]) -> float:
    if not 0 <= q <= 1:
        return math.nan if math.isnan(q) else math.copysign(math.inf, q)
    if not math.isinf(bounds[-1]) or bounds[-1] < 0:
        return math.nan
    forced, largest = _make_monotonic(counts)
    if forced:
        name = labels.get(METRIC_NAME)
        context.notes.inform(
            "input to histogram_quantile needed to be fixed for monotonicity (see"
            " https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile), from buckets"
            f" {format_value(bounds[forced[0]])} to {format_value(bounds[forced[-1]])}, with a max diff of {largest:g}"
            + (f' for metric name "{name}"' if name else "")
        )
    return _bucket_quantile(q, bounds, counts)


def _bucket_fraction(low: float, high: float, bounds: list[float], counts: list[float]) -> float:
    """What part of the values lies between *low* and *high*."""
    if not math.isinf(bounds[-1]) or bounds[-1] < 0 or math.isnan(low) or math.isnan(high):
        return math.nan
    _make_monotonic(counts)
    total = counts[-1]
    if total == 0 or math.isnan(total):
        return math.nan
    if low >= high:
        return 0.0
    return (_rank(high, bounds, counts) - _rank(low, bounds, counts)) / total


def _rank(value: float, bounds: list[float], counts: list[float]) -> float:
    """How many values are estimated to lie below *value*."""
    lower, below = (0.0 if bounds[0] > 0 else -math.inf), 0.0
    for upper, count in zip(bounds, counts, strict=True):
        if lower >= value:
            return below
        if upper > value:
            if math.isinf(lower):
                return count
            # Nothing of the last bucket, which has no end, is counted.
            return below if math.isinf(upper) else below + (count - below) * (value - lower) / (upper - lower)
        lower, below = upper, count
    return counts[-1]


def _histogram_quantile(compiler: "Compiler", args: list[Expr]) -> "VectorNode":
    parameter, node = compiler.scalar(args[0]), compiler.vector(args[1])
    drop = compiler.dropper()
    buckets_of = Buckets(delayed=compiler.dialect.delayed_name_removal)

    def evaluate(context: Context) -> Vector:
        q, vector = parameter(context), node(context)
        warn_of_quantile(context, q)
        layout = buckets_of(context, vector.labels)
        results = [_quantile_of(context, q, labels, *_counts(buckets, vector.values)) for labels, buckets in layout]
        return Vector(drop([labels for labels, _ in layout]), results)

    return evaluate


def _histogram_quantiles(compiler: "Compiler", args: list[Expr]) -> "VectorNode":
    node, label = compiler.vector(args[0]), compiler.text(args[1])
    parameters = [compiler.scalar(arg) for arg in args[2:]]
    drop = compiler.dropper()
    buckets_of = Buckets(delayed=compiler.dialect.delayed_name_removal)

    def evaluate(context: Context) -> Vector:
        vector = node(context)
        layout = buckets_of(context, vector.labels)
        found_labels: list[Labels] = []
        results: list[float] = []
        for parameter in parameters:
            q = parameter(context)
            warn_of_quantile(context, q)
            for labels, buckets in layout:
                found_labels.append(like(labels.with_({label: format_quantile(q)}), labels))
                results.append(_quantile_of(context, q, labels, *_counts(buckets, vector.values)))
        return Vector(drop(found_labels), results)

    return evaluate


def format_quantile(q: float) -> str:
    """*q* as OpenMetrics writes it: `0.5`, `1.0`."""
    return "NaN" if math.isnan(q) else "+Inf" if q == math.inf else "-Inf" if q == -math.inf else repr(float(q))


def _histogram_fraction(compiler: "Compiler", args: list[Expr]) -> "VectorNode":
    low, high, node = compiler.scalar(args[0]), compiler.scalar(args[1]), compiler.vector(args[2])
    drop = compiler.dropper()
    buckets_of = Buckets(delayed=compiler.dialect.delayed_name_removal)

    def evaluate(context: Context) -> Vector:
        vector, lower, upper = node(context), low(context), high(context)
        layout = buckets_of(context, vector.labels)
        results = [_bucket_fraction(lower, upper, *_counts(buckets, vector.values)) for _, buckets in layout]
        return Vector(drop([labels for labels, _ in layout]), results)

    return evaluate


def _native_only(name: str) -> VectorBuilder:
    def build(_compiler: "Compiler", _args: list[Expr]) -> "VectorNode":
        raise PromQLError(
            f"{name}() works on native histograms, which are not supported; classic ones have the series _sum and _count"
        )

    return build


FUNCTIONS: Final[dict[str, VectorBuilder]] = {
    "histogram_fraction": _histogram_fraction,
    "histogram_quantile": _histogram_quantile,
    "histogram_quantiles": _histogram_quantiles,
    **{
        name: _native_only(name)
        for name in ("histogram_avg", "histogram_count", "histogram_stddev", "histogram_stdvar", "histogram_sum")
    },
}
