"""Which routes are slow or failing now: what explains an alert about HTTP, or about a pool that requests wait for."""

import math
from typing import Final

from msgspec import Struct

from dozor.containment import contained
from dozor.model.labels import Labels
from dozor.promql import compile_query
from dozor.store.interface import Queryable

_SHOWN: Final = 10
_RATE: Final = compile_query("sum by (method, route) (rate(http_request_duration_seconds_count[5m]))")
_P95: Final = compile_query(
    "histogram_quantile(0.95, sum by (method, route, le) (rate(http_request_duration_seconds_bucket[5m])))"
)
_ERRORS: Final = compile_query('sum by (method, route) (rate(http_requests_total{status=~"5.."}[5m]))')


class RouteLatency(Struct, frozen=True):
    """One route over the last 5 minutes. *p95_seconds*: a twentieth of its requests took longer."""

    method: str
    route: str
    p95_seconds: float
    requests_per_second: float
    errors_per_second: float


class Routes:
    """The slowest routes. For one thread (Dozor's); asked for many alerts of one moment, it looks once."""

    def __init__(self, store: Queryable) -> None:
        self._store = store
        self._at = -math.inf
        self._slowest: tuple[RouteLatency, ...] = ()

    def slowest(self, at: float) -> tuple[RouteLatency, ...]:
        """Up to ten routes with traffic in the 5 minutes before *at* (Unix seconds), the slowest first."""
        if at != self._at:
            self._at, self._slowest = at, ()
            with contained("overview.routes"):
                self._slowest = self._look(at)
        return self._slowest

    def _look(self, at: float) -> tuple[RouteLatency, ...]:
        p95 = {found.labels: found.value for found in _P95.instant(self._store, at) if math.isfinite(found.value)}
        errors = {found.labels: found.value for found in _ERRORS.instant(self._store, at)}
        routes = [
            _latency(labels, p95[labels], rate, errors.get(labels, 0.0))
            for labels, rate in _RATE.instant(self._store, at)
            if rate > 0 and labels in p95
        ]
        return tuple(sorted(routes, key=lambda route: -route.p95_seconds)[:_SHOWN])


def _latency(labels: Labels, p95: float, rate: float, errors: float) -> RouteLatency:
    return RouteLatency(labels.get("method"), labels.get("route"), round(p95, 4), round(rate, 3), round(errors, 3))
