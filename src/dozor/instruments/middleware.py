"""What the application answers, how long that took and what is being answered: a pure ASGI middleware.

Nothing about a request is kept on the middleware; each has a responder of its own.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from types import CodeType
from typing import Any, Final

from dozor.clock import Clock
from dozor.containment import contained, report
from dozor.instruments import doing
from dozor.instruments.http_answers import Answers, RequestInFlight, SlowRequest, Spent, families
from dozor.instruments.http_known import KnownRoute, KnownRoutes
from dozor.instruments.http_responder import Responder
from dozor.instruments.http_route import UNMATCHED, find_route
from dozor.instruments.work import Work, current_work
from dozor.metrics import Children, Counter
from dozor.metrics.instruments import OTHER
from dozor.model.labels import Labels
from dozor.model.sample import Family

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]

METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "QUERY"})
SERIES_LIMIT: Final = 1000
SLOW_SECONDS: Final = 1.0
_SLOW_KEPT: Final = 200
_SLOW_TEXT: Final = "Requests whose response began later than the threshold, DOZOR_SLOW_REQUEST_MS."
_FOLDED_TEXT: Final = "Requests counted under the label value other, for want of room for one more series."
# What nginx calls a request whose client has gone: nobody was answered, and it is no fault of the server's.
_CLIENT_GONE: Final = 499
_SERVER_ERROR: Final = 500
# What a request has spent before it has spent anything: this very object, for that is what is looked at.
_NOTHING: Final = 0.0


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
    at_once = True

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
        self.open: set[Responder] = set()
        """For the middleware: all requests that have not ended, those included that are left out."""
        self.known = KnownRoutes()
        """For the middleware: where requests are counted that are routed as an earlier one was."""
        self.requests_total = 0.0
        """Requests counted since the start, as of the last cycle."""
        self._left_out: tuple[str, ...] = ()
        self._uncounted = Answers()
        self._labels = base_labels
        self._answers = Children(("method", "route", "status"), Answers, base=base_labels, limit=series_limit)

    def leave_out(self, *paths: str) -> None:
        """Count no requests for *paths* and what is below them: Dozor's own. Replaces what was left out before."""
        self._left_out = tuple(path.rstrip("/") for path in paths)
        self.known.clear()

    def _leaves_out(self, path: str) -> bool:
        return any(path == one or path.startswith(f"{one}/") for one in self._left_out)

    @property
    def in_progress(self) -> list[Responder]:
        """The requests that are being answered now, those included whose body or background work goes on."""
        return [responder for responder in self.open.copy() if not self._leaves_out(responder.path)]

    def recognize(self, responder: Responder, status: int) -> KnownRoute:
        """How the request was routed, and where it is counted; known from now on, where the route has that name each time."""
        scope: Scope = responder.scope or {"method": ""}
        before_this = self.known.find(scope)
        if before_this is not None and status in before_this.answers:
            return before_this
        route, lasting = self.find(responder)
        known = before_this or KnownRoute(scope, route, f"{scope['method']} {route}")
        method = known.method if known.method in METHODS else OTHER
        # By its route, for the path alone may be one of the application's catch-all.
        if self._leaves_out(responder.path if route == UNMATCHED else route):
            answers, folded = self._uncounted, False
        else:
            before = self._answers.folded.value
            answers = self._answers.get(method, route, str(status))
            folded = self._answers.folded.value != before  # and to be counted as that each time
        if folded and before_this is not None:
            known = KnownRoute(scope, route, known.title)
        known.answers[status] = answers
        if before_this is None and lasting and not folded and route != UNMATCHED and method == known.method:
            self.known.remember(scope, known)
        return known

    def find(self, responder: Responder) -> tuple[str, bool]:
        """The template of its route; whether all that are routed to the same objects have it. Never raises."""
        try:
            scope = responder.scope
            return (UNMATCHED, False) if scope is None else find_route(scope, responder.app, responder.root_path)
        except Exception:  # noqa: BLE001 - a route object of a kind not known yet
            report("http.route")
            return UNMATCHED, False

    def keep_slow(self, responder: Responder, status: int, seconds: float) -> None:
        """Take in a request that was answered late."""
        if self._leaves_out(responder.route):
            return
        self._slow_total.inc()
        method = responder.method if responder.method in METHODS else OTHER
        at = self._clock.timestamp()
        self._slow.append(SlowRequest(at, method, responder.route, status, seconds, Spent.by(responder)))

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
        oldest = sorted(self.in_progress, key=lambda responder: responder.began)[:most]
        found: dict[Work, doing.Moment] = {}
        with contained("http.whereabouts"):
            found = doing.find(oldest, loops, _marks(), "responder")
        now = self.timer()
        return [_in_flight(responder, now, found.get(responder)) for responder in oldest]

    async def refresh(self) -> None:
        """There is nothing to read: requests are counted as they pass."""

    def families(self) -> list[Family]:
        """The `http_…` metrics."""
        labels, in_progress, folded = self._labels, len(self.in_progress), self._answers.folded.value
        answered = list(families(self._answers.items()))
        self.requests_total = sum(sample.value for sample in answered[0].samples)
        return [
            *answered,
            Family.gauge("http_requests_in_progress", "Requests being answered now.", "requests", in_progress, labels),
            Family.counter("http_slow_requests_total", _SLOW_TEXT, "requests", self._slow_total.value, labels),
            Family.counter("dozor_http_requests_folded_total", _FOLDED_TEXT, "requests", folded, labels),
        ]


_enter, _leave = current_work.set, current_work.reset


