"""What is kept: alerts go from memory to the database, and back when Dozor starts again."""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from msgspec.structs import replace

from dozor.alerts import Lifecycle
from dozor.clock import Clock
from dozor.containment import contained
from dozor.database import AnnotationFilter, Database, OutboxRow, StoreThread
from dozor.database.journal import Journal
from dozor.errors import StoreUnavailable
from dozor.model.alert import Alert
from dozor.model.annotation import VERSION, Annotation
from dozor.model.notification import AuditEntry, Changes
from dozor.model.sample import Family
from dozor.model.silence import Silence
from dozor.notify import Delivery
from dozor.settings import Settings

logger = logging.getLogger("dozor")

OPEN_SECONDS: Final = 3.0
"""How long starting waits for the database; after that Dozor works in memory and tries on."""
RETENTION_SECONDS: Final = 3600.0
SIZE_SECONDS: Final = 60.0
_CLOSE_SECONDS: Final = 1.0
_JOIN_SECONDS: Final = 0.1
_DAY_SECONDS: Final = 86_400.0
# Ended alerts are read back for their cooldown, for an end that nobody has been told of yet, and for what flaps.
_RECENT_SECONDS: Final = 24 * 3600.0
_STORE_REPLACED: Final = "goes on in a new store: the old one was corrupt"


Restored = Callable[[Sequence[Alert], Sequence[Annotation], Annotation | None], None]


