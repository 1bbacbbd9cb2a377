"""Whether what is counted agrees with what the pool says, looked at in each cycle."""

from typing import Any, Final

from sqlalchemy import Pool

from dozor.instruments.pool_tally import PoolTally

# SQLAlchemy's name for the pool that a record belongs to.
_POOL_OF_RECORD: Final = "_ConnectionRecord__pool"


class PoolDrift:
    """Puts right what is counted and is not so, and says what is so and was not counted. Not thread-safe.

    Between a return and the note of it lies a moment, as between a checkout and its note: what two checks in a row find counts.
    """

    def __init__(self, tally: PoolTally) -> None:
        self._tally = tally
        self._unaccounted_before = 0
        self.unaccounted: int | None = None
        """Connections in use beyond those whose taking was seen; None where the pool cannot say how many are."""

    def check(self, pool: Pool, checked_out: int | None, now: float) -> None:
        """Compare; *checked_out* is what *pool* says, *now* is monotonic."""
        self._tally.sweep(now)
        if checked_out is None or not hasattr(pool, "checkedout"):
            self.unaccounted = None
            return
        # Connections that were out at dispose() are known here, and no business of the new pool any more.
        known: Any = [record for record in self._tally.holders.copy() if getattr(record, _POOL_OF_RECORD, pool) is pool]
        found = max(0, checked_out - len(known))
        self.unaccounted = min(found, self._unaccounted_before)
        self._unaccounted_before = found
