"""Times that series share: all that is appended together is timed once."""

from array import array
from bisect import bisect_right
from typing import TYPE_CHECKING, Final

from dozor.store.chunk import Times, pack_times

if TYPE_CHECKING:
    from dozor.store.series import MemorySeries

TENDED_TOGETHER: Final = 16
"""So many series are looked at, at a time: few, so that no one append pays for all; several, so that their chunks share
their times."""


class Timeline:
    """The recent times at which a group of series was appended, each series at each of them.

    Places are counted from the first time ever (`end` counts all), so that they stay right when old times are cut off:
    `times[place - dropped]`. A series that misses an append leaves for another timeline.
    """

    __slots__ = ("_asked", "_cursor", "_owed", "_packed", "_range", "dropped", "end", "last", "members", "times")

    def __init__(self, times: "array[int] | None" = None, dropped: int = 0) -> None:
        self.times = times if times is not None else array("q")
        self.dropped = dropped
        self.end = dropped + len(self.times)
        self.last = self.times[-1] if self.times else -(2**63)
        self.members: dict[MemorySeries, None] = {}
        self._cursor = self._owed = 0
        self._packed: dict[tuple[int, int], Times] = {}
        self._asked: tuple[int, int] | None = None
        self._range = (0, 0)

    def advance(self, at: int) -> None:
        """Begin an append at *at*, which is later than all before it."""
        self.times.append(at)
        self.last = at
        self.end += 1
        self._asked = None

    def places(self, start: int, end: int) -> tuple[int, int]:
        """The places of the times in (*start*, *end*], as a half-open range. Asked over and over with the same two."""
        asked = (start, end)
        if asked != self._asked:
            low = bisect_right(self.times, start)
            self._range = (low + self.dropped, bisect_right(self.times, end, low) + self.dropped)
            self._asked = asked
        return self._range

    def packed(self, begin: int, end: int) -> tuple[Times, bool]:
        """The times of the places from *begin* to *end*, packed, and whether somebody has them already."""
        key = (begin, end)
        known = self._packed.get(key)
        if known is not None:
            return known, True
        if len(self._packed) > 8:
            self._packed.clear()
        packed = self._packed[key] = pack_times(self.times[begin - self.dropped : end - self.dropped])
        return packed, False

    def due(self, head: int) -> "list[MemorySeries]":
        """The members to be tended after this append: each comes round about once in *head* appends."""
        self._owed += len(self.members)
        count = min(TENDED_TOGETHER, len(self.members))
        if self._owed < count * head or not count:
            return []
        self._owed -= count * head
        begin = self._cursor if self._cursor < len(self.members) else 0
        self._cursor = begin + count
        return list(self.members)[begin : begin + count]

    def until(self, end: int) -> "Timeline":
        """A timeline of its own with this one's times up to the place *end*, which are counted as here."""
        return Timeline(self.times[: end - self.dropped], self.dropped)

    def trim(self, keep: int) -> int:
        """Cut off times that no member needs any more; how many. The old array stays as it is for views that hold it."""
        surplus = min((series.first for series in self.members), default=self.end) - self.dropped
        if surplus < keep:
            return 0
        self.times = self.times[surplus:]
        self.dropped += surplus
        return surplus
