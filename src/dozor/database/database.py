"""`Database`: Dozor's own data behind one object."""

import os
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from dozor.clock import Clock
from dozor.database import (
    alerts,
    annotations,
    facets,
    history,
    migrate,
    outbox,
    retention,
    sent_messages,
    silences,
    sqlite_file,
    statistics,
)
from dozor.database.annotations import AnnotationFilter
from dozor.database.engine import alone, build_engine, writing
from dozor.database.facets import Facets
from dozor.database.history import HistoryFilter
from dozor.database.outbox import OutboxCounts, OutboxFilter, OutboxRow
from dozor.database.paging import Page
from dozor.database.place import Place
from dozor.database.statistics import AlertStatistics
from dozor.database.url import without_secrets
from dozor.errors import ConfigurationError, StoreUnavailable
from dozor.model.alert import Alert
from dozor.model.annotation import Annotation
from dozor.model.notification import AuditEntry, Changes, Outgoing, SentMessage
from dozor.model.silence import Silence

_DAY: Final = 86_400.0

# Engines that a fork left in the child. To close their connections there would disturb the parent's, and to let them be
# collected would close them.
_inherited: list[Engine] = []


class Database:
    """Alerts, their history and the outbox, in SQLite or PostgreSQL, on an engine of its own.

    Its calls wait for the database: make them in a `StoreThread`. Any thread may, once it is open; after a fork the
    child connects anew.

    Args:
        url: where; None: the file `NAME.db` in the user's state directory.
        name: the application's name, for that file.
        strict: refuse to start with a store that is corrupt or cannot be written (an agent), instead of going on
            without it (a guest in an application).
        exclusive: two that evaluate rules must not share a file: where another has it, refuse it (strict), or keep alerts
            in memory. Whoever is alone with the store, on PostgreSQL too, takes over at once what a process that was
            killed had claimed of the outbox.
        clock: dates a corrupt file that is set aside, and says how long an open alert has fired.

    All calls but `open` and `close` raise `StoreUnavailable` when the database does not answer or refuses.
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        name: str = "dozor",
        strict: bool = False,
        exclusive: bool = False,
        clock: Clock | None = None,
    ) -> None:
        self._clock = clock or Clock()
        self._place = Place(url, name=name, strict=strict, exclusive=exclusive, clock=self._clock)
        self._exclusive = exclusive
        self._engine: Engine | None = None
        self._pid = os.getpid()
        self._replacing = threading.Lock()
        self._refused: str | None = None
        self.begun_anew = False
        """Whether the file proved to be corrupt while it was used, and an empty one took its place: `begin_with` it."""

    @property
    def why_not_durable(self) -> str | None:
        """Why nothing here survives the process; None where it does. Text for people."""
        return self._place.why_not_durable

    @property
    def set_aside(self) -> Path | None:
        """Where a corrupt file was put; None if the file was sound."""
        return self._place.set_aside

    @property
    def durable(self) -> bool:
        """Whether what is committed survives the process."""
        return self.why_not_durable is None

    @property
    def location(self) -> str:
        """Where the data is, without secrets."""
        return self._place.text

    def open(self) -> None:
        """Connect, and bring the tables up to date. May be called again after it failed.

        Raises:
            ConfigurationError: the driver is missing, the tables are a newer Dozor's, or (strict) the file is corrupt
                or cannot be written.
            StoreUnavailable: the PostgreSQL server cannot be reached, or refuses.
        """
        self.close()
        self._pid, self._refused = os.getpid(), None
        self._engine = build_engine(self._place.take(), present=self._exclusive)
        try:
            self._upgrade(self._engine)
            self._take_over(self._engine)
        except ConfigurationError:
            self.close()
            raise
        except (SQLAlchemyError, sqlite3.Error, OSError) as error:
            self.close()
            unavailable = self._unavailable(error)
            if not sqlite_file.is_corruption(getattr(error, "orig", error)) or not self._place.replace_corrupt():
                raise unavailable from None
            self.open()

    def close(self) -> None:
        """Close every connection. What is in memory is gone."""
        engine, self._engine = self._engine, None
        self._place.leave()
        if engine is not None:
            if os.getpid() == self._pid:
                engine.dispose()
            else:
                _inherited.append(engine)

    # --- changes and what was made of them ---

    def commit(self, changes: Changes, outgoing: Sequence[Outgoing]) -> None:
        """Keep *changes*, and a row for each of *outgoing*, all or nothing.

        The same may be committed again (when it is not known whether it was): nothing is kept twice, and what was sent
        meanwhile is sent no more.
        """
        with self._writing() as connection:
            alerts.save(connection, changes.alerts)
            alerts.delete(connection, changes.dropped)
            alerts.record(connection, changes.audit)
            silences.save(connection, changes.silences)
            annotations.save(connection, changes.annotations)
            outbox.add(connection, outgoing)

    def begin_with(self, changes: Changes, total_fired: int) -> None:
        """Write what is known and open into a store that was `begun_anew`, and how many alerts have ever fired."""
        with self._writing() as connection:
            alerts.save(connection, changes.alerts)
            alerts.record(connection, changes.audit)
            silences.save(connection, changes.silences)
            annotations.save(connection, changes.annotations)
            alerts.count_retired(connection, total_fired - alerts.total_fired(connection))
        self.begun_anew = False

    def load_recent(self, since: float) -> list[Alert]:
        """Alerts that have not ended, pending ones too, and those that ended at *since* or later; oldest first."""
        with self._reading() as connection:
            return alerts.recent(connection, since)

    def load_silences(self, since: float) -> list[Silence]:
        """The silences whose end has not been noted, and those that ended at *since* or later; oldest change first."""
        with self._reading() as connection:
            return silences.load(connection, since)

    def get(self, alert_id: str) -> Alert | None:
        """The alert with this id, None if none is kept."""
        with self._reading() as connection:
            return alerts.get(connection, alert_id)

    def audit(self, alert_id: str) -> list[AuditEntry]:
        """What happened to an alert, or to a silence, oldest first."""
        with self._reading() as connection:
            return alerts.trail(connection, alert_id)

    def history(self, wanted: HistoryFilter) -> Page[Alert]:
        """One page of the alerts that ever fired, the newest first. Raises ValueError for a cursor that is none."""
        with self._reading() as connection:
            return history.find(connection, wanted)

    def facets(self, wanted: HistoryFilter, values: int) -> Facets:
        """Which labels the alerts of the history have, at most *values* of each."""
        with self._reading() as connection:
            return facets.count(connection, wanted, values)

    def statistics(self, since: float | None = None) -> AlertStatistics:
        """Figures over the alerts that fired at *since* or later; None: over all that are kept."""
        with self._reading() as connection:
            return statistics.gather(connection, since, self._clock.timestamp())

    def annotations(self, wanted: AnnotationFilter) -> Sequence[Annotation]:
        """Marks in time, the newest first."""
        with self._reading() as connection:
            return annotations.find(connection, wanted)

    def total_fired(self) -> int:
        """How many alerts ever fired, those that retention has deleted included."""
        with self._reading() as connection:
            return alerts.total_fired(connection)

    # --- the outbox ---

    def claim(self, at: float, lease_seconds: float, limit: int, receiver: str | None = None) -> list[OutboxRow]:
        """Up to *limit* rows due at *at*, for *receiver* or for any; nobody else gets them for *lease_seconds*."""
        with self._writing() as connection:
            return outbox.claim(connection, at, lease_seconds, limit, receiver)

    def next_due(self, receiver: str | None = None) -> float | None:
        """When the next row can be claimed; None if none is pending."""
        with self._reading() as connection:
            return outbox.next_due(connection, receiver)

    def settle_sent(self, row: OutboxRow, at: float, messages: Sequence[SentMessage] = ()) -> None:
        """*row* has arrived, and *messages* are those that it made or changed, which can be changed again later."""
        with self._writing() as connection:
            outbox.settle_sent(connection, row, at)
            sent_messages.keep(connection, row.receiver, at, messages)

    def messages(self, receiver: str, alert_ids: Iterable[str]) -> list[SentMessage]:
        """The messages at *receiver* that show one of these alerts, each with all that it shows; oldest first."""
        with self._reading() as connection:
            return sent_messages.find(connection, receiver, alert_ids)

    def settle_retry(self, row: OutboxRow, next_at: float, error: str) -> None:
        """*row* did not arrive; try again at *next_at*."""
        with self._writing() as connection:
            outbox.settle_retry(connection, row, next_at, error)

    def settle_dead(self, row: OutboxRow, at: float, error: str) -> None:
        """*row* is given up, and kept among the dead letters."""
        with self._writing() as connection:
            outbox.settle_dead(connection, row, at, error)

    def bury(self, at: float, created_before: float, receivers: Sequence[str]) -> int:
        """Give up rows older than *created_before* whose receiver is none of *receivers*; how many."""
        with self._writing() as connection:
            return outbox.bury(connection, at, created_before, receivers)

    def notifications(self, wanted: OutboxFilter) -> Page[OutboxRow]:
        """One page of the outbox, the newest first. Raises ValueError for a cursor that is none."""
        with self._reading() as connection:
            return outbox.find(connection, wanted)

    def dead_letters(self, limit: int = 100) -> list[OutboxRow]:
        """Notifications that were given up, the newest first."""
        return list(self.notifications(OutboxFilter(state=outbox.DEAD, limit=limit)).items)

    def retry(self, row_id: int, at: float) -> OutboxRow:
        """Have a dead letter tried again, from *at* on, as if it were new: the row as it now is.

        Raises:
            NotificationNotFound: there is no such row. ActionForbidden: it is not dead.
        """
        with self._writing() as connection:
            return outbox.retry(connection, row_id, at)

    def retry_dead(self, at: float, receiver: str | None = None) -> int:
        """Have all dead letters, those of *receiver* or all, tried again from *at* on; how many."""
        with self._writing() as connection:
            return outbox.retry_dead(connection, at, receiver)

    def outbox_counts(self) -> OutboxCounts:
        """How many rows are pending and how many dead."""
        with self._reading() as connection:
            return outbox.counts(connection)

    def outbox_depth(self) -> int:
        """How many rows are pending."""
        return self.outbox_counts().pending

    # --- retention ---

    def size_bytes(self) -> int:
        """What the store takes on the disk, in bytes, an SQLite file's log and the room for what comes next included."""
        with self._reading() as connection:
            size = retention.size_bytes(connection)
        return size if self._place.path is None else size + sqlite_file.log_bytes(self._place.path)

    def retention(
        self,
        at: float,
        *,
        keep_seconds: float = 90 * _DAY,
        keep_at_least: int = 1000,
        keep_at_most: int = 100_000,
        keep_sent_seconds: float = 7 * _DAY,
        keep_bytes: int | None = None,
    ) -> int:
        """Delete what is older than *keep_seconds*, and beyond *keep_at_most* alerts; answers how many alerts went.

        The newest *keep_at_least* alerts that fired stay in any case, as do alerts that have not ended and
        notifications that are on their way. Sent notifications stay for *keep_sent_seconds*. Where all this is more than
        *keep_bytes*, the oldest goes before its time: what was sent, then alerts that ended.
        """
        with self._writing() as connection:
            before = alerts.total_retired(connection)
            outbox.forget(connection, sent_before=at - keep_sent_seconds, dead_before=at - keep_seconds)
            silences.forget(connection, at - keep_seconds)
            sent_messages.forget(connection, at - keep_sent_seconds)
            annotations.forget(connection, at - keep_seconds)
            retention.retire(
                connection, before=at - keep_seconds, keep_at_least=keep_at_least, keep_at_most=keep_at_most
            )
        # In steps: nothing can be committed while one is under way.
        while keep_bytes is not None and self._delete_oldest(keep_bytes, keep_at_least):
            pass
        if self._place.path is not None:
            with self._guarded() as engine:
                sqlite_file.give_back(engine)
        with self._reading() as connection:
            return alerts.total_retired(connection) - before

    def _delete_oldest(self, keep_bytes: int, keep_at_least: int) -> bool:
        with self._writing() as connection:
            excess = retention.excess_bytes(connection, keep_bytes)
            return excess > 0 and retention.delete_oldest(connection, excess, keep_at_least) > 0

    # --- opening ---

    def _upgrade(self, engine: Engine) -> None:
        path = self._place.path
        if path is None:
            migrate.upgrade(engine)
            return
        sqlite_file.configure(engine)
        upgraded = migrate.upgrade(
            engine, lambda revision: sqlite_file.copy(path, path.with_name(f"{path.name}.before-{revision}"))
        )
        if upgraded:
            sqlite_file.rebuild(engine)

    def _take_over(self, engine: Engine) -> None:
        """Free what was claimed by processes that are no more, where it is certain that there is no other."""
        if not self._exclusive:
            return
        with writing(engine).begin() as connection:
            if self._place.claimed or (connection.dialect.name == "postgresql" and alone(connection)):
                outbox.free_claims(connection)

    def _replace_corrupt(self) -> None:
        """Begin a new file in place of one that is said to be corrupt, or connect anew if it proves to be sound."""
        with self._replacing:
            if self._refused is not None:
                return
            self.close()
            try:
                replaced = self._place.replace_corrupt()
                self.open()
            except ConfigurationError as refusal:
                self._refused = f"{refusal}. Then start Dozor again"
                return
            self.begun_anew = self.begun_anew or replaced

    # --- transactions ---

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with self._guarded() as engine, engine.begin() as connection:
            yield connection

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        with self._guarded() as engine, writing(engine).begin() as connection:
            yield connection

    @contextmanager
    def _guarded(self) -> Iterator[Engine]:
        if self._engine is not None and os.getpid() != self._pid:
            self.open()
        if self._engine is None:
            raise StoreUnavailable(self._refused or f"Dozor's store ({self.location}) is not open")
        try:
            yield self._engine
        except (SQLAlchemyError, sqlite3.Error) as error:
            unavailable = self._unavailable(error)
            if sqlite_file.is_corruption(getattr(error, "orig", error)):
                self._replace_corrupt()
            # Not chained: the driver's own text may hold the password, and a traceback would print it.
            raise unavailable from None

    def _unavailable(self, error: Exception) -> StoreUnavailable:
        cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
        reason = " ".join(str(cause).split())
        if self._place.url is not None:
            reason = without_secrets(reason, self._place.url)
        return StoreUnavailable(f"Dozor's store ({self.location}) does not answer: {type(cause).__name__}: {reason}")
