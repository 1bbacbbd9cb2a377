"""What a statement has done in a stretch of time, and the stretches that are kept of it: of the last ten minutes and two hours."""

from bisect import bisect_left
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import sqrt
from typing import Final

from msgspec import Struct

from dozor.metrics.sketch import Sketch

WINDOWS: Final[dict[str, float | None]] = {
    "1m": 60.0,
    "5m": 300.0,
    "15m": 900.0,
    "1h": 3600.0,
    "since_start": None,
}
"""The windows that can be asked for, in seconds."""

FINE_SECONDS: Final = 30.0
COARSE_SECONDS: Final = 300.0
_FINE_WINDOW: Final = 300.0
_SLOTS: Final = {FINE_SECONDS: 21, COARSE_SECONDS: 25}  # twice the longest window, and the one that goes on


@dataclass(slots=True)
class Tally:
    """Calls of a statement, added up. Times in seconds.

    Attributes:
        errors: calls that failed, those of the next two included.
        timeouts: ended because they, or a lock that they waited for, took too long.
        cancelled: ended because somebody wanted that.
        rows: what the driver said of rows returned or changed, in *rows_known* of the calls.
        slow: calls that took as long as the threshold, or longer.
        bound: no call took longer than this or *longest*, whichever is larger. What a server counts has no more than that where none
            of its calls was the longest ever.
        squares: the squares of their times, added up; by what a server counts only, of which there is no sketch.
    """

    calls: int = 0
    errors: int = 0
    timeouts: int = 0
    cancelled: int = 0
    seconds: float = 0.0
    longest: float = 0.0
    rows: int = 0
    rows_known: int = 0
    slow: int = 0
    bound: float = 0.0
    squares: float = 0.0
    sketch: Sketch = field(default_factory=Sketch)

    def add(self, seconds: Sequence[float], rows: Sequence[int], slow_seconds: float) -> None:
        """Take in calls that took *seconds*, and the *rows* of those of them where that is known."""
        ascending = sorted(seconds)
        self.calls += len(ascending)
        self.seconds += sum(ascending)
        self.longest = max(self.longest, ascending[-1] if ascending else 0.0)
        self.slow += len(ascending) - bisect_left(ascending, slow_seconds)
        self.rows += sum(rows)
        self.rows_known += len(rows)
        self.sketch.add(ascending)

    def merge(self, other: "Tally") -> None:
        """Take in what *other* has."""
        self._merge_numbers(other)
        self.sketch.merge(other.sketch)

    def merge_packed(self, other: "PackedTally") -> None:
        """Take in what *other* has."""
        self._merge_numbers(other.numbers)
        self.sketch.add_packed(other.sketch)

    def _merge_numbers(self, other: "Tally") -> None:
        self.calls += other.calls
        self.errors += other.errors
        self.timeouts += other.timeouts
        self.cancelled += other.cancelled
        self.seconds += other.seconds
        self.longest = max(self.longest, other.longest)
        self.rows += other.rows
        self.rows_known += other.rows_known
        self.slow += other.slow
        self.bound = max(self.bound, other.bound)
        self.squares += other.squares

    @property
    def most(self) -> float | None:
        """Seconds of the longest call; None where that is not known."""
        return self.longest if self.calls and self.longest >= self.bound else None

    @property
    def deviation(self) -> float | None:
        """Standard deviation in seconds, where the squares of the times are known."""
        mean = self.mean
        return None if mean is None or not self.squares else sqrt(max(0.0, self.squares / self.calls - mean * mean))

    @property
    def mean(self) -> float | None:
        """Seconds a call."""
        return self.seconds / self.calls if self.calls else None


_NO_SKETCH: Final = Sketch()


class PackedTally(Struct, frozen=True):
    """A tally that does not change any more, in some 300 bytes."""

    numbers: Tally
    sketch: bytes

    @classmethod
    def of(cls, tally: Tally) -> "PackedTally":
        """*tally*, which nobody else must use any more."""
        packed = cls(tally, tally.sketch.pack())
        tally.sketch = _NO_SKETCH
        return packed


