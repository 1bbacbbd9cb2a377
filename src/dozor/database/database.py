"""`Database`: Dozor's own data behind one object."""

import logging
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from sqlalchemy import URL, Connection, Engine
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from dozor.clock import Clock
from dozor.database import alerts, history, messages, migrate, outbox, retention, silences, sqlite_file, statistics
from dozor.database.engine import build_engine, writing
from dozor.database.history import HistoryFilter
from dozor.database.outbox import OutboxCounts, OutboxFilter, OutboxRow
from dozor.database.paging import Page
from dozor.database.statistics import AlertStatistics
from dozor.database.url import STORE_KEY, file_name, parse_url, safe_url, sqlite_path, state_folder, without_secrets
from dozor.errors import ConfigurationError, StoreUnavailable
from dozor.model.alert import Alert
from dozor.model.notification import AuditEntry, Changes, Outgoing, SentMessage
from dozor.model.silence import Silence

logger = logging.getLogger("dozor.database")

_MEMORY: Final = "sqlite+pysqlite://"
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
            in memory.
        clock: dates a corrupt file that is set aside.

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
        self._configured = None if url is None else parse_url(url)
        self._name, self._strict, self._exclusive, self._clock = name, strict, exclusive, clock or Clock()
        self._claim: int | None = None
        self._engine: Engine | None = None
        self._url: URL | None = self._configured
        self._pid = os.getpid()
        self.why_not_durable: str | None = None
        """Why nothing here survives the process; None where it does. Text for people."""
        self.set_aside: Path | None = None
        """Where a corrupt file was put at start; None if the file was sound."""

    @property
    def durable(self) -> bool:
        """Whether what is committed survives the process."""
        return self.why_not_durable is None

    @property
    def location(self) -> str:
        """Where the data is, without secrets."""
        return "memory" if self._url is None or self._is_memory else safe_url(self._url)

    @property
    def _is_memory(self) -> bool:
        return self._url is not None and self._url.get_backend_name() == "sqlite" and sqlite_path(self._url) is None

    def open(self) -> None:
        """Connect, and bring the tables up to date. May be called again after it failed.

        Raises:
            ConfigurationError: the driver is missing, the tables are a newer Dozor's, or (strict) the file is corrupt
                or cannot be written.
            StoreUnavailable: the PostgreSQL server cannot be reached, or refuses.
        """
        self.close()
        self._pid = os.getpid()
        self._url = self._configured or self._default_url()
        path = sqlite_path(self._url)
        if path is not None and not self._prepare_file(path):
            self._url = parse_url(_MEMORY)
        if self._is_memory and self.why_not_durable is None:
            self.why_not_durable = f"{STORE_KEY} asks for a database in memory"
        self._engine = build_engine(self._url)
        try:
            self._upgrade(self._engine)
        except ConfigurationError:
            self.close()
            raise
        except SQLAlchemyError as error:
            self.close()
            raise self._unavailable(error) from None

    def close(self) -> None:
        """Close every connection. What is in memory is gone."""
        engine, self._engine = self._engine, None
        claim, self._claim = self._claim, None
        if claim is not None:
            os.close(claim)
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
            outbox.add(connection, outgoing)

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

    def statistics(self, since: float | None = None) -> AlertStatistics:
        """Figures over the alerts that fired at *since* or later; None: over all that are kept."""
        with self._reading() as connection:
            return statistics.gather(connection, since, self._clock.timestamp())

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

    def settle_sent(self, row: OutboxRow, at: float, shown: Sequence[SentMessage] = ()) -> None:
        """*row* has arrived, and *shown* are the messages it made or changed, which can be changed again later."""
        with self._writing() as connection:
            outbox.settle_sent(connection, row, at)
            messages.keep(connection, row.receiver, at, shown)

    def messages(self, receiver: str, alert_ids: Iterable[str]) -> list[SentMessage]:
        """The messages at *receiver* that show one of these alerts, each with all that it shows; oldest first."""
        with self._reading() as connection:
            return messages.find(connection, receiver, alert_ids)

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

    def retention(
        self,
        at: float,
        *,
        keep_seconds: float = 90 * _DAY,
        keep_at_least: int = 1000,
        keep_at_most: int = 100_000,
        keep_sent_seconds: float = 7 * _DAY,
    ) -> int:
        """Delete what is older than *keep_seconds*, and beyond *keep_at_most* alerts; answers how many alerts went.

        The newest *keep_at_least* alerts that fired stay in any case, as do alerts that have not ended and
        notifications that are on their way. Sent notifications stay for *keep_sent_seconds*.
        """
        with self._writing() as connection:
            outbox.forget(connection, sent_before=at - keep_sent_seconds, dead_before=at - keep_seconds)
            silences.forget(connection, at - keep_seconds)
            messages.forget(connection, at - keep_sent_seconds)
            return retention.retire(
                connection, before=at - keep_seconds, keep_at_least=keep_at_least, keep_at_most=keep_at_most
            )

    # --- opening ---

    def _default_url(self) -> URL:
        folder = state_folder()
        if folder is None:
            self._fall_back("neither HOME nor XDG_STATE_HOME is set")
            return parse_url(_MEMORY)
        return URL.create("sqlite+pysqlite", database=str(folder / file_name(self._name)))

    def _prepare_file(self, path: Path) -> bool:
        try:
            sqlite_file.prepare(path)
            if self._exclusive and not self._claimed(path):
                return False
            fault = sqlite_file.fault(path)
            if fault is not None:
                self._set_aside(path, fault)
        except OSError as error:
            problem = f"the store {path} cannot be written ({error.strerror or error})"
            if self._strict and self._configured is not None:
                raise ConfigurationError(problem, key=STORE_KEY) from error
            self._fall_back(problem)
            return False
        return True

    def _claimed(self, path: Path) -> bool:
        self._claim = sqlite_file.claim(path)
        if self._claim is not None:
            return True
        problem = (
            f"another Dozor keeps its alerts in {path} (a second worker, or an application of the same name; DOZOR_NAME "
            "gives each a name of its own)"
        )
        if self._strict:
            raise ConfigurationError(problem, key=STORE_KEY)
        self._fall_back(problem)
        return False

    def _set_aside(self, path: Path, fault: str) -> None:
        if self._strict:
            raise ConfigurationError(
                f"the store {path} is corrupt ({fault}): restore it from a copy, or move it away to begin a new one",
                key=STORE_KEY,
            )
        self.set_aside = sqlite_file.set_aside(path, self._clock.now())
        sqlite_file.prepare(path)
        logger.error(
            "the store %s is corrupt (%s). It was set aside, untouched, as %s, and a new one was begun: alerts, silences, "
            "history and unsent notifications of earlier runs are not in it",
            path,
            fault,
            self.set_aside,
        )

    def _fall_back(self, problem: str) -> None:
        self.why_not_durable = problem
        logger.warning(
            "%s: Dozor keeps alerts and their history in memory only, and a restart forgets them. To keep them, set %s "
            "to a place that can be written, such as sqlite:////var/lib/dozor/%s",
            problem,
            STORE_KEY,
            file_name(self._name),
        )

    def _upgrade(self, engine: Engine) -> None:
        if engine.dialect.name == "sqlite" and not self._is_memory:
            sqlite_file.use_wal(engine)
        migrate.upgrade(engine)

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
            raise StoreUnavailable(f"Dozor's store ({self.location}) is not open")
        try:
            yield self._engine
        except SQLAlchemyError as error:
            # Not chained: the driver's own text may hold the password, and a traceback would print it.
            raise self._unavailable(error) from None

    def _unavailable(self, error: SQLAlchemyError) -> StoreUnavailable:
        cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
        reason = " ".join(str(cause).split())
        if self._url is not None:
            reason = without_secrets(reason, self._url)
        return StoreUnavailable(f"Dozor's store ({self.location}) does not answer: {type(cause).__name__}: {reason}")
