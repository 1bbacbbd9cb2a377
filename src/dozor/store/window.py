"""The samples of one series in one range of time."""

from bisect import bisect_right
from collections.abc import Sequence

from dozor.store.staleness import is_stale


class Window:
    """A view, not a copy.

    `times[first_time + i]` (milliseconds, rising) belongs to `values[first_value + i]`, for `i` below `size`. What the view
    shows never changes, though the sequences may grow behind it. Never empty.
    """

    __slots__ = ("first_time", "first_value", "size", "times", "values")

    def __init__(
        self, times: Sequence[int], values: Sequence[float], first_time: int, first_value: int, size: int
    ) -> None:
        self.times, self.values = times, values
        self.first_time, self.first_value, self.size = first_time, first_value, size

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
        return Window(self.times, self.values, low, self.first_value + low - begin, high - low)

    def latest(self, at: int, lookback: int) -> tuple[int, float] | None:
        """The last sample in (*at* - *lookback*, *at*]; None where there is none or it is a staleness marker."""
        begin = self.first_time
        index = bisect_right(self.times, at, begin, begin + self.size) - 1
        if index < begin or self.times[index] <= at - lookback:
            return None
        value = self.values[self.first_value + index - begin]
        return None if is_stale(value) else (self.times[index], value)
