"""One request that is being answered."""

from collections.abc import MutableMapping
from typing import TYPE_CHECKING, Any, ClassVar

from dozor.instruments.http_known import KnownRoute
from dozor.instruments.work import Work

if TYPE_CHECKING:
    from dozor.instruments.middleware import HttpMonitor


class Responder(Work):
    """What is known of it. The middleware fills it in: a method that did so would cost as much as all of that.

    Whoever has a connection of a pool out keeps its responder, perhaps for long, and so does whatever began within the request: the
    timers with which a server watches its connections stand in asyncio's list for some hundred requests after they were cancelled.
    So it lets go of the scope when the request ends, and of the server's `send`, which the middleware's own kind of it has.

    Attributes:
        monitor: which counts it; the same for all that pass one middleware, and of its class; *app* likewise.
        began: when it came, by the monitor's timer.
        status: of the answer, once that has begun.
        known: how it was routed, from then on.
        scope: of the request, until that ends.
        app: the application in the scope before routing, or None.
        root_path: likewise, or "".
    """

    __slots__ = ("began", "known", "root_path", "scope", "status")

    monitor: "ClassVar[HttpMonitor]"
    app: ClassVar[Any] = None
    began: float
    status: int | None
    known: KnownRoute | None
    scope: MutableMapping[str, Any] | None
    root_path: str

    __init__ = object.__init__

    @property
    def name(self) -> str:
        """Method and route. Before routing, and where it finds none, the route is `(unmatched)`."""
        known = self.known
        if known is not None:
            return known.title
        scope = self.scope
        return "" if scope is None else f"{scope['method']} {self.route}"

    @property
    def route(self) -> str:
        """The template of the route that answers, once routing has found it. Never raises."""
        known = self.known
        return self.monitor.find(self)[0] if known is None else known.route

    @property
    def method(self) -> str:
        """As it was sent."""
        known, scope = self.known, self.scope
        if known is not None:
            return known.method
        return "" if scope is None else str(scope["method"])

    @property
    def path(self) -> str:
        """Below the root path; empty once the request has ended."""
        scope = self.scope
        return "" if scope is None else str(scope.get("path", "")).removeprefix(self.root_path)
