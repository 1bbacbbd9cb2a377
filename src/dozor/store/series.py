"""One series in memory: an open head that is read without copying, and closed chunks behind it."""

import threading
from array import array
from bisect import bisect_left
from collections import deque
from collections.abc import Sequence
from typing import Final

from dozor.model.labels import METRIC_NAME, Labels
from dozor.store.chunk import Chunk, times_of
from dozor.store.falls import Falls
from dozor.store.staleness import is_stale
from dozor.store.timeline import Timeline
from dozor.store.window import Window

HEAD_SAMPLES: Final = 360
"""The head holds between this many samples and twice as many: a `[5m]` at one sample a second never leaves it."""


class MemorySeries:
    """Guarded by its store's lock.

    `values[place - first]` is the value at *place* of the timeline, for places from `first` to `end`.
    """

    __slots__ = (
        "bare",
        "chunks",
        "end",
        "falls",
        "first",
        "labels",
        "last_nan",
        "lock",
        "name",
        "stale",
        "timeline",
        "values",
    )

    def __init__(self, name: str, labels: Labels, timeline: Timeline, lock: threading.RLock) -> None:
        self.name, self.bare = name, labels
        self.labels = labels.with_({METRIC_NAME: name})
        self.timeline = timeline
        self.first = self.end = timeline.end - 1
        self.values = array("d")
        self.chunks: deque[Chunk] = deque()
        self.stale: list[int] = []
        """The places in the head that hold staleness markers."""
        self.last_nan = -1
        """The place of the newest NaN, of which staleness markers are one; -1 where there never was any."""
        self.lock = lock
        self.falls: Falls | None = None
        """Where a counter fell; made when somebody asks."""
        timeline.members[self] = None

    @property
    def begin(self) -> int:
        """The place of the oldest sample that is kept."""
        return self.chunks[0].place if self.chunks else self.first

    def last_time(self) -> int:
        """When the newest sample was taken."""
        return self.timeline.times[self.end - 1 - self.timeline.dropped]

    def first_time(self) -> int:
        """When the oldest sample that is kept was taken."""
        return self.chunks[0].times[0] if self.chunks else self.timeline.times[self.first - self.timeline.dropped]

    def put(self, value: float) -> None:
        """Append *value* at the timeline's last time."""
        self.values.append(value)
        if value != value:  # noqa: PLR0124 - a NaN
            self.last_nan = self.end
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

    def span(self, start: int, end: int) -> tuple[int, int]:
        """The places of the samples in (*start*, *end*], as a half-open range; empty where there are none."""
        timeline = self.timeline
        low, high = timeline.places(start, end)
        if self.chunks and low == timeline.dropped:
            low = self._place_after(start)
            if high == timeline.dropped:
                high = self._place_after(end)
        return max(low, self.begin), min(high, self.end)

    def _place_after(self, time: int) -> int:
        """The place of the first sample that is kept and was taken after *time*, which is before all times of the timeline."""
        for chunk in reversed(self.chunks):
            if chunk.times[0] <= time:
                return chunk.place_after(time)
        return self.chunks[0].place

    def has_markers(self, low: int, high: int) -> bool:
        """Whether there may be staleness markers at the places from *low* to *high* - 1."""
        stale = self.stale
        if stale and bisect_left(stale, low) < bisect_left(stale, high):
            return True
        return any(chunk.marked for chunk in self.chunks if chunk.end > low and chunk.place < high)

    def behind(self, low: int) -> tuple[Chunk, ...]:
        """The chunks that hold samples at *low* and after."""
        return tuple([chunk for chunk in self.chunks if chunk.end > low])

    def numbered(self, low: int, high: int) -> Sequence[float] | None:
        """See `Source`; the numbers are places."""
        with self.lock:
            if low < self.begin or high > self.end:
                return None
            if low >= self.first:
                return self.values[low - self.first : high - self.first]
            for chunk in self.chunks:
                if low < chunk.end:
                    if high <= chunk.end:
                        return chunk.cut(low, high)
                    break
            return joined(self.behind(low), self.values, low, high)

    def rises_from(self, falls: Falls) -> bool:
        """Whether nothing fell since *falls*, which are the series', were last looked at; they know of it then."""
        with self.lock:
            begin = falls.until - 1 - self.first
            if begin < 0:
                return False
            news = self.values[begin:].tolist()
            if sorted(news) != news:  # quicker than to look at each
                return False
            falls.until = self.end
            return True

    def lost_to_resets(self, low: int, high: int) -> float | None:
        """Of the samples from *low* to *high* - 1, what `Columns.lost_to_resets` tells; None where too much fell to remember it."""
        with self.lock:
            falls = self._watched(low)
            return falls.lost(low, high) if falls.since <= low else None

    def _watched(self, low: int) -> Falls:
        """The falls up to the present, and back to *low* as far as they can be remembered."""
        falls = self.falls
        news = None if falls is None else self.numbered(falls.until - 1, self.end)
        if falls is None or news is None:
            falls = self.falls = Falls(self.first)
            news = self.values
        falls.extend(news)
        if falls.since > low and not falls.full:
            past = self.numbered(low, falls.since + 1)
            if past is not None:
                falls.precede(low, past)
        return falls

    def timed(self, low: int, high: int) -> Sequence[int] | None:
        """See `Source`."""
        with self.lock:
            if low < self.begin or high > self.end:
                return None
            dropped = self.timeline.dropped
            if low >= dropped:
                return self.timeline.times[low - dropped : high - dropped]
            return times_between(self.behind(low), self.timeline.times, dropped, low, high)

    def value_at(self, place: int) -> float:
        """The value at *place*, which is kept."""
        if place >= self.first:
            return self.values[place - self.first]
        return next(chunk.value(place) for chunk in self.chunks if place < chunk.end)

    def unmarked(self, low: int, high: int) -> Window | None:
        """The samples at the places from *low* to *high* - 1 but for staleness markers, as copies; None where there are none."""
        points = zip(self.timed(low, high) or (), self.numbered(low, high) or (), strict=True)
        kept = [(time, value) for time, value in points if not is_stale(value)]
        if not kept:
            return None
        return Window(array("q", [time for time, _ in kept]), array("d", [value for _, value in kept]), 0, 0, len(kept))


def joined(chunks: Sequence[Chunk], head: "array[float]", low: int, high: int) -> "array[float]":
    """The values at the places from *low*, which is in the first of *chunks*, to *high* - 1; *head* goes on where *chunks* end."""
    found = array("d")
    for chunk in chunks:
        if chunk.place < high:
            found.extend(chunk.cut(low, high))
    missing = high - low - len(found)
    if missing:
        found.extend(head[:missing])
    return found


def times_between(chunks: Sequence[Chunk], times: "array[int]", dropped: int, low: int, high: int) -> "array[int]":
    """When the samples at the places from *low* to *high* - 1 were taken; *times* are those from the place *dropped* on."""
    found = array("q")
    for chunk in chunks:
        if chunk.place < high:
            found.extend(times_of(chunk)[max(low - chunk.place, 0) : high - chunk.place])
    place = low + len(found)
    found.extend(times[place - dropped : high - dropped])
    return found
