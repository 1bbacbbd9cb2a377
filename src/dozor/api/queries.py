"""queries/…: statements by fingerprint, what requests repeat, what is slow to be read."""

from collections.abc import Iterable
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Query, Response

from dozor.api import problems
from dozor.api.backend import Backend
from dozor.api.parameters import Cursor, Limit, newest_first
from dozor.api.query_schemas import (
    PlanAnswer,
    PoolQueryModel,
    QueryAnswer,
    QueryWindowModel,
    RepeatedQueryList,
    RepeatedQueryModel,
    SlowFetchList,
    SlowFetchModel,
    Source,
    StatementSourceModel,
    TimesModel,
    TopQueriesAnswer,
    TopQueryModel,
    Window,
)
from dozor.api.rendering import answer, date, json_response, to_json
from dozor.clock import Clock
from dozor.errors import QueryNotFound
from dozor.instruments.query_repeats import RepeatedQuery
from dozor.instruments.query_report import Order, QueryReport
from dozor.instruments.query_slow import SlowFetch
from dozor.instruments.query_statement import QueryWindow
from dozor.overview import StatementSource

_MOST_GONE: Final = 100

PoolName = Annotated[str | None, Query(max_length=500, description="Of this pool alone.")]
Fingerprint = Annotated[
    str, Path(max_length=100, description="The statement's `fingerprint`.", examples=["8c1f2a90b7de4431"])
]


def add_routes(router: APIRouter, backend: Backend) -> None:
    """Put the routes under queries/ on *router*."""
    _add_lists(router, backend)
    _add_statement(router, backend)


def _add_lists(router: APIRouter, backend: Backend) -> None:
    clock = backend.clock

    @router.get(
        "/queries/top",
        response_model=TopQueriesAnswer,
        responses=problems.documented(422),
        summary="Which statements cost most",
    )
    async def queries_top(
        window: Annotated[Window, Query(description="The last so long; or all since Dozor watches.")] = "5m",
        order: Annotated[Order, Query(description="By what; the largest first.")] = "total",
        limit: Limit = 100,
        pool: PoolName = None,
        source: Annotated[Source | None, Query(description="As counted by this one alone.")] = None,
    ) -> Response:
        """By fingerprint, compared with the window before. Literals are redacted."""

        def build() -> TopQueriesAnswer:
            found = backend.top_queries(window, order, pool, source)
            other = found.other
            return TopQueriesAnswer(
                window=window,
                seconds=round(found.seconds, 3),
                compared=found.compared,
                everything=_window(found.everything),
                queries=[_top_query(one, clock) for one in found.entries[:limit]],
                total=len(found.entries),
                gone=[_top_query(one, clock) for one in found.gone[:_MOST_GONE]],
                other=None if other is None else _window(other),
                sources=[_source(one, clock) for one in backend.statement_sources(pool)],
                generated_at=clock.now(),
            )

        return await answer(backend, build)

    @router.get(
        "/queries/n-plus-one",
        response_model=RepeatedQueryList,
        responses=problems.documented(422),
        summary="Statements that single requests repeat",
    )
    async def queries_n_plus_one(limit: Limit = 100, pool: PoolName = None) -> Response:
        """The last found first: which request, which statement, which line of code, how often."""

        def build() -> RepeatedQueryList:
            found = backend.repeated_queries(pool)
            return RepeatedQueryList(
                queries=[_repeated(one, clock) for one in found[:limit]],
                total=len(found),
            )

        return await answer(backend, build)

    @router.get(
        "/queries/slow-fetches",
        response_model=SlowFetchList,
        responses=problems.documented(422),
        summary="Statements whose rows were slow to be read",
    )
    async def queries_slow_fetches(limit: Limit = 100, cursor: Cursor = None, pool: PoolName = None) -> Response:
        """Newest first: what lies between the end of a statement's execution and its last row."""

        def build() -> SlowFetchList:
            recent = backend.slow_fetches(pool)
            shown, following = newest_first(recent.entries, recent.total, limit, cursor)
            return SlowFetchList(
                entries=[_slow_fetch(one, clock) for one in shown], total=recent.total, next_cursor=following
            )

        return await answer(backend, build)


