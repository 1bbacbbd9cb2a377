"""One Redis or Valkey, watched from outside the application's own connections."""

import asyncio
import contextlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from redis import exceptions
from redis.asyncio.connection import AbstractConnection

from dozor.clock import Clock
from dozor.instruments.last_reading import LastReading
from dozor.instruments.redis_failure import RedisFailure, kind_of
from dozor.instruments.redis_info import Info, InfoValue, Rates, figures, instance, parse_info, run_id
from dozor.instruments.redis_target import CLIENT_NAME, RedisTarget, abort
from dozor.instruments.slowlog import SlowCommand, SlowLog
from dozor.model.labels import Labels
from dozor.model.sample import Family, MetricType, Sample

_FAMILIES: Final[Mapping[str, tuple[str, str]]] = {
    "redis_connected": ("", "Whether the Redis answers: 1 or 0."),
    "redis_memory_usage": ("bytes", "Memory in use by data and buffers, in bytes."),
    "redis_memory_limit": ("bytes", "maxmemory, in bytes; absent where none is set."),
    "redis_memory_peak": ("bytes", "The most memory in use since the server started, in bytes."),
    "redis_memory_fragmentation_ratio": ("", "Resident memory divided by memory in use."),
    "redis_connected_clients": ("connections", "Client connections now."),
    "redis_blocked_clients": ("connections", "Clients now waiting in a blocking command."),
    "redis_rejected_connections_total": ("connections", "Connections refused because maxclients was reached."),
    "redis_hit_rate": (
        "percent",
        "Lookups of the last 5 minutes that found a key, in percent; absent without lookups.",
    ),
    "redis_keyspace_hits_total": ("lookups", "Lookups that found a key."),
    "redis_keyspace_misses_total": ("lookups", "Lookups that found none."),
    "redis_operations_per_second": (
        "operations",
        "Commands a second since the collection before, without Dozor's own.",
    ),
    "redis_commands_processed_total": ("commands", "Commands processed."),
    "redis_evicted_keys_total": ("keys", "Keys evicted because maxmemory was reached."),
    "redis_expired_keys_total": ("keys", "Keys that expired."),
    "redis_slow_commands_total": ("commands", "Entries that appeared in the slow log, each counted once."),
    "redis_uptime_in_seconds": ("seconds", "Time since the server started, in seconds."),
}
_INSTANCE_HELP: Final = "What kind of server it is; always 1."


@dataclass(frozen=True)
class _Reading:
    """All that one collection found out; replaced as a whole, so that any thread reads a whole."""

    connected: bool | None = None
    failure: RedisFailure | None = None
    at: float | None = None
    info: Info = field(default_factory=dict)
    values: Mapping[str, float] = field(default_factory=dict)
    families: tuple[Family, ...] = ()


