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
        self.inclusion = (scope.get("fastapi") or {}).get("effective_route_context")
        self.method: str = scope["method"]
        self.root_path = scope.get("root_path")
        self.route, self.title = route, title
        self.answers: dict[int, Answers] = {}
        self.next: KnownRoute | None = None


class KnownRoutes:
    """A bounded number of them. Written by requests in any thread: what is lost in a race is found anew."""

    def __init__(self) -> None:
        self.by_endpoint: dict[Any, KnownRoute] = {}
        """The first with each endpoint; for the middleware."""
        self._count = 0

    def remember(self, known: KnownRoute) -> KnownRoute:
        """*known*, or what there is already that is the same but for the status.

        An endpoint that cannot be a key (an object with an equality of its own) is not remembered.
        """
        if known.endpoint.__hash__ is None:
            return known
        first = found = self.by_endpoint.get(known.endpoint)
        alike = 0
        while found is not None:
            if (
                found.way is known.way
                and found.inclusion is known.inclusion
                and found.method == known.method
                and found.root_path == known.root_path
            ):
                return found
            found, alike = found.next, alike + 1
        if self._count >= _MOST:
            self.clear()
            first = None
        # Where a part of the path is that of a tenant, there are as many root paths as tenants: then the older ones are dropped.
        known.next = first if alike < _MOST_ALIKE else None
        self._count += 1
        self.by_endpoint[known.endpoint] = known
        return known

    def clear(self) -> None:
        """Forget all."""
        self.by_endpoint.clear()
        self._count = 0
