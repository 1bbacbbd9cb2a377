"""What the application answers, how long that took and what is being answered: a pure ASGI middleware.

Nothing about a request is kept on the middleware; each has a responder of its own.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

from dozor.clock import Clock
from dozor.containment import contained, report
from dozor.instruments.http_route import UNMATCHED, RouteNames
from dozor.metrics import Children, Counter, Histogram
from dozor.metrics.instruments import OTHER
from dozor.model.labels import Labels
from dozor.model.sample import Family, MetricType, Sample

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]

BOUNDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 4.0, 5.0, 10.0, 30.0)
METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "QUERY"})
SERIES_LIMIT: Final = 1000
# What nginx calls a request whose client has gone: nobody was answered, and it is no fault of the server's.
_CLIENT_GONE: Final = 499
_SERVER_ERROR: Final = 500


class HttpMonitor:
    """Counts requests by method, route and status. Safe in any thread.

    Args:
        clock: unused by the counting; all instruments take it.
        base_labels: labels that every series has.
        series_limit: label combinations of each metric; further ones share one, labelled `other`.
        timer: monotonic seconds, for the hot path.
    """

    name = "http"

    def __init__(
        self,
        clock: Clock | None = None,  # noqa: ARG002
        base_labels: Labels = Labels(),  # noqa: B008 - immutable
        *,
        series_limit: int = SERIES_LIMIT,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        self.timer = timer
        self.in_progress: set[_Responder] = set()
        """The requests that are being answered now, those included whose body or background work goes on."""
        self._labels = base_labels
        self._routes = RouteNames()
        self._requests = Children(("method", "route", "status"), Counter, base=base_labels, limit=series_limit)
        self._durations = Children(("method", "route"), lambda: Histogram(BOUNDS), base=base_labels, limit=series_limit)
        self._left_out: frozenset[str] = frozenset()
        self._left_out_below: tuple[str, ...] = ()

    def leave_out(self, *paths: str) -> None:
        """Count no requests for *paths* and what is below them: Dozor's own. Replaces what was left out before."""
        self._left_out = frozenset(path.rstrip("/") for path in paths)
        self._left_out_below = tuple(f"{path}/" for path in self._left_out)

    def leaves_out(self, scope: Scope) -> bool:
        """Whether the request in *scope* is not counted."""
        path: str = scope["path"]
        root = scope.get("root_path")
        if root and path.startswith(root):
            path = path[len(root) :]
        return path in self._left_out or path.startswith(self._left_out_below)

    def count(self, responder: "_Responder", status: int, seconds: float) -> None:
        """Take in a request that was answered with *status* after *seconds*. Never raises."""
        try:
            method: str = responder.scope["method"]
            if method not in METHODS:
                method = OTHER
            try:
                route = self._routes.name(responder.scope, responder.app, responder.root_path)  # type: ignore[arg-type]
            except Exception:  # noqa: BLE001 - a route object of a kind not known yet
                report("http.route")
                route = UNMATCHED
            self._requests.get(method, route, str(status)).inc()
            self._durations.get(method, route).observe(seconds)
        except Exception:  # noqa: BLE001 - the request is answered whatever happens to the count
            report("http.count")

    async def refresh(self) -> None:
        """There is nothing to read: requests are counted as they pass."""

    def families(self) -> list[Family]:
        """The `http_…` metrics."""
        duration = "http_request_duration_seconds"
        durations = [
            sample for labels, histogram in self._durations.items() for sample in histogram.samples(duration, labels)
        ]
        requests = [Sample("http_requests_total", labels, each.value) for labels, each in self._requests.items()]
        in_progress = Sample("http_requests_in_progress", self._labels, float(len(self.in_progress)))
        folded = Sample(
            "dozor_http_requests_folded_total",
            self._labels,
            self._requests.folded.value,
        )
        return [
            Family("http_requests_total", MetricType.COUNTER, "Requests answered.", "requests", tuple(requests)),
            Family(
                duration,
                MetricType.HISTOGRAM,
                "Time until the response began, in seconds; body and background work left out.",
                "seconds",
                tuple(durations),
            ),
            Family(in_progress.name, MetricType.GAUGE, "Requests being answered now.", "requests", (in_progress,)),
            Family(
                folded.name,
                MetricType.COUNTER,
                "Requests counted under the label value other, for want of room for one more series.",
                "requests",
                (folded,),
            ),
        ]


class DozorMiddleware:
    """Counts the requests that pass to *app*; WebSockets and lifespan events pass untouched.

    Args:
        app: the application, or the next middleware.
        monitor: what counts.
        on_first_request: called once, before the first request or WebSocket is passed on.
    """

    def __init__(self, app: ASGIApp, monitor: HttpMonitor, on_first_request: Callable[[], None] | None = None) -> None:
        self.app = app
        self._monitor = monitor
        self._on_first_request = on_first_request

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one ASGI event on."""
        kind = scope["type"]
        if self._on_first_request is not None and kind != "lifespan":
            self._first_request()
        responder = self._responder(scope, send) if kind == "http" else None
        if responder is None:
            await self.app(scope, receive, send)
            return
        try:
            await self.app(scope, receive, responder.send)
        except BaseException as error:
            responder.failed(error)
            raise
        finally:
            responder.ended()

    def _first_request(self) -> None:
        callback, self._on_first_request = self._on_first_request, None
        if callback is not None:
            with contained("http.first_request"):
                callback()

    def _responder(self, scope: Scope, send: Send) -> "_Responder | None":
        try:
            return None if self._monitor.leaves_out(scope) else _Responder(self._monitor, scope, send)
        except Exception:  # noqa: BLE001 - the request is answered whatever happens to the count
            report("http.begin")
            return None


class _Responder:
    """One request. Counts it once: when the response begins, or when it failed before that."""

    __slots__ = ("_answered", "_monitor", "_send", "_started", "app", "root_path", "scope")

    def __init__(self, monitor: HttpMonitor, scope: Scope, send: Send) -> None:
        self._monitor, self._send, self._answered = monitor, send, False
        self.scope = scope
        # Routing changes these two in the scope.
        self.app = scope.get("app")
        self.root_path: str = scope.get("root_path", "")
        monitor.in_progress.add(self)
        self._started = monitor.timer()

    async def send(self, message: Message) -> None:
        """Pass *message* on, as it is."""
        if not self._answered and message["type"] == "http.response.start":
            self._count(message["status"])
        await self._send(message)

    def failed(self, error: BaseException) -> None:
        """Count the request that *error* ended, unless its response had begun."""
        if not self._answered:
            gone = isinstance(error, (asyncio.CancelledError, GeneratorExit))
            self._count(_CLIENT_GONE if gone else _SERVER_ERROR)

    def ended(self) -> None:
        """The application is through with the request, its background work included."""
        self._monitor.in_progress.discard(self)
        if not self._answered:
            self._count(_SERVER_ERROR)  # it returned without an answer; the server sends 500

    def _count(self, status: int) -> None:
        self._answered = True
        self._monitor.count(self, status, self._monitor.timer() - self._started)
