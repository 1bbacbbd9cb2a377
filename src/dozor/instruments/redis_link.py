"""Dozor's standing connection to one Redis: opened when it is needed, kept, and heard when the server closes it."""

import asyncio
import contextlib
import os
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, Final

from dozor.containment import contained
from dozor.instruments.redis_connection import AnswerError, RedisConnection
from dozor.instruments.redis_failure import kind_of
from dozor.instruments.redis_target import CLIENT_NAME, RedisTarget, address_of

# What follows AUTH is a secret.
_WITHOUT_SUBCOMMANDS: Final = frozenset({"INFO", "AUTH"})
# Answers to whatever is said first, after which the server closes the connection, or hears nothing but AUTH.
_TURNED_AWAY: Final = frozenset({"maxclients", "denied", "noauth"})

Command = Sequence[str | bytes]


class Sent:
    """The commands that Dozor has sent to one server; it may do so over several connections."""

    def __init__(self) -> None:
        self.total = 0
        self.by_name: Counter[str] = Counter()
        """By the names of `INFO commandstats`: those of Redis 7 (`slowlog|get`) and of before (`slowlog`)."""

    def count(self, commands: Sequence[Command]) -> None:
        """*commands* have been sent."""
        self.total += len(commands)
        for name, *rest in commands:
            self.by_name[str(name).lower()] += 1
            if rest and name not in _WITHOUT_SUBCOMMANDS:
                self.by_name[f"{name!s}|{rest[0]!s}".lower()] += 1


class RedisLink:
    """One connection, on whichever event loop asks. Not thread-safe.

    Args:
        target: where to.
        sent: counts what is sent; one of its own, where none is given.

    How long anything may take is up to whoever asks; one that is cancelled leaves no connection behind.
    """

    def __init__(self, target: RedisTarget, sent: Sent | None = None) -> None:
        self._target = target
        self.sent = sent if sent is not None else Sent()
        """What Dozor has sent to the server."""
        self._connection: RedisConnection | None = None
        self._owner: tuple[int, asyncio.AbstractEventLoop] | None = None
        self._inherited: list[RedisConnection] = []
        self.own_address = ""
        """Of Dozor's end, as the server sees it; empty where that tells it from nobody (a Unix socket)."""
        self.on_lost: Callable[[], None] | None = None
        """Called on the loop when the server closes the connection while nothing is asked."""

    @property
    def standing(self) -> bool:
        """Whether there is a connection of this process and loop already."""
        return self._mine() is not None

    async def open(self) -> None:
        """Connect and log in, where it is not connected. Raises what `ask` raises, AnswerError, UnicodeError, RedisFailure."""
        if self._mine() is not None:
            return
        self._connection = connection = await self._target.connect()
        self._owner = (os.getpid(), asyncio.get_running_loop())
        try:
            await self._log_in()
        except BaseException:
            self.drop()
            raise
        self.own_address = address_of(*connection.own_address) if connection.own_address else ""
        connection.on_end = self._closed

    async def ask(self, *commands: Command) -> list[Any]:
        """Send *commands* at once; their answers in order, an error that the server answers as an `AnswerError`.

        Raises:
            ProtocolError: the other side does not speak the protocol.
            OSError: the connection has ended.
        """
        if self._connection is None:
            raise ConnectionResetError("closed by the server")
        self.sent.count(commands)
        return await self._connection.ask(commands)

    def drop(self) -> None:
        """Close the connection, if there is one."""
        if self._connection is not None and self._mine() is not None:
            connection, self._connection = self._connection, None
            connection.abort()

    async def _log_in(self) -> None:
        if credentials := await self._target.credentials():
            (answer,) = await self.ask(("AUTH", *credentials))
            if "wrong number of arguments" in str(answer).lower():  # before Redis 6, which has no users
                (answer,) = await self.ask(("AUTH", credentials[-1]))
            if isinstance(answer, AnswerError):
                raise answer
        (named,) = await self.ask(("CLIENT", "SETNAME", CLIENT_NAME))
        if isinstance(named, AnswerError) and kind_of(named) in _TURNED_AWAY:
            raise named

    def _closed(self) -> None:
        with contained("redis.lost"):
            self.drop()
            if self.on_lost is not None:
                self.on_lost()

    def _mine(self) -> RedisConnection | None:
        if self._connection is None or self._owner == (os.getpid(), asyncio.get_running_loop()):
            return self._connection
        self._hand_back(self._connection)
        self._connection = None
        return None

    def _hand_back(self, connection: RedisConnection) -> None:
        """Have *connection*, another loop's, closed there."""
        assert self._owner is not None
        process, loop = self._owner
        if process != os.getpid():
            # Inherited by a fork: to close it here, or to let it be collected, would reach into the parent's loop.
            self._inherited.append(connection)
            return
        with contextlib.suppress(RuntimeError):  # that loop is closed, and its transports with it
            loop.call_soon_threadsafe(connection.abort)
