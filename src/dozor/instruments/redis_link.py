"""Dozor's standing connection to one Redis: opened when it is needed, kept, and heard when the server closes it."""

import asyncio
import contextlib
import os
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, cast

from redis import exceptions
from redis.asyncio.connection import AbstractConnection

from dozor.containment import contained
from dozor.instruments.redis_target import CLIENT_NAME, RedisTarget, abort


class Sent:
    """The commands that Dozor has sent to one server; it may do so over several connections."""

    def __init__(self) -> None:
        self.total = 0
        self.by_name: Counter[str] = Counter()
        """By the names of `INFO commandstats`: those of Redis 7 (`slowlog|get`) and of before (`slowlog`)."""

    def count(self, commands: Sequence[Sequence[str]]) -> None:
        """*commands* have been sent."""
        self.total += len(commands)
        for name, *rest in commands:
            self.by_name[name.lower()] += 1
            if rest and name != "INFO":
                self.by_name[f"{name}|{rest[0]}".lower()] += 1


class RedisLink:
    """One connection, on whichever event loop asks. Not thread-safe.

    Args:
        target: where to.
        limit_seconds: the longest that one step of opening or asking may take.
        sent: counts what is sent; one of its own, where none is given.
    """

    def __init__(self, target: RedisTarget, limit_seconds: float, sent: Sent | None = None) -> None:
        self._target, self._limit_seconds = target, limit_seconds
        self.sent = sent if sent is not None else Sent()
        """What Dozor has sent to the server."""
        self._connection: AbstractConnection | None = None
        self._owner: tuple[int, asyncio.AbstractEventLoop] | None = None
        self._inherited: list[AbstractConnection] = []
        self._asking = False
        self.own_address = ""
        """Of Dozor's end, as the server sees it; empty where that tells it from nobody (a Unix socket)."""
        self.may_name_itself: bool | None = None
        """Whether the server let Dozor say its name; None before the first connection."""
        self.on_lost: Callable[[], None] | None = None
        """Called on the loop when the server closes the connection while nothing is asked."""

    @property
    def standing(self) -> bool:
        """Whether there is a connection of this process and loop already."""
        return self._mine() is not None

    async def open(self) -> None:
        """Connect, where it is not connected."""
        if self._mine() is not None:
            return
        # Kept before it is open: a cancellation may come at any moment and must find it, to close it.
        connection = self._connection = self._target.connection(self._limit_seconds)
        self._owner = (os.getpid(), asyncio.get_running_loop())
        await connection.connect()  # type: ignore[no-untyped-call]
        # Not by redis-py at connect: where a user may not name itself, that would be an error.
        (named,) = await self.ask(("CLIENT", "SETNAME", CLIENT_NAME))
        self.may_name_itself = not isinstance(named, Exception)
        self.own_address = _own_address(connection)
        self._listen(connection)

    async def ask(self, *commands: Sequence[str]) -> list[Any]:
        """Send *commands* at once; their answers in order, an error that the server answers as an exception object."""
        connection = self._connection
        assert connection is not None
        self._asking = True
        try:
            await connection.send_packed_command(connection.pack_commands(commands), check_health=False)
            self.sent.count(commands)
            return [await _answer(connection) for _ in commands]
        finally:
            self._asking = False

    def drop(self) -> None:
        """Close the connection, if there is one."""
        if self._connection is not None and self._mine() is not None:
            connection, self._connection = self._connection, None
            abort(connection)

    def _listen(self, connection: AbstractConnection) -> None:
        transport = _transport(connection)
        if transport is not None:
            inner = transport.get_protocol()
            ear = _Ear(inner, lambda: self._closed(connection))
            transport.set_protocol(cast("asyncio.BaseProtocol", ear))

    def _closed(self, connection: AbstractConnection) -> None:
        if connection is not self._connection or self._asking:  # closed by ourselves, or whoever asks finds out
            return
        with contained("redis.lost"):
            self.drop()
            if self.on_lost is not None:
                self.on_lost()

    def _mine(self) -> AbstractConnection | None:
        if self._connection is None or self._owner == (os.getpid(), asyncio.get_running_loop()):
            return self._connection
        self._hand_back(self._connection)
        self._connection = None
        return None

    def _hand_back(self, connection: AbstractConnection) -> None:
        """Have *connection*, another loop's, closed there."""
        assert self._owner is not None
        process, loop = self._owner
        if process != os.getpid():
            # Inherited by a fork: to close it here, or to let it be collected, would reach into the parent's loop.
            self._inherited.append(connection)
            return
        with contextlib.suppress(RuntimeError):  # that loop is closed, and its transports with it
            loop.call_soon_threadsafe(abort, connection)


class _Ear:
    """Stands before a transport's protocol and hears the end of the connection first; all else passes through."""

    def __init__(self, inner: asyncio.BaseProtocol, ended: Callable[[], None]) -> None:
        self._inner: Any = inner
        self._ended = ended

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def eof_received(self) -> bool | None:
        keep_open: bool | None = self._inner.eof_received()
        # Not at once: the transport is in the midst of it, and the connection is about to be aborted.
        asyncio.get_running_loop().call_soon(self._ended)
        return keep_open

    def connection_lost(self, error: Exception | None) -> None:
        self._inner.connection_lost(error)
        self._ended()


async def _answer(connection: AbstractConnection) -> Any:
    try:
        return await connection.read_response(disable_decoding=True)
    except exceptions.ResponseError as error:
        return error


def _transport(connection: AbstractConnection) -> asyncio.Transport | None:
    writer: asyncio.StreamWriter | None = getattr(connection, "_writer", None)
    return cast("asyncio.Transport", writer.transport) if writer is not None else None


def _own_address(connection: AbstractConnection) -> str:
    transport = _transport(connection)
    name = transport.get_extra_info("sockname") if transport is not None else None
    if not isinstance(name, tuple):  # a Unix socket, whose clients all have the same address
        return ""
    host, port = name[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
