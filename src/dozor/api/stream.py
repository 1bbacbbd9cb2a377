"""stream: the overview as server-sent events, for pages that are always up to date."""

import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, closing, suppress
from typing import Annotated, Any, Final

from fastapi import APIRouter, Header, Request, Response
from fastapi.sse import KEEPALIVE_COMMENT, format_sse_event
from starlette.requests import ClientDisconnect
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send
from typing_extensions import override

from dozor.api import problems
from dozor.api.backend import Backend
from dozor.api.live import Position, Subscription, parse_position
from dozor.api.live_schemas import LiveOverview
from dozor.errors import StoreUnavailable

HEARTBEAT_SECONDS: Final = 15.0
RETRY_MILLISECONDS: Final = 1000
LONGEST_SECONDS: Final = 600.0
"""A stream ends after this, and its reader goes on in a new one: so that no server waits for it longer, whatever server it is."""
# How soon a stream ends once its server wants to stop.
_LOOK_SECONDS: Final = 1.0
# nginx would hold the events back until it had a bufferful.
_HEADERS: Final = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}

LastEventId = Annotated[
    str | None, Header(max_length=100, description="The id of the last event that came, to go on from there.")
]


def add_routes(router: APIRouter, backend: Backend) -> None:
    """Put the stream on *router*."""

    @router.get(
        "/stream",
        status_code=200,
        response_class=_EventStream,
        response_model=None,
        responses={**problems.documented(422), 200: {"model": LiveOverview, "description": _DESCRIPTION}},
        summary="The overview, live",
    )
    async def stream(request: Request, last_event_id: LastEventId = None) -> Response:
        """Server-sent events: first the whole, then what changes. The guide to the API describes each."""
        await _release(request)
        subscription = backend.live.subscribe()
        try:
            position = parse_position(last_event_id or "")
            # Before the answer begins, so that what is wrong can still be said as a problem.
            first = await backend.in_dozor(lambda: backend.live.catch_up(position))
        except BaseException:
            subscription.close()
            raise
        return _EventStream(backend, subscription, first)


_DESCRIPTION: Final = (
    "`event: overview`: the whole. `event: patch`: a JSON Merge Patch (RFC 7396) of it. "
    "`event: changes`: what has just happened, to be told."
)


class _EventStream(StreamingResponse):
    """The events of one stream."""

    media_type = "text/event-stream"

    def __init__(self, backend: Backend, subscription: Subscription, first: tuple[Position, Sequence[bytes]]) -> None:
        self._subscription = subscription
        super().__init__(_events(backend, subscription, *first), headers=_HEADERS)

    @override
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # Whatever ends it, and even if it never begins. That the reader has gone is no news to anybody.
        with closing(self._subscription), suppress(ClientDisconnect):
            await super().__call__(scope, receive, send)


async def _events(
    backend: Backend, subscription: Subscription, position: Position, events: Sequence[bytes]
) -> AsyncIterator[bytes]:
    """The body: *events*, and then all that follow *position*, each time as many as there are."""
    live, clock = backend.live, backend.clock
    yield format_sse_event(retry=RETRY_MILLISECONDS) + b"".join(events)
    began = sent = clock.monotonic()
    while not (live.closed or server_is_stopping() or clock.monotonic() - began > LONGEST_SECONDS):
        tail = live.tail
        found = tail.after(position)
        if found is None:
            # It read too slowly, or Dozor was started anew: the whole once more.
            try:
                position, found = await backend.in_dozor(lambda: live.catch_up(None))
            except StoreUnavailable:
                return
        else:
            position = tail.end
        if found:
            yield b"".join(found)
            sent = clock.monotonic()
        elif clock.monotonic() - sent >= HEARTBEAT_SECONDS:
            yield KEEPALIVE_COMMENT
            sent = clock.monotonic()
        await subscription.news(_LOOK_SECONDS)


def server_is_stopping() -> bool:
    """Whether the uvicorn that runs this process was told to stop.

    It waits for open responses, for ever by default, and tells the application only afterwards. What it has been told can
    be seen on the object to which its signal handler belongs; other servers give up waiting by themselves.
    """
    handlers = (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT))
    return any(getattr(getattr(handler, "__self__", None), "should_exit", False) is True for handler in handlers)


async def _release(request: Request) -> None:
    """End the application's own dependencies now: a session that its `auth=` opened must not be held as long as the stream."""
    stack: Any = request.scope.get("fastapi_inner_astack")
    if isinstance(stack, AsyncExitStack):
        await stack.aclose()
