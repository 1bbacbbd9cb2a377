"""metrics/all as JSON, and /metrics as Prometheus reads it."""

from fastapi import APIRouter, Request, Response

from dozor.api import problems
from dozor.api.backend import Backend
from dozor.api.reading_schemas import MetricList
from dozor.api.rendering import NO_STORE, json_response, metrics_json
from dozor.metrics import content_type, render


def add_routes(router: APIRouter, backend: Backend) -> None:
    """Put metrics/all on *router*."""

    @router.get(
        "/metrics/all",
        response_model=MetricList,
        responses=problems.documented(),
        summary="Every metric as it stands",
    )
    async def metrics_all() -> Response:
        """All that `/metrics` says, as JSON."""
        return json_response(await backend.in_dozor(lambda: metrics_json(backend.families(), backend.clock.now())))


def add_exposition(router: APIRouter, backend: Backend) -> None:
    """Put /metrics on *router*."""

    @router.get(
        "/metrics",
        response_class=Response,
        responses={
            **problems.documented(),
            200: {
                "description": "Prometheus' text format, or OpenMetrics where the Accept header prefers it.",
                "content": {
                    "text/plain": {
                        "schema": {"type": "string"},
                        "example": 'db_pool_checked_out{pool="default"} 14.0\n',
                    },
                    "application/openmetrics-text": {"schema": {"type": "string"}},
                },
            },
        },
        summary="Every metric, for Prometheus",
    )
    async def metrics(request: Request) -> Response:
        """For a scrape by Prometheus or what understands its formats."""
        openmetrics = prefers_openmetrics(request.headers.get("accept", ""))
        body = await backend.in_dozor(lambda: render(backend.families(), openmetrics=openmetrics))
        # Given as a header, since a media type would get a second charset.
        return Response(body, headers={**NO_STORE, "Content-Type": content_type(openmetrics=openmetrics)})


def prefers_openmetrics(accept: str) -> bool:
    """Whether an Accept header asks for OpenMetrics at least as much as for plain text."""
    wanted = {"application/openmetrics-text": 0.0, "text/plain": 0.0}
    for part in accept.split(","):
        kind, *parameters = (piece.strip() for piece in part.split(";"))
        if kind.lower() in wanted:
            wanted[kind.lower()] = max(wanted[kind.lower()], _quality(parameters))
    openmetrics, plain = wanted.values()
    return openmetrics > 0 and openmetrics >= plain


def _quality(parameters: list[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "q":
            try:
                return float(value)
            except ValueError:
                return 0.0
    return 1.0
