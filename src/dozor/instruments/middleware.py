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
from dozor.instruments.work import Work, current_work
from dozor.metrics import Children, Histogram, HistogramSnapshot
from dozor.metrics.instruments import FOLD_AT, OTHER, format_bound, histogram_samples
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
_BUCKETS: Final = (*(format_bound(bound) for bound in BOUNDS), "+Inf")
_DURATION_TEXT: Final = "Time until the response began, in seconds; body and background work left out."
_FOLDED_TEXT: Final = "Requests counted under the label value other, for want of room for one more series."
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
    counts_from_zero = True

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
        # One histogram for each method, route and status: the count of requests is its count, and a request is one append.
        self._answers = Children(
            ("method", "route", "status"), lambda: Histogram(BOUNDS), base=base_labels, limit=series_limit
        )
        self._known: dict[tuple[str, str, int], Histogram] = {}
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
            responder.route = route = self.route(responder)
            key = (responder.method, route, status)
            histogram = self._known.get(key) or self._histogram(*key)
            histogram.append(seconds)
            if len(histogram.pending) > FOLD_AT:
                histogram.fold()
        except Exception:  # noqa: BLE001 - the request is answered whatever happens to the count
            report("http.count")

    def route(self, responder: "_Responder") -> str:
        """The template of the route that answers, once routing has found it. Never raises."""
        try:
            return self._routes.name(responder.scope, responder.app, responder.root_path)
        except Exception:  # noqa: BLE001 - a route object of a kind not known yet
            report("http.route")
            return UNMATCHED

    async def refresh(self) -> None:
        """There is nothing to read: requests are counted as they pass."""

    def families(self) -> list[Family]:
        """The `http_…` metrics."""
        answers = [(labels, histogram.snapshot()) for labels, histogram in self._answers.items()]
        requests = [Sample("http_requests_total", labels, float(snapshot.count)) for labels, snapshot in answers]
        duration = "http_request_duration_seconds"
        durations = [
            sample
            for labels, snapshot in _without_status(answers).items()
            for sample in histogram_samples(duration, labels, _BUCKETS, snapshot)
        ]
        in_progress = Sample("http_requests_in_progress", self._labels, float(len(self.in_progress)))
        folded = Sample("dozor_http_requests_folded_total", self._labels, self._answers.folded.value)
        return [
            Family("http_requests_total", MetricType.COUNTER, "Requests answered.", "requests", tuple(requests)),
            Family(duration, MetricType.HISTOGRAM, _DURATION_TEXT, "seconds", tuple(durations)),
            Family(in_progress.name, MetricType.GAUGE, "Requests being answered now.", "requests", (in_progress,)),
            Family(folded.name, MetricType.COUNTER, _FOLDED_TEXT, "requests", (folded,)),
        ]

    def _histogram(self, method: str, route: str, status: int) -> Histogram:
        known = method if method in METHODS else OTHER
        before = self._answers.folded.value
        histogram = self._answers.get(known, route, str(status))
        if self._answers.folded.value == before and known == method:  # what is folded is counted as that each time
            self._known[method, route, status] = histogram
        return histogram


def _without_status(answers: list[tuple[Labels, HistogramSnapshot]]) -> dict[Labels, HistogramSnapshot]:
    merged: dict[Labels, HistogramSnapshot] = {}
    for labels, snapshot in answers:
        labels = labels.without("status")  # noqa: PLW2901
        seen = merged.get(labels)
        merged[labels] = snapshot if seen is None else _sum(seen, snapshot)
    return merged


def _sum(one: HistogramSnapshot, other: HistogramSnapshot) -> HistogramSnapshot:
    cumulative = tuple(a + b for a, b in zip(one.cumulative, other.cumulative, strict=True))
    return HistogramSnapshot(cumulative, one.sum + other.sum, None)


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
        responder: _Responder | None = None
        if kind == "http":
            try:
                if not self._monitor.leaves_out(scope):
                    responder = _Responder(self._monitor, scope, send)
            except Exception:  # noqa: BLE001 - the request is answered whatever happens to the count
                report("http.begin")
        if responder is None:
            await self.app(scope, receive, send)
            return
        around = current_work.get()
        current_work.set(responder)
        try:
            await self.app(scope, receive, responder.send)
        except BaseException as error:
            responder.failed(error)
            raise
        finally:
            current_work.set(around)
            responder.ended()

    def _first_request(self) -> None:
        callback, self._on_first_request = self._on_first_request, None
        if callback is not None:
            with contained("http.first_request"):
                callback()


class _Responder(Work):
    """One request. Counts it once: when the response begins, or when it failed before that.

    Whoever has a connection of a pool out keeps its responder, perhaps for long, so it lets go of the request when that ends.
    """

    __slots__ = ("_answered", "_monitor", "_send", "_started", "app", "method", "root_path", "route", "scope")

    def __init__(self, monitor: HttpMonitor, scope: Scope, send: Send) -> None:
        super().__init__()
        self._monitor, self._send, self._answered = monitor, send, False
        self.scope = scope
        self.method: str = scope["method"]
        self.route: str | None = None
        # Routing changes these two in the scope.
        self.app = scope.get("app")
        self.root_path: str = scope.get("root_path", "")
        monitor.in_progress.add(self)
        self._started = monitor.timer()

    @property
    def name(self) -> str:
        """Method and route. Before routing, and where it finds none, the route is `(unmatched)`."""
        return f"{self.method} {self.route or self._monitor.route(self)}"

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
        self.finish()
        self.scope, self.app = {}, None

    def _count(self, status: int) -> None:
        self._answered = True
        self._monitor.count(self, status, self._monitor.timer() - self._started)
