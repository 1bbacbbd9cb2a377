"""What streams carry: made once, in Dozor's thread, for however many are open.

A stream keeps nothing but its position. What happened since is read from one tail of events, which all share and which is
bounded; a reader too slow for it, or away for too long, gets the whole anew. So nobody's slowness takes memory.
"""

import asyncio
import secrets
import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, NamedTuple

from fastapi.sse import format_sse_event
from msgspec import Struct

from dozor.api.encoding import encoded
from dozor.clock import Clock
from dozor.containment import contained
from dozor.errors import StoreUnavailable
from dozor.merge_patch import Document, difference

OVERVIEW: Final = "overview"
PATCH: Final = "patch"
CHANGES: Final = "changes"

TAIL_EVENTS: Final = 600
TAIL_BYTES: Final = 2**20
TOLD: Final = 100
"""Of more changes at once only the newest are told."""
# Many actions at once make one event; and making events takes at most about a tenth of Dozor's thread.
_CLOSEST_SECONDS: Final = 0.2
_SHARE: Final = 10.0


class Position(NamedTuple):
    """What a stream has sent: all events of *run* up to *sequence*."""

    run: str
    sequence: int

    def __str__(self) -> str:
        return f"{self.run}-{self.sequence}"


def parse_position(event_id: str) -> Position | None:
    """The position that an event id (`Last-Event-ID`) names; None where it is none of ours."""
    run, _, sequence = event_id.rpartition("-")
    return Position(run, int(sequence)) if run and sequence.isascii() and sequence.isdecimal() else None


class Tail(Struct, frozen=True):
    """The newest events, ready to be sent. Immutable, so that any thread may read it. The first is *first* in sequence."""

    run: str = ""
    first: int = 1
    events: tuple[bytes, ...] = ()

    @property
    def end(self) -> Position:
        """The position after all of them."""
        return Position(self.run, self.first + len(self.events) - 1)

    def after(self, position: Position) -> Sequence[bytes] | None:
        """The events after *position*; None where they are no longer (or never were) here."""
        if position.run != self.run or not self.first - 1 <= position.sequence <= self.end.sequence:
            return None
        return self.events[position.sequence + 1 - self.first :]

    def with_(self, event: bytes) -> "Tail":
        """With one more, and without the oldest that are too many."""
        events, first = (*self.events, event), self.first
        size, most = sum(map(len, events)), len(events)
        drop = 0
        while drop < most - 1 and (size > TAIL_BYTES or most - drop > TAIL_EVENTS):
            size -= len(events[drop])
            drop += 1
        return Tail(self.run, first + drop, events[drop:])


class Subscription:
    """One stream's turn to be woken. Belongs to the loop that it was made on; `wake` may be called in any thread."""

    def __init__(self, live: "Live") -> None:
        self._live, self._loop, self._news = live, asyncio.get_running_loop(), asyncio.Event()

    async def news(self, timeout_seconds: float) -> None:
        """Wait until something has changed, for at most so long."""
        try:
            async with asyncio.timeout(timeout_seconds):
                await self._news.wait()
        except TimeoutError:
            return
        self._news.clear()

    def wake(self) -> None:
        """Something has changed."""
        try:
            self._loop.call_soon_threadsafe(self._news.set)
        except RuntimeError:  # its loop was closed before it could say good-bye
            self.close()

    def close(self) -> None:
        """The stream has ended. May be called again."""
        self._live.leave(self)


class Live:
    """The source of all streams. `look`, `tell`, `catch_up` and `close` belong to Dozor's thread, the rest to any.

    Args:
        build: makes the document as it is now.
        most: how many streams may be open at once.
    """

    def __init__(self, build: Callable[[], Document], clock: Clock, *, most: int) -> None:
        self._build, self._clock, self._most = build, clock, most
        self._streams: set[Subscription] = set()
        self._lock = threading.Lock()
        self._document: Document | None = None
        self._whole: tuple[Position, bytes] | None = None
        self._told: list[Any] = []
        self._made_at, self._pause = 0.0, _CLOSEST_SECONDS
        self._soon: asyncio.TimerHandle | None = None
        self.tail = Tail()
        self.closed = True

    @property
    def streams(self) -> int:
        """How many are open."""
        return len(self._streams)

    def subscribe(self) -> Subscription:
        """One more stream, on the running loop.

        Raises:
            StoreUnavailable: there are too many, or Dozor does not run.
        """
        with self._lock:
            if self.closed:
                raise StoreUnavailable("Dozor is not running")
            if len(self._streams) >= self._most:
                raise StoreUnavailable(
                    f"{self._most} streams are open already, and that is how many DOZOR_MAX_STREAMS allows; close a page, or "
                    "ask dashboard/overview every few seconds instead"
                )
            subscription = Subscription(self)
            self._streams.add(subscription)
        return subscription

    def leave(self, subscription: Subscription) -> None:
        """It has ended."""
        with self._lock:
            self._streams.discard(subscription)

    def open(self) -> None:
        """Dozor runs: begin anew. What was sent before counts no longer."""
        # In the child of a fork the parent's streams are not here, and its lock may be held for ever.
        self._lock, self._streams = threading.Lock(), set()
        self.tail = Tail(secrets.token_hex(4))
        self._document, self._whole, self._told = None, None, []
        self.closed = False

    def close(self) -> None:
        """Dozor stops: every stream ends."""
        self.closed = True
        if self._soon is not None:
            self._soon.cancel()
            self._soon = None
        self._wake()

    def look(self) -> None:
        """What is known has changed. Costs nothing while nobody listens: whoever comes back then is told at once."""
        if self.closed or self._soon is not None or not self._streams:
            return
        wait = self._made_at + self._pause - self._clock.monotonic()
        if wait <= 0:
            self._publish_contained()
        else:
            self._soon = asyncio.get_running_loop().call_later(wait, self._publish_contained)

    def catch_up(self, position: Position | None) -> tuple[Position, Sequence[bytes]]:
        """What brings a stream from *position* (None: it has nothing yet) to where things are now."""
        self._publish()
        events = None if position is None else self.tail.after(position)
        if events is not None:
            return self.tail.end, events
        end = self.tail.end
        if self._whole is None or self._whole[0] != end:
            self._whole = end, _event(OVERVIEW, self._document, end)
        return self._whole[0], (self._whole[1],)

    def tell(self, changes: Iterable[Any]) -> None:
        """Something has just happened that people may want to be told of. Goes out with the next look."""
        self._told = [*self._told, *changes][-TOLD:]

    def _publish_contained(self) -> None:
        with contained("live"):
            self._publish()

    def _publish(self) -> None:
        self._soon = None
        began = self._clock.monotonic()
        document = self._build()
        if self._told:
            told, self._told = self._told, []
            self._append(CHANGES, {"changes": told})
        if self._document is None:
            self._document = document
        elif patch := difference(self._document, document):
            self._document = document
            self._append(PATCH, patch)
        self._made_at = self._clock.monotonic()
        self._pause = max(_CLOSEST_SECONDS, _SHARE * (self._made_at - began))
        self._wake()

    def _append(self, name: str, data: Any) -> None:
        end = self.tail.end
        self.tail = self.tail.with_(_event(name, data, end._replace(sequence=end.sequence + 1)))

    def _wake(self) -> None:
        with self._lock:
            streams = list(self._streams)
        for stream in streams:
            stream.wake()


def _event(name: str, data: Any, position: Position) -> bytes:
    return format_sse_event(event=name, data_str=encoded(data).decode(), id=str(position))
