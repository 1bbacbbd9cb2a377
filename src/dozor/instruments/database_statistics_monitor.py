"""A PostgreSQL server's own count of a database's statements, by window; for an agent, which does not see them pass."""

import asyncio
import contextlib
from collections import deque
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct
from sqlalchemy import Engine

from dozor.clock import Clock
from dozor.instruments.database_enquiry import DatabaseEnquiry
from dozor.instruments.database_probe import reason
from dozor.instruments.database_server_monitor import DatabaseFailure, DatabaseServerMonitor
from dozor.instruments.database_statistics import (
    LIMITS,
    SUMS,
    ServerFacts,
    read_facts,
    read_statements,
    read_sums,
    read_texts,
)
from dozor.instruments.server_statements import ServerStatements, read_text
from dozor.model.labels import Labels
from dozor.model.sample import Family

if TYPE_CHECKING:
    from dozor.instruments.query_planner import QueryPlanner

EVERY_SECONDS: Final = 15.0
_HIT_RATE_READINGS: Final = 21
"""Those of five minutes, and the one before them."""


class StatementsState(Struct, frozen=True):
    """How reading a server's statements fares.

    Attributes:
        at: timestamp of the last reading that succeeded; None before the first.
        missing: why nothing is known, and what to do about it, in one line.
        limits: what else is out of sight, each one line.
    """

    at: float | None = None
    missing: str | None = None
    limits: tuple[str, ...] = ()