class Keeper:
    """Commits what changes, restores what was, deletes what is old. Belongs to Dozor's loop.

    Args:
        database: called in *thread* only.
        delivery: says who is to be told of what is committed, and tells people while nothing can be.
        on_restored: called once with what was kept: the newest alerts and annotations, and the last mark of a version.
    """

    def __init__(
        self,
        clock: Clock,
        settings: Settings,
        lifecycle: Lifecycle,
        delivery: Delivery[OutboxRow],
        *,
        database: Database,
        thread: StoreThread,
        on_restored: Restored = lambda *_: None,
    ) -> None:
        self._clock, self._settings = clock, settings
        self._database, self._thread = database, thread
        self._lifecycle, self._delivery, self._on_restored = lifecycle, delivery, on_restored
        self.journal = Journal(
            self._commit, delivery.wake, on_failing=lambda changes: delivery.stand_in(changes.notifications)
        )
        self._opened = False
        self._superseded: dict[str, Alert] = {}
        self._gone: frozenset[str] = frozenset()
        self._away_since: float | None = None
        self.unavailable_seconds = 0.0
        """How long the database has not answered, as of the last `look`; 0 while it does."""
        self._size_bytes: int | None = None

    def look(self, at: float) -> None:
        """Note whether the database answers at *at* (Unix seconds). Call it once a cycle."""
        answers = self._opened and self.journal.failing is None
        self._away_since = None if answers else at if self._away_since is None else self._away_since
        self.unavailable_seconds = 0.0 if self._away_since is None else at - self._away_since

    @property
    def durable(self) -> bool:
        """Whether what is changed now survives the process."""
        return (
            self._database.durable and self._opened and self.journal.failing is None and not self._database.begun_anew
        )

    async def open(self) -> None:
        """Go on from what is kept. Where the database does not answer now, it is tried again at each commit.

        Raises:
            ConfigurationError: the store is of a newer release, or (strict) cannot be used.
        """
        try:
            await self._thread.run(self._database.open, timeout=OPEN_SECONDS)
        except StoreUnavailable as error:
            logger.warning("%s; alerts are kept in memory until it does", error)
        else:
            await self._restore()

    async def close(self) -> None:
        """Let what is being written end, and close the database."""
        # With nothing of asyncio's own threads: a program that ends without stopping Dozor has it stopped when there are none any more.
        try:
            closed = self._thread.submit(self._database.close)
        except StoreUnavailable:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_CLOSE_SECONDS):
                await asyncio.wrap_future(closed)
        self._thread.close(_JOIN_SECONDS)

    async def retain(self) -> None:
        """Delete what is too old, or too much."""
        if self._opened:
            settings, at = self._settings, self._clock.timestamp()
            keep_seconds, keep_bytes = settings.history_days * _DAY_SECONDS, settings.history_bytes
            await asyncio.wrap_future(
                self._thread.submit(self._database.retention, at, keep_seconds=keep_seconds, keep_bytes=keep_bytes)
            )
            await self._delivery.bury_orphans()

    async def measure(self) -> None:
        """Note what the database takes on the disk, where it answers."""
        self._size_bytes = None
        if self._opened:
            with contextlib.suppress(StoreUnavailable):
                self._size_bytes = await asyncio.wrap_future(self._thread.submit(self._database.size_bytes))

    def families(self) -> list[Family]:
        """What is kept in the database, how long and at most how much of it, and how that goes."""
        settings, size = self._settings, self._size_bytes
        return [
            Family.gauge("dozor_journal_depth", "Changes that wait for the database.", "changes", self.journal.depth),
            Family.gauge(
                "dozor_store_unavailable_seconds",
                "How long the database has not answered, in seconds; 0 while it does.",
                "seconds",
                self.unavailable_seconds,
            ),
            *(
                [
                    Family.gauge(
                        "dozor_history_size_bytes", "What alerts and messages take on disk, in bytes.", "bytes", size
                    )
                ]
                if size is not None
                else []
            ),
            Family.gauge(
                "dozor_history_limit_bytes",
                "What alerts and messages may take on disk, in bytes; the oldest go first.",
                "bytes",
                settings.history_bytes,
            ),
            Family.gauge(
                "dozor_history_retention_seconds",
                "How long alerts that ended are kept, in seconds.",
                "seconds",
                settings.history_days * _DAY_SECONDS,
            ),
        ]

    def complaints(self) -> list[str]:
        """What is wrong with it, each one sentence."""
        found = []
        database, journal = self._database, self.journal
        if database.why_not_durable is not None and self._settings.store_url != "sqlite://":
            found.append(
                f"Alerts and history are in memory only and end with this process: {database.why_not_durable}."
            )
        if database.set_aside is not None:
            found.append(f"The store was corrupt; it was set aside as {database.set_aside}, and a new one begun.")
        if journal.failing is not None:
            found.append(f"{journal.depth} changes wait for the store: {journal.failing}.")
        if journal.dropped:
            found.append(f"{journal.dropped} changes were lost while the store did not answer.")
        return found

    async def _commit(self, changes: Changes) -> None:
        if not self._opened:
            await asyncio.wrap_future(self._thread.submit(self._database.open))
            await self._restore()
        if self._database.begun_anew:
            await self._begin_anew()
        changes = self._without_superseded(changes)
        outgoing = self._delivery.route(changes.notifications)
        await asyncio.wrap_future(self._thread.submit(self._database.commit, changes, outgoing))

    def _without_superseded(self, changes: Changes) -> Changes:
        """*changes*, which may be older than the restoration, with what that ended as ended.

        Else an alert that began while the database was away would be open beside the kept one that it turned out to be,
        until the changes that end it are written: for ever, if Dozor is killed before.
        """
        alerts = tuple(self._superseded.get(alert.id, alert) for alert in changes.alerts if alert.id not in self._gone)
        return replace(changes, alerts=alerts, dropped=(*changes.dropped, *self._gone))

    async def _begin_anew(self) -> None:
        """Write what is open into the store that took a corrupt one's place."""
        at, alerts = self._clock.timestamp(), tuple(self._lifecycle.active(pending=True))
        known = Changes(
            alerts=alerts,
            audit=tuple(AuditEntry(alert.id, at, _STORE_REPLACED) for alert in alerts),
            silences=tuple(self._lifecycle.silences()),
        )
        await asyncio.wrap_future(self._thread.submit(self._database.begin_with, known, self._lifecycle.total_fired))

    async def _restore(self) -> None:
        since = self._clock.timestamp() - _RECENT_SECONDS

        def load() -> _Kept:
            database = self._database
            return _Kept(
                database.load_recent(since),
                database.total_fired(),
                database.load_silences(since),
                database.annotations(AnnotationFilter(since=since)),
                next(iter(database.annotations(AnnotationFilter(tag=VERSION, limit=1))), None),
            )

        kept = await asyncio.wrap_future(self._thread.submit(load))
        alerts, total_fired, silences = kept.alerts, kept.total_fired, kept.silences
        changes = self._lifecycle.restore(alerts, total_fired, silences)
        self._superseded = {alert.id: alert for alert in changes.alerts if alert.resolved_at is not None}
        self._gone = frozenset(changes.dropped)
        self._opened = True
        with contained("keeper.restored"):
            self._on_restored(alerts, kept.annotations, kept.marked)


class _Kept(NamedTuple):
    """What is read back when Dozor starts."""

    alerts: list[Alert]
    total_fired: int
    silences: list[Silence]
    annotations: Sequence[Annotation]
    marked: Annotation | None
