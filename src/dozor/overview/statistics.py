"""What a connection pool has done: since start, in the last five minutes, in the last hour.

The counters as they stand now come from the instruments, the counters as they stood at a window's beginning from the
store; a window is the difference. Nothing is extrapolated, so counts are whole and agree with the application's own.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final

from dozor.model.labels import METRIC_NAME, Labels
from dozor.model.sample import Family, Sample
from dozor.promql import Query, compile_query
from dozor.store.interface import Queryable

WINDOWS: Final = {"5m": 300.0, "1h": 3600.0}
SINCE_START: Final = "since_start"

_COUNTS: Final = {
    "checkouts": "db_pool_checkouts_total",
    "timeouts": "db_pool_timeouts_total",
    "errors": "db_pool_errors_total",
    "connects": "db_pool_connects_total",
    "slow_queries": "db_pool_slow_queries_total",
}
_DURATIONS: Final = {"wait_seconds": "db_pool_wait_seconds", "use_seconds": "db_pool_use_seconds"}
_FAMILIES: Final = frozenset((*_COUNTS.values(), *_DURATIONS.values()))
_PATTERN: Final = "|".join((*_COUNTS.values(), *(f"{name}_(bucket|sum|count)" for name in _DURATIONS.values())))


@dataclass(frozen=True, slots=True)
class Durations:
    """How long something took, in seconds. All None where nothing was timed.

    The quantiles are read from buckets, between whose bounds they are interpolated; *max* is exact, and None where only
    the buckets are left.
    """

    count: int
    mean: float | None = None
    p50: float | None = None
    p95: float | None = None
    p99: float | None = None
    max: float | None = None


@dataclass(frozen=True, slots=True)
class Extremes:
    """The largest of a window, which no counter remembers; None where it is not known."""

    checked_out: float | None = None
    wait_seconds: float | None = None
    use_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class WindowStatistics:
    """One pool in one window. *seconds* is how much of the window is covered; None: since start."""

    seconds: float | None
    counts: Mapping[str, int]
    wait: Durations
    use: Durations
    peak_checked_out: float | None


@dataclass(frozen=True, slots=True)
class PoolStatistics:
    """One pool in every window, by the window's name."""

    name: str
    worker: str | None
    windows: Mapping[str, WindowStatistics]


Counters = Mapping[tuple[str, Labels], float]
ExtremesOf = Callable[[str, float | None], Extremes]


def pool_statistics(
    families: Iterable[Family], store: Queryable, *, at: float, oldest: float | None, extremes: ExtremesOf
) -> list[PoolStatistics]:
    """The statistics of every pool among *families*.

    Args:
        families: the counters as they stand now.
        store: what they were before.
        at: now.
        oldest: the time of the oldest sample kept; a window begins no earlier.
        extremes: the largest values of a pool (by name) in the last so many seconds; None: since start.
    """
    now = _by_pool(sample for family in families if family.name in _FAMILIES for sample in family.samples)
    begins = {name: max(at - seconds, oldest if oldest is not None else at) for name, seconds in WINDOWS.items()}
    before = {name: _stored(store, begin) for name, begin in begins.items()}
    statistics = []
    for (pool, worker), counters in sorted(now.items()):
        windows = {SINCE_START: _window(counters, {}, None, extremes(pool, None))}
        for name, begin in begins.items():
            earlier = before[name].get((pool, worker), {})
            windows[name] = _window(counters, earlier, at - begin, extremes(pool, at - begin))
        statistics.append(PoolStatistics(pool, worker or None, windows))
    return statistics


def _by_pool(samples: Iterable[Sample]) -> dict[tuple[str, str], dict[tuple[str, Labels], float]]:
    pools: dict[tuple[str, str], dict[tuple[str, Labels], float]] = {}
    for name, labels, value in samples:
        pools.setdefault((labels.get("pool"), labels.get("worker")), {})[(name, labels)] = value
    return pools


@cache
def _query() -> Query:
    return compile_query(f'{{__name__=~"{_PATTERN}"}}')


def _stored(store: Queryable, at: float) -> dict[tuple[str, str], dict[tuple[str, Labels], float]]:
    return _by_pool(
        Sample(sample.labels.metric_name, sample.labels.without(METRIC_NAME), sample.value)
        for sample in _query().instant(store, at)
    )


def _window(now: Counters, before: Counters, seconds: float | None, extremes: Extremes) -> WindowStatistics:
    # A counter that is smaller than before was begun anew: all it holds is new.
    grown = {
        key: value - before.get(key, 0.0) if value >= before.get(key, 0.0) else value for key, value in now.items()
    }
    return WindowStatistics(
        seconds=seconds,
        counts={field: round(_sum(grown, metric)) for field, metric in _COUNTS.items()},
        wait=_durations(grown, _DURATIONS["wait_seconds"], extremes.wait_seconds),
        use=_durations(grown, _DURATIONS["use_seconds"], extremes.use_seconds),
        peak_checked_out=extremes.checked_out,
    )


def _sum(counters: Counters, metric: str) -> float:
    return sum(value for (name, _), value in counters.items() if name == metric)


def _durations(counters: Counters, metric: str, largest: float | None) -> Durations:
    count = round(_sum(counters, f"{metric}_count"))
    if count <= 0:
        return Durations(0)
    buckets: dict[float, float] = {}
    for (name, labels), value in counters.items():
        if name == f"{metric}_bucket":
            bound = float(labels.get("le", "+Inf"))
            buckets[bound] = buckets.get(bound, 0.0) + value
    ordered = sorted(buckets.items())
    p50, p95, p99 = (quantile(rank, ordered, largest) for rank in (0.5, 0.95, 0.99))
    return Durations(count, _sum(counters, f"{metric}_sum") / count, p50, p95, p99, largest)


def quantile(rank: float, buckets: list[tuple[float, float]], largest: float | None = None) -> float | None:
    """The value below which the share *rank* (0 to 1) lies, from cumulative *buckets* by rising bound, the last +Inf.

    Interpolates inside a bucket as Prometheus' `histogram_quantile` does, and never says more than *largest*.
    """
    if not buckets or buckets[-1][1] <= 0:
        return None
    wanted = rank * buckets[-1][1]
    below_bound, below_count = 0.0, 0.0
    for bound, count in buckets:
        if count >= wanted:
            if bound == float("inf"):
                return below_bound if largest is None else max(largest, below_bound)
            inside = count - below_count
            share = (wanted - below_count) / inside if inside > 0 else 1.0
            value = below_bound + (bound - below_bound) * share
            return value if largest is None else min(value, largest)
        below_bound, below_count = bound, count
    return below_bound
