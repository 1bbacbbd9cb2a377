"""A reader of the stream, straight at the ASGI application: it reads as fast as a test wants, and goes when it wants."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

from dozor.merge_patch import patched

PATH = "/api/v1/monitoring/stream"
SECONDS = 20.0


class Event(NamedTuple):
    """One server-sent event; a comment has neither name nor data."""

    name: str
    data: Any
    id: str
    comment: str = ""


class Parser:
    """What server-sent events say, however they are cut."""

    def __init__(self) -> None:
        self._rest = ""

    def feed(self, text: str) -> list[Event]:
        """The events that are whole now."""
        *blocks, self._rest = (self._rest + text).split("\n\n")
        found = []
        for block in blocks:
            fields: dict[str, list[str]] = {}
            for line in block.split("\n"):
                name, _, value = line.partition(":")
                fields.setdefault(name, []).append(value.removeprefix(" "))
            data = json.loads("\n".join(fields["data"])) if "data" in fields else None
            found.append(
                Event(
                    "".join(fields.get("event", [])), data, "".join(fields.get("id", [])), "".join(fields.get("", []))
                )
            )
        return found


@dataclass
class Reader:
    """One open stream."""

    status: int
    headers: dict[str, str]
    sent: "asyncio.Queue[dict[str, Any]]"
    gone: asyncio.Event
    done: "asyncio.Task[None]"
    ahead: asyncio.Semaphore

    def __post_init__(self) -> None:
        self._parser, self._events = Parser(), list[Event]()
        self.state: Any = None
        self.last_id = ""

    async def body(self) -> dict[str, Any]:
        """The next message; the server is let send one more."""
        message = await asyncio.wait_for(self.sent.get(), SECONDS)
        self.ahead.release()
        return message

    async def event(self) -> Event:
        """The next event that is no mere `retry`; *state* is what it makes of the whole."""
        while True:
            while not self._events:
                message = await self.body()
                assert message["more_body"], "the stream has ended"
                self._events = self._parser.feed(message["body"].decode())
            event = self._events.pop(0)
            self.last_id = event.id or self.last_id
            if event.name == "overview":
                self.state = event.data
            elif event.name == "patch":
                self.state = patched(self.state, event.data)
            if event.name or event.comment:
                return event

    async def ended(self) -> None:
        """Return when the stream has ended of itself."""
        while (await self.body())["more_body"]:
            pass
        await asyncio.wait_for(self.done, SECONDS)


@asynccontextmanager
async def reading(
    app: Any, headers: Mapping[str, str] | None = None, *, ahead: int = 1000, spec: str = "2.3"
) -> AsyncIterator[Reader]:
    """A stream of *app*; the server is *ahead* messages before it has to wait for the reader."""
    sent: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    gone, room = asyncio.Event(), asyncio.Semaphore(ahead)

    async def receive() -> dict[str, Any]:
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.body":
            await room.acquire()
        sent.put_nowait(dict(message))

    scope = {
        "type": "http", "asgi": {"version": "3.0", "spec_version": spec}, "http_version": "1.1", "method": "GET",
        "scheme": "http", "path": PATH, "raw_path": PATH.encode(), "query_string": b"", "root_path": "",
        "client": ("127.0.0.1", 4711), "server": ("localhost", 80),
        "headers": [(b"host", b"localhost"), *((k.lower().encode(), v.encode()) for k, v in (headers or {}).items())],
    }  # fmt: skip
    done = asyncio.create_task(app(scope, receive, send))
    start = await asyncio.wait_for(sent.get(), SECONDS)
    found = {name.decode(): value.decode() for name, value in start["headers"]}
    try:
        yield Reader(start["status"], found, sent, gone, done, room)
    finally:
        gone.set()
        await asyncio.wait_for(done, SECONDS)
