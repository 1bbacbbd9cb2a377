"""The paths of Prometheus' API, and who answers at each.

Not in the OpenAPI document: Prometheus' documentation describes them, and clients of Prometheus bring their own code.
"""

from collections.abc import Awaitable, Callable
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Response

from dozor.api.prometheus import catalogue, queries, rules, status, targets
from dozor.api.prometheus.backend import PrometheusBackend
from dozor.api.prometheus.parameters import Parameters, parameters

PATH: Final = "/api/v1"
"""Where every client of Prometheus expects its API, below the address that it is given."""

Handler = Callable[[PrometheusBackend, Parameters], Awaitable[Response]]
_Given = Annotated[Parameters, Depends(parameters)]

_READ: Final[dict[str, Handler]] = {
    "/label/{name}/values": catalogue.label_values,
    "/metadata": catalogue.metadata,
    "/rules": rules.rules,
    "/alerts": rules.alerts,
    "/targets": targets.targets,
    "/status/buildinfo": status.build_information,
}
_READ_OR_POSTED: Final[dict[str, Handler]] = {
    "/query": queries.query,
    "/query_range": queries.query_range,
    "/query_exemplars": queries.query_exemplars,
    "/format_query": queries.format_query,
    "/series": catalogue.series,
    "/labels": catalogue.label_names,
}


def add_routes(router: APIRouter, backend: PrometheusBackend) -> None:
    """Put the API's paths, without PATH, on *router*, whose routes must be `PrometheusRoute`s."""
    for handlers, methods in ((_READ, ["GET"]), (_READ_OR_POSTED, ["GET", "POST"])):
        for path, handler in handlers.items():
            router.add_api_route(path, _endpoint(handler, backend), methods=methods, include_in_schema=False)


def _endpoint(handler: Handler, backend: PrometheusBackend) -> Callable[..., Awaitable[Response]]:
    async def endpoint(given: _Given) -> Response:
        return await handler(backend, given)

    return endpoint
