"""How requests are routed, remembered, so that a route is named once and not at each request."""

from collections.abc import Mapping
from typing import Any, Final

from dozor.instruments.http_answers import Answers

_MOST: Final = 4096
_MOST_ALIKE: Final = 16


class KnownRoute:
    """Requests of one method that come to one endpoint by the same way. Objects are told apart by which they are.

    Attributes:
        endpoint: the object in the scope; *way* likewise, the route.
        inclusion: where FastAPI included a router with that route, the object that stands for that; None elsewhere.
        method: as it was sent.
        root_path: after routing, so that an application that is mounted twice has two.
        route: the template.
        title: method and route.
        answers: where these requests are counted, by status.
        next: another one with that endpoint, or None.
    """

    __slots__ = ("answers", "endpoint", "inclusion", "method", "next", "root_path", "route", "title", "way")

    def __init__(self, scope: Mapping[str, Any], route: str, title: str) -> None:
        self.endpoint, self.way = scope.get("endpoint"), scope.get("route")
        self.inclusion = _inclusion(scope)
        self.method: str = scope["method"]
        self.root_path = scope.get("root_path")
        self.route, self.title = route, title
        self.answers: dict[int, Answers] = {}
        self.next: KnownRoute | None = None


class KnownRoutes:
    """A bounded number of them. Written by requests in any thread: what is lost in a race is found anew."""

    def __init__(self) -> None:
        self.by_endpoint: dict[Any, KnownRoute] = {}
        """The last few with each endpoint, the rest of them hanging on the first; for the middleware."""
        # All, by the ids of objects that they keep alive.
        self._all: dict[tuple[object, ...], KnownRoute] = {}

    def find(self, scope: Mapping[str, Any]) -> KnownRoute | None:
        """The one for a request that was routed as *scope* says."""
        return self._all.get(_key(scope))

    def remember(self, scope: Mapping[str, Any], known: KnownRoute) -> None:
        """A request that was routed as *scope* says is *known*."""
        if len(self._all) >= _MOST:
            self.clear()
        self._all[_key(scope)] = known
        if known.endpoint.__hash__ is None:  # an object with an equality of its own, which cannot be a key
            return
        first = following = self.by_endpoint.get(known.endpoint)
        alike = 0
        while following is not None:
            following, alike = following.next, alike + 1
        # Where a part of the path is that of a tenant, there are as many root paths as tenants: too many to try one by one.
        known.next = first if alike < _MOST_ALIKE else None
        self.by_endpoint[known.endpoint] = known

    def clear(self) -> None:
        """Forget all."""
        self.by_endpoint.clear()
        self._all.clear()


def _inclusion(scope: Mapping[str, Any]) -> Any:
    return (scope.get("fastapi") or {}).get("effective_route_context")


def _key(scope: Mapping[str, Any]) -> tuple[object, ...]:
    objects = (scope.get("route"), _inclusion(scope), scope.get("endpoint"))
    return (*map(id, objects), scope["method"], scope.get("root_path"))
