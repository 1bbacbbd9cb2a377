"""system/health, dashboard/overview, and the probes."""

from collections.abc import Sequence

from fastapi import APIRouter, Response

from dozor._version import __version__
from dozor.api import problems
from dozor.api.alert_json import alert_model
from dozor.api.backend import Backend
from dozor.api.reading_schemas import HealthAnswer, OverviewAnswer, ProbeAnswer, ReadyAnswer, SparklineModel
from dozor.api.rendering import NO_STORE, answer, date, json_response, to_json
from dozor.api.targets import finite, freshness, pool_target, redis_target, sparkline_model, whole
from dozor.clock import Clock
from dozor.overview import Overview, Sparkline, assess

_MOST_ALERTS = 100


def add_routes(router: APIRouter, backend: Backend) -> None:
    """Put system/health and dashboard/overview on *router*."""
    clock = backend.clock

    @router.get(
        "/system/health",
        response_model=HealthAnswer,
        responses=problems.documented(),
        summary="How everything is",
    )
    async def system_health() -> Response:
        """The worst of the components, and each with its reasons. Always 200; `/readyz` is for load balancers."""

        def build() -> HealthAnswer:
            known, at = backend.known(), clock.timestamp()
            return HealthAnswer(**whole(assess(known, at)), **freshness(known.looked_at, at, clock))

        return await answer(backend, build)

    @router.get(
        "/dashboard/overview",
        response_model=OverviewAnswer,
        responses=problems.documented(),
        summary="All that the page shows, in one answer",
    )
    async def dashboard_overview() -> Response:
        """Statuses, the alerts that fire, all figures, and sparklines of the last quarter of an hour."""
        return await answer(backend, lambda: _overview_answer(backend))


def _overview_answer(backend: Backend) -> OverviewAnswer:
    clock, known = backend.clock, backend.known()
    overview: Overview = assess(known, clock.timestamp())
    at = overview.at
    return OverviewAnswer(
        **whole(overview),
        alerts=[alert_model(alert, clock, known.silences) for alert in overview.alerts[:_MOST_ALERTS]],
        pools=[pool_target(pool, at, clock) for pool in overview.pools],
        servers=[redis_target(server, at, clock) for server in overview.servers],
        http=finite(backend.http_figures()),
        host=finite(known.host),
        sparklines=_by_key(backend.sparklines(), clock),
        generated_at=clock.now(),
        name=known.name,
        environment=known.environment,
        version=__version__,
        started_at=date(clock, known.started_at),
        receivers=list(known.receivers),
    )


def _by_key(lines: Sequence[Sparkline], clock: Clock) -> dict[str, list[SparklineModel]]:
    """*lines* by figure."""
    found: dict[str, list[SparklineModel]] = {}
    for line in lines:
        found.setdefault(line.key, []).append(sparkline_model(line, clock))
    return found


def add_probes(router: APIRouter, backend: Backend, *, paths: Sequence[str] = ("/health", "/livez", "/readyz")) -> None:
    """Put those of the three probes that *paths* names on *router*. They ask nobody for a key."""
    for path in paths:
        if path == "/readyz":
            _add_readiness(router, backend)
        else:
            _add_liveness(router, path)


def _add_liveness(router: APIRouter, path: str) -> None:
    async def alive() -> Response:
        """200 while the process lives; touches no dependency."""
        return Response(b'{"status":"ok"}', headers=NO_STORE, media_type="application/json")

    router.add_api_route(path, alive, response_model=ProbeAnswer, summary="Does the process live?")
    router.add_api_route(path, alive, methods=["HEAD"], include_in_schema=False)


def _add_readiness(router: APIRouter, backend: Backend) -> None:
    async def ready() -> Response:
        """503 when a required dependency is down or has a critical alert that fires, never for one that only pends."""
        # Judged here and not in Dozor's thread, so that a probe is answered whatever happens there; it takes microseconds.
        reasons = list(assess(backend.known(), backend.clock.timestamp()).unready)
        body = to_json(ReadyAnswer(status="not ready" if reasons else "ready", reasons=reasons))
        return json_response(body, 503 if reasons else 200)

    not_ready = {"model": ReadyAnswer, "description": "Not ready; the reasons say why."}
    router.add_api_route(
        "/readyz",
        ready,
        response_model=ReadyAnswer,
        responses={503: not_ready},
        summary="May traffic come?",
    )
    router.add_api_route("/readyz", ready, methods=["HEAD"], include_in_schema=False)