class DatabaseStatisticsMonitor:
    """Reads what a PostgreSQL server counts of one database every 15 s, over a connection that is closed again.

    `refresh` and `close` belong to one event loop, the rest to any thread. A reading may take longer than a cycle, which does not wait
    for it: `refresh` begins it, and says how the last one went.

    Args:
        server: the one that is watched; while it does not answer, that is told by it and not here again.
        engine: how to connect, a PostgreSQL one.
        clock: dates and measures.
    """

    def __init__(self, server: DatabaseServerMonitor, engine: Engine, clock: Clock) -> None:
        self.pool_name = server.pool_name
        self.name = f"statistics:{self.pool_name}"
        self.book = ServerStatements(clock)
        self._server, self._engine, self._clock = server, engine, clock
        self._enquiry = DatabaseEnquiry(f"statistics-{self.pool_name}", engine)
        self._state = StatementsState(missing="nobody has looked yet")
        self._failure: DatabaseFailure | None = None
        self._labels = Labels(pool=self.pool_name)
        self._families: tuple[Family, ...] = ()
        self._blocks: deque[tuple[int, int]] = deque(maxlen=_HIT_RATE_READINGS)
        self._task: asyncio.Task[None] | None = None
        self._begun_at: float | None = None

    @cached_property
    def planner(self) -> "QueryPlanner":
        """Makes plans of the statements; loaded when the first is asked for."""
        from dozor.instruments.query_planner import QueryPlanner  # noqa: PLC0415 - see above

        return QueryPlanner(self.pool_name, self._engine, of_others=True)

    @property
    def state(self) -> StatementsState:
        """How reading fares."""
        return self._state

    def families(self) -> tuple[Family, ...]:
        """`pg_stat_database_…`, as postgres_exporter names them, and the share of blocks found in the cache."""
        return self._families

    async def refresh(self) -> None:
        """Begin a reading where it is time for one. Raises `DatabaseFailure` if the last failed though the server answers."""
        now = self._clock.monotonic()
        due = self._begun_at is None or now - self._begun_at >= EVERY_SECONDS
        if due and (self._task is None or self._task.done()):
            self._begun_at = now
            self._task = asyncio.create_task(self._read(), name=self.name)
        if self._failure is not None and self._server.up:
            raise self._failure

    async def close(self) -> None:
        """End a reading that is under way."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _read(self) -> None:
        try:
            await self._enquiry.run(self._ask)
        except Exception as error:  # noqa: BLE001 - drivers raise what they like
            refused = _refused(error)
            self._failure = None if refused else DatabaseFailure(*reason(error, self._engine.url))
            if refused:
                self._state = StatementsState(self._clock.timestamp(), refused)
        else:
            self._failure = None

    def _ask(self, connection: Any) -> None:
        with contextlib.closing(connection.cursor()) as cursor:
            for limit in LIMITS:
                cursor.execute(limit)
            facts = read_facts(cursor)
            self._families = tuple(self._of_sums(facts, read_sums(cursor)))
            limits = [] if facts.limits is None else [facts.limits]
            if facts.missing is None:
                limits += self._ask_statements(cursor, facts)
        self._state = StatementsState(self._clock.timestamp(), facts.missing, tuple(limits))

    def _ask_statements(self, cursor: Any, facts: ServerFacts) -> Iterable[str]:
        reading, forgotten = read_statements(cursor, facts)
        unread = self.book.take(reading)
        texts = read_texts(cursor, facts, unread) if unread else {}
        self.book.settle({one: read_text(text) for one, text in texts.items()})
        forgotten = self.book.forgotten_since_first(forgotten, reading.reset)
        if forgotten:
            yield (
                f"the server has thrown out statements {forgotten} times to make room for others since Dozor looks, so some calls "
                "are not counted: raise pg_stat_statements.max"
            )
        if not reading.complete:
            yield "there are more statements than Dozor reads; the costliest are read"

    def _of_sums(self, facts: ServerFacts, sums: Mapping[str, int]) -> Iterable[Family]:
        labels = self._labels.with_({"datid": str(facts.database_oid), "datname": facts.database})
        for column in SUMS:
            if column in sums:
                unit, text = _SUMS[column]
                yield Family.counter(f"pg_stat_database_{column}", text, unit, sums[column], labels)
        rate = self._hit_rate(sums)
        if rate is not None:
            text = "Blocks found in the server's cache, in percent of those asked for in the last 5 minutes."
            yield Family.gauge("db_server_cache_hit_rate", text, "percent", rate, self._labels)

    def _hit_rate(self, sums: Mapping[str, int]) -> float | None:
        found = sums.get("blks_hit"), sums.get("blks_read")
        if found[0] is None or found[1] is None:
            return None
        if self._blocks and (found[0] < self._blocks[-1][0] or found[1] < self._blocks[-1][1]):
            self._blocks.clear()  # the server has begun anew
        self._blocks.append((found[0], found[1]))
        hits, reads = found[0] - self._blocks[0][0], found[1] - self._blocks[0][1]
        return 100.0 * hits / (hits + reads) if hits + reads else None


def _refused(error: BaseException) -> str | None:
    """What the server will not tell, today or tomorrow: it is PostgreSQL in part only, or a right was taken away."""
    state = str(getattr(error, "sqlstate", None) or getattr(error, "pgcode", None) or "")
    if state == "42501":
        return (
            "Dozor's role may not read pg_stat_statements: GRANT pg_read_all_stats to it, and EXECUTE on its functions"
        )
    return f"the server does not have what PostgreSQL tells of itself ({state})" if state[:2] in {"42", "0A"} else None


_SUMS: Final[Mapping[str, tuple[str, str]]] = {
    "xact_commit": ("transactions", "Transactions committed in the database."),
    "xact_rollback": ("transactions", "Transactions rolled back in the database, failed ones included."),
    "blks_read": ("blocks", "Blocks that were not found in the server's cache."),
    "blks_hit": ("blocks", "Blocks that were found in the server's cache."),
    "tup_returned": ("rows", "Live rows that were read by scans."),
    "tup_fetched": ("rows", "Live rows that were found by an index."),
    "tup_inserted": ("rows", "Rows inserted."),
    "tup_updated": ("rows", "Rows updated."),
    "tup_deleted": ("rows", "Rows deleted."),
    "conflicts": ("statements", "Statements cancelled because they were in the way of recovery; on a standby only."),
    "temp_files": ("files", "Temporary files that statements needed, for want of work_mem."),
    "temp_bytes": ("bytes", "Size of the temporary files that statements wrote, in bytes."),
    "deadlocks": ("deadlocks", "Deadlocks that the server has ended."),
}
