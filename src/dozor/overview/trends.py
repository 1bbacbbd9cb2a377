"""Key figures over the last quarter of an hour, and what HTTP does now: read from the store by PromQL."""

import math
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from msgspec import Struct

from dozor.containment import contained
from dozor.model.labels import Labels
from dozor.promql import Query, compile_query
from dozor.store.interface import Queryable

SPAN_SECONDS: Final = 900.0
STEP_SECONDS: Final = 15.0
MAX_SERIES: Final = 20
_MOST_KEPT: Final = 1000
"""So many series of each figure are followed, for any of them may be the worst next."""

Points = tuple[tuple[float, float | None], ...]


class Sparkline(Struct, frozen=True):
    """One figure of one thing over time. *points* are (time, value or None for no data), one each STEP_SECONDS."""

    key: str
    title: str
    unit: str
    labels: Labels
    points: Points

    @property
    def last(self) -> float | None:
        """The newest value that is known."""
        return next((value for _, value in reversed(self.points) if value is not None), None)


class _Figure(Struct, frozen=True):
    key: str
    title: str
    unit: str
    expr: str


_FIGURES: Final = (
    _Figure("pool_utilization", "Connections used", "percent", "max by (pool) (db_pool_utilization)"),
    _Figure("pool_waiting", "Callers waiting", "callers", "sum by (pool) (db_pool_waiting)"),
    _Figure("redis_operations", "Operations a second", "", "max by (redis) (redis_operations_per_second)"),
    _Figure("redis_memory", "Memory", "bytes", "max by (redis) (redis_memory_usage)"),
    _Figure("http_requests", "Requests a second", "", "sum(rate(http_requests_total[1m]))"),
    _Figure("http_errors", "5xx answers a minute", "", 'sum(rate(http_requests_total{status=~"5.."}[1m])) * 60'),
    _Figure("host_cpu", "CPU", "percent", "max(host_cpu_utilization)"),
    _Figure("host_memory", "Memory", "percent", "max(host_memory_utilization)"),
    _Figure("event_loop_lag", "Event loop lag", "seconds", "max(event_loop_lag_seconds)"),
)

_HTTP: Final = {
    "requests_per_second": "sum(rate(http_requests_total[1m]))",
    "errors_per_minute": 'sum(rate(http_requests_total{status=~"5.."}[1m])) * 60',
    "in_progress": "sum(http_requests_in_progress)",
    "p50_seconds": "histogram_quantile(0.5, sum by (le) (rate(http_request_duration_seconds_bucket[5m])))",
    "p95_seconds": "histogram_quantile(0.95, sum by (le) (rate(http_request_duration_seconds_bucket[5m])))",
}


@lru_cache(maxsize=64)
def _compiled(expr: str) -> Query:
    return compile_query(expr)


def http_figures(store: Queryable, at: float) -> Mapping[str, float]:
    """What HTTP does now, over all routes; what is unknown for lack of traffic or of the middleware is absent."""
    figures = {}
    for name, expr in _HTTP.items():
        with contained("overview.http"):
            found = _compiled(expr).instant(store, at)
            if found and math.isfinite(found[0].value):
                figures[name] = found[0].value
    # Without any 5xx there is no such series; with requests, that is none and not unknown.
    if "requests_per_second" in figures:
        figures.setdefault("errors_per_minute", 0.0)
    return figures


class Trends:
    """The sparklines. Each step is evaluated once, however many pages are open. For one thread (Dozor's)."""

    def __init__(self, store: Queryable) -> None:
        self._store = store
        self._end = -math.inf
        self._known: dict[_Figure, dict[Labels, dict[float, float]]] = {}
        self._lines: tuple[Sparkline, ...] = ()

    def read(self, at: float) -> tuple[Sparkline, ...]:
        """The sparklines of the SPAN_SECONDS up to *at*; what was never known is left out.

        Of each figure those with the largest newest values, at most MAX_SERIES, in the order of their labels.
        """
        end = math.floor(at / STEP_SECONDS) * STEP_SECONDS
        if end > self._end:
            start = end - SPAN_SECONDS
            self._evaluate(max(start, self._end + STEP_SECONDS), end)
            self._end = end
            times = [start + STEP_SECONDS * step for step in range(round(SPAN_SECONDS / STEP_SECONDS) + 1)]
            self._forget_before(start)
            self._lines = tuple(line for figure in _FIGURES for line in self._worst(figure, times))
        return self._lines

    def _worst(self, figure: _Figure, times: list[float]) -> list[Sparkline]:
        known = self._known.get(figure, {})
        worst = sorted(known, key=lambda labels: (-known[labels].get(times[-1], -math.inf), labels))[:MAX_SERIES]
        return [
            Sparkline(
                figure.key, figure.title, figure.unit, labels, tuple((time, known[labels].get(time)) for time in times)
            )
            for labels in sorted(worst)
        ]

    def _evaluate(self, start: float, end: float) -> None:
        for figure in _FIGURES:
            with contained("overview.trends"):
                series = self._known.setdefault(figure, {})
                for labels, found in _compiled(figure.expr).range(self._store, start, end, STEP_SECONDS)[:_MOST_KEPT]:
                    known = series.setdefault(labels, {})
                    # Whole steps again: the store counts in milliseconds.
                    known.update((_step(time), value) for time, value in found if math.isfinite(value))

    def _forget_before(self, start: float) -> None:
        for series in self._known.values():
            for labels, known in list(series.items()):
                while known and next(iter(known)) < start:  # in the order of time
                    del known[next(iter(known))]
                if not known:
                    del series[labels]


def _step(time: float) -> float:
    return round(time / STEP_SECONDS) * STEP_SECONDS
