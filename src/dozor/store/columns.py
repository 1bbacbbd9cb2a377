"""Samples of several series that were taken at the same times: what follows from the times is worked out once for all of them."""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Sequence
from itertools import chain, compress
from operator import itemgetter, lt
from typing import Final, Protocol, TypeVar

from dozor.store.window import Window

T = TypeVar("T")
Choice = Callable[[Iterable[float]], float]
TOGETHER: Final = 32
"""So many samples are chosen from once for all ranges that hold them."""


class Source(Protocol):
    """Where a column comes from: its samples are numbered, and what a number stands for never changes."""

    def numbered(self, low: int, high: int) -> Sequence[float] | None:
        """The values from number *low* to *high* - 1; None where some of them are no longer there."""

    def timed(self, low: int, high: int) -> Sequence[int] | None:
        """When they were taken, in milliseconds."""


class Columns:
    """A view, not a copy, as `Window` is, of at least one series.

    `times[first_time + i]` (milliseconds, rising) belongs to `values[k][starts[k] + shift + i]` of the series whose labels are in
    place `rows[k]` of its selection, for `i` below `size`. Never empty.

    Attributes:
        clean: there is surely no NaN, and so no staleness marker, among the values.
        sources: for each column where its values come from, None where that is not known.
        number: the first sample's in its source.
        even: all of `starts` are 0.
    """

    __slots__ = (
        "_extremes", "_falls", "_whole", "clean", "even", "first_time", "number", "rows", "shift", "size", "sources", "starts",
        "times", "values",
    )  # fmt: skip

    def __init__(
        self,
        rows: Sequence[int],
        times: Sequence[int],
        values: Sequence[Sequence[float]],
        starts: Sequence[int],
        *,
        first_time: int,
        size: int,
        clean: bool = False,
    ) -> None:
        self.rows, self.size, self.clean = rows, size, clean
        self.times, self.first_time = times, first_time
        self.values, self.starts, self.shift = values, starts, 0
        self.even = False
        self.sources: Sequence[Source] | None = None
        self.number = 0
        self._whole: Columns | None = None
        self._falls: list[list[int]] | None = None
        self._extremes: dict[Choice, list[list[float]]] | None = None

    @property
    def first_moment(self) -> int:
        """When the first samples were taken."""
        return self.times[self.first_time]

    @property
    def last_moment(self) -> int:
        """When the last samples were taken."""
        return self.times[self.first_time + self.size - 1]

    def at(self, place: int) -> list[float]:
        """The samples at *place*, counted from 0; from the end where it is negative."""
        place += self.shift if place >= 0 else self.shift + self.size
        if self.even:
            return list(map(itemgetter(place), self.values))
        return [values[start + place] for values, start in zip(self.values, self.starts, strict=True)]

    def slices(self) -> list[Sequence[float]]:
        """The values of each; copies."""
        low = self.shift
        high = low + self.size
        return [values[start + low : start + high] for values, start in zip(self.values, self.starts, strict=True)]

    def time_slice(self) -> Sequence[int]:
        """The times alone; a copy."""
        return self.times[self.first_time : self.first_time + self.size]

    def lost_to_resets(self) -> list[float] | None:
        """For each the sum of what a counter stood at just before each time that it fell; None where none ever fell."""
        falls = (self._whole or self)._known_falls()
        if not any(falls):
            return None
        low, size = self.shift, self.size
        return [
            sum([values[place - 1] for place in fallen[_between(fallen, start + low, size)]], 0.0) if fallen else 0.0
            for values, start, fallen in zip(self.values, self.starts, falls, strict=True)
        ]

    def extremes(self, choose: Choice) -> list[float]:
        """*choose* (max or min) of the values of each, which are `clean`. What is cut out of long columns shares their work."""
        whole = self._whole
        if whole is None or self.size < 4 * TOGETHER:
            return list(map(choose, self.slices()))
        low = self.shift - whole.shift
        high = low + self.size
        begin, stop = -(-low // TOGETHER), high // TOGETHER
        first, last = low + whole.shift, high + whole.shift
        inner_first, inner_last = begin * TOGETHER + whole.shift, stop * TOGETHER + whole.shift
        found = []
        for values, start, known in zip(self.values, self.starts, whole._known_extremes(choose), strict=True):
            chosen = known[begin:stop]
            chosen += values[start + first : start + inner_first]
            chosen += values[start + inner_last : start + last]
            found.append(choose(chosen))
        return found

    def windows(self) -> list[Window]:
        """One by one."""
        times, first, shift, size = self.times, self.first_time, self.shift, self.size
        return [
            Window(times, values, first, start + shift, size)
            for values, start in zip(self.values, self.starts, strict=True)
        ]

    def between(self, start: int, end: int) -> "Columns | None":
        """The part in (*start*, *end*], None where that is empty."""
        begin, stop = self.first_time, self.first_time + self.size
        low = bisect_right(self.times, start, begin, stop)
        high = bisect_right(self.times, end, low, stop)
        if low == high:
            return None
        part = Columns(
            self.rows, self.times, self.values, self.starts, first_time=low, size=high - low, clean=self.clean
        )
        part.shift, part.even = self.shift + low - begin, self.even
        part.sources, part.number = self.sources, self.number + low - begin
        part._whole = self._whole or self
        return part

    def _known_extremes(self, choose: Choice) -> list[list[float]]:
        """For each column *choose* of as many values as are looked at together, and of the next ones."""
        if self._extremes is None:
            self._extremes = {}
        known = self._extremes.get(choose)
        if known is None:
            places = range(0, self.size, TOGETHER)
            known = self._extremes[choose] = [
                [choose(values[place : place + TOGETHER]) for place in places] for values in self.slices()
            ]
        return known

    def _known_falls(self) -> list[list[int]]:
        """Where in each of `values` there is less than just before; what is cut out of these columns does not look for it again."""
        if self._falls is None:
            self._falls = [
                list(compress(range(start + 1, start + len(values)), map(lt, values[1:], values)))
                for values, start in zip(self.slices(), (start + self.shift for start in self.starts), strict=True)
            ]
        return self._falls


def _between(fallen: Sequence[int], start: int, size: int) -> slice:
    """Which of *fallen* compare two samples of the *size* ones from *start* on."""
    return slice(bisect_right(fallen, start), bisect_left(fallen, start + size))


def in_columns(windows: Iterable[Window]) -> list[Columns]:
    """*windows*, those together that share their times; the rows are their places."""
    groups: dict[tuple[int, int, int], tuple[list[int], list[Window]]] = {}
    for row, window in enumerate(windows):
        rows, members = groups.setdefault((id(window.times), window.first_time, window.size), ([], []))
        rows.append(row)
        members.append(window)
    return [
        Columns(
            rows,
            members[0].times,
            [window.values for window in members],
            [window.first_value for window in members],
            first_time=members[0].first_time,
            size=members[0].size,
        )
        for rows, members in groups.values()
    ]


def in_rows(blocks: Sequence[Columns], found: Sequence[Sequence[T]]) -> list[T]:
    """What was *found* for the columns of each block, in the order of rows."""
    if len(blocks) == 1:
        return list(found[0])
    row = 0
    for block in blocks:
        rows = block.rows
        if rows[0] != row or rows[-1] != row + len(rows) - 1:
            break
        row += len(rows)
    else:
        return list(chain.from_iterable(found))
    placed = [
        (row, one) for block, ones in zip(blocks, found, strict=True) for row, one in zip(block.rows, ones, strict=True)
    ]
    placed.sort(key=itemgetter(0))
    return [one for _, one in placed]


def windows_of(blocks: Sequence[Columns]) -> list[Window]:
    """*blocks* one by one, in the order of rows."""
    return in_rows(blocks, [block.windows() for block in blocks]) if blocks else []