def _add_statement(router: APIRouter, backend: Backend) -> None:
    clock = backend.clock

    @router.get(
        "/queries/{fingerprint}",
        response_model=QueryAnswer,
        responses=problems.documented(404, 422),
        summary="One statement, in every window",
    )
    async def query(fingerprint: Fingerprint) -> Response:
        """In each pool that knows it."""

        def build() -> QueryAnswer:
            windows = backend.query(fingerprint)
            first = next(iter(windows.values()), [])
            if not first:
                raise QueryNotFound(fingerprint)
            pools = [
                PoolQueryModel(
                    **_identity(one, clock),
                    windows={name: _window(reports[number].present) for name, reports in windows.items()},
                    before={name: _before(reports[number]) for name, reports in windows.items()},
                    change={name: reports[number].change for name, reports in windows.items()},
                )
                for number, one in enumerate(first)
            ]
            return QueryAnswer(fingerprint=fingerprint, pools=pools, generated_at=clock.now())

        return await answer(backend, build)

    @router.post(
        "/queries/{fingerprint}/plan",
        response_model=PlanAnswer,
        responses=problems.documented(404, 409, 422),
        summary="How the database would run a statement",
    )
    async def query_plan(fingerprint: Fingerprint, pool: PoolName = None) -> Response:
        """The generic plan, asked for over a connection of Dozor's own, without running the statement; literals are redacted."""
        found = await backend.plan(fingerprint, pool)
        return json_response(
            to_json(
                PlanAnswer(
                    fingerprint=fingerprint,
                    database=found.database,
                    plan=list(found.lines),
                    nodes=dict(found.nodes),
                    notes=list(found.notes),
                    generated_at=clock.now(),
                )
            )
        )


def _identity(report: QueryReport, clock: Clock) -> dict[str, Any]:
    return {
        "fingerprint": report.fingerprint,
        "statement": report.statement,
        "operation": report.operation,
        "pool": report.pool,
        "source": report.source,
        "callers": _times(report.callers),
        "endpoints": _times(report.endpoints),
        "raised": _times(report.raised),
        "first_seen": clock.date(report.first_seen),
        "last_seen": clock.date(report.last_seen),
    }


def _source(one: StatementSource, clock: Clock) -> StatementSourceModel:
    return StatementSourceModel(
        pool=one.pool,
        source=one.source,
        checked_at=date(clock, one.at),
        age_seconds=None if one.at is None else round(max(0.0, clock.timestamp() - one.at), 3),
        missing=one.missing,
        limits=list(one.limits),
    )


def _times(found: Iterable[tuple[str, int]]) -> list[TimesModel]:
    return [TimesModel(name=name, times=times) for name, times in found]


def _top_query(report: QueryReport, clock: Clock) -> TopQueryModel:
    return TopQueryModel(
        **_identity(report, clock),
        **_window(report.present).model_dump(),
        before=_before(report),
        change=report.change,
    )


def _before(report: QueryReport) -> QueryWindowModel | None:
    return None if report.before is None else _window(report.before)


def _window(window: QueryWindow) -> QueryWindowModel:
    return QueryWindowModel(
        calls=window.calls,
        calls_per_second=window.calls_per_second,
        errors=window.errors,
        timeouts=window.timeouts,
        cancelled=window.cancelled,
        slow=window.slow,
        total_seconds=window.total_seconds,
        mean_seconds=window.mean_seconds,
        stddev_seconds=window.stddev_seconds,
        p50_seconds=window.p50_seconds,
        p95_seconds=window.p95_seconds,
        p99_seconds=window.p99_seconds,
        max_seconds=window.max_seconds,
        rows=window.rows if window.rows_known else None,
        rows_per_call=window.rows / window.rows_known if window.rows_known else None,
        share=window.share,
    )


def _repeated(found: RepeatedQuery, clock: Clock) -> RepeatedQueryModel:
    return RepeatedQueryModel(
        endpoint=found.endpoint,
        fingerprint=found.fingerprint,
        statement=found.statement,
        pool=found.pool,
        caller=found.caller,
        requests=found.requests,
        times_per_request=round(found.times / found.requests, 1),
        most_times=found.most_times,
        lost_seconds=found.lost_seconds,
        first_at=clock.date(found.first_at),
        last_at=clock.date(found.last_at),
    )


def _slow_fetch(found: SlowFetch, clock: Clock) -> SlowFetchModel:
    return SlowFetchModel(
        statement=found.statement,
        fingerprint=found.fingerprint,
        fetch_ms=round(found.fetch_seconds * 1000, 3),
        open_ms=round(found.open_seconds * 1000, 3),
        rows=found.rows,
        at=clock.date(found.at),
        pool=found.pool,
        caller=found.caller,
        endpoint=found.endpoint,
    )
