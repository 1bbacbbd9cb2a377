"""The store in memory: the last hour of every series, within a budget of bytes and series."""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from dozor.model.labels import Labels
from dozor.model.sample import Sample
from dozor.store.chunk import Chunk, pack
from dozor.store.gathering import Gathering, LastValues, columns_of, last_values
from dozor.store.index import Found, LabelIndex
from dozor.store.interface import Matchers, Selection, milliseconds
from dozor.store.series import HEAD_SAMPLES, MemorySeries
from dozor.store.staleness import STALE_NAN, is_stale
from dozor.store.stats import StoreStats
from dozor.store.timeline import Timeline

SERIES_BYTES: Final = 2048
"""What a series takes beside its samples: labels, index entries, the objects themselves (measured, rounded up)."""

_Asked = tuple[Found[MemorySeries], int, int, bool]
_SWEEP_EVERY_MS: Final = 60_000
_REMEMBERED: Final = 1024
_LOOKED_AT_TOGETHER: Final = 256
_RUNS_OF_EACH: Final = 4


@dataclass(slots=True)
class _Batch:
    """One append at *time*: the timelines it has moved on, and those made for series that fell behind theirs."""

    time: int
    touched: dict[Timeline, None] = field(default_factory=dict)
    parted: dict[tuple[Timeline, int], Timeline] = field(default_factory=dict)


class _Run:
    """The series of samples that come together, in their order: mostly they are the same each time, which is seen without hashing any."""

    __slots__ = ("labelled", "names", "removals", "series", "settled")

    def __init__(
        self,
        names: tuple[str, ...],
        labelled: tuple[Labels, ...],
        series: list[MemorySeries | None],
        removals: int,
    ) -> None:
        self.names, self.labelled, self.series = names, labelled, series
        self.removals = removals
        """How many series had been removed before."""
        self.settled = False
        """Whether those that are None were refused: there is no room for them until some series is removed."""


