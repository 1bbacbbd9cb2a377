"""Putting Dozor into a FastAPI or Starlette application: middleware, routes, lifespan.

All that depends on what else the application has is decided when it builds its middleware stack, which is at its first
event or request: only then are all of its own routes and middleware known.
"""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import BaseRoute, Match, Mount
from starlette.types import ASGIApp

from dozor.containment import contained
from dozor.instruments.middleware import DozorMiddleware, HttpMonitor

logger = logging.getLogger("dozor")

PROBES: Final = ("/health", "/livez", "/readyz", "/metrics")


@dataclass(frozen=True, slots=True)
class Guest:
    """What Dozor brings along.

    *add_routes* puts its routes below the API's prefix into the application; *add_probes* those of the given root paths.
    *start* and *stop* are awaited in the application's lifespan; *first_request* is called where none comes.
    """

    monitor: HttpMonitor
    add_routes: Callable[[Starlette], None]
    add_probes: Callable[[Starlette, list[str]], None]
    start: Callable[[], Awaitable[None]]
    stop: Callable[[], Awaitable[None]]
    first_request: Callable[[], None]


def install(app: Starlette, guest: Guest) -> None:
    """Make *guest* at home in *app*. The application's own behaviour does not change."""
    if any(middleware.cls is DozorMiddleware for middleware in app.user_middleware):
        logger.warning("this application has a Dozor already; the second one is not installed")
        return
    # Marks the place; build() moves it to the outermost one, whatever is added between now and then.
    middleware = Middleware(DozorMiddleware, monitor=guest.monitor, on_first_request=guest.first_request)  # type: ignore[arg-type]
    app.user_middleware.insert(0, middleware)
    build = app.build_middleware_stack

    def build_with_guest() -> ASGIApp:
        with contained("install"):
            app.user_middleware.remove(middleware)
            app.user_middleware.insert(0, middleware)
            missing = [path for path in PROBES if not has_route(app.router.routes, path)]
            _in_front(app, lambda: guest.add_routes(app))
            guest.add_probes(app, missing)
        return build()

    app.build_middleware_stack = build_with_guest  # type: ignore[method-assign]
    app.router.lifespan_context = _lifespan(app.router.lifespan_context, guest)


def has_route(routes: Iterable[BaseRoute], path: str) -> bool:
    """Whether one of *routes* was made for *path*. One that takes any path (a mount at the root, `/{path:path}`) was not."""
    return any(_is_for(route, variant) for route in routes for variant in (path, f"{path}/"))


def _is_for(route: BaseRoute, path: str) -> bool:
    if isinstance(route, Mount) and not route.path:
        return has_route(route.routes, path)
    scope: dict[str, Any] = {
        "type": "http",
        "method": "GET",
        "path": path,
        "root_path": "",
        "headers": [],
        "path_params": {},
    }
    match, child = route.matches(scope)
    return match is not Match.NONE and not child.get("path_params")


def _in_front(app: Starlette, add: Callable[[], None]) -> None:
    # A catch-all of the application's would otherwise answer in our place: routes are tried in their order.
    routes = app.router.routes
    before = len(routes)
    add()
    added = routes[before:]
    del routes[before:]
    routes[:0] = added


def _lifespan(theirs: Callable[[Any], Any], guest: Guest) -> Callable[[Any], Any]:
    @asynccontextmanager
    async def lifespan(app: Any) -> AsyncIterator[Any]:
        async with theirs(app) as state:
            with contained("lifespan.start"):
                await guest.start()
            try:
                yield state
            finally:
                with contained("lifespan.stop"):
                    await guest.stop()

    return lifespan
