"""A pool's figures over the last hour, since start and in between: cumulative counts kept every few seconds."""

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from dozor.metrics import HistogramSnapshot

KEEP_SECONDS: Final = 3600.0
_KEEP_EVERY_SECONDS: Final = 5.0

N = TypeVar("N", int, float)


class PoolPoint(Struct, frozen=True):
    """One pool's counts since attachment, at one moment, with the largest values since the point before.

    `at` is a timestamp of `Clock`; durations are seconds. `wait` is None where waiting cannot be seen.
    """

    at: float
    checkouts: int
    timeouts: int | None
    errors: int | None
    connects: int
    slow_queries: int | None
    wait: HistogramSnapshot | None
    use: HistogramSnapshot
    max_wait_seconds: float | None = None
    max_use_seconds: float | None = None
    peak_checked_out: int | None = None


class DurationStatistics(Struct, frozen=True):
    """A distribution of seconds. Quantiles are estimated from buckets, mean and maximum are exact; None: no values."""

    count: int = 0
    mean_seconds: float | None = None
    p50_seconds: float | None = None
    p95_seconds: float | None = None
    p99_seconds: float | None = None
    max_seconds: float | None = None


class PoolStatistics(Struct, frozen=True):
    """What happened in one pool between `since` and `until` (timestamps). None is unknown."""

    since: float
    until: float
    checkouts: int
    timeouts: int | None
    errors: int | None
    connects: int
    slow_queries: int | None
    wait: DurationStatistics | None
    use: DurationStatistics
    peak_checked_out: int | None


@dataclass(slots=True)
class PoolHistory:
    """Points of the last hour, one for some seconds, and the peaks since *start*. Not thread-safe: its user has a lock.

    *bounds* are those of both histograms.
    """

    start: PoolPoint
    bounds: Sequence[float]
    _points: deque[PoolPoint] = field(default_factory=deque)
    _latest: PoolPoint | None = None
    _whole: PoolPoint | None = None

    def note(self, point: PoolPoint) -> None:
        """Take *point* in; call it at least every few seconds, with times that rise."""
        self._whole = _with_peaks(point, self._whole)
        self._latest = _with_peaks(point, self._latest)
        if not self._points or point.at - self._points[-1].at >= _KEEP_EVERY_SECONDS:
            self._points.append(self._latest)
            self._latest = None
        while len(self._points) > 2 and self._points[1].at <= point.at - KEEP_SECONDS:
            self._points.popleft()

    def statistics(self, window_seconds: float | None, now: PoolPoint) -> PoolStatistics:
        """From *window_seconds* before *now* (None: since start), or from the nearest moment known before, until *now*."""
        if window_seconds is None:
            return self._between(self.start, _with_peaks(now, self._whole))
        since = now.at - window_seconds
        base, inside = self.start, list(self._points)
        while inside and inside[0].at <= since:
            base = inside.pop(0)
        return self._between(base, _with_peaks(now, *inside, self._latest))

    def _between(self, base: PoolPoint, until: PoolPoint) -> PoolStatistics:
        return PoolStatistics(
            since=base.at,
            until=until.at,
            checkouts=until.checkouts - base.checkouts,
            timeouts=_difference(until.timeouts, base.timeouts),
            errors=_difference(until.errors, base.errors),
            connects=until.connects - base.connects,
            slow_queries=_difference(until.slow_queries, base.slow_queries),
            wait=None if until.wait is None else self._durations(base.wait, until.wait, until.max_wait_seconds),
            use=self._durations(base.use, until.use, until.max_use_seconds),
            peak_checked_out=until.peak_checked_out,
        )

    def _durations(
        self, base: HistogramSnapshot | None, until: HistogramSnapshot, largest: float | None
    ) -> DurationStatistics:
        before = base.cumulative if base is not None else (0,) * len(until.cumulative)
        cumulative = [now - then for now, then in zip(until.cumulative, before, strict=True)]
        count = cumulative[-1]
        if count == 0:
            return DurationStatistics()
        p50, p95, p99 = (quantile(q, self.bounds, cumulative, largest) for q in (0.5, 0.95, 0.99))
        total = until.sum - (base.sum if base is not None else 0.0)
        return DurationStatistics(count, max(0.0, total / count), p50, p95, p99, largest)


def quantile(q: float, bounds: Sequence[float], cumulative: Sequence[int], largest: float | None) -> float | None:
    """The value below which the share *q* of the values lies, by linear interpolation within its bucket.

    *cumulative* has one count for each of *bounds* and one for +Inf; *largest*, where known, is never exceeded.
    """
    rank = q * cumulative[-1]
    lower, below = 0.0, 0
    for bound, count in zip(bounds, cumulative, strict=False):
        if count >= rank and count > below:
            upper = bound if largest is None else min(bound, largest)
            return lower + (max(upper, lower) - lower) * (rank - below) / (count - below)
        lower, below = bound, count
    return largest


def _difference(until: int | None, base: int | None) -> int | None:
    return None if until is None else until - (base or 0)


def _with_peaks(point: PoolPoint, *others: PoolPoint | None) -> PoolPoint:
    known = [point, *(one for one in others if one is not None)]
    return replace(
        point,
        max_wait_seconds=_largest([one.max_wait_seconds for one in known]),
        max_use_seconds=_largest([one.max_use_seconds for one in known]),
        peak_checked_out=_largest([one.peak_checked_out for one in known]),
    )


def _largest(values: Iterable[N | None]) -> N | None:
    return max((value for value in values if value is not None), default=None)
