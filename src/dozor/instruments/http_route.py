"""The route of a request as its developer wrote it: mount prefix + template, never the path that was asked for.

Read from the ASGI scope after Starlette or FastAPI has routed. What they leave there differs by version and by kind of
route, and what is not found becomes one of two names in parentheses.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

UNMATCHED: Final = "(unmatched)"
NO_TEMPLATE: Final = "(no template)"

_MOST_REMEMBERED: Final = 4096

Scope = Mapping[str, Any]


def find_route(scope: Scope, app: Any, root_path: str) -> tuple[str, bool]:
    """The route in *scope*, after routing, and whether every request that is routed to the same objects has it.

    *app* and *root_path* are those of the scope before routing. The objects are the `route`, the `endpoint` and the context of
    an included router in the scope, below the same `root_path`.
    """
    endpoint = scope.get("endpoint")
    if endpoint is None:
        return UNMATCHED, True
    route = scope.get("route")
    fastapi = scope.get("fastapi")
    if getattr(route, "endpoint", None) is not endpoint:
        # A mounted application, or a route that FastAPI does not put into the scope.
        return _find(_routes(app), _below(scope["path"], root_path)) or UNMATCHED, False
    source = route if fastapi is None else _source(fastapi, route)
    return _named(source, _mounted_at(scope, app, root_path)), True


class RouteNames:
    """Names routes, and remembers the names, a bounded number of them. Safe in any thread."""

    def __init__(self) -> None:
        # The objects stand in the value, so that no other one can come to have their ids.
        self._remembered: dict[tuple[object, ...], tuple[str, object]] = {}

    def name(self, scope: Scope, app: Any, root_path: str) -> str:
        """The route in *scope*; see `find_route`."""
        objects = (
            scope.get("route"),
            (scope.get("fastapi") or {}).get("effective_route_context"),
            scope.get("endpoint"),
        )
        key = (*map(id, objects), scope.get("root_path", ""))
        found = self._remembered.get(key)
        if found is not None:
            return found[0]
        name, lasting = find_route(scope, app, root_path)
        if lasting:
            if len(self._remembered) >= _MOST_REMEMBERED:
                self._remembered.clear()
            self._remembered[key] = (name, objects)
        return name


def _source(fastapi: Any, route: Any) -> Any:
    # FastAPI leaves in the scope the route as it stands in its own router; an object beside it knows the prefix under
    # which that router was included.
    context = fastapi.get("effective_route_context")
    return context if context is not None and getattr(context, "original_route", None) is route else route


def _named(source: Any, prefix: str) -> str:
    template = _template(source)
    return NO_TEMPLATE if template is None else (prefix + template or "/")


def _template(route: Any) -> str | None:
    for candidate in (getattr(route, "starlette_route", None), route):
        for attribute in ("path", "path_format"):
            found = getattr(candidate, attribute, None)
            if isinstance(found, str):
                return found
    return None


def _mounted_at(scope: Scope, app: Any, root_path: str) -> str:
    raw = _below(scope.get("root_path", ""), root_path)
    return _mount_template(_routes(app), raw) or "" if raw else ""


def _below(path: str, root_path: str) -> str:
    return path[len(root_path) :] if path.startswith(root_path) else ""


def _routes(app: Any) -> Iterable[Any]:
    return getattr(app, "routes", None) or ()


def flat(routes: Iterable[Any]) -> Iterator[Any]:
    """*routes*, with those of included routers in the place of the routers."""
    for route in routes:
        included = getattr(route, "effective_route_contexts", None)
        if included is None:
            yield route
        else:
            for context in included():
                yield getattr(context, "starlette_route", None) or context


def _match(route: Any, path: str) -> dict[str, str] | None:
    regex = getattr(route, "path_regex", None)
    found = None if regex is None else regex.match(path)
    return None if found is None else found.groupdict()


def _mount_template(routes: Iterable[Any], raw: str) -> str | None:
    """The template of the mounts that *raw*, the part of the path they took, went through."""
    for route in flat(routes):
        if hasattr(route, "host_regex"):
            inner = _mount_template(_routes(route), raw)
        elif hasattr(route, "app") and hasattr(route, "routes") and (found := _match(route, f"{raw}/")) is not None:
            rest = found.get("path", "").rstrip("/")
            inner = "" if not rest else _mount_template(_routes(route), f"/{rest}")
            inner = None if inner is None else f"{_template(route) or ''}{inner}"
        else:
            inner = None
        if inner is not None:
            return inner
    return None


def _find(routes: Iterable[Any], path: str) -> str | None:
    """The template of the first of *routes* that matches *path*; None too for a mounted router that has no match."""
    for route in flat(routes):
        if hasattr(route, "host_regex"):
            inner = _find(_routes(route), path)
            if inner is not None:
                return inner
        elif (found := _match(route, path)) is not None:
            template = _template(route)
            if not hasattr(route, "routes") or template is None:
                return template
            inside = _routes(route)
            if not inside:
                return template or "/"
            inner = _find(inside, f"/{found.get('path', '')}")
            return None if inner is None else template + inner
    return None
