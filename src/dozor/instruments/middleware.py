"""What the application answers, how long that took and what is being answered: a pure ASGI middleware.

Nothing about a request is kept on the middleware; each has a responder of its own.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any, Final

from dozor.clock import Clock
from dozor.containment import contained, report
from dozor.instruments import doing
from dozor.instruments.http_answers import Answers, RequestInFlight, SlowRequest, Spent, families
from dozor.instruments.http_route import UNMATCHED, find_route
from dozor.instruments.work import Work, current_work
from dozor.metrics import Children, Counter
from dozor.metrics.instruments import FOLD_AT, OTHER
from dozor.model.labels import Labels
from dozor.model.sample import Family, MetricType, Sample

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]

METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "QUERY"})
SERIES_LIMIT: Final = 1000
SLOW_SECONDS: Final = 1.0
_SLOW_KEPT: Final = 200
_MOST_KNOWN: Final = 4096
_SLOW_TEXT: Final = "Requests whose response began later than the threshold, DOZOR_SLOW_REQUEST_MS."
_FOLDED_TEXT: Final = "Requests counted under the label value other, for want of room for one more series."
# What nginx calls a request whose client has gone: nobody was answered, and it is no fault of the server's.
_CLIENT_GONE: Final = 499
_SERVER_ERROR: Final = 500

# The ids of what routing left in the scope (route, context of an included router, endpoint), its root path; method, status.
_Key = tuple[int, int, int, str | None, str, int]


class HttpMonitor:
    """Counts requests by method, route and status. Safe in any thread.

    Args:
        clock: dates slow requests.
        base_labels: labels that every series has.
        slow_seconds: what is answered later is kept as an example.
        series_limit: label combinations of each metric; further ones share one, labelled `other`.
        timer: monotonic seconds, for the hot path.
    """

    name = "http"
    counts_from_zero = True

    def __init__(
        self,
        clock: Clock | None = None,
        base_labels: Labels = Labels(),  # noqa: B008 - immutable
        *,
        slow_seconds: float = SLOW_SECONDS,
        series_limit: int = SERIES_LIMIT,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        self.timer, self.slow_seconds = timer, slow_seconds
        self._clock = clock or Clock()
        self._slow: deque[SlowRequest] = deque(maxlen=_SLOW_KEPT)
        self._slow_total = Counter()
        self.in_progress: set[_Responder] = set()
        """The requests that are being answered now, those included whose body or background work goes on."""
        self.left_out: tuple[str, ...] = ()
        """What the paths begin with that `leaves_out` is to be asked about."""
        self.known: dict[_Key, Answers] = {}
        """Where a request is counted. For the middleware; bounded."""
        # What the ids in those keys are of, so that no other object can come to have them.
        self._objects: dict[_Key, tuple[object, ...]] = {}
        self._labels = base_labels
        self._answers = Children(("method", "route", "status"), Answers, base=base_labels, limit=series_limit)

    def leave_out(self, *paths: str) -> None:
        """Count no requests for *paths* and what is below them: Dozor's own. Replaces what was left out before."""
        self.left_out = tuple(path.rstrip("/") for path in paths)

    def leaves_out(self, path: str) -> bool:
        """Whether requests for *path* are not counted."""
        return any(path == one or path.startswith(f"{one}/") for one in self.left_out)

    def answers(self, responder: "_Responder", status: int, key: _Key) -> Answers:
        """Where to count a request that is not `known`; it is from now on, where its route has that name each time."""
        scope: Scope = responder.scope or {}
        route, lasting = self._find(responder)
        responder.route = route
        method = responder.method if responder.method in METHODS else OTHER
        before = self._answers.folded.value
        answers = self._answers.get(method, route, str(status))
        if self._answers.folded.value != before:  # what is folded is counted as that each time
            return answers
        answers.route = route
        if lasting and method == responder.method:
            if len(self.known) >= _MOST_KNOWN:
                self.known.clear()
                self._objects.clear()
            self._objects[key] = (scope.get("route"), scope.get("fastapi"), scope.get("endpoint"))
            self.known[key] = answers
        return answers

    def route(self, responder: "_Responder") -> str:
        """The template of the route that answers, once routing has found it. Never raises."""
        return self._find(responder)[0]

    def _find(self, responder: "_Responder") -> tuple[str, bool]:
        try:
            scope = responder.scope
            return (UNMATCHED, False) if scope is None else find_route(scope, responder.app, responder.root_path)
        except Exception:  # noqa: BLE001 - a route object of a kind not known yet
            report("http.route")
            return UNMATCHED, False

    def keep_slow(self, responder: "_Responder", status: int, seconds: float) -> None:
        """Take in a request that was answered late."""
        self._slow_total.inc()
        route = responder.route or UNMATCHED
        method = responder.method if responder.method in METHODS else OTHER
        at = self._clock.timestamp()
        self._slow.append(SlowRequest(at, method, route, status, seconds, Spent.by(responder)))

    def slow_requests(self) -> list[SlowRequest]:
        """Those that were answered late, the newest first; the last 200."""
        return list(reversed(list(self._slow)))

    @property
    def slow_total(self) -> int:
        """How many were, since the start."""
        return int(self._slow_total.value)

    def in_flight(self, loops: Iterable[asyncio.AbstractEventLoop], most: int) -> list[RequestInFlight]:
        """What is being answered now, the oldest first, at most *most*; where each is, is looked up in the tasks of *loops*.

        From any thread but those of *loops*.
        """
        oldest = sorted(self.in_progress.copy(), key=lambda responder: responder.began)[:most]
        found: dict[Work, doing.Moment] = {}
        with contained("http.whereabouts"):
            found = doing.find(oldest, loops, DozorMiddleware.__call__.__code__, "responder")
        now = self.timer()
        return [_in_flight(responder, now, found.get(responder), self.route(responder)) for responder in oldest]

    async def refresh(self) -> None:
        """There is nothing to read: requests are counted as they pass."""

    def families(self) -> list[Family]:
        """The `http_…` metrics."""
        in_progress = Sample("http_requests_in_progress", self._labels, float(len(self.in_progress)))
        slow = Sample("http_slow_requests_total", self._labels, self._slow_total.value)
        folded = Sample("dozor_http_requests_folded_total", self._labels, self._answers.folded.value)
        return [
            *families(self._answers.items()),
            Family(in_progress.name, MetricType.GAUGE, "Requests being answered now.", "requests", (in_progress,)),
            Family(slow.name, MetricType.COUNTER, _SLOW_TEXT, "requests", (slow,)),
            Family(folded.name, MetricType.COUNTER, _FOLDED_TEXT, "requests", (folded,)),
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

    # All of it in one function, and what is looked up twice in a variable: this is run for every request, and a call costs
    # as much as half of the counting.
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one ASGI event on."""
        kind = scope["type"]
        if self._on_first_request is not None and kind != "lifespan":
            self._first_request()
        if kind != "http":
            await self.app(scope, receive, send)
            return
        monitor = self._monitor
        try:
            path, root_path = scope["path"], scope.get("root_path", "")
            if root_path:
                path = path.removeprefix(root_path)
            if path.startswith(monitor.left_out) and monitor.leaves_out(path):
                responder = None
            else:
                responder = _Responder(monitor, scope, root_path)
                monitor.in_progress.add(responder)
        except Exception:  # noqa: BLE001 - the request is answered whatever happens to the count
            responder = None
            report("http.begin")
        if responder is None:
            await self.app(scope, receive, send)
            return
        around = current_work.set(responder)
        try:
            await self.app(scope, receive, responder.counting(send))
        except BaseException as error:
            responder.failed(error)
            raise
        finally:
            try:  # noqa: SIM105 - a context manager costs as much as the counting
                current_work.reset(around)
            except ValueError:  # ended from outside, as the garbage collector does: there is nothing to go back to
                pass
            monitor.in_progress.discard(responder)
            if responder.status is None:
                responder.count(_SERVER_ERROR)  # it returned without an answer; the server sends 500
            if responder.sent:
                responder.finish()
            responder.scope = None

    def _first_request(self) -> None:
        callback, self._on_first_request = self._on_first_request, None
        if callback is not None:
            with contained("http.first_request"):
                callback()


class _Responder(Work):
    """One request. Counts it once: when the response begins, or when it failed before that.

    Whoever has a connection of a pool out keeps its responder, perhaps for long, and so does whatever began within the request: the
    timers with which a server watches its connections stand in asyncio's list for some hundred requests after they were cancelled.
    So it has no `send`, and lets go of the scope when the request ends.

    Attributes:
        began: when it came, by the monitor's timer.
        status: of the answer, once that has begun.
        route: known for good from then on.
        scope: of the request, until that ends.
    """

    __slots__ = ("_monitor", "app", "began", "method", "root_path", "route", "scope", "status")

    def __init__(self, monitor: HttpMonitor, scope: Scope, root_path: str) -> None:
        # As Work does: a call of its method would cost as much as all of this.
        self.wait_seconds = self.database_seconds = self.redis_seconds = 0.0
        self.statements = self.redis_commands = 0
        self.sent, self.repeated = {}, None
        self.status: int | None = None
        self.route: str | None = None
        self._monitor = monitor
        self.scope: Scope | None = scope
        self.method: str = scope["method"]
        # Routing changes these two in the scope.
        self.app: Any = scope.get("app")
        self.root_path = root_path
        self.began = monitor.timer()

    @property
    def name(self) -> str:
        """Method and route. Before routing, and where it finds none, the route is `(unmatched)`."""
        return f"{self.method} {self.route or self._monitor.route(self)}"

    def counting(self, send: Send) -> Send:
        """*send*, with the request counted when its response begins."""

        # Not a coroutine: what the server's `send` returns is awaited by the caller just as well.
        def counting(message: Message) -> Awaitable[None]:
            if self.status is None and message["type"] == "http.response.start":
                self.count(message["status"])
            return send(message)

        return counting

    def failed(self, error: BaseException) -> None:
        """Count the request that *error* ended, unless its response had begun."""
        if self.status is None:
            gone = isinstance(error, (asyncio.CancelledError, GeneratorExit))
            self.count(_CLIENT_GONE if gone else _SERVER_ERROR)

    def count(self, status: int) -> None:
        """Take the answer in. Never raises."""
        self.status = status
        monitor = self._monitor
        seconds = monitor.timer() - self.began
        try:
            scope: Any = self.scope
            fastapi = scope.get("fastapi")
            key = (
                id(scope.get("route")),
                id(fastapi.get("effective_route_context")) if fastapi else 0,
                id(scope.get("endpoint")),
                scope.get("root_path"),
                self.method,
                status,
            )
            try:
                answers = monitor.known[key]
            except KeyError:
                answers = monitor.answers(self, status, key)
            else:
                self.route = answers.route
            answers.append(seconds)
            if len(answers.pending) > FOLD_AT:
                answers.seconds.fold()
            if self.statements or self.redis_commands or self.wait_seconds:
                answers.spend(self)
            if seconds >= monitor.slow_seconds:
                monitor.keep_slow(self, status, seconds)
        except Exception:  # noqa: BLE001 - the request is answered whatever happens to the count
            report("http.count")


def _in_flight(responder: _Responder, now: float, where: doing.Moment | None, route: str) -> RequestInFlight:
    return RequestInFlight(
        responder.method if responder.method in METHODS else OTHER,
        responder.route or route,
        max(0.0, now - responder.began),
        responder.status,
        Spent.by(responder),
        None if where is None else where.doing,
        None if where is None else where.place,
    )
