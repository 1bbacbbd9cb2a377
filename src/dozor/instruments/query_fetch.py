"""How long the rows of a statement take to be fetched, which lies outside of its execution.

With a driver that reads rows as they are asked for (SQLite's, or any other's with a server-side cursor) most of a query's time may
pass there; and a connection is held, its transaction open, until the last row is read. A cursor is put in the place of the one that
SQLAlchemy is about to read from, for the few results that are to be timed.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from dozor.containment import contained

# From then on every result of the statement is timed.
NOTICEABLE_FETCH_SECONDS: Final = 0.01
NOTICEABLE_OPEN_SECONDS: Final = 0.25


@dataclass(slots=True)
class Reading:
    """How a result is read. Seconds.

    Attributes:
        fetch_seconds: spent in fetching, in driver and server.
        open_seconds: from the end of the execution to the last row, or to where it was given up; what the application did
            with the rows meanwhile is in it.
        rows: how many were fetched.
    """

    started: float
    fetch_seconds: float = 0.0
    open_seconds: float = 0.0
    rows: int = 0

    @property
    def noticeable(self) -> bool:
        """Whether this statement's results are worth being timed each time."""
        return self.fetch_seconds >= NOTICEABLE_FETCH_SECONDS or self.open_seconds >= NOTICEABLE_OPEN_SECONDS


class TimedCursor:
    """A DBAPI cursor that times what is fetched through it, and is the given one in all else.

    Args:
        cursor: the driver's, or SQLAlchemy's adapter of it.
        done: told once, when all rows were read or the cursor is closed. Never raises.
        timer: monotonic seconds.
    """

    def __init__(
        self, cursor: Any, done: Callable[[Reading], None], timer: Callable[[], float] = time.monotonic
    ) -> None:
        vars(self).update(
            _dozor_cursor=cursor, _dozor_done=done, _dozor_timer=timer, _dozor_reading=Reading(started=timer())
        )

    @property  # type: ignore[misc]  # so that isinstance() sees the driver's
    def __class__(self) -> type:
        return type(self._dozor_cursor)

    def __getattr__(self, name: str) -> Any:
        return getattr(vars(self)["_dozor_cursor"], name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._dozor_cursor, name, value)

    def __iter__(self) -> Any:
        return iter(self._dozor_cursor)

    def fetchone(self) -> Any:
        """The next row, or None."""
        row = self._dozor_timed(self._dozor_cursor.fetchone)
        if row is None:
            self._dozor_end()
        else:
            self._dozor_count(1)
        return row

    def fetchmany(self, *size: Any, **keywords: Any) -> Any:
        """The next rows."""
        rows = self._dozor_timed(self._dozor_cursor.fetchmany, *size, **keywords)
        if rows:
            self._dozor_count(len(rows))
        else:
            self._dozor_end()
        return rows

    def fetchall(self) -> Any:
        """The rows that are left."""
        rows = self._dozor_timed(self._dozor_cursor.fetchall)
        with contained("query.fetch"):
            self._dozor_count(len(rows))
        self._dozor_end()
        return rows

    def close(self) -> Any:
        """Close the cursor."""
        self._dozor_end()
        return self._dozor_cursor.close()

    def _dozor_timed(self, fetch: Callable[..., Any], *arguments: Any, **keywords: Any) -> Any:
        started = self._dozor_timer()
        try:
            return fetch(*arguments, **keywords)
        finally:
            self._dozor_reading.fetch_seconds += self._dozor_timer() - started

    def _dozor_count(self, rows: int) -> None:
        self._dozor_reading.rows += rows

    def _dozor_end(self) -> None:
        done, reading = self._dozor_done, self._dozor_reading
        if done is not None:
            vars(self)["_dozor_done"] = None
            reading.open_seconds = self._dozor_timer() - reading.started
            done(reading)
