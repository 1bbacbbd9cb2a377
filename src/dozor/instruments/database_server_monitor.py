"""Whether the database behind a pool answers, asked over a connection of Dozor's own; and what a server says of itself."""

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from typing import Any, Final

from msgspec import Struct, field
from sqlalchemy import URL, Engine
from sqlalchemy.util import greenlet_spawn

from dozor.clock import Clock
from dozor.errors import ConfigurationError, DozorError
from dozor.instruments.database_activity import DatabaseActivity, read_sessions
from dozor.instruments.database_figures import ServerFigures, read_figures
from dozor.instruments.database_probe import (
    NoProbe,
    ObservedEngineProbe,
    OwnEngineProbe,
    Probe,
    own_engine,
    probe_of,
    reason,
)
from dozor.instruments.last_reading import LastReading
from dozor.instruments.server_capacity import ServerCapacity
from dozor.instruments.side_thread import SideThread, StillBusyError
from dozor.locks import FORKS
from dozor.model.labels import Labels
from dozor.model.sample import Family, MetricType, Sample

_CAPACITY_EVERY_SECONDS: Final = 60.0
_ACTIVITY_EVERY_SECONDS: Final = 5.0
# Who asks less often than this is better off with a thread each time than with one that waits.
_LONGEST_IDLE_SECONDS: Final = 10.0
_FAMILIES: Final[Mapping[str, tuple[str, str]]] = {
    "db_up": ("", "Whether the database answers on a connection of Dozor's own: 1 or 0."),
    "db_server_connections": ("connections", "Client connections to the server by state, without Dozor's own."),
    "db_server_max_connections": ("connections", "The most connections that the server takes."),
    "db_server_waiting_locks": ("locks", "Locks that somebody now waits for."),
    "db_server_longest_transaction_seconds": ("seconds", "Age of the oldest open transaction, in seconds; 0 if none."),
}


class DatabaseFailure(DozorError):  # noqa: N818 - named for what is the case
    """A database did not answer. *kind* is `timeout`, `refused`, `full` or `error`."""

    def __init__(self, kind: str, text: str) -> None:
        self.kind = kind
        super().__init__(text)


class _Reading(Struct, frozen=True):
    up: bool | None = None
    failure: DatabaseFailure | None = None
    at: float | None = None
    figures: ServerFigures = field(default_factory=ServerFigures)
    families: tuple[Family, ...] = ()


