"""What a pool's tally has counted so far, read without losing the largest durations."""

from collections.abc import Callable

from dozor.instruments.pool_history import PoolPoint
from dozor.instruments.pool_tally import PoolTally
from dozor.metrics import HistogramSnapshot


class PoolCounts:
    """Reads *tally*. Not thread-safe: its user has a lock.

    A snapshot of a histogram takes its maximum with it; that is kept here until `begin_cycle`.

    Args:
        tally: what is read.
        slow_total: asked for the slow statements so far; None: nobody counts them.
    """

    def __init__(self, tally: PoolTally, slow_total: Callable[[], int] | None) -> None:
        self._tally, self._slow_total = tally, slow_total
        self._max_wait: float | None = None
        self._max_use: float | None = None

    def begin_cycle(self) -> None:
        """The largest durations up to now have been noted."""
        self._max_wait = self._max_use = None

    def waits(self) -> HistogramSnapshot:
        """Seconds waited; each is a checkout."""
        snapshot = self._tally.waits.snapshot()
        self._max_wait = _larger(self._max_wait, snapshot.max_since_last)
        return snapshot

    def uses(self) -> HistogramSnapshot:
        """Seconds held."""
        snapshot = self._tally.uses.snapshot()
        self._max_use = _larger(self._max_use, snapshot.max_since_last)
        return snapshot

    def point(self, at: float, checked_out: int | None, *, waiting_is_seen: bool) -> PoolPoint:
        """All counts *at* that timestamp, when *checked_out* are in use."""
        tally, waits, uses = self._tally, self.waits(), self.uses()
        return PoolPoint(
            at=at,
            checkouts=waits.count,
            timeouts=int(tally.timeouts.value) if waiting_is_seen else None,
            errors=int(tally.errors.value) if waiting_is_seen else None,
            connects=int(tally.connects.value),
            slow_queries=None if self._slow_total is None else self._slow_total(),
            wait=waits if waiting_is_seen else None,
            use=uses,
            max_wait_seconds=self._max_wait,
            max_use_seconds=self._max_use,
            peak_checked_out=max(tally.peak_held, checked_out or 0),
        )


def _larger(one: float | None, other: float | None) -> float | None:
    values = [value for value in (one, other) if value is not None]
    return max(values, default=None)
