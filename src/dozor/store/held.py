"""Columns of the store in memory: nothing is unpacked that nobody looks at."""

from collections.abc import Sequence

from typing_extensions import override

from dozor.store.chunk import Chunk
from dozor.store.columns import Columns
from dozor.store.series import MemorySeries, joined, times_between


class HeldColumns(Columns):
    """Columns whose values are in the heads of *series*, at the places from *low* to *high* - 1. Made under the store's lock."""

    __slots__ = ("_series",)

    def __init__(self, rows: Sequence[int], series: list[MemorySeries], low: int, high: int, *, clean: bool) -> None:
        # Not by way of the base class: there is one for every range of every rule.
        timeline = series[0].timeline
        self.rows, self.size, self.clean = rows, high - low, clean
        self.times, self.first_time = timeline.times, low - timeline.dropped
        self.values, self.starts = [one.values for one in series], [low - one.first for one in series]
        self._series = self.sources = series
        self.number, self.shift = low, 0
        self._whole = self._falls = self._extremes = None
        self.even = False

    @override
    def lost_to_resets(self) -> list[float] | None:
        return _lost(self, self._series)


class PackedColumns(Columns):
    """Columns that begin in chunks, which are unpacked when one of the attributes is asked for that are not set here.

    Made under the store's lock: holds all that it may need later.
    """

    __slots__ = ("_chunks", "_dropped", "_heads", "_offsets", "_recent", "_series")

    def __init__(self, rows: Sequence[int], series: list[MemorySeries], low: int, high: int, *, clean: bool) -> None:
        timeline = series[0].timeline
        self.rows, self.size, self.clean = rows, high - low, clean
        self._recent, self._dropped = timeline.times, timeline.dropped
        self._chunks: list[tuple[Chunk, ...]] = [one.behind(low) if one.first > low else () for one in series]
        self._heads, self._offsets = [one.values for one in series], [low - one.first for one in series]
        self._series = self.sources = series
        self.number, self.shift = low, 0
        self._whole = self._falls = self._extremes = None
        self.even = False

    def __getattr__(self, name: str) -> object:
        # Called where a slot is empty.
        if name not in ("times", "first_time", "values", "starts"):
            raise AttributeError(name)
        low, high = self.number, self.number + self.size
        self.times = times_between(self._chunks[0], self._recent, self._dropped, low, high)
        self.values = [
            joined(chunks, head, low, high) if chunks else head[offset : offset + self.size]
            for chunks, head, offset in zip(self._chunks, self._heads, self._offsets, strict=True)
        ]
        self.starts, self.even = [0] * len(self.values), True
        self.first_time = 0
        return getattr(self, name)

    @property
    @override
    def first_moment(self) -> int:
        if self.number >= self._dropped:
            return self._recent[self.number - self._dropped]
        chunk = self._chunks[0][0]
        return chunk.times[self.number - chunk.place]

    @property
    @override
    def last_moment(self) -> int:
        last = self.number + self.size - 1 - self._dropped
        return self._recent[last] if last >= 0 else self.times[self.size - 1]

    @override
    def at(self, place: int) -> list[float]:
        if place < 0:
            place += self.size
        return [
            head[offset + place] if offset + place >= 0 else _value(chunks, self.number + place)
            for chunks, head, offset in zip(self._chunks, self._heads, self._offsets, strict=True)
        ]

    @override
    def lost_to_resets(self) -> list[float] | None:
        return _lost(self, self._series)


def _value(chunks: tuple[Chunk, ...], place: int) -> float:
    return next(chunk.value(place) for chunk in chunks if place < chunk.end)


def _lost(columns: Columns, series: list[MemorySeries]) -> list[float] | None:
    low, high = columns.number, columns.number + columns.size
    lost: list[float] = []
    fell = False
    for one in series:
        falls = one.falls
        if falls is not None and (falls.until >= high or one.rises_from(falls)):
            places = falls.places
            if falls.since <= low and (not places or places[-1] <= low):
                lost.append(0.0)
                continue
        found = one.lost_to_resets(low, high)
        if found is None:
            return Columns.lost_to_resets(columns)
        fell = fell or found != 0
        lost.append(found)
    return lost if fell else None
