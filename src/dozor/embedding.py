"""Putting Dozor into a FastAPI or Starlette application: middleware, routes, lifespan.

All that depends on what else the application has is decided when it builds its middleware stack, which is at its first
event or request: only then are all of its own routes and middleware known.
"""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from msgspec import Struct
from starlette.applications import Starlette
from starlette.datastructures import URLPath
from starlette.middleware import Middleware
from starlette.routing import BaseRoute, Match, Mount, NoMatchFound
from starlette.types import ASGIApp, Receive, Scope, Send
from typing_extensions import override

from dozor.api import PREFIX, PROBES
from dozor.containment import contained
from dozor.instruments.http_route import flat
from dozor.instruments.middleware import DozorMiddleware, HttpMonitor

logger = logging.getLogger("dozor")


class Guest(Struct, frozen=True):
    """What Dozor brings along.

    *loopback_only*: strangers are refused, for want of a key. *routes* are those below the API's prefix, *probes* those of the
    given paths at the root, both for a FastAPI application; *application* is all of them as one of their own, for any other.
    *start* and *stop* are awaited in the application's lifespan; *first_request* is called where none comes.
    """

    monitor: HttpMonitor
    loopback_only: bool
    routes: Callable[[], list[BaseRoute]]
    probes: Callable[[list[str]], list[BaseRoute]]
    application: Callable[[], ASGIApp]
    start: Callable[[], Awaitable[None]]
    stop: Callable[[], Awaitable[None]]
    first_request: Callable[[], None]


def install(app: Starlette, guest: Guest) -> None:
    """Make *guest* at home in *app*. The application's own behaviour does not change."""
    ours: Any = DozorMiddleware  # Starlette's types know only middleware whose arguments they know
    if any(middleware.cls is ours for middleware in app.user_middleware):
        logger.warning("this application has a Dozor already; the second one is not installed")
        return
    if app.middleware_stack is not None:
        logger.error(
            "this application has started already, so Dozor is not installed; call install() where the application is "
            "made, not in its lifespan"
        )
        return
    # Marks the place; build() moves it to the outermost one, whatever is added between now and then.
    middleware = Middleware(ours, monitor=guest.monitor, on_first_request=guest.first_request)
    app.user_middleware.insert(0, middleware)
    build = app.build_middleware_stack

    def build_with_guest() -> ASGIApp:
        with contained("install"):
            app.user_middleware.remove(middleware)
            app.user_middleware.insert(0, middleware)
            missing = [path for path in PROBES if not has_route(app.router.routes, path)]
            guest.monitor.leave_out(PREFIX, *missing)
            _add_routes(app, guest, missing)
            if guest.loopback_only:
                logger.warning(
                    "no key is set: Dozor answers only requests from this machine; for others, set DOZOR_API_KEY or "
                    "pass auth= to Dozor"
                )
        return build()

    app.build_middleware_stack = build_with_guest  # type: ignore[method-assign]
    app.router.lifespan_context = _lifespan(app.router.lifespan_context, guest)


def has_route(routes: Iterable[BaseRoute], path: str) -> bool:
    """Whether one of *routes* was made for *path*. One that takes any path (a mount at the root, `/{path:path}`) was not."""
    return any(_is_for(route, variant) for route in flat(routes) for variant in (path, f"{path}/"))


def _is_for(route: Any, path: str) -> bool:
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


def _add_routes(app: Starlette, guest: Guest, probes: list[str]) -> None:
    """Put in front what answers in our place: a catch-all of the application's would otherwise do so.

    It is one route that looks at the path, since every request of the application's passes by. Our own stand behind the
    application's as well, for its OpenAPI document and for whoever asks for a path by name.
    """
    routes = app.router.routes
    if isinstance(app, FastAPI):
        own = [*guest.routes(), *guest.probes(probes)]
        routes.insert(0, _Gate(own, tuple(probes)))
        routes += own
    else:
        routes.insert(0, _Forward(guest.application(), (PREFIX, *probes)))


class _InFront(BaseRoute):
    # What looks through an application's routes expects these of each.
    name, path, path_format = "dozor", PREFIX, PREFIX

    @override
    def url_path_for(self, name: str, /, **path_params: Any) -> URLPath:
        raise NoMatchFound(name, path_params)


class _Gate(_InFront):
    """Stands for *routes*, all of which are below the prefix or for one of *probes*."""

    def __init__(self, routes: Sequence[BaseRoute], probes: tuple[str, ...]) -> None:
        self._routes, self._probes = routes, probes

    @override
    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        found: tuple[Match, Scope] = (Match.NONE, {})
        path = scope["path"]
        if PREFIX in path or path.endswith(self._probes):  # below a root path, where the server leaves that in
            for route in self._routes:
                match, child = route.matches(scope)
                if match is Match.FULL or (match is Match.PARTIAL and found[0] is Match.NONE):
                    found = (match, {**child, "route": route})
                if match is Match.FULL:
                    break
        return found

    @override
    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        await scope["route"].handle(scope, receive, send)


class _Forward(_InFront):
    """Hands requests for *paths*, and what lies below them, to an application that knows them by their whole path."""

    def __init__(self, app: ASGIApp, paths: tuple[str, ...]) -> None:
        self._app, self._paths = app, paths

    @override
    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        wanted = scope["type"] == "http" and any(path == one or path.startswith(f"{one}/") for one in self._paths)
        return (Match.FULL if wanted else Match.NONE), {}

    @override
    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)


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
