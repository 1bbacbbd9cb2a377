"""Statements by fingerprint, with what each did in which window: what any source of them fills, and reports read."""

import threading
from typing import Final, Literal

from dozor.clock import Clock
from dozor.instruments.query_statement import OTHER, QueryStatement
from dozor.instruments.query_tally import History, Tally
from dozor.locks import open_in_child

Source = Literal["application", "server"]

MOST_STATEMENTS: Final = 500

_IDLE_SECONDS: Final = 300.0
_FORGET_EVERY_SECONDS: Final = 60.0


class StatementBook:
    """The statements of one database, at most `MOST_STATEMENTS`; what finds no room is counted as `other`.

    Args:
        dialect: SQLAlchemy's name of it.
        clock: dates and measures.
        source: who counted: the application's engine, or the server itself.
    """

    def __init__(self, dialect: str, clock: Clock, source: Source) -> None:
        self.source: Source = source
        self.everything = History()
        """All calls together."""
        self.since = clock.monotonic()
        """When the watching began, in monotonic seconds."""
        self.other = QueryStatement(OTHER, OTHER, OTHER, "", clock.timestamp())
        self._dialect, self._clock = dialect, clock
        self._statements: dict[str, QueryStatement] = {}
        self._forgotten_at = self.since
        self._lock = threading.Lock()
        open_in_child(self, self._renew_locks)

    def _renew_locks(self) -> threading.Lock:
        return threading.Lock()

    @property
    def reading(self) -> threading.Lock:
        """Held while statements are read."""
        return self._lock

    def statements(self) -> list[QueryStatement]:
        """All that is known, `other` last where there is any. They go on changing; read them under `reading`."""
        found = [one for one in self._statements.values() if one.history.total.calls]
        return [*found, self.other] if self.other.history.total.calls else found

    def statement(self, fingerprint: str) -> QueryStatement | None:
        """The one of that fingerprint."""
        return self._statements.get(fingerprint)

    # -- for who fills it, under the lock ------------------------------------------------------------------------------

    def _statement(self, fingerprint: str, shown: str, operation: str, text: str, at: float) -> QueryStatement:
        """The one of that fingerprint, made where it is new; `other` where there is no room."""
        found = self._statements.get(fingerprint)
        if found is not None:
            return found
        if len(self._statements) >= MOST_STATEMENTS and not self._drop_statement(at):
            return self.other
        found = self._statements[fingerprint] = QueryStatement(fingerprint, shown, operation, text, at)
        return found

    def _drop_statement(self, at: float) -> bool:
        """Make room for one more statement; False where all are in use."""
        idle = min(self._statements.values(), key=lambda statement: statement.last_seen)
        if at - idle.last_seen < _IDLE_SECONDS:
            return False
        del self._statements[idle.fingerprint]
        self.other.history.total.merge(idle.history.total)
        self._dropped(idle)
        return True

    def _dropped(self, statement: QueryStatement) -> None:
        """*statement* is no longer known."""

    @staticmethod
    def _add(statement: QueryStatement, tally: Tally) -> None:
        if statement.pending is None:
            statement.pending = tally
        else:
            statement.pending.merge(tally)

    def _settle(self, now: float, at: float) -> None:
        """Put what was added into the windows, and forget what is too old for any."""
        for statement in (*self._statements.values(), self.other):
            if statement.pending is not None:
                statement.history.add(statement.pending, now)
                self.everything.add(statement.pending, now)
                statement.pending, statement.last_seen = None, at
        if now - self._forgotten_at >= _FORGET_EVERY_SECONDS:
            self._forgotten_at = now
            for statement in self._statements.values():
                statement.history.forget(now)
