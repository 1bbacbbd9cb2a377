"""http/…: what each route costs and why, what is being answered now, and what was answered late."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from dozor.api import problems
from dozor.api.backend import Backend
from dozor.api.http_schemas import (
    InFlightList,
    InFlightModel,
    RouteList,
    RouteModel,
    SlowRequestList,
    SlowRequestModel,
    SpentModel,
)
from dozor.api.parameters import Cursor, Limit, newest_first
from dozor.api.problems import invalid
from dozor.api.rendering import answer, json_response, to_json
from dozor.clock import Clock
from dozor.duration import parse_duration
from dozor.instruments.http_answers import RequestInFlight, SlowRequest, Spent
from dozor.overview import RouteRecord, read_routes
from dozor.store import Queryable

_SHORTEST, _LONGEST = 10.0, 86400.0

Window = Annotated[str, Query(max_length=20, description="How far back: a duration from 10s to 1d.", examples=["5m"])]


def add_routes(router: APIRouter, backend: Backend) -> None:
    """Put the routes under http/ on *router*."""
    clock = backend.clock

    @router.get(
        "/http/routes",
        response_model=RouteList,
        responses=problems.documented(422),
        summary="What each route costs, and what its time goes into",
    )
    async def http_routes(window: Window = "5m", limit: Limit = 100) -> Response:
        """Rate, errors, percentiles, and the shares of database, waiting for connections and Redis, the slowest first."""
        seconds = _seconds(window)

        def read(store: Queryable) -> bytes:
            found = read_routes(store, clock.timestamp(), seconds)
            routes = [_route(route) for route in found[:limit]]
            return to_json(RouteList(routes=routes, total=len(found), window_seconds=seconds, generated_at=clock.now()))

        return json_response(await backend.run_query(read))

    @router.get(
        "/http/in-flight",
        response_model=InFlightList,
        responses=problems.documented(422),
        summary="What is being answered now, and where it is",
    )
    async def http_in_flight(limit: Limit = 100) -> Response:
        """The oldest first, each with what it is doing and the line of the application that it is in."""

        def build() -> InFlightList:
            found, total = backend.requests_in_flight(limit)
            requests = [_in_flight(request) for request in found]
            return InFlightList(requests=requests, total=total, generated_at=clock.now())

        return await answer(backend, build)

    @router.get(
        "/http/slow-requests",
        response_model=SlowRequestList,
        responses=problems.documented(422),
        summary="Requests that were answered late",
    )
    async def http_slow_requests(limit: Limit = 100, cursor: Cursor = None) -> Response:
        """Newest first, by route and never by path, with what their time went into. The threshold is `DOZOR_SLOW_REQUEST_MS`."""

        def build() -> SlowRequestList:
            recent, threshold = backend.slow_requests()
            shown, following = newest_first(recent.entries, recent.total, limit, cursor)
            return SlowRequestList(
                entries=[_slow(entry, clock) for entry in shown],
                total=recent.total,
                threshold_ms=round(threshold * 1000, 3),
                next_cursor=following,
            )

        return await answer(backend, build)


def _seconds(window: str) -> float:
    try:
        seconds = parse_duration(window)
    except ValueError as error:
        raise invalid("window", str(error)) from None
    if not _SHORTEST <= seconds <= _LONGEST:
        raise invalid("window", f"{window} is not between 10s and 1d")
    return seconds


def _route(route: RouteRecord) -> RouteModel:
    return RouteModel(
        method=route.method,
        route=route.route,
        requests_per_second=round(route.requests_per_second, 4),
        errors_per_second=round(route.errors_per_second, 4),
        mean_seconds=_rounded(route.mean_seconds),
        p50_seconds=_rounded(route.p50_seconds),
        p95_seconds=_rounded(route.p95_seconds),
        p99_seconds=_rounded(route.p99_seconds),
        busy=round(route.busy, 4),
        shares=dict(route.shares),
        statements_per_request=round(route.statements, 2),
        redis_commands_per_request=round(route.redis_commands, 2),
    )


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 6)


def _in_flight(request: RequestInFlight) -> InFlightModel:
    return InFlightModel(
        method=request.method,
        route=request.route,
        age_seconds=round(request.age_seconds, 3),
        status=request.status,
        doing=request.doing,
        place=request.place,
        spent=_spent(request.spent),
    )


def _slow(entry: SlowRequest, clock: Clock) -> SlowRequestModel:
    parts = {
        "database": entry.spent.database_seconds,
        "pool_wait": entry.spent.wait_seconds,
        "redis": entry.spent.redis_seconds,
    }
    shares = {name: round(100 * part / entry.seconds, 1) for name, part in parts.items() if part and entry.seconds > 0}
    return SlowRequestModel(
        at=clock.date(entry.at),
        method=entry.method,
        route=entry.route,
        status=entry.status,
        duration_ms=round(entry.seconds * 1000, 3),
        shares=shares,
        spent=_spent(entry.spent),
    )


def _spent(spent: Spent) -> SpentModel:
    return SpentModel(
        pool_wait_seconds=round(spent.wait_seconds, 6),
        database_seconds=round(spent.database_seconds, 6),
        redis_seconds=round(spent.redis_seconds, 6),
        statements=int(spent.statements),
        redis_commands=int(spent.redis_commands),
    )
