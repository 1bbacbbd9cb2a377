"""What is counted about one pool: written on the application's hot path, read in Dozor's thread."""

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from typing import Any, Final
from weakref import ref

from sqlalchemy import exc

from dozor.containment import contained
from dozor.instruments.query_caller import Place
from dozor.instruments.work import Work, current_work
from dozor.locks import open_in_child
from dozor.metrics import Counter, Histogram

DURATION_BOUNDS: Final = (
    *(0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05),
    *(0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0),
)  # fmt: skip

NOTABLE_WAIT_SECONDS: Final = 0.001
"""Who waits longer than this for a connection is remembered by name; shorter ones are in the histogram only."""
_NOTABLE_KEPT: Final = 8192
_MOMENT_SECONDS: Final = 0.5

Timer = Callable[[], float]


TaskMark = tuple["ref[asyncio.Task[Any]]", str]
"""A task, which must not be kept alive, and its name."""


Kind = object

NO_KIND: Final = None
"""Of what is no request, or of one that has not been routed or is over."""


def kind_of(work: Work | None) -> Kind:
    """What tells requests of one kind from others: the function that answers them, or its id where it cannot be a key."""
    scope = None if work is None else work.scope
    endpoint = NO_KIND if scope is None else scope.get("endpoint")
    return id(endpoint) if type(endpoint).__hash__ is None else endpoint


Held = tuple[float, int | TaskMark, Work | None, tuple[Place, ...] | None]
"""What is noted of a connection that is out: since when (monotonic), the ident of the thread or the task that took it, the request
that it is for, and where it was taken, if somebody looked. A plain tuple, for it is made at every checkout."""


class PoolTally:
    """Counts and durations (seconds) of one engine's pool, across the pool objects that `dispose()` leaves behind.

    `holders` maps each record (SQLAlchemy's name for a place in the pool) that is out to what is `Held`. It has one entry
    for each connection out, which bounds it, and refers to no task and no connection, so that it keeps nothing alive that
    the application dropped.

    Writers use single operations on `dict` and `deque`, which are atomic, with the GIL and without. What they append is
    numbers: tuples, kept until somebody reads, would be so many objects for the garbage collector to visit, which costs more
    than all the rest.
    """

    def __init__(self) -> None:
        self.connects = Counter()
        self.disconnects = Counter()
        self.errors = Counter()
        self.timeouts = Counter()
        self.waits = Histogram(DURATION_BOUNDS)
        """From asking for a connection to having it; each is a checkout."""
        self.uses = Histogram(DURATION_BOUNDS)
        self.creates = Histogram(DURATION_BOUNDS)
        self.holders: dict[Any, Held] = {}
        self.waiting: dict[object, tuple[float, int | TaskMark, Work | None]] = {}
        """Who waits now: since when, who, for which request."""
        self.statements: dict[Any, list[Any]] = {}
        """By record, the last statement: its text, when it was sent and when it ended (None: it runs). Written by the query monitor."""
        self.collected: deque[tuple[Any, Held, float]] = deque(maxlen=_NOTABLE_KEPT)
        """Connections that the garbage collector took: record, held, and when. Noted here since a finalizer must not wait for a lock."""
        self.notable: deque[tuple[Work | None, float, bool]] = deque(maxlen=_NOTABLE_KEPT)
        """Who waited notably long: for which request, for how many seconds, and whether in vain."""
        self.level = [0]
        """How many are out when a further one is worth a look; a list, so that it can be shared."""
        self.look: Callable[[Work | None], tuple[Place, ...] | None] = self.raise_peak
        """Called before a connection is noted, where `wants_look`; gives its stack, or None."""
        self.seen: set[Kind] = {NO_KIND}
        """Kinds of requests (`kind_of`) of which no look is wanted, whatever `level` is; their first checkout is worth one."""
        self.peak_held = 0
        self.returns_missed = 0
        self._lock = threading.Lock()
        open_in_child(self)
        self._suspects: dict[Any, tuple[Held, float]] = {}

    def wants_look(self, work: Work | None) -> bool:
        """Whether the checkout that is under way for *work* is to be looked at. The wrap has the same written out."""
        return len(self.holders) >= self.level[0] or kind_of(work) not in self.seen

    def raise_peak(self, _work: Work | None = None) -> None:
        """One more than now will be out: perhaps more than ever since the last `begin_cycle`."""
        with self._lock:
            self.peak_held = self.level[0] = max(self.peak_held, len(self.holders) + 1)

    def begin_cycle(self) -> None:
        """Let the peak be what is out now."""
        with self._lock:
            self.peak_held = self.level[0] = len(self.holders)
        for record in self.statements.copy().keys() - self.holders.copy().keys():
            self.statements.pop(record, None)

    def fold(self) -> None:
        """Sort pending durations into buckets: called by writers when nobody has read for long. Never waits."""
        self.waits.fold()
        self.uses.fold()

    def failed(self, error: BaseException, waited_seconds: float) -> None:
        """Count an attempt to get a connection that ended in *error*. A cancelled waiter is neither timeout nor error."""
        with contained("pool.failed"):
            if isinstance(error, exc.TimeoutError):
                self.timeouts.inc()
                work = current_work.get()
                if work is not None:
                    work.wait_seconds += waited_seconds
                self.notable.append((work, waited_seconds, True))
            elif isinstance(error, Exception):
                self.errors.inc()

    def sweep(self, now: float) -> int:
        """Drop holders whose connection is back although its return was not seen; how many those were. *now* is monotonic.

        A holder is dropped when its record has not been in use for half a second: between a return and the note of it lies a
        moment, long where threads are many.
        """
        gone = 0
        idle = {record: held for record, held in self.holders.copy().items() if not record.in_use}
        suspects, self._suspects = self._suspects, {}
        for record, held in idle.items():
            before, since = suspects.get(record, (None, now))
            if before is not held or now - since < _MOMENT_SECONDS:
                self._suspects[record] = (held, since if before is held else now)
            elif (found := self.holders.pop(record, None)) is held:
                gone += 1
            elif found is not None:  # it came back, and went out again, just now
                self.holders.setdefault(record, found)
        self.returns_missed += gone
        return gone


def task_or_thread() -> int | TaskMark:
    """Who runs now: the task, or the ident of the thread where there is none."""
    try:
        task = asyncio.current_task()
    except RuntimeError:
        return threading.get_ident()
    return threading.get_ident() if task is None else (ref(task), task.get_name())
