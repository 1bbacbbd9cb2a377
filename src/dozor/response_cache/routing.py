"""The route of a request that no router saw, because the cache answered it.

Who counts requests by route (Dozor's middleware, and others of the kind) reads `route` and `endpoint` from the ASGI scope
when the response begins. So the name of the route is kept with the response, and put there again with each hit.
"""

from functools import lru_cache
from typing import Any

from starlette.types import Scope

from dozor.instruments.http_route import NO_TEMPLATE, UNMATCHED, RouteNames


class Routing:
    """How one request was routed; made before it is."""

    def __init__(self, names: RouteNames, scope: Scope) -> None:
        self._names, self._scope = names, scope
        self._app: Any = scope.get("app")
        self._root_path: str = scope.get("root_path", "")

    def template(self) -> str:
        """The route's template with the prefix of its mounts, after routing; empty if there is none."""
        name = self._names.name(dict(self._scope), self._app, self._root_path)
        return "" if name in {UNMATCHED, NO_TEMPLATE} else name

    def adopt(self, routed: Scope) -> None:
        """Take over what routing left in *routed*, which is the scope or a copy of it with other headers."""
        if routed is not self._scope:
            self._scope.update((key, value) for key, value in routed.items() if key != "headers")

    def stand_in(self, template: str) -> None:
        """Let the scope look as if the route of *template* had been found."""
        if template:
            route = _route(template)
            self._scope["route"], self._scope["endpoint"] = route, route.endpoint


class _KeptRoute:
    """Looks like a route as far as its name goes."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.endpoint = self


@lru_cache(1024)  # the same object each time, since names are remembered by object
def _route(template: str) -> _KeptRoute:
    return _KeptRoute(template)
