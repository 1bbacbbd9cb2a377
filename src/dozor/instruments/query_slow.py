"""Statements that took long: as they are kept, in the application's thread, and as they are shown, without literals."""

from collections import deque
from typing import Final

from msgspec import Struct

from dozor.instruments.query_text import QueryText
from dozor.metrics import Counter

SLOW_QUERIES_KEPT: Final = 500


class SlowQuery(Struct, frozen=True):
    """A statement that took longer than the threshold.

    *statement* is redacted and at most 2 KiB; *at* the timestamp of its end; *caller* `file.py:123 in function`; *error*
    the name of the exception's class; *endpoint* the request that it belonged to, as in `GET /orders/{id}`.
    """

    statement: str
    duration_seconds: float
    at: float
    pool: str
    operation: str
    caller: str | None
    failed: bool
    error: str | None
    endpoint: str | None = None
    fingerprint: str = ""


class SlowFetch(Struct, frozen=True):
    """A statement whose rows took long to be read, after it was executed.

    Attributes:
        fetch_seconds: spent in fetching them.
        open_seconds: from the end of the execution to the last row: its connection was held, and what the application did with
            the rows is in it.
        rows: how many were read.
        at: timestamp of the end.
        caller: the line that read the last of them, or gave up.
    """

    statement: str
    fingerprint: str
    fetch_seconds: float
    open_seconds: float
    rows: int
    at: float
    pool: str
    caller: str | None
    endpoint: str | None


class Noticed(Struct, frozen=True):
    """The facts, with the text as it was sent: it is redacted when somebody looks, in Dozor's thread.

    *seconds*: of the execution or, in a slow fetch, in fetching; for the rest see `SlowQuery` and `SlowFetch`.
    """

    text: QueryText
    seconds: float
    at: float
    caller: str | None
    endpoint: str | None
    error: str | None = None
    open_seconds: float = 0.0
    rows: int = 0


class SlowQueries:
    """The last that were slow to execute, and the last that were slow to fetch. Safe in any thread."""

    def __init__(self, pool: str) -> None:
        self.total = Counter()
        """Slow statements, those no longer kept included."""
        self.fetches_total = Counter()
        """Slow fetches, likewise."""
        self._pool = pool
        self._executed: deque[Noticed] = deque(maxlen=SLOW_QUERIES_KEPT)
        self._fetched: deque[Noticed] = deque(maxlen=SLOW_QUERIES_KEPT)

    def note_execution(self, noticed: Noticed) -> None:
        """Keep a statement that was slow to execute."""
        self.total.inc()
        self._executed.append(noticed)

    def note_fetch(self, noticed: Noticed) -> None:
        """Keep one whose rows were slow to be read."""
        self.fetches_total.inc()
        self._fetched.append(noticed)

    def executed(self) -> tuple[SlowQuery, ...]:
        """The last 500 slow statements, newest first."""
        return tuple(
            SlowQuery(
                statement=one.text.shown,
                duration_seconds=one.seconds,
                at=one.at,
                pool=self._pool,
                operation=one.text.operation,
                caller=one.caller,
                failed=one.error is not None,
                error=one.error,
                endpoint=one.endpoint,
                fingerprint=one.text.fingerprint,
            )
            for one in reversed(self._executed.copy())
        )

    def fetched(self) -> tuple[SlowFetch, ...]:
        """The last 500 slow fetches, newest first."""
        return tuple(
            SlowFetch(
                statement=one.text.shown,
                fingerprint=one.text.fingerprint,
                fetch_seconds=one.seconds,
                open_seconds=one.open_seconds,
                rows=one.rows,
                at=one.at,
                pool=self._pool,
                caller=one.caller,
                endpoint=one.endpoint,
            )
            for one in reversed(self._fetched.copy())
        )
