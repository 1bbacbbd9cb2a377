"""What each route costs, and what its time goes into: so that a slow one explains itself."""

import math
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from msgspec import Struct

from dozor.duration import format_duration
from dozor.model.labels import Labels
from dozor.promql import Query, compile_query
from dozor.store.interface import Queryable, milliseconds
from dozor.store.matchers import Matcher

_BY: Final = "sum by (method, route)"
_SPENT: Final = {
    "database": "http_request_database_seconds_total",
    "pool_wait": "http_request_pool_wait_seconds_total",
    "redis": "http_request_redis_seconds_total",
    "statements": "http_request_statements_total",
    "redis_commands": "http_request_redis_commands_total",
}

# It has a sample of each cycle, whatever is watched.
_ALWAYS: Final = (Matcher("__name__", "=", "dozor_store_samples"),)
_LOOKBACK_MS: Final = 300_000


class RouteRecord(Struct, frozen=True):
    """One route over a window, all workers together. Times end where the response begins.

    Attributes:
        requests_per_second, errors_per_second: errors are answers of 500 and above. Over the window, or since Dozor is on watch
            where that is less.
        mean_seconds, p50_seconds, p95_seconds, p99_seconds: None without requests that took any time.
        busy: requests of this route that were being answered at once, on average (its time over all time).
        shares: of its time, in percent, what went into `database`, `pool_wait` and `redis`. What is done at the same time
            counts each time, so that they may add up to more than 100.
        statements, redis_commands: per request.
    """

    method: str
    route: str
    requests_per_second: float
    errors_per_second: float
    mean_seconds: float | None
    p50_seconds: float | None
    p95_seconds: float | None
    p99_seconds: float | None
    busy: float
    shares: Mapping[str, float]
    statements: float
    redis_commands: float


def read_routes(store: Queryable, at: float, window_seconds: float) -> list[RouteRecord]:
    """The routes with requests in the *window_seconds* before *at* (Unix seconds), the one with the highest p95 first."""
    queries = _queries(format_duration(window_seconds))
    figures = {name: _by_route(query, store, at) for name, query in queries.items()}
    thinned = window_seconds / _watched_seconds(store, at, window_seconds)
    routes = [
        _record(labels, {name: found[labels] for name, found in figures.items() if labels in found}, thinned)
        for labels, rate in figures["requests"].items()
        if rate > 0
    ]
    return sorted(routes, key=lambda one: (-(one.p95_seconds or 0.0), -one.busy, one.route, one.method))


@lru_cache(maxsize=16)
def _queries(window: str) -> dict[str, Query]:
    duration = "http_request_duration_seconds"
    exprs = {
        "requests": f"{_BY} (rate({duration}_count[{window}]))",
        "seconds": f"{_BY} (rate({duration}_sum[{window}]))",
        "errors": f'{_BY} (rate(http_requests_total{{status=~"5.."}}[{window}]))',
    }
    for name, quantile in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99)):
        buckets = f"sum by (method, route, le) (rate({duration}_bucket[{window}]))"
        exprs[name] = f"histogram_quantile({quantile}, {buckets})"
    exprs |= {name: f"{_BY} (rate({metric}[{window}]))" for name, metric in _SPENT.items()}
    return {name: compile_query(expr) for name, expr in exprs.items()}


def _by_route(query: Query, store: Queryable, at: float) -> dict[Labels, float]:
    return {labels: value for labels, value in query.instant(store, at) if math.isfinite(value)}


def _watched_seconds(store: Queryable, at: float, window_seconds: float) -> float:
    """How much of the window Dozor was on watch. `rate` spreads what it saw over all of it."""
    start = milliseconds(at - window_seconds)
    if store.latest(_ALWAYS, start, _LOOKBACK_MS)[0]:
        return window_seconds
    began = [block.first_moment for block in store.select(_ALWAYS, start, milliseconds(at)).blocks]
    return max(at - min(began) / 1000, 1.0) if began else window_seconds


def _record(labels: Labels, found: Mapping[str, float], thinned: float) -> RouteRecord:
    requests, seconds = found["requests"], found.get("seconds", 0.0)
    shares = {
        name: round(100 * found[name] / seconds, 1)
        for name in ("database", "pool_wait", "redis")
        if name in found and seconds > 0
    }
    return RouteRecord(
        labels.get("method"),
        labels.get("route"),
        requests * thinned,
        found.get("errors", 0.0) * thinned,
        seconds / requests,
        found.get("p50"),
        found.get("p95"),
        found.get("p99"),
        seconds * thinned,
        shares,
        found.get("statements", 0.0) / requests,
        found.get("redis_commands", 0.0) / requests,
    )
