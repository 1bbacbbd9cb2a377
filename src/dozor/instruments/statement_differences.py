"""What has been added to a server's counts of statements between two looks at them. Pure."""

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from msgspec import Struct, field

from dozor.instruments.query_tally import Tally

# What was called during a longer absence would all seem to have been called now.
LONGEST_GAP_SECONDS: Final = 300.0

StatementKey = tuple[int, int, bool]
"""`queryid`, `userid` and `toplevel` of `pg_stat_statements`, in one database."""


class StatementTotals(NamedTuple):
    """The counts of one entry since it is there. Times in seconds, *squares* in seconds squared, *since* Unix seconds or None."""

    calls: int
    seconds: float
    rows: int
    longest: float
    squares: float
    since: float | None = None


class StatementReading(Struct, frozen=True):
    """What a server counted, as of one look.

    Attributes:
        at: when, by the server's clock, in Unix seconds.
        server: what is another after a restart or a failover; what was counted before is then no measure.
        reset: what is another after all counts were reset.
        complete: whether *entries* are all that there are, and not the costliest.
    """

    at: float
    server: object
    reset: object
    complete: bool
    entries: Mapping[StatementKey, StatementTotals] = field(default_factory=dict)


class StatementDifferences:
    """Compares each reading with the one before. Not thread-safe.

    No figure is ever negative, nor larger than what was called in between: an entry whose counts fell, or that was begun anew, counts
    from 0; one that was not there before does so where it cannot have been left out of the reading before.
    """

    def __init__(self) -> None:
        self._before: StatementReading | None = None

    def take(self, reading: StatementReading) -> list[tuple[StatementKey, Tally]]:
        """What was called since the reading before; nothing of the first, and of the first after a restart or a long absence."""
        before, self._before = self._before, reading
        if before is None or reading.server != before.server or reading.at - before.at > LONGEST_GAP_SECONDS:
            return []
        return list(_between(before, reading))


def _between(before: StatementReading, reading: StatementReading) -> Iterable[tuple[StatementKey, Tally]]:
    known = before.entries if reading.reset == before.reset else {}
    all_known = before.complete or reading.reset != before.reset
    for key, now in reading.entries.items():
        then = known.get(key)
        begun_since = now.since is not None and now.since > before.at
        if then is None and not (all_known or begun_since):
            continue
        if then is None or begun_since or _fell(then, now):
            then = _NOTHING
        if now.calls > then.calls:
            yield key, _added(then, now)


_NOTHING: Final = StatementTotals(0, 0.0, 0, 0.0, 0.0)


def _fell(then: StatementTotals, now: StatementTotals) -> bool:
    return now.calls < then.calls or now.rows < then.rows or now.seconds < then.seconds


def _added(then: StatementTotals, now: StatementTotals) -> Tally:
    calls = now.calls - then.calls
    return Tally(
        calls=calls,
        seconds=max(0.0, now.seconds - then.seconds),
        # That one of these calls was the longest is certain only where there was no such long one before.
        longest=now.longest if now.longest > then.longest else 0.0,
        bound=max(then.longest, now.longest),
        rows=now.rows - then.rows,
        rows_known=calls,
        squares=max(0.0, now.squares - then.squares),
    )
