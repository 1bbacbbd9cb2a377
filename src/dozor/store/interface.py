"""What the rest of Dozor knows of a store: somewhere to append samples, somewhere to select them.

Times at this border are integers, Unix milliseconds: Prometheus' resolution, so that the edges of a range fall where they
fall there. `milliseconds` makes them. Only `Appendable` takes the float seconds that the rest of Dozor counts in.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from itertools import compress
from operator import lt
from typing import Protocol

from dozor.model.labels import Labels
from dozor.model.sample import Sample
from dozor.store.matchers import Matcher
from dozor.store.staleness import is_stale

Matchers = tuple[Matcher, ...]


def milliseconds(seconds: float) -> int:
    """Unix *seconds* as the store counts them, rounded to the nearest millisecond."""
    return round(seconds * 1000)


class Window:
    """The samples of one series in one range of time: a view, not a copy.

    `times[first_time + i]` (milliseconds, rising) belongs to `values[first_value + i]`, for `i` below `size`. What the view
    shows never changes, though the sequences may grow behind it. Never empty.
    """

    __slots__ = ("_falls", "_whole", "first_time", "first_value", "size", "times", "values")

    def __init__(
        self, times: Sequence[int], values: Sequence[float], first_time: int, first_value: int, size: int
    ) -> None:
        self.times, self.values = times, values
        self.first_time, self.first_value, self.size = first_time, first_value, size
        self._whole: Window | None = None
        self._falls: list[int] | None = None

    def time_slice(self) -> Sequence[int]:
        """The times alone; a copy."""
        return self.times[self.first_time : self.first_time + self.size]

    def value_slice(self) -> Sequence[float]:
        """The values alone; a copy."""
        return self.values[self.first_value : self.first_value + self.size]

    def between(self, start: int, end: int) -> "Window | None":
        """The part of this window in (*start*, *end*], None where that is empty."""
        begin, stop = self.first_time, self.first_time + self.size
        low = bisect_right(self.times, start, begin, stop)
        high = bisect_right(self.times, end, low, stop)
        if low == high:
            return None
        part = Window(self.times, self.values, low, self.first_value + low - begin, high - low)
        part._whole = self
        return part

    def latest(self, at: int, lookback: int) -> tuple[int, float] | None:
        """The last sample in (*at* - *lookback*, *at*]; None where there is none or it is a staleness marker."""
        begin = self.first_time
        index = bisect_right(self.times, at, begin, begin + self.size) - 1
        if index < begin or self.times[index] <= at - lookback:
            return None
        value = self.values[self.first_value + index - begin]
        return None if is_stale(value) else (self.times[index], value)

    def lost_to_resets(self) -> float:
        """The sum of what a counter stood at just before each time that it fell."""
        values = self.values
        falls = (self._whole or self).falls()
        if not falls:
            return 0.0
        low, high = self.first_value, self.first_value + self.size
        return sum([values[place - 1] for place in falls[bisect_right(falls, low) : bisect_left(falls, high)]], 0.0)

    def falls(self) -> list[int]:
        """Where in `values` there is less than just before; what is cut out of this window does not look for it again."""
        falls = self._falls
        if falls is None:
            values = self.value_slice()
            later = range(self.first_value + 1, self.first_value + self.size)
            falls = self._falls = list(compress(later, map(lt, values[1:], values)))
        return falls


class Selection:
    """The series that matched, in the order of their labels.

    `labels`, `bare` (without `__name__` and the like) and `windows` run in parallel. The same list object is handed out for `labels`
    and for `bare` as long as the same series match, so a reader may keep what it derived from one, by identity. Nobody
    changes them.
    """

    __slots__ = ("bare", "labels", "windows")

    def __init__(self, labels: list[Labels], bare: list[Labels], windows: list[Window]) -> None:
        self.labels, self.bare, self.windows = labels, bare, windows


class Appendable(Protocol):
    """Takes samples."""

    def append(self, at: float, samples: Iterable[Sample]) -> None:
        """Keep *samples* as of *at*, in Unix seconds. A series' samples that are not newer than its last are dropped."""

    def mark_stale(self, at: float, keys: Iterable[tuple[str, Labels]]) -> None:
        """Say that the series of these (sample name, labels) ended at *at*: the next query no longer sees them."""


class Queryable(Protocol):
    """Answers selectors. Safe in any thread. Times are Unix milliseconds, ranges are left-open: (start, end]."""

    def select(self, matchers: Matchers, start: int, end: int, *, markers: bool = False) -> Selection:
        """The series that match all *matchers* and have samples in (*start*, *end*].

        Staleness markers are left out, or kept in where *markers* is true.
        """

    def latest(self, matchers: Matchers, at: int, lookback: int) -> tuple[list[Labels], list[float]]:
        """The labels and last value of each matching series that has one in (*at* - *lookback*, *at*] and is not stale.

        The list of labels keeps its identity as in `Selection`.
        """
