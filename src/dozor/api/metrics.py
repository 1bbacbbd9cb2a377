"""metrics/all as JSON, and /metrics as Prometheus reads it."""

from fastapi import APIRouter, Request, Response

from dozor.api import problems
from dozor.api.backend import Backend
from dozor.api.reading_schemas import MetricList
from dozor.api.rendering import NO_STORE, json_response, metrics_json
from dozor.metrics import content_type, prefers_openmetrics, render


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