class Slots:
    """Tallies of the last stretches of *seconds* each; of those in which nothing was, there is none."""

    __slots__ = ("_past", "_present", "_present_number", "_seconds")

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._past: deque[tuple[int, PackedTally]] = deque()
        self._present_number = -1
        self._present = Tally()

    def add(self, tally: Tally, now: float) -> None:
        """Take in what *tally* has, as of *now* (monotonic seconds)."""
        number = int(now // self._seconds)
        if number != self._present_number:
            self._turn(number)
        self._present.merge(tally)

    def forget(self, now: float) -> None:
        """Drop what is too old to be asked for."""
        number = int(now // self._seconds)
        if number != self._present_number and self._present.calls:
            self._turn(number)
        self._drop(number)

    def read(self, first: int, last: int) -> Tally:
        """What was from stretch number *first* to *last*, both included."""
        found = Tally()
        for number, packed in self._past:
            if first <= number <= last:
                found.merge_packed(packed)
        if first <= self._present_number <= last:
            found.merge(self._present)
        return found

    def _turn(self, number: int) -> None:
        if self._present.calls:
            self._past.append((self._present_number, PackedTally.of(self._present)))
        self._present_number, self._present = number, Tally()
        self._drop(number)

    def _drop(self, number: int) -> None:
        oldest = number - _SLOTS[self._seconds] + 1
        while self._past and self._past[0][0] < oldest:
            self._past.popleft()


class History:
    """A statement's calls: all together, and by stretches of time. Not thread-safe.

    What is added in one stretch is put into its places when that ends, or somebody asks: it is added every second, and seldom read.
    """

    __slots__ = ("_coarse", "_fine", "_latest", "_latest_at", "_total")

    def __init__(self) -> None:
        self._total = Tally()
        self._fine, self._coarse = Slots(FINE_SECONDS), Slots(COARSE_SECONDS)
        self._latest: Tally | None = None
        self._latest_at = 0.0

    def add(self, tally: Tally, now: float) -> None:
        """Take in what *tally* has, as of *now* (monotonic seconds)."""
        if now // FINE_SECONDS != self._latest_at // FINE_SECONDS:
            self._settle()
        if self._latest is None:
            self._latest = Tally()
        self._latest.merge(tally)
        self._latest_at = now

    @property
    def total(self) -> Tally:
        """All together."""
        self._settle()
        return self._total

    def forget(self, now: float) -> None:
        """Drop what is too old to be asked for."""
        self._settle()
        self._fine.forget(now)
        self._coarse.forget(now)

    def read(self, span: "Span") -> Tally:
        """What was in *span*."""
        self._settle()
        slots = self._fine if span.slot_seconds == FINE_SECONDS else self._coarse
        return slots.read(span.first, span.last)

    def _settle(self) -> None:
        latest, self._latest = self._latest, None
        if latest is not None:
            self._total.merge(latest)
            self._fine.add(latest, self._latest_at)
            self._coarse.add(latest, self._latest_at)


class Span(Struct, frozen=True):
    """A stretch of time, in numbers of slots; *seconds* is how much of it has passed, or was watched."""

    slot_seconds: float
    first: int
    last: int
    seconds: float


def spans(window_seconds: float, now: float, since: float) -> tuple[Span, Span | None]:
    """The window up to *now*, and the one of the same length before it. Times in monotonic seconds.

    A window has the slot that goes on and as many whole ones as it is long, so that it is at least as long as asked for. The one
    before it is None where not all of it was watched, which began at *since*.
    """
    slot = FINE_SECONDS if window_seconds <= _FINE_WINDOW else COARSE_SECONDS
    length, last = round(window_seconds / slot), int(now // slot)
    first = last - length
    seconds = now - max(first * slot, since)
    before = Span(slot, first - length, first - 1, window_seconds)
    return Span(slot, first, last, seconds), before if since <= before.first * slot else None
