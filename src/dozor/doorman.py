"""Answers plain questions on a connection, and leaves whoever asks more to a whole HTTP server.

Most agents are asked by nobody but probes and a scraper. For them uvicorn need not be loaded, which brings a command line, processes
and log configuration of its own: 3 MiB, and half of the time until `/health` answers. What is not plainly a GET or HEAD
without a body is not judged here: the server gets it as it came.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Coroutine
from email.utils import formatdate
from typing import Any, Final, NamedTuple

from typing_extensions import override

from dozor.containment import report

IDLE_SECONDS: Final = 75
"""How long an idle connection stays. Clients that write every 5 seconds would lose requests to a server that closes after 5."""
_LONGEST_HEAD: Final = 16 * 1024
_BEGINNING: Final = b"GET /", b"HEAD /"
_REQUEST: Final = re.compile(rb"(GET|HEAD) (/[!-$&->@-~]*)(?:\?([!-~]*))? HTTP/1\.1")  # no % in the path
_HEADER: Final = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):([\t -~\x80-\xff]*)")
# Of bodies, and of what changes the protocol or the course of the request.
_NOT_PLAIN: Final = frozenset({b"content-length", b"transfer-encoding", b"upgrade", b"expect", b"http2-settings"})
_REASONS: Final = {200: b"OK", 500: b"Internal Server Error", 503: b"Service Unavailable"}


class Answer(NamedTuple):
    """What is sent: a body of that media type, and headers besides."""

    status: int
    body: bytes
    kind: bytes = b"application/json"
    more: tuple[tuple[bytes, bytes], ...] = ()

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        """All headers that say something of the answer."""
        length = str(len(self.body)).encode()
        return [(b"content-type", self.kind), (b"content-length", length), (b"cache-control", b"no-store"), *self.more]


def read_head(head: bytes) -> dict[str, Any] | None:
    """The ASGI scope of a request with this head, without its empty line and without who asks; None where it is not plain."""
    first, *lines = head.split(b"\r\n")
    request = _REQUEST.fullmatch(first)
    found = [_HEADER.fullmatch(line) for line in lines]
    if request is None or None in found:
        return None
    headers = [(one[1].lower(), one[2].strip(b" \t")) for one in found if one is not None]
    names = [name for name, _ in headers]
    if names.count(b"host") != 1 or not _NOT_PLAIN.isdisjoint(names):
        return None
    return {
        "type": "http",
        "method": request[1].decode(),
        "path": request[2].decode(),
        "query_string": request[3] or b"",
        "headers": headers,
    }


class Doorman(asyncio.Protocol):
    """One connection, until it asks for more than plain answers.

    Args:
        answer: says the plain answer to an ASGI scope; None: there is none.
        leave_to: serves the connection from then on, with what was received of it and not answered.
        present: the doormen at work; this one is among them while it has a connection.
    """

    def __init__(
        self,
        answer: Callable[[Any], Awaitable[Answer | None]],
        leave_to: Callable[[asyncio.Transport, bytes], Awaitable[None]],
        present: "set[Doorman]",
    ) -> None:
        self._answer, self._leave_to, self._present = answer, leave_to, present
        self._received = b""
        self._taken = asyncio.Event()  # what was written, by a client that keeps up with it
        self._taken.set()
        self._busy: asyncio.Task[None] | None = None
        self._idle: asyncio.TimerHandle | None = None

    def end(self) -> None:
        """Close the connection."""
        if self._busy is not None:
            self._busy.cancel()
        self._transport.abort()

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._present.add(self)

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._present.discard(self)
        self._taken.set()
        self._stay()

    @override
    def pause_writing(self) -> None:
        self._taken.clear()

    @override
    def resume_writing(self) -> None:
        self._taken.set()

    @override
    def data_received(self, data: bytes) -> None:
        self._stay()
        self._received += data
        if self._busy is None:
            self._look()

    def _look(self) -> None:
        head, end, rest = self._received.partition(b"\r\n\r\n")
        scope = read_head(head) if end and len(head) <= _LONGEST_HEAD else None
        if scope is None:
            plain = any(self._received[: len(one)] == one[: len(self._received)] for one in _BEGINNING)
            if end or not plain or len(self._received) > _LONGEST_HEAD:
                self._work(self._leave())
            return
        scope["client"] = self._transport.get_extra_info("peername", (None, None))[:2]
        self._work(self._attend(scope, rest))

    def _work(self, what: Coroutine[Any, Any, None]) -> None:
        self._transport.pause_reading()
        self._busy = asyncio.get_running_loop().create_task(self._contained(what))

    async def _contained(self, what: Coroutine[Any, Any, None]) -> None:
        try:
            await what
        except Exception:  # noqa: BLE001 - the next connection may fare better
            report("doorman")
            self._transport.abort()

    async def _attend(self, scope: Any, rest: bytes) -> None:
        answer = await self._answer(scope)
        if answer is None:
            await self._leave()
            return
        closes = any(name == b"connection" and b"close" in value.lower() for name, value in scope["headers"])
        self._send(answer, body=scope["method"] == "GET", last=closes)
        await self._taken.wait()
        self._received, self._busy = rest, None
        if closes:
            self._transport.close()
        elif not self._transport.is_closing():
            self._transport.resume_reading()
            self._idle = asyncio.get_running_loop().call_later(IDLE_SECONDS, self._transport.close)
            if rest:
                self._stay()
                self._look()

    async def _leave(self) -> None:
        await self._leave_to(self._transport, self._received)
        self._present.discard(self)

    def _send(self, answer: Answer, *, body: bool, last: bool) -> None:
        headers = [(b"date", formatdate(usegmt=True).encode()), *answer.headers]
        if last:
            headers.append((b"connection", b"close"))
        head = b"HTTP/1.1 %d %s\r\n" % (answer.status, _REASONS.get(answer.status, b""))
        lines = b"".join(b"%s: %s\r\n" % header for header in headers)
        self._transport.write(head + lines + b"\r\n" + (answer.body if body else b""))

    def _stay(self) -> None:
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None