class RedisMonitor(LastReading):
    """Reads INFO and SLOWLOG of one server over a standing connection; only commands of constant cost.

    `refresh` and `close` belong to one event loop; everything else may be called in any thread.

    Args:
        name: the label `redis` of its series.
        source: a URL, or a redis-py client, of which only address, TLS and credentials are read.
        clock: dates and measures.
        interval: seconds between two collections; one takes at most 0.8 of that, and at most one second.

    Raises:
        ConfigurationError: *source* cannot be watched.
    """

    def __init__(self, name: str, source: object, clock: Clock, *, interval: float = 1.0) -> None:
        self.name = f"redis:{name}"
        self.redis_name = name
        self._target = RedisTarget.of(source)
        self._clock = clock
        self._limit_seconds = min(0.8 * interval, 1.0)
        self._labels = Labels(redis=name)
        self._instance_labels = self._labels
        self._connection: AbstractConnection | None = None
        self._owner: tuple[int, asyncio.AbstractEventLoop] | None = None
        self._inherited: list[AbstractConnection] = []
        self._rates, self._slow_log = Rates(), SlowLog(CLIENT_NAME)
        self._capabilities: dict[str, bool] = {}
        self._commands_sent = 0
        self._reading: _Reading = _Reading()
        self.reached_ever = False
        """Whether the server has ever answered."""

    @property
    def address(self) -> str:
        """`HOST:PORT` or the path of the socket."""
        return self._target.address

    @property
    def connected(self) -> bool | None:
        """Whether the server answers, be it with an error; None before the first collection."""
        return self._reading.connected

    @property
    def slow_log_total(self) -> int:
        """How many entries have appeared in the slow log, without Dozor's own."""
        return self._slow_log.total

    def slow_log(self) -> tuple[SlowCommand, ...]:
        """The newest entries of the slow log, newest first; kept when the server forgets them."""
        return self._slow_log.entries

    def info(self) -> dict[str, dict[str, InfoValue]]:
        """The last answer to INFO by section; empty if the last collection failed."""
        return {section: dict(values) for section, values in self._reading.info.items()}

    def capabilities(self) -> dict[str, bool]:
        """Which of the commands `info` and `slowlog` the server allows Dozor; what is not yet known is absent."""
        return dict(self._capabilities)

    def figures(self) -> dict[str, float]:
        """The current value of each metric by its name; what is unknown is absent."""
        return dict(self._reading.values)

    async def refresh(self) -> None:
        """Collect once. Raises `RedisFailure` if the figures could not be read, unless INFO is merely forbidden."""
        try:
            async with asyncio.timeout(self._limit_seconds):
                info = await self._collect()
        except asyncio.CancelledError:
            self._drop()
            self._failed("timeout")
            raise
        except Exception as error:  # noqa: BLE001 - a library's, a system's or a credential provider's: told apart below
            if not isinstance(error, exceptions.ResponseError):
                self._drop()  # else the server answered, and the connection is as good as before
            failure = self._failed(error.kind if isinstance(error, RedisFailure) else kind_of(error))
            if self._info_is_forbidden(failure):
                return
            # Without the cause: its text may hold credentials, and logs print it.
            raise failure from None
        self._succeeded(info)

    async def close(self) -> None:
        """Close the connection."""
        self._drop()

    async def _collect(self) -> Info:
        reused = self._mine() is not None
        try:
            return await self._read(await self._connect())
        except (exceptions.ConnectionError, OSError, EOFError) as error:
            self._drop()
            if not reused or kind_of(error) != "reset":
                raise
        # The server closed the standing connection, as it does when it restarts: that alone does not say it is down.
        return await self._read(await self._connect())

    async def _read(self, connection: AbstractConnection) -> Info:
        answer, newest = await self._ask(connection, ("INFO",), ("SLOWLOG", "GET", "1"))
        info = parse_info(answer) if isinstance(answer, bytes) else {}
        self._slow_log.server_is(run_id(info))
        await self._read_slow_log(connection, newest)
        if isinstance(answer, Exception):
            if kind_of(answer) == "noperm":
                self._capabilities["info"] = False
            raise answer
        if "server" not in info:
            raise RedisFailure("garbage", self.address)
        self._capabilities["info"] = True
        return info

    async def _read_slow_log(self, connection: AbstractConnection, newest: Any) -> None:
        self._capabilities["slowlog"] = isinstance(newest, list)
        count = self._slow_log.wanted(newest) if isinstance(newest, list) else 0
        if count:
            (entries,) = await self._ask(connection, ("SLOWLOG", "GET", str(count)))
            self._slow_log.take(entries if isinstance(entries, list) else [])

    async def _ask(self, connection: AbstractConnection, *commands: Sequence[str]) -> list[Any]:
        """Send *commands* at once; their answers in order, an error that the server answers as an exception object."""
        await connection.send_packed_command(connection.pack_commands(commands), check_health=False)
        self._commands_sent += len(commands)
        answers: list[Any] = []
        for _ in commands:
            try:
                answers.append(await connection.read_response(disable_decoding=True))
            except exceptions.ResponseError as error:
                answers.append(error)
        return answers

    def _mine(self) -> AbstractConnection | None:
        """The standing connection, if it belongs to this process and loop."""
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

    async def _connect(self) -> AbstractConnection:
        connection = self._mine()
        if connection is not None:
            return connection
        # Kept before it is open: a cancellation may come at any moment and must find it, to close it.
        connection = self._connection = self._target.connection(self._limit_seconds)
        self._owner = (os.getpid(), asyncio.get_running_loop())
        await connection.connect()  # type: ignore[no-untyped-call]
        # Not by redis-py at connect: where a user may not name itself, that would be an error.
        await self._ask(connection, ("CLIENT", "SETNAME", CLIENT_NAME))
        self._slow_log.connected(_own_address(connection))
        return connection

    def _drop(self) -> None:
        if self._connection is not None and self._mine() is not None:
            abort(self._connection)
            self._connection = None

    def _succeeded(self, info: Info) -> None:
        self.reached_ever = True
        rates = self._rates.update(info, self._clock.monotonic(), self._commands_sent)
        self._commands_sent = 0
        values = {"redis_connected": 1.0, **figures(info), **rates, **self._slow_figures()}
        labels = self._labels.with_(instance(info))
        if labels != self._instance_labels:
            self._instance_labels = labels
        described = _family("redis_instance_info", "", _INSTANCE_HELP, self._instance_labels, 1.0)
        self._reading = _Reading(
            connected=True,
            at=self._clock.timestamp(),
            info=info,
            values=values,
            families=(*self._families(values), described),
        )

    def _failed(self, kind: str) -> RedisFailure:
        failure = RedisFailure(kind, self.address, tls=self._target.tls)
        self.reached_ever = self.reached_ever or failure.answered
        values = {"redis_connected": float(failure.answered)}
        if self._info_is_forbidden(failure):
            values |= self._slow_figures()
        self._reading = _Reading(
            connected=failure.answered,
            failure=failure,
            at=self._clock.timestamp(),
            values=values,
            families=self._families(values),
        )
        return failure

    def _info_is_forbidden(self, failure: RedisFailure) -> bool:
        return failure.kind == "noperm" and self._capabilities.get("info") is False

    def _slow_figures(self) -> dict[str, float]:
        known = self._capabilities.get("slowlog", False)
        return {"redis_slow_commands_total": float(self._slow_log.total)} if known else {}

    def _families(self, values: Mapping[str, float]) -> tuple[Family, ...]:
        return tuple(_family(name, *_FAMILIES[name], self._labels, value) for name, value in values.items())


def _family(name: str, unit: str, text: str, labels: Labels, value: float) -> Family:
    kind = MetricType.COUNTER if name.endswith("_total") else MetricType.GAUGE
    return Family(name, kind, text, unit, (Sample(name, labels, value),))


def _own_address(connection: AbstractConnection) -> str:
    writer: asyncio.StreamWriter | None = getattr(connection, "_writer", None)
    name = writer.get_extra_info("sockname") if writer is not None else None
    if not isinstance(name, tuple):  # a Unix socket, whose clients all have the same address
        return ""
    host, port = name[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
