"""Lines for a chart: as many points as there are pixels, and no peak lost among them.

Time is cut into buckets, of which each gives two points: the smallest and the largest value in it, in the order in which
they came. So all lines stand over the same times, and what is drawn through them touches every extreme.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import median
from typing import Final

from msgspec import Struct

from dozor.errors import PromQLError, QueryLimitError, QueryTimeout
from dozor.model.labels import Labels
from dozor.promql import Kind, Limits, Query, compile_query
from dozor.store import Queryable, Window

MOST_POINTS: Final = 200_000
"""Of one evaluation."""
_CHUNK_BUCKETS: Final = 60
# How often an expression is evaluated in each bucket: as often as all its lines together may take.
_OVERSAMPLED: Final = (8, 4, 2, 1)
_OVERSAMPLED_POINTS: Final = 100_000
_TIMED: Final = 100
# So many times as far apart as samples mostly are, and there is a gap.
_GAP: Final = 3.0


class Grid(Struct, frozen=True):
    """*count* buckets of *seconds* each; the first begins at *start* (Unix seconds), a multiple of that.

    *until*: nothing later is asked for, though the last bucket may end later.
    """

    start: float
    seconds: float
    count: int
    until: float

    @classmethod
    def over(cls, start: float, end: float, *, points: int, finest_seconds: float) -> "Grid":
        """About *points* points from *start* to *end*, fewer where samples, *finest_seconds* apart, are fewer."""
        # In whole milliseconds, which is what the store counts in.
        seconds = math.ceil(max((end - start) * 2 / points, 2 * finest_seconds) * 1000) / 1000
        first, last = math.floor(start / seconds), math.floor(end / seconds)
        return cls(first * seconds, seconds, last - first + 1, end)

    def times(self) -> list[float]:
        """Of the points: two in each bucket."""
        return [round(self.start + self.seconds * (half + 0.5) / 2, 3) for half in range(2 * self.count)]


@dataclass(slots=True)
class _Bucket:
    low: float
    high: float
    low_first: bool
    first_at: float
    last_at: float
    last: float


@dataclass(slots=True)
class Line:
    """One series. *low*, *high* and *last* are of all its samples, not of the points alone.

    There may be far more lines than are shown: only of those it is worked out what stands in each bucket.
    """

    labels: Labels
    low: float = math.inf
    high: float = -math.inf
    last: float = math.nan
    _parts: list[tuple[Sequence[int], Sequence[float]]] = field(default_factory=list)

    def add(self, window: Window) -> None:
        """Take in samples, which are later than those before."""
        times, values = window.time_slice(), window.value_slice()
        if not math.isfinite(sum(values)):  # which is also so where the sum alone is beyond the largest float
            kept = [(at, value) for at, value in zip(times, values, strict=True) if math.isfinite(value)]
            times, values = [at for at, _ in kept], [value for _, value in kept]
        if values:
            low, high = min(values), max(values)
            self.low, self.high = min(self.low, low), max(self.high, high)
            self.last = values[-1]
            self._parts.append((times, values))

    @property
    def empty(self) -> bool:
        """Whether it has no value at all."""
        return not self._parts

    def values(self, grid: Grid) -> list[float | None]:
        """Two for each bucket. Where samples are rarer than buckets, the one before holds; a gap is None."""
        buckets = self._buckets(grid)
        found: list[float | None] = [None] * (2 * grid.count)
        for place, bucket in buckets.items():
            if 0 <= place < grid.count:
                first, second = (bucket.low, bucket.high) if bucket.low_first else (bucket.high, bucket.low)
                found[2 * place], found[2 * place + 1] = first, second
        longest = _GAP * max(self._apart(), grid.seconds / 2)
        for one, other in pairwise(sorted(buckets)):
            before, after = buckets[one], buckets[other]
            if other - one > 1 and after.first_at - before.last_at <= longest:
                for place in range(max(0, one + 1), min(other, grid.count)):
                    found[2 * place] = found[2 * place + 1] = before.last
        return found

    def _buckets(self, grid: Grid) -> dict[int, _Bucket]:
        start, seconds = grid.start, grid.seconds
        buckets: dict[int, _Bucket] = {}
        for times, values in self._parts:
            for time, value in zip(times, values, strict=True):
                at = time / 1000
                place = int((at - start) // seconds)
                bucket = buckets.get(place)
                if bucket is None:
                    buckets[place] = _Bucket(value, value, low_first=True, first_at=at, last_at=at, last=value)
                    continue
                if value < bucket.low:
                    bucket.low, bucket.low_first = value, False
                elif value > bucket.high:
                    bucket.high, bucket.low_first = value, True
                bucket.last_at, bucket.last = at, value
        return buckets

    def _apart(self) -> float:
        """How many seconds lie between two samples, mostly."""
        apart = [
            after - before for times, _ in self._parts for before, after in pairwise(times[: _TIMED + 1])
        ]  # fmt: skip
        return median(apart[:_TIMED]) / 1000 if apart else 0.0


class Chart(Struct, frozen=True):
    """The worst *lines* of an expression, worst first, of *total*."""

    lines: tuple[Line, ...]
    total: int
    warnings: tuple[str, ...] = ()


def worst(how: str) -> Callable[[Line], float]:
    """A sort key: *how* is `max`, `min` (the smallest is the worst) or `last`."""
    return {"max": lambda line: -line.high, "min": lambda line: line.low, "last": lambda line: -line.last}[how]


def read_chart(
    store: Queryable, expr: str, grid: Grid, *, key: Callable[[Line], float], most: int, left: Callable[[], float],
    finest_seconds: float,
) -> Chart:  # fmt: skip
    """The lines of *expr* over *grid*. *left* says how many seconds it may still take.

    A plain selector is read sample by sample, so that not the shortest peak is missed; anything else is evaluated at up to
    eight moments in each bucket.

    Raises:
        PromQLError: it cannot be evaluated, or gives no lines. QueryLimitError: it asks for too much.
    """
    query = compile_query(expr)
    if query.type is Kind.MATRIX or query.type is Kind.STRING:
        raise PromQLError(f"a chart needs a vector or a number, and this gives a {query.type.value}")
    lines: dict[Labels, Line] = {}
    warnings: tuple[str, ...] = ()
    try:
        for chunk in _samples(store, expr, grid, left):
            _take(chunk, lines)
    except _Unsuitable:
        lines.clear()
        matrix, warnings = _evaluated(store, query, grid, left, finest_seconds)
        _take(matrix, lines)
    known = sorted((line for line in lines.values() if not line.empty), key=lambda line: (key(line), line.labels))
    return Chart(tuple(known[:most]), len(known), warnings)


Matrix = Sequence[tuple[Labels, Window]]


class _Unsuitable(Exception):  # noqa: N818 - no error: another way is taken
    """It cannot be read sample by sample."""


def _take(matrix: Matrix, lines: dict[Labels, Line]) -> None:
    for labels, window in matrix:
        line = lines.get(labels)
        if line is None:
            lines[labels] = line = Line(labels)
        line.add(window)


def _samples(store: Queryable, expr: str, grid: Grid, left: Callable[[], float]) -> Iterator[Matrix]:
    """The samples themselves, chunk by chunk. Raises _Unsuitable where *expr* is no selector, or has too many."""
    length = _CHUNK_BUCKETS * grid.seconds
    try:
        ranged = compile_query(f"{expr.strip()}[{round(length * 1000)}ms]")
    except PromQLError:
        raise _Unsuitable from None
    if ranged.type is not Kind.MATRIX:
        raise _Unsuitable
    for number in range(math.ceil(grid.count / _CHUNK_BUCKETS)):
        # A range leaves out its beginning and holds its end; a bucket is the other way round.
        end = grid.start + (number + 1) * length - 0.001
        if left() <= 0:
            raise QueryTimeout("the lines took longer than they may; ask for less, or for a shorter time")
        limits = Limits(max_points=MOST_POINTS, timeout_seconds=left())
        try:
            yield ranged.evaluate(store, end, limits=limits).series
        except QueryTimeout:
            raise
        except QueryLimitError:
            raise _Unsuitable from None


def _evaluated(
    store: Queryable, query: Query, grid: Grid, left: Callable[[], float], finest_seconds: float
) -> tuple[Matrix, tuple[str, ...]]:
    width = max(1, len(query.instant(store, grid.until, limits=Limits(timeout_seconds=max(0.001, left())))))
    parts = next(
        (
            parts
            for parts in _OVERSAMPLED
            if grid.seconds / parts >= finest_seconds and parts * grid.count * width <= _OVERSAMPLED_POINTS
        ),
        _OVERSAMPLED[-1],
    )
    step = grid.seconds / parts
    found = query.evaluate_range(
        store, grid.start + step / 2, max(grid.start + step / 2, grid.until), step,
        limits=Limits(max_points=MOST_POINTS, timeout_seconds=max(0.001, left())),
    )  # fmt: skip
    return found.series, found.warnings
