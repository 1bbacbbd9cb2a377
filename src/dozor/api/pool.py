"""pool/…: connection pools and the slow statements that went through them."""

from typing import Annotated

from fastapi import APIRouter, Query, Response
from msgspec import to_builtins

from dozor.api import problems
from dozor.api.backend import Backend
from dozor.api.parameters import Cursor, Limit, newest_first
from dozor.api.reading_schemas import (
    DurationsModel,
    HolderModel,
    MetricList,
    PoolStatisticsAnswer,
    PoolStatisticsModel,
    PoolStatusAnswer,
    SlowQueryList,
    SlowQueryModel,
    WindowModel,
)
from dozor.api.rendering import answer, json_response, metrics_json
from dozor.api.targets import pool_target, summary
from dozor.clock import Clock
from dozor.instruments.pool_history import DurationStatistics, PoolStatistics
from dozor.instruments.query_slow import SlowQuery
from dozor.overview import assess

_PREFIXES = ("db_", "pg_", "pgbouncer_", "dozor_pool_")
_MOST_HOLDERS = 100

PoolName = Annotated[str | None, Query(max_length=500, description="Of this pool alone.")]


def add_routes(router: APIRouter, backend: Backend) -> None:
    """Put the routes under pool/ on *router*."""
    clock = backend.clock

    @router.get(
        "/pool/status",
        response_model=PoolStatusAnswer,
        responses=problems.documented(),
        summary="How the connection pools are",
    )
    async def pool_status() -> Response:
        """The worst of all pools with its reasons, and each pool with its figures."""

        def build() -> PoolStatusAnswer:
            at = clock.timestamp()
            overview = assess(backend.known(), at)
            fields = summary(overview.components["database"], overview.pools, at, clock)
            return PoolStatusAnswer(**fields, pools=[pool_target(pool, at, clock) for pool in overview.pools])

        return await answer(backend, build)

    @router.get(
        "/pool/metrics",
        response_model=MetricList,
        responses=problems.documented(),
        summary="Metrics of pools and queries",
    )
    async def pool_metrics() -> Response:
        """What is known of pools, statements and the servers behind them: `db_…`, `pg_…`, `pgbouncer_…`, `dozor_pool_…`."""

        def write() -> bytes:
            families = [family for family in backend.families() if family.name.startswith(_PREFIXES)]
            return metrics_json(families, clock.now())

        return json_response(await backend.in_dozor(write))

    @router.get(
        "/pool/statistics",
        response_model=PoolStatisticsAnswer,
        responses=problems.documented(),
        summary="What the pools have done",
    )
    async def pool_statistics() -> Response:
        """Counts, and the times of waiting and of use, since start and in the last 5 minutes and hour; who has connections now."""

        def build() -> PoolStatisticsAnswer:
            pools = [
                PoolStatisticsModel(
                    name=pool.name,
                    worker=pool.worker,
                    windows={name: _window(window) for name, window in pool.windows.items()},
                    holders=[HolderModel(**to_builtins(holder)) for holder in pool.holders[:_MOST_HOLDERS]],
                )
                for pool in backend.pool_records()
            ]
            return PoolStatisticsAnswer(pools=pools, generated_at=clock.now())

        return await answer(backend, build)

    @router.get(
        "/pool/slow-queries",
        response_model=SlowQueryList,
        responses=problems.documented(422),
        summary="Statements slower than the threshold",
    )
    async def pool_slow_queries(limit: Limit = 100, cursor: Cursor = None, pool: PoolName = None) -> Response:
        """Newest first, with the application's line that sent them. Literals are redacted."""

        def build() -> SlowQueryList:
            recent = backend.slow_queries(pool)
            shown, following = newest_first(recent.entries, recent.total, limit, cursor)
            entries = [_slow_query(entry, clock) for entry in shown]
            return SlowQueryList(entries=entries, total=recent.total, next_cursor=following)

        return await answer(backend, build)


def _window(window: PoolStatistics) -> WindowModel:
    return WindowModel(
        seconds=round(window.until - window.since, 3),
        checkouts=window.checkouts,
        timeouts=window.timeouts,
        errors=window.errors,
        connects=window.connects,
        slow_queries=window.slow_queries,
        wait_seconds=None if window.wait is None else _durations(window.wait),
        use_seconds=_durations(window.use),
        peak_checked_out=window.peak_checked_out,
    )


def _durations(found: DurationStatistics) -> DurationsModel:
    return DurationsModel(
        count=found.count,
        mean=found.mean_seconds,
        p50=found.p50_seconds,
        p95=found.p95_seconds,
        p99=found.p99_seconds,
        max=found.max_seconds,
    )


def _slow_query(entry: SlowQuery, clock: Clock) -> SlowQueryModel:
    return SlowQueryModel(
        statement=entry.statement,
        duration_ms=round(entry.duration_seconds * 1000, 3),
        at=clock.date(entry.at),
        pool=entry.pool,
        operation=entry.operation,
        caller=entry.caller,
        failed=entry.failed,
        error=entry.error,
        endpoint=entry.endpoint,
        fingerprint=entry.fingerprint,
    )
