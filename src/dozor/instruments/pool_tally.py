"""What is counted about one pool: written on the application's hot path, read in Dozor's thread."""

from typing import Any, Final

from sqlalchemy import exc

from dozor.containment import contained
from dozor.metrics import Counter, Histogram

DURATION_BOUNDS: Final = (
    *(0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05),
    *(0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0),
)  # fmt: skip


class PoolTally:
    """Counts and durations (seconds) of one engine's pool, across the pool objects that `dispose()` leaves behind.

    `holders` maps each record (SQLAlchemy's name for a place in the pool) that is out to the monotonic time since when
    and to who has it: a thread's ident or a task's name. It has one entry for each connection out, which bounds it, and
    refers to no task and no connection, so that it keeps nothing alive that the application dropped.

    Writers use single operations on `dict` and `deque`, which are atomic, with the GIL and without.
    """

    def __init__(self) -> None:
        self.checkouts = Counter()
        """Only where events do the counting: else each wait is a checkout."""
        self.connects = Counter()
        self.disconnects = Counter()
        self.errors = Counter()
        self.timeouts = Counter()
        self.waits = Histogram(DURATION_BOUNDS)
        self.uses = Histogram(DURATION_BOUNDS)
        self.creates = Histogram(DURATION_BOUNDS)
        self.holders: dict[Any, tuple[float, int | str]] = {}
        self.peak_held = 0
        self.returns_missed = 0
        self._suspects: set[Any] = set()

    def fold(self) -> None:
        """Sort pending durations into buckets: called by writers when nobody has read for long. Never waits."""
        self.waits.fold()
        self.uses.fold()

    def failed(self, error: BaseException) -> None:
        """Count an attempt to get a connection that ended in *error*. A cancelled waiter is neither timeout nor error."""
        with contained("pool.failed"):
            if isinstance(error, exc.TimeoutError):
                self.timeouts.inc()
            elif isinstance(error, Exception):
                self.errors.inc()

    def sweep(self) -> int:
        """Drop holders whose connection is back although its return was not seen; how many those were.

        A record is dropped when two sweeps in a row find it not in use, since between a return and the note of it lies
        a moment.
        """
        idle = {record for record in self.holders.copy() if not record.in_use}
        gone = idle & self._suspects
        for record in gone:
            self.holders.pop(record, None)
        self._suspects = idle - gone
        self.returns_missed += len(gone)
        return len(gone)