# What follows runs at every request, while the processor's caches are full of the application's code. What costs then is each
# function that is entered, Python's or the interpreter's own, and after that each look-up: much more than in a loop that does
# nothing else. So there is no object that is called, no method, and what is used each time stands in a variable around the function.
def _counter(monitor: HttpMonitor) -> Callable[[Responder, int], None]:
    timer, known_by_endpoint, recognize = monitor.timer, monitor.known.by_endpoint, monitor.recognize
    slow_seconds, nothing = monitor.slow_seconds, _NOTHING

    def count(responder: Responder, status: int) -> None:
        """Take the answer in. Never raises."""
        responder.status = status
        try:
            now = timer()
            seconds = now - responder.began
            scope: Any = responder.scope
            try:
                known: Any = known_by_endpoint[scope["endpoint"]]
                while (
                    known.way is not scope["route"]
                    or known.method != scope["method"]
                    or known.root_path != scope["root_path"]
                    or (
                        known.inclusion is not None
                        and known.inclusion is not scope["fastapi"]["effective_route_context"]
                    )
                ):
                    known = known.next
                answers = known.answers[status]
            except (KeyError, AttributeError, TypeError):  # never seen, or not with this status, or cannot be a key
                known = recognize(responder, status)
                answers = known.answers[status]
            responder.known = known
            answers.pending.append(seconds)
            if now >= answers.next_look:
                answers.look(now)
            sent = responder.sent
            if sent is not None or responder.wait_seconds is not nothing or responder.redis_commands:
                spend = answers.spend
                spend(
                    (
                        responder.wait_seconds,
                        responder.database_seconds,
                        responder.redis_seconds,
                        len(sent) if sent is not None and responder.many is None else responder.statements,
                        responder.redis_commands,
                    )
                )
            if seconds >= slow_seconds:
                monitor.keep_slow(responder, status, seconds)
        except Exception:  # noqa: BLE001 - the request is answered whatever happens to the count
            report("http.count")

    return count


def DozorMiddleware(  # noqa: N802, C901, PLR0915 - to Starlette's add_middleware it is a class; and see above
    app: ASGIApp, monitor: HttpMonitor, on_first_request: Callable[[], None] | None = None
) -> ASGIApp:
    """*app*, with the requests counted that pass to it; WebSockets and lifespan events pass untouched.

    Args:
        app: the application, or the next middleware.
        monitor: what counts.
        on_first_request: called once, before the first request or WebSocket is passed on.
    """
    count, timer, begin, end = _counter(monitor), monitor.timer, monitor.open.add, monitor.open.discard
    begun, nothing = False, _NOTHING

    class Answering(Responder):
        """A request that passes here. What is the same for all of them stands in the class, and need not be put into each."""

        __slots__ = ("send",)

        send: Send

        # A method of the responder and no function within the function: that would be made at each request, out of five parts.
        # And not a coroutine: what the server's `send` returns is awaited by the caller just as well.
        def counting(self, message: Message) -> Awaitable[None]:
            if self.status is None and message["type"] == "http.response.start":
                count(self, message["status"])
            send = self.send
            return send(message)

    Answering.monitor = monitor

    def first_request(scope: Scope) -> None:
        nonlocal begun
        begun = True
        # The application that this is inside of, if any: always the same, but in the scope only until an inner one is routed to.
        Answering.app = scope.get("app")
        if on_first_request is not None:
            with contained("http.first_request"):
                on_first_request()

    async def watched(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if not begun and scope["type"] != "lifespan":
                first_request(scope)
            await app(scope, receive, send)
            return
        if not begun:
            first_request(scope)
        try:
            responder = Answering()
            responder.wait_seconds = responder.database_seconds = responder.redis_seconds = nothing
            responder.redis_commands = 0
            responder.sent = responder.many = responder.status = responder.known = None
            responder.scope, responder.send = scope, send
            try:
                responder.root_path = scope["root_path"]  # which routing changes
            except KeyError:
                responder.root_path = ""
            responder.began = timer()
            begin(responder)
        except Exception:  # noqa: BLE001 - the request is answered whatever happens to the count
            report("http.begin")
            responder = None
        if responder is None:
            await app(scope, receive, send)
            return

        around = _enter(responder)
        try:
            await app(scope, receive, responder.counting)
        except BaseException as error:
            if responder.status is None:
                gone = isinstance(error, (asyncio.CancelledError, GeneratorExit))
                count(responder, _CLIENT_GONE if gone else _SERVER_ERROR)
            raise
        finally:
            try:  # noqa: SIM105 - a context manager costs as much as the counting
                _leave(around)
            except ValueError:  # ended from outside, as the garbage collector does: there is nothing to go back to
                pass
            end(responder)
            if responder.status is None:
                count(responder, _SERVER_ERROR)  # it returned without an answer; the server sends 500
            if responder.sent is not None:
                known = responder.known
                responder.finish(None if known is None else known.title)
            responder.scope, responder.send = None, _too_late

    vars(watched)["app"] = app  # by which others find their way through middleware
    return watched


async def _too_late(_message: Message) -> None:
    """Takes what is sent when the request has ended, which no server passes on; for the responder must not keep the server's `send`."""


def _marks() -> CodeType:
    """The code of what runs as long as a request does, and has its responder in a variable."""
    return next(
        one for one in DozorMiddleware.__code__.co_consts if isinstance(one, CodeType) and one.co_name == "watched"
    )


def _in_flight(responder: Responder, now: float, where: doing.Moment | None) -> RequestInFlight:
    return RequestInFlight(
        responder.method if responder.method in METHODS else OTHER,
        responder.route,
        max(0.0, now - responder.began),
        responder.status,
        Spent.by(responder),
        None if where is None else where.doing,
        None if where is None else where.place,
    )