class MemoryStore:
    """`Appendable` and `Queryable`, safe in any thread.

    Args:
        max_bytes: what samples and series may take together; the oldest samples go first.
        max_series: series beyond this many are refused and counted.
        retention_seconds: samples older than this are thrown away, and series that have no others.
    """

    def __init__(
        self, max_bytes: int = 32 * 2**20, max_series: int = 10_000, retention_seconds: float = 3600.0
    ) -> None:
        self._max_bytes = max_bytes
        # Series are never evicted to make room, so they alone must not be able to spend the budget.
        self._max_series = min(max_series, max_bytes // (2 * SERIES_BYTES))
        self._retention = milliseconds(retention_seconds)
        self._lock = threading.RLock()
        self._series: dict[tuple[str, Labels], MemorySeries] = {}
        self._index: LabelIndex[MemorySeries] = LabelIndex()
        self._closed: deque[tuple[MemorySeries, Chunk]] = deque()
        self._bytes = self._samples = 0
        self._dropped_samples = self._evicted_samples = 0
        self._refused: set[int] = set()
        self._newest = self._swept = -(2**63)
        self._appends = self._removals = 0
        self._runs: dict[tuple[str, Labels] | None, _Run] = {}
        """By the first of their samples."""
        self._in_runs = 0
        self._selections: dict[_Asked, Selection] = {}
        """What was selected since the last append: rules that are evaluated together often look at the same series."""

    @property
    def stats(self) -> StoreStats:
        """What is held now."""
        with self._lock:
            return StoreStats(
                bytes=self._bytes,
                max_bytes=self._max_bytes,
                series=len(self._series),
                max_series=self._max_series,
                retention_seconds=self._retention / 1000,
                samples=self._samples,
                dropped_series=len(self._refused),
                dropped_samples=self._dropped_samples,
                evicted_samples=self._evicted_samples,
            )

    def append(self, at: float, samples: Iterable[Sample]) -> None:
        """Keep *samples* as of *at*, in Unix seconds. Costs less than half a microsecond a sample."""
        moment = milliseconds(at)
        names, labelled, values = tuple(zip(*samples, strict=True)) or ((), (), ())
        with self._lock:
            batch = self._begin(moment)
            run = self._run(names, labelled)
            timeline, place, taken = None, 0, 0
            for series, name, labels, value in zip(run.series, names, labelled, values, strict=True):
                if series is not None and series.timeline is timeline and series.end == place and value == value:  # noqa: PLR0124 - a NaN may be a marker
                    series.values.append(value)
                    series.end = place + 1
                    taken += 1
                elif series is not None or not run.settled:
                    known = series or self._series.get((name, labels))  # one may come twice
                    put = self._put(batch, name, labels, value, known)
                    if put is not None:
                        timeline = put.timeline
                        place = timeline.end - 1
            self._settle(run)
            self._samples += taken
            self._bytes += 8 * taken
            self._tend(batch)

    def mark_stale(self, at: float, keys: Iterable[tuple[str, Labels]]) -> None:
        """Say that the series of these keys ended at *at*. Unknown ones, and ones that have ended, are passed over."""
        moment = milliseconds(at)
        with self._lock:
            batch = self._begin(moment)
            for name, labels in keys:
                series = self._series.get((name, labels))
                if series is not None and not is_stale(series.values[-1]):
                    self._put(batch, name, labels, STALE_NAN, series)
            self._tend(batch)

    def select(self, matchers: Matchers, start: int, end: int, *, markers: bool = False) -> Selection:
        """See `Queryable`."""
        with self._lock:
            appends, found = self._appends, self._index.find(matchers)
            if not found.series:
                return Selection(found.labels, found.bare, [])
            asked = (found, start, end, markers)
            known = self._selections.get(asked)
            if known is not None:
                return known
            block = columns_of(found.series, start, end) if len(found.series) <= _LOOKED_AT_TOGETHER else None
            if block is not None:
                return self._remember(asked, Selection(found.labels, found.bare, [block]))
        gathering = Gathering(start, end, markers=markers)
        self._each(found, gathering.take)
        selection = Selection(*found.part(gathering.present), gathering.blocks)
        with self._lock:
            return self._remember(asked, selection) if appends == self._appends else selection

    def latest(self, matchers: Matchers, at: int, lookback: int) -> tuple[list[Labels], list[float]]:
        """See `Queryable`."""
        with self._lock:
            found = self._index.find(matchers)
            if not found.series:
                return found.labels, []
            if len(found.series) <= _LOOKED_AT_TOGETHER:
                values = last_values(found.series, at, lookback)
                if values is not None:
                    return found.labels, values
        last = LastValues(at, lookback)
        self._each(found, last.take)
        return found.part(last.present)[0], last.values

    def lacks(self, metrics: frozenset[str]) -> bool:
        """See `Queryable`."""
        with self._lock:
            return self._index.lacks(metrics)

    def _remember(self, asked: _Asked, selection: Selection) -> Selection:
        if len(self._selections) < _REMEMBERED:
            self._selections[asked] = selection
        return selection

    def _each(self, found: Found[MemorySeries], look: Callable[[list[MemorySeries]], None]) -> None:
        """Have *look* take some series after the other. Whoever waits to append comes in between: thousands take a while."""
        series = found.series
        if len(series) <= _LOOKED_AT_TOGETHER:
            with self._lock:
                look(series)
            return
        for first in range(0, len(series), _LOOKED_AT_TOGETHER):
            time.sleep(0)  # or this thread would have the lock back before another one woke up
            with self._lock:
                look(series[first : first + _LOOKED_AT_TOGETHER])

    def series(self, matchers: Matchers) -> list[Labels]:
        """The labels of all series that match, whether or not they have ended."""
        with self._lock:
            return list(self._index.find(matchers).labels)

    def label_names(self) -> list[str]:
        """All label names, sorted."""
        with self._lock:
            return self._index.label_names()

    def label_values(self, name: str) -> list[str]:
        """All values of the label *name*, sorted."""
        with self._lock:
            return self._index.label_values(name)

    def _begin(self, at: int) -> _Batch:
        """An append at *at*; what was remembered of the present samples is out of date."""
        self._appends += 1
        self._selections.clear()
        return _Batch(at)

    def _run(self, names: tuple[str, ...], labelled: tuple[Labels, ...]) -> _Run:
        first = (names[0], labelled[0]) if names else None
        known = self._runs.get(first)
        if known is not None:
            if known.removals == self._removals and known.names == names and known.labelled == labelled:
                return known
            self._in_runs -= len(known.names)
        self._in_runs += len(names)
        if self._in_runs > _RUNS_OF_EACH * self._max_series:  # what comes together is another each time
            self._runs.clear()
            self._in_runs = len(names)
        run = _Run(names, labelled, list(map(self._series.get, zip(names, labelled, strict=True))), self._removals)
        self._runs[first] = run
        return run

    def _settle(self, run: _Run) -> None:
        if not run.settled:
            run.settled = True
            if None in run.series:
                run.series = list(map(self._series.get, zip(run.names, run.labelled, strict=True)))

    def _put(
        self, batch: _Batch, name: str, labels: Labels, value: float, series: MemorySeries | None
    ) -> MemorySeries | None:
        """Append one sample to *series* (None: a new one), and return that; None where the sample was refused."""
        if series is None:
            series = self._add(batch, name, labels)
            if series is None:
                return None
        elif not self._keep_pace(batch, series):
            self._dropped_samples += 1
            return None
        series.put(value)
        self._samples += 1
        self._bytes += 8
        return series

    def _add(self, batch: _Batch, name: str, labels: Labels) -> MemorySeries | None:
        if len(self._series) >= self._max_series:
            if len(self._refused) < self._max_series:
                self._refused.add(hash((name, labels)))
            return None
        # What appears together is likely to be appended together from now on.
        timeline = next(reversed(batch.touched), None)
        if timeline is None:
            timeline = Timeline()
            self._advance(batch, timeline)
        series = MemorySeries(name, labels, timeline, self._lock)
        self._series[name, labels] = series
        self._index.add(series)
        self._bytes += SERIES_BYTES
        return series

    def _keep_pace(self, batch: _Batch, series: MemorySeries) -> bool:
        """Make *series* ready for a sample at the batch's time; false where it has one as new already."""
        timeline = series.timeline
        if timeline.last < batch.time and series.end == timeline.end:
            self._advance(batch, timeline)
        elif timeline.last != batch.time or series.end != timeline.end - 1:
            if series.last_time() >= batch.time:
                return False
            self._part(batch, series)
            if series.timeline.last < batch.time:
                self._advance(batch, series.timeline)
        return True

    def _part(self, batch: _Batch, series: MemorySeries) -> None:
        """Move *series*, which missed an append of its timeline, to one that ends where it ends."""
        old, key = series.timeline, (series.timeline, series.end)
        timeline = batch.parted.get(key)
        if timeline is None:
            timeline = batch.parted[key] = old.until(series.end)
            self._bytes += 8 * len(timeline.times)
        series.move(timeline)
        self._forget_if_empty(old)

    def _advance(self, batch: _Batch, timeline: Timeline) -> None:
        timeline.advance(batch.time)
        batch.touched[timeline] = None
        self._bytes += 8

    def _tend(self, batch: _Batch) -> None:
        for timeline in batch.touched:
            due = timeline.due(HEAD_SAMPLES)
            for series in due:
                if series.end != timeline.end:
                    self._part(batch, series)
                elif len(series.values) >= 2 * HEAD_SAMPLES:
                    self._close(series, series.end - HEAD_SAMPLES)
            if due:  # else nobody has let go of any times
                self._bytes -= 8 * timeline.trim(HEAD_SAMPLES)
        self._newest = max(self._newest, batch.time)
        if self._newest - self._swept >= _SWEEP_EVERY_MS:
            self._swept = self._newest
            self._sweep(self._newest - self._retention)
        if self._bytes > self._max_bytes:
            self._evict()

    def _close(self, series: MemorySeries, place: int) -> None:
        """Move the head's samples before *place* into a chunk."""
        times, shared = series.timeline.packed(series.first, place)
        chunk = pack(
            times,
            series.values[: place - series.first],
            place=series.first,
            shared=shared,
            marked=series.marked_before(place),
        )
        series.chunks.append(chunk)
        self._closed.append((series, chunk))
        self._bytes += chunk.size - 8 * len(chunk.times)
        series.cut(place)

    def _drop_chunk(self, series: MemorySeries) -> int:
        chunk = series.chunks.popleft()
        self._samples -= len(chunk.times)
        self._bytes -= chunk.size
        return len(chunk.times)

    def _cut(self, series: MemorySeries, place: int) -> int:
        """Throw away the head's samples before *place*."""
        count = place - series.first
        series.cut(place)
        self._samples -= count
        self._bytes -= 8 * count
        return count

    def _sweep(self, oldest: int) -> None:
        """Throw away what was taken before *oldest*."""
        for series in list(self._series.values()):
            while series.chunks and series.chunks[0].times[-1] < oldest:
                self._drop_chunk(series)
            if series.last_time() < oldest:
                self._remove(series)
            elif not series.chunks and series.first_time() < oldest:
                self._cut(series, series.timeline.places(oldest - 1, oldest)[0])
        while self._closed and self._closed[0][1].times[-1] < oldest:
            self._closed.popleft()

    def _remove(self, series: MemorySeries) -> None:
        del self._series[series.name, series.bare]
        self._removals += 1
        self._index.remove(series)
        self._bytes -= SERIES_BYTES + 8 * len(series.values)
        self._samples -= len(series.values)
        del series.timeline.members[series]
        self._forget_if_empty(series.timeline)

    def _forget_if_empty(self, timeline: Timeline) -> None:
        if not timeline.members:
            self._bytes -= 8 * len(timeline.times)

    def _evict(self) -> None:
        """Come back below the budget: the oldest chunks go first, then the older half of every head, and again."""
        while self._bytes > self._max_bytes and self._closed:
            series, chunk = self._closed.popleft()
            if series.chunks and series.chunks[0] is chunk:
                self._evicted_samples += self._drop_chunk(series)
        while self._bytes > self._max_bytes:
            evicted = sum(
                self._cut(series, series.end - (len(series.values) + 1) // 2) for series in self._series.values()
            )
            for timeline in {series.timeline for series in self._series.values()}:
                self._bytes -= 8 * timeline.trim(1)
            if not evicted:
                return
            self._evicted_samples += evicted
