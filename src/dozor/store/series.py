"""One series in memory: an open head that is read without copying, and closed chunks behind it."""

import threading
from array import array
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Sequence
from itertools import compress
from operator import lt
from typing import Final

from typing_extensions import override

from dozor.model.labels import METRIC_NAME, Labels
from dozor.store.chunk import Chunk, times_of
from dozor.store.interface import Window
from dozor.store.staleness import is_stale
from dozor.store.timeline import Timeline

HEAD_SAMPLES: Final = 360
"""The head holds between this many samples and twice as many: a `[5m]` at one sample a second never leaves it."""


_NOWHERE: Final[Sequence[int]] = ()


class MemorySeries:
    """Guarded by its store's lock.

    `values[place - first]` is the value at *place* of the timeline, for places from `first` to `end`.
    """

    __slots__ = (
        "_falls",
        "_lock",
        "_scanned",
        "bare",
        "chunks",
        "end",
        "first",
        "following",
        "labels",
        "name",
        "stale",
        "timeline",
        "values",
    )

    def __init__(self, name: str, labels: Labels, timeline: Timeline, lock: threading.RLock) -> None:
        self.name, self.bare = name, labels
        self.following: MemorySeries | None = None
        """The series whose sample came next in the last append."""
        self.labels = labels.with_({METRIC_NAME: name})
        self.timeline = timeline
        self.first = self.end = timeline.end - 1
        self.values = array("d")
        self.chunks: deque[Chunk] = deque()
        self.stale: list[int] = []
        """The places in the head that hold staleness markers."""
        self._lock = lock
        self._falls: list[int] = []
        self._scanned = self.first
        timeline.members[self] = None

    def last_time(self) -> int:
        """When the newest sample was taken."""
        return self.timeline.times[self.end - 1 - self.timeline.dropped]

    def first_time(self) -> int:
        """When the oldest sample that is kept was taken."""
        return self.chunks[0].times[0] if self.chunks else self.timeline.times[self.first - self.timeline.dropped]

    def put(self, value: float) -> None:
        """Append *value* at the timeline's last time."""
        self.values.append(value)
        if is_stale(value):
            self.stale.append(self.end)
        self.end += 1

    def move(self, timeline: Timeline) -> None:
        """Go on in *timeline*, which is the present one's copy."""
        del self.timeline.members[self]
        self.timeline = timeline
        timeline.members[self] = None

    def marked_before(self, place: int) -> bool:
        """Whether the head holds a staleness marker before *place*."""
        return bool(self.stale) and self.stale[0] < place

    def cut(self, place: int) -> None:
        """Let the head begin at *place*. Replaces the array: views keep the old one."""
        self.values = self.values[place - self.first :]
        self.first = place
        self.stale = [at for at in self.stale if at >= place]
        self._falls = self._falls[bisect_left(self._falls, place + 1) :]
        self._scanned = max(self._scanned, place)

    def window(self, start: int, end: int, *, markers: bool) -> Window | None:
        """The samples in (*start*, *end*], None where there are none."""
        low, high = self.timeline.places(start, end)
        if low <= self.first and self.chunks and self.chunks[-1].times[-1] > start:
            return self._from_chunks(start, end, markers=markers)
        low, high = max(low, self.first), min(high, self.end)
        if low >= high:
            return None
        if self.stale and not markers and bisect_left(self.stale, low) < bisect_left(self.stale, high):
            window = Window(self.timeline.times, self.values, low - self.timeline.dropped, low - self.first, high - low)
            return without_markers(window.time_slice(), window.value_slice())
        return HeadWindow(self, low, high)

    def latest(self, at: int, lookback: int) -> float | None:
        """The newest value in (*at* - *lookback*, *at*], None where there is none or it is a marker."""
        low, high = self.timeline.places(at - lookback, at)
        high = min(high, self.end)
        if high > self.first:
            if high <= low:
                return None
            value = self.values[high - 1 - self.first]
            return None if self.stale and is_stale(value) else value
        window = self._from_chunks(at - lookback, at, markers=True) if self.chunks else None
        found = None if window is None else window.latest(at, lookback)
        return None if found is None else found[1]

    def falls(self, low: int, high: int) -> Sequence[int]:
        """The places in (*low*, *high*) of the head whose value is below the one before it; remembered between calls."""
        with self._lock:
            self._scan()
            if not self._falls or self._falls[-1] <= low:
                return _NOWHERE
            return self._falls[bisect_right(self._falls, low) : bisect_left(self._falls, high)]

    def _scan(self) -> None:
        if self._scanned == self.end or not self.values:
            return
        before = max(self._scanned - self.first - 1, 0)
        values = self.values[before:]
        later = range(self.first + before + 1, self.end)
        self._falls += compress(later, map(lt, values[1:], values))
        self._scanned = self.end

    def _from_chunks(self, start: int, end: int, *, markers: bool) -> Window | None:
        times, values = array("q"), array("d")
        marked = bool(self.stale)
        for chunk in self.chunks:
            if chunk.times[-1] > start and chunk.times[0] <= end:
                marked = marked or chunk.marked
                times.extend(times_of(chunk))
                values.extend(chunk.unpack())
        offset = self.timeline.dropped
        times.extend(self.timeline.times[self.first - offset : self.end - offset])
        values.extend(self.values)
        low, high = bisect_right(times, start), bisect_right(times, end)
        if low >= high:
            return None
        window = Window(times, values, low, low, high - low)
        return window if markers or not marked else without_markers(window.time_slice(), window.value_slice())


class HeadWindow(Window):
    """A window onto a head. Counter resets come from what the series remembers of them."""

    __slots__ = ("_high", "_low", "_series")

    def __init__(self, series: MemorySeries, low: int, high: int) -> None:
        self._series, self._low, self._high = series, low, high
        timeline = series.timeline
        super().__init__(timeline.times, series.values, low - timeline.dropped, low - series.first, high - low)

    @override
    def lost_to_resets(self) -> float:
        values, offset = self.values, self.first_value - self._low
        places = self._series.falls(self._low, self._high)
        if self._series.values is not values:  # the head was cut since; some places are forgotten
            return super().lost_to_resets()
        lost = 0.0
        for place in places:
            lost += values[place + offset - 1]
        return lost


def without_markers(times: Sequence[int], values: Sequence[float]) -> Window | None:
    """A window onto copies of *times* and *values* without the staleness markers."""
    kept = [(time, value) for time, value in zip(times, values, strict=True) if not is_stale(value)]
    if not kept:
        return None
    return Window(array("q", [time for time, _ in kept]), array("d", [value for _, value in kept]), 0, 0, len(kept))
