"""All routes together: for an application that Dozor lives in, and as an application of their own."""

import re
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse
from starlette.routing import BaseRoute

from dozor._version import __version__
from dozor.api import (
    actions,
    activity,
    alerts,
    annotations,
    changes,
    channels,
    http,
    metrics,
    pool,
    pool_connections,
    problems,
    prometheus,
    queries,
    redis,
    redis_insight,
    remote_write,
    rules,
    rules_trial,
    runtime,
    series,
    silences,
    slack,
    stream,
    system,
)
from dozor.api.auth import Door, gate, guards
from dozor.api.backend import Backend
from dozor.api.problems import MonitoringRoute

PREFIX: Final = "/api/v1/monitoring"
PROBES: Final = ("/health", "/livez", "/readyz", "/metrics")

_DESCRIPTION: Final = (
    "Monitoring of connection pools, queries, Redis, HTTP, host and runtime; alerts and what people do about them. "
    "Times are RFC 3339 in UTC, percentages run from 0 to 100, what is unknown is absent. "
    "Errors are problem documents (RFC 9457). Beside what is described here, Prometheus' own HTTP API answers below "
    f"{PREFIX}/prometheus, for Grafana and promtool."
)

Add = Callable[[APIRouter, Backend], None]


class Pages(Protocol):
    """What makes pages for people; the package `dozor.dashboard` is one."""

    def add_page(self, router: APIRouter, backend: Backend, door: Door, *, docs: bool = False) -> None:
        """Put the page and what belongs to it on *router*, at its root; *docs*: /docs stands beside it."""

    def add_docs(self, router: APIRouter, app: FastAPI, door: Door) -> None:
        """Put a page that describes *app*'s routes on *router*, at /docs."""


def build_router(backend: Backend, *, pages: Pages | None = None) -> APIRouter:
    """Everything below PREFIX: the API, probes, metrics, and (with *pages*) the page at its root.

    The routes are flat `APIRoute`s, to be put into an application one by one: `include_router` would add the application's
    own dependencies to them, and what watches a pool must not need a connection from it.
    """
    router = APIRouter()
    router.routes += [
        *_routes(pool.add_routes, backend, "pool"),
        *_routes(activity.add_routes, backend, "queries"),
        *_routes(queries.add_routes, backend, "queries"),
        *_routes(pool_connections.add_routes, backend, "pool"),
        *_routes(redis.add_routes, backend, "redis"),
        *_routes(http.add_routes, backend, "http"),
        *_routes(runtime.add_routes, backend, "runtime"),
        *_routes(redis_insight.add_routes, backend, "redis"),
        *_routes(rules_trial.add_routes, backend, "alerts"),
        *_routes(rules.add_routes, backend, "alerts"),
        *_routes(alerts.add_routes, backend, "alerts"),
        *_routes(actions.add_routes, backend, "alerts"),
        *_routes(silences.add_routes, backend, "silences"),
        *_routes(channels.add_routes, backend, "notifications"),
        *_routes(slack.add_routes, backend, "alerts", everybody=True),
        *_routes(system.add_routes, backend, "system"),
        *_routes(stream.add_routes, backend, "system"),
        *_routes(changes.add_routes, backend, "system"),
        *_routes(annotations.add_routes, backend, "annotations"),
        *_routes(series.add_routes, backend, "metrics"),
        *_routes(metrics.add_routes, backend, "metrics"),
        *_routes(metrics.add_exposition, backend, "metrics"),
        *_prometheus(backend, f"{PREFIX}/prometheus"),
        *_routes(system.add_probes, backend, "probes", everybody=True),
    ]
    if pages is not None:
        router.routes += _page(pages, backend, PREFIX)
    return router


def build_probes(backend: Backend, paths: Sequence[str] = PROBES) -> APIRouter:
    """Those of /health, /livez, /readyz and /metrics that *paths* names, at the root."""
    routes = [
        *_routes(system.add_probes, backend, "probes", prefix="", everybody=True),
        *_routes(metrics.add_exposition, backend, "metrics", prefix=""),
    ]
    router = APIRouter()
    router.routes += [route for route in routes if isinstance(route, APIRoute) and route.path in paths]
    return router


def create_app(backend: Backend, *, pages: Pages | None = None) -> FastAPI:
    """The application that the agent and `listen=` serve: probes, /openapi.json, the API, and (with *pages*) / and /docs.

    Prometheus' API is at the root too, so that its clients need not be told more than the address.
    """
    app = FastAPI(
        title="Dozor", version=__version__, description=_DESCRIPTION, docs_url=None, redoc_url=None, openapi_url=None
    )
    door = _door(backend)
    documents = APIRouter(route_class=MonitoringRoute)
    _add_openapi(documents, app, door)
    if pages is not None:
        pages.add_docs(documents, app, door)
    app.router.routes += [*build_probes(backend).routes, *documents.routes, *build_router(backend, pages=pages).routes]
    app.router.routes += _prometheus(backend, "")
    if pages is not None:
        app.router.routes += _page(pages, backend, "")
    app.add_exception_handler(HTTPException, _no_route)
    return app


def _prometheus(backend: Backend, prefix: str) -> list[BaseRoute]:
    """Prometheus' API, below *prefix*."""
    path, kind = prefix + prometheus.PATH, prometheus.PrometheusRoute
    return [
        *_routes(prometheus.add_routes, backend, "prometheus", prefix=path, route_class=kind),
        *_routes(remote_write.add_routes, backend, "prometheus", prefix=path, route_class=kind, everybody=True),
    ]


def _routes(
    add: Add,
    backend: Backend,
    tag: str,
    *,
    prefix: str = PREFIX,
    everybody: bool = False,
    route_class: type[APIRoute] = MonitoringRoute,
) -> list[BaseRoute]:
    """The routes that *add* makes; behind the gate, unless *everybody* may use them."""
    router = APIRouter(
        prefix=prefix,
        tags=[tag],
        route_class=route_class,
        dependencies=[] if everybody else guards(gate(backend.access), backend.access),
        generate_unique_id_function=_operation_id,
    )
    add(router, backend)
    return router.routes


def _page(pages: Pages, backend: Backend, prefix: str) -> list[BaseRoute]:
    router = APIRouter(prefix=prefix, include_in_schema=False)
    pages.add_page(router, backend, _door(backend), docs=not prefix)
    if prefix:
        # The page's links are relative, which works behind any root_path and only from below a slash.
        router.add_api_route("", _to_page, include_in_schema=False)
    return router.routes


async def _to_page() -> Response:
    return RedirectResponse(PREFIX.rpartition("/")[2] + "/", 307)


def _door(backend: Backend) -> Door:
    return Door(backend.access, lambda: backend.clock.now().timestamp())


def _add_openapi(router: APIRouter, app: FastAPI, door: Door) -> None:
    @router.get("/openapi.json", include_in_schema=False, dependencies=door.guards)
    async def openapi() -> Response:
        return JSONResponse(app.openapi())


async def _no_route(_request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    if error.status_code == 404:
        error = problems.Problem(404, "There is nothing at this path; /docs lists what there is.")
    return problems.response(error)


def _operation_id(route: APIRoute) -> str:
    method = min(route.methods or {"GET"}).lower()
    path = route.path_format.removeprefix(PREFIX).strip("/")
    root = "" if route.path_format.startswith(PREFIX) else "root_"
    words = re.sub(r"[^a-z]+", "_", path.replace("{alert_id}/", "").replace("}", "")).strip("_")
    return f"dozor_{root}{method}_{words}"
