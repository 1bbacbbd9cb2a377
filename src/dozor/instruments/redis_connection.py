"""A connection to a Redis: commands go out, answers come back in their order, and its end is heard when it comes.

RESP2, read by hiredis. What goes through it is nobody's business here: logging in is `RedisLink`'s.
"""

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, Final, cast

from hiredis import Reader, pack_command

MOST_BYTES: Final = 8 * 2**20
"""Of the answers to what is asked at once. A server that sends more is none that is worth listening to."""

_NOT_YET: Final = object()


class AnswerError(Exception):
    """What a server answers instead of what it was asked for: a code in capitals, and a text."""


class ProtocolError(Exception):
    """What was sent is not the Redis protocol, or more than anybody asked for."""


class RedisConnection(asyncio.Protocol):
    """One connection. Belongs to the event loop it is opened on; one asks at a time.

    Attributes:
        on_end: called, on that loop, when the other side ends it while nothing is asked.
    """

    def __init__(self) -> None:
        self._reader = Reader(protocolError=ProtocolError, replyError=AnswerError, notEnoughData=_NOT_YET)
        self._transport: asyncio.Transport | None = None
        self._answers: list[Any] = []
        self._wanted = self._received = 0
        self._waiter: asyncio.Future[None] | None = None
        self._ended: Exception | None = None
        self.on_end: Callable[[], None] | None = None

    async def tcp(self, host: str, port: int, tls: ssl.SSLContext | None = None) -> None:
        """Connect to *host*, one of its addresses after the other. Raises OSError (`TimeoutError`, `ssl.SSLError` …), UnicodeError."""
        await self._opened(asyncio.get_running_loop().create_connection(lambda: self, host, port, ssl=tls))

    async def unix(self, path: str) -> None:
        """Connect to the socket at *path*. Raises OSError."""
        await self._opened(asyncio.get_running_loop().create_unix_connection(lambda: self, path))

    async def _opened(self, opening: Awaitable[object]) -> None:
        try:
            await opening
        except BaseException:
            self.abort()
            raise

    async def ask(self, commands: Sequence[Iterable[str | bytes]]) -> list[Any]:
        """Send *commands* at once; their answers in order: bytes, int, None, lists of these, an `AnswerError` for an error.

        Whoever gives up waiting closes the connection: the answers would be taken for those to the next question.

        Raises:
            ProtocolError: what came is no answer.
            OSError: the connection has ended.
        """
        assert self._transport is not None
        self._answers, self._wanted, self._received = [], len(commands), 0
        self._transport.write(b"".join([pack_command(tuple(command)) for command in commands]))  # type: ignore[arg-type]
        self._read()  # some say all that they have to say, and close, before they are asked
        if len(self._answers) < self._wanted and self._ended is None:
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            except asyncio.CancelledError:
                self.abort()
                raise
            finally:
                self._waiter = None
        answers, self._answers, self._wanted = self._answers, [], 0
        if len(answers) == len(commands):
            return answers
        raise self._why()

    def abort(self) -> None:
        """Close it at once. TLS would otherwise wait half a minute for a server that hangs to say goodbye."""
        self.on_end = None
        if self._transport is not None:
            self._transport.abort()

    @property
    def own_address(self) -> tuple[str, int] | None:
        """Host and port of this end; None for a Unix socket, whose clients all have the same address."""
        name = self._transport.get_extra_info("sockname") if self._transport is not None else None
        return name[:2] if isinstance(name, tuple) else None

    # -- what asyncio calls --------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:  # noqa: D102
        self._transport = cast("asyncio.Transport", transport)  # uvloop's are none of asyncio's class

    def data_received(self, data: bytes) -> None:  # noqa: D102
        self._received += len(data)
        if self._received > MOST_BYTES:
            self._end(ProtocolError("more than anybody asked for"))
            return
        self._reader.feed(data)
        if self._waiter is not None:
            self._read()
            if len(self._answers) == self._wanted:
                self._wake()

    def eof_received(self) -> None:  # noqa: D102
        self._end(None)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: D102
        self._end(exc)

    # -- the rest ------------------------------------------------------------------------------------------------------

    def _read(self) -> None:
        """Take the answers that are here, as many as are wanted."""
        try:
            while len(self._answers) < self._wanted and (answer := self._reader.gets()) is not _NOT_YET:
                self._answers.append(answer)
        except (ProtocolError, MemoryError) as error:  # a length that no memory can hold is no length
            self._end(ProtocolError(str(error)))

    def _end(self, error: Exception | None) -> None:
        if self._ended is not None:
            return
        self._ended = error or ConnectionResetError("closed by the server")
        if not self._wake() and self.on_end is not None:
            # Not at once: the transport is in the midst of it, and whoever is told will abort it.
            asyncio.get_running_loop().call_soon(self._tell)

    def _tell(self) -> None:
        if self.on_end is not None:
            self.on_end()

    def _wake(self) -> bool:
        """Let whoever waits go on; false where nobody does."""
        if self._waiter is None or self._waiter.done():
            return False
        self._waiter.set_result(None)
        return True

    def _why(self) -> Exception:
        """What ended it, once: an error that is kept would keep, with its traceback, all that waited for it."""
        error, self._ended = self._ended, ConnectionResetError("closed by the server")
        return error or self._ended
