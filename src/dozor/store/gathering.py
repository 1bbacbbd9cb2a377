"""Sorts the series that a selector found by the times of their samples in a range."""

from typing import TYPE_CHECKING

from dozor.store.columns import Columns, in_columns
from dozor.store.held import HeldColumns, PackedColumns
from dozor.store.series import MemorySeries
from dozor.store.staleness import is_stale

if TYPE_CHECKING:
    from dozor.store.timeline import Timeline


def columns_of(series: list[MemorySeries], start: int, end: int) -> Columns | None:
    """All of *series* in (*start*, *end*], if they plainly were sampled at the same times, and lately, as most are."""
    timeline = series[0].timeline
    low, high = timeline.places(start, end)
    if low >= high or (low == timeline.dropped and low):
        return None
    for one in series:
        if one.timeline is not timeline or one.first > low or one.end < high or one.last_nan >= low:
            return None
    return HeldColumns(range(len(series)), series, low, high, clean=True)


class Gathering:
    """Of the range (*start*, *end*]; with staleness markers where *markers* is true. To be fed under the store's lock."""

    def __init__(self, start: int, end: int, *, markers: bool) -> None:
        self._start, self._end, self._markers = start, end, markers
        self.blocks: list[Columns] = []
        self.present: list[int] = []
        """The places of the series that have samples in the range."""
        self._place = 0

    def take(self, series: list[MemorySeries]) -> None:
        """Go on with *series*, in order."""
        block = columns_of(series, self._start, self._end)
        if block is None:
            self._sort(series)
        else:
            row, count = len(self.present), len(series)
            block.rows = range(row, row + count)
            self.blocks.append(block)
            self.present += range(self._place, self._place + count)
        self._place += len(series)

    def _sort(self, series: list[MemorySeries]) -> None:
        groups: dict[tuple[Timeline, int, int, bool], tuple[list[int], list[MemorySeries]]] = {}
        for place, one in enumerate(series, self._place):
            low, high = one.span(self._start, self._end)
            if low >= high:
                continue
            row, clean = len(self.present), one.last_nan < low
            if not clean and not self._markers and one.has_markers(low, high):
                window = one.unmarked(low, high)
                if window is None:
                    continue
                (block,) = in_columns([window])
                block.rows = [row]
                self.blocks.append(block)
            else:
                rows, members = groups.setdefault((one.timeline, low, high, clean), ([], []))
                rows.append(row)
                members.append(one)
            self.present.append(place)
        for (_, low, high, clean), (rows, members) in groups.items():
            held = all(one.first <= low for one in members)
            self.blocks.append((HeldColumns if held else PackedColumns)(rows, members, low, high, clean=clean))


def last_values(series: list[MemorySeries], at: int, lookback: int) -> list[float] | None:
    """The newest value of all of *series* in (*at* - *lookback*, *at*], if they plainly were sampled together, and lately."""
    timeline = series[0].timeline
    low, high = timeline.places(at - lookback, at)
    last = high - 1
    if last < low:
        return None
    values = []
    for one in series:
        place = last - one.first
        if one.timeline is not timeline or one.end < high or place < 0 or one.last_nan >= last:
            return None
        values.append(one.values[place])
    return values


class LastValues:
    """The newest value of each series in (*at* - *lookback*, *at*], but for markers. To be fed under the store's lock."""

    def __init__(self, at: int, lookback: int) -> None:
        self._start, self._end = at - lookback, at
        self.values: list[float] = []
        self.present: list[int] = []
        """The places of the series that have one."""
        self._place = 0

    def take(self, series: list[MemorySeries]) -> None:
        """Go on with *series*, in order."""
        for place, one in enumerate(series, self._place):
            low, high = one.span(self._start, self._end)
            if low >= high:
                continue
            value = one.value_at(high - 1)
            if value == value or not is_stale(value):  # noqa: PLR0124 - most are no NaN
                self.present.append(place)
                self.values.append(value)
        self._place += len(series)