class DatabaseServerMonitor(LastReading):
    """Asks one database whether it is there. `refresh` and `close` belong to one event loop, the rest to any thread.

    At most one question is under way: a server that hangs holds one thread (sync drivers) or task, and no more.

    Args:
        name: the label `pool` of its series.
        target: an engine of the application's, which is observed and never used; or a URL, for which a small engine
            of Dozor's own is made.
        clock: dates and measures.
        interval: seconds between two collections; one takes at most 0.8 of that, and at most one second.
        server_figures: also read what a PostgreSQL server says of itself; for a URL only.

    Raises:
        ConfigurationError: *target* cannot be watched.
    """

    def __init__(
        self, name: str, target: object, clock: Clock, *, interval: float = 1.0, server_figures: bool = False
    ) -> None:
        self.name = f"database:{name}"
        self.pool_name = name
        self._clock = clock
        self._limit_seconds = 0.95 * min(0.8 * interval, 1.0)
        self._labels = Labels(pool=name)
        self._state_labels: dict[str, Labels] = {}
        self.engine, self._probe = _engine_and_probe(target)
        """The engine observed or, for a URL, Dozor's own (a synchronous one, also where the driver is not)."""
        self._own = isinstance(self._probe, OwnEngineProbe)
        self._asks_figures = server_figures and self._own and self.engine.dialect.name == "postgresql"
        self._side = SideThread(
            f"dozor-{self.name}", section=FORKS.section, idle_seconds=min(2 * interval, _LONGEST_IDLE_SECONDS)
        )
        self.at_once = type(self._probe) is NoProbe
        """Whether there is nobody to wait for: a database in memory."""
        self._task: asyncio.Task[Any] | None = None
        self._reading: _Reading = _Reading()
        self._activity = DatabaseActivity(missing="nobody has looked yet")
        self._activity_at: float | None = None
        self.capacity: ServerCapacity | None = None
        """How many connections the server of an observed engine takes, read once a minute; None: not known."""
        self._capacity_at: float | None = None

    @property
    def up(self) -> bool | None:
        """Whether the database answers; None before the first collection."""
        return self._reading.up

    def server(self) -> ServerFigures:
        """What the server says of itself, as of the last collection."""
        return self._reading.figures

    def activity(self) -> DatabaseActivity:
        """The sessions with an open transaction, looked at every five seconds."""
        return self._activity

    def capabilities(self) -> dict[str, bool]:
        """Whether `activity` may be read; what was not asked is absent."""
        return self._reading.figures.capabilities

    def figures(self) -> dict[str, float]:
        """The current value of each metric without labels of its own, by name; what is unknown is absent."""
        samples = (sample for family in self._reading.families for sample in family.samples)
        return {sample.name: sample.value for sample in samples if sample.labels == self._labels}

    async def refresh(self) -> None:
        """Collect once. Raises `DatabaseFailure` if the database did not answer."""
        try:
            figures = self._ask() if self.at_once else await self._ask_in_time()
        except asyncio.CancelledError:
            self._failed(TimeoutError())
            raise
        except StillBusyError:
            failure = self._failed(TimeoutError())
        except Exception as error:  # noqa: BLE001 - drivers raise what they like
            failure = self._failed(error)
        else:
            self._set(_Reading(up=True, figures=figures))
            return
        # Without the cause: its text may hold the password, and logs print it.
        raise failure from None

    async def _ask_in_time(self) -> ServerFigures:
        async with asyncio.timeout(self._limit_seconds):
            figures: ServerFigures = await self._run(self._ask)
            return figures

    async def close(self) -> None:
        """Close Dozor's connections; a hanging one is left to its own limits."""
        try:
            with contextlib.suppress(Exception):
                async with asyncio.timeout(self._limit_seconds):
                    while True:
                        try:
                            await self._run(self._probe.close)
                            return
                        except StillBusyError:  # the last question is being answered
                            await asyncio.sleep(0.01)
        finally:
            self._side.end()

    def _ask(self) -> ServerFigures:
        self._probe.check()
        self._ask_capacity()
        at = self._clock.monotonic()
        if self._activity_at is None or at - self._activity_at >= _ACTIVITY_EVERY_SECONDS:
            self._activity_at = at
            self._activity = self._look_at_sessions()
        if not self._asks_figures:
            return ServerFigures()
        return read_figures(self.engine)

    def _ask_capacity(self) -> None:
        at = self._clock.monotonic()
        due = self._capacity_at is None or at - self._capacity_at >= _CAPACITY_EVERY_SECONDS
        if due and isinstance(self._probe, ObservedEngineProbe):
            self._capacity_at = at  # also where it may not be read: that does not change within a minute
            with contextlib.suppress(Exception):  # something that is PostgreSQL in part, or a role that may not ask
                self.capacity = self._probe.capacity()

    def _look_at_sessions(self) -> DatabaseActivity:
        if self.engine.dialect.name != "postgresql":
            return DatabaseActivity(missing=f"of {self.engine.dialect.name} it cannot be told; of PostgreSQL it can")
        try:
            return DatabaseActivity(read_sessions(self._probe.rows), self._clock.timestamp())
        except Exception as error:  # noqa: BLE001 - that the server answers is known; what it does not tell is missing
            return DatabaseActivity(missing=f"the server did not tell ({type(error).__name__})")

    async def _run(self, call: Callable[[], Any]) -> Any:
        if not (self._probe.uses_driver and self.engine.dialect.is_async):
            return await self._side.run(call, self._limit_seconds)
        # A task of another loop is one that a fork left behind, or an earlier run.
        busy = self._task is not None and not self._task.done() and self._task.get_loop() is asyncio.get_running_loop()
        if busy:
            raise StillBusyError
        task = self._task = asyncio.ensure_future(greenlet_spawn(call))
        task.add_done_callback(_seen)
        try:
            # Not awaited itself: some drivers, when cancelled, wait for the server that hangs.
            done, _ = await asyncio.wait({task}, timeout=self._limit_seconds)
        except asyncio.CancelledError:
            self._give_up(task)
            raise
        if not done:
            self._give_up(task)
            raise TimeoutError
        return task.result()

    def _give_up(self, task: asyncio.Task[Any]) -> None:
        self._probe.abort()
        task.cancel()

    def _failed(self, error: BaseException) -> DatabaseFailure:
        failure = DatabaseFailure(*reason(error, self.engine.url))
        # A server that is full answers; that it is down would be the wrong alarm.
        self._set(_Reading(up=failure.kind == "full", failure=failure))
        return failure

    def _set(self, reading: _Reading) -> None:
        self._reading = _Reading(
            up=reading.up,
            failure=reading.failure,
            at=self._clock.timestamp(),
            figures=reading.figures,
            families=tuple(self._families(bool(reading.up), reading.figures)),
        )

    def _families(self, up: bool, server: ServerFigures) -> list[Family]:  # noqa: FBT001 - it is the value
        values = {
            "db_up": float(up),
            "db_server_max_connections": server.max_connections,
            "db_server_waiting_locks": server.waiting_locks,
            "db_server_longest_transaction_seconds": server.longest_transaction_seconds,
        }
        found = [
            _family(name, (Sample(name, self._labels, float(value)),))
            for name, value in values.items()
            if value is not None
        ]
        if server.max_connections is not None:
            found.append(_family("db_server_connections", tuple(self._by_state(server.connections))))
        return found

    def _by_state(self, connections: Mapping[str, int]) -> list[Sample]:
        for state in connections:
            if state not in self._state_labels:
                self._state_labels[state] = self._labels.with_({"state": state})
        # A state that nobody is in any more is 0, and not a series that vanishes.
        return [
            Sample("db_server_connections", labels, float(connections.get(state, 0)))
            for state, labels in self._state_labels.items()
        ]


def _engine_and_probe(target: object) -> tuple[Engine, Probe]:
    # An AsyncEngine is told by what it has: to import its class loads the whole ORM, a quarter of a second.
    target = getattr(target, "sync_engine", target)
    if isinstance(target, Engine):
        return target, probe_of(target)
    if isinstance(target, str | URL):
        engine = own_engine(target)
        probe = probe_of(engine)
        # A file is looked at, not opened through a pool, which would create it.
        return engine, OwnEngineProbe(engine) if engine.dialect.name != "sqlite" else probe
    raise ConfigurationError(
        f"cannot watch a {type(target).__name__} as a database: give a SQLAlchemy Engine, an AsyncEngine or a URL"
    )


def _seen(task: asyncio.Task[Any]) -> None:
    """Take notice of how *task* ended, or asyncio complains of an exception that nobody saw."""
    if not task.cancelled():
        task.exception()


def _family(name: str, samples: tuple[Sample, ...]) -> Family:
    unit, text = _FAMILIES[name]
    return Family(name, MetricType.GAUGE, text, unit, samples)
