"""Windows that move: what was worked out for the last one is mended by what came in and what fell out.

Only sums of whole numbers are kept, which lose nothing however often they are mended: a float is a whole number of some power of two.
"""

import operator
from collections.abc import Callable, Iterable, Sequence
from typing import ClassVar, Final, Generic, Protocol, Self, TypeVar

from typing_extensions import override

from dozor.promql.vector import Matrix
from dozor.store import Columns, Source

_WIDEST: Final = 2.0**256
"""Larger numbers, and smaller fractions, than this would make the whole numbers long and slow."""


class State(Protocol):
    """What is known of a window, for all columns of a block."""

    worthwhile: ClassVar[int]
    """Fewer samples than this are as quickly looked at as mended."""

    @classmethod
    def of(cls, columns: Columns) -> Self | None:
        """That of *columns*, which has sources; None where it cannot be kept."""

    def move(self, sources: Sequence[Source], gone: tuple[int, int], come: tuple[int, int]) -> bool:
        """Take away the samples of the numbers *gone* (half-open) and add those of *come*; false where that cannot be done."""


S = TypeVar("S", bound=State)
T = TypeVar("T")


class _Seen(Generic[S]):
    """The block that was looked at last, and its state once it was looked at twice."""

    __slots__ = ("high", "low", "sources", "state")

    def __init__(self, columns: Columns, sources: Sequence[Source]) -> None:
        self.sources = sources
        self.low, self.high = columns.number, columns.number + columns.size
        self.state: S | None = None


class Rolling(Generic[S]):
    """Made for one node. Safe in several threads: whoever comes second finds nothing and does without."""

    def __init__(self, kind: type[S]) -> None:
        self._kind = kind
        self._seen: dict[Source, _Seen[S]] = {}

    def __call__(self, columns: Columns, read: Callable[[S], T]) -> T | None:
        """What *read* makes of the state of *columns*; None where there is none, and it is better to look at all samples."""
        sources = columns.sources
        if sources is None or columns.size < self._kind.worthwhile or not columns.clean:
            return None
        seen = self._seen.pop(sources[0], None)
        if seen is None or not self._follow(seen, columns, sources):
            seen = _Seen(columns, sources)
        found = None if seen.state is None else read(seen.state)
        self._seen[sources[0]] = seen
        return found

    @property
    def known(self) -> int:
        """Of how many blocks something is known."""
        return len(self._seen)

    def forget(self, matrix: Matrix) -> None:
        """Of what is not in *matrix*, nothing need be known any more."""
        if len(self._seen) > len(matrix.blocks):
            self._seen = {
                block.sources[0]: seen
                for block in matrix.blocks
                if block.sources is not None and (seen := self._seen.get(block.sources[0])) is not None
            }

    def _follow(self, seen: _Seen[S], columns: Columns, sources: Sequence[Source]) -> bool:
        """Bring *seen* to *columns*; false where that is too far away, or something else."""
        low, high = columns.number, columns.number + columns.size
        moved = low - seen.low + high - seen.high
        if not seen.low <= low <= seen.high <= high or 4 * moved > columns.size or seen.sources != sources:
            return False
        if seen.state is None:
            seen.state = self._kind.of(columns)
            if seen.state is None:
                return False
        elif moved and not seen.state.move(sources, (seen.low, low), (seen.high, high)):
            return False
        seen.low, seen.high = low, high
        return True


class Pairs:
    """How many times something holds between a sample and the next."""

    worthwhile: ClassVar[int] = 512

    def __init__(self, counts: list[int]) -> None:
        self.counts = counts

    @staticmethod
    def count(values: Sequence[float]) -> int:
        """How many times it does among *values*."""
        raise NotImplementedError

    @classmethod
    def of(cls, columns: Columns) -> Self | None:
        """See `State`."""
        return cls(list(map(cls.count, columns.slices())))

    def move(self, sources: Sequence[Source], gone: tuple[int, int], come: tuple[int, int]) -> bool:
        """See `State`."""
        for place, source in enumerate(sources):
            old, new = source.numbered(gone[0], gone[1] + 1), source.numbered(come[0] - 1, come[1])
            if old is None or new is None:
                return False
            self.counts[place] += self.count(new) - self.count(old)
        return True


class Totals:
    """The sums of the values."""

    worthwhile: ClassVar[int] = 2048

    def __init__(self, origin: int, width: int) -> None:
        self._origin = origin
        self._columns = [_Column() for _ in range(width)]
        self.count = 0

    @classmethod
    def of(cls, columns: Columns) -> Self | None:
        """See `State`."""
        state = cls(columns.first_moment, len(columns.rows))
        return state if state._mend(columns.time_slice(), columns.slices(), 1) else None

    def move(self, sources: Sequence[Source], gone: tuple[int, int], come: tuple[int, int]) -> bool:
        """See `State`."""
        for numbers, sign in ((gone, -1), (come, 1)):
            times = sources[0].timed(*numbers)
            if times is None or not self._mend(times, [source.numbered(*numbers) for source in sources], sign):
                return False
        return True

    def totals(self) -> list[float]:
        """The sums, rounded once, as `total` has them. Raises OverflowError where one is beyond the largest float."""
        return [column.sum / column.scale for column in self._columns]

    def means(self) -> list[float]:
        """The means, as `mean` has them. Raises OverflowError as `totals` does."""
        return [total / self.count for total in self.totals()]

    def _mend(self, times: Sequence[int], values: Iterable[Sequence[float] | None], sign: int) -> bool:
        """Add *values* at *times*, or take them away; false where that is not possible."""
        self.count += sign * len(times)
        return all(column.mend(one, (), sign) for column, one in zip(self._columns, values, strict=True))


class Lines(Totals):
    """The sums of the values, of the times, and of their products, from which the straight line follows that fits best."""

    worthwhile: ClassVar[int] = 256

    def __init__(self, origin: int, width: int) -> None:
        super().__init__(origin, width)
        self._sum_x = self._sum_xx = 0

    def lines(self, at: int) -> list[tuple[float, float]]:
        """For each column slope per second, and value at *at*. Raises OverflowError as `totals` does."""
        count, sum_x = self.count, self._sum_x
        spread = count * self._sum_xx - sum_x * sum_x
        middle = (count * (at - self._origin) - sum_x) / count
        found = []
        for column in self._columns:
            slope = (count * column.products - sum_x * column.sum) / (spread * column.scale)
            found.append((slope * 1000, column.sum / (count * column.scale) + slope * middle))
        return found

    @override
    def _mend(self, times: Sequence[int], values: Iterable[Sequence[float] | None], sign: int) -> bool:
        after = [time - self._origin for time in times]
        self.count += sign * len(after)
        self._sum_x += sign * sum(after)
        self._sum_xx += sign * sum(map(operator.mul, after, after))
        return all(column.mend(one, after, sign) for column, one in zip(self._columns, values, strict=True))


class _Column:
    """Whole numbers, of which `scale` make one."""

    __slots__ = ("products", "scale", "sum")

    def __init__(self) -> None:
        self.scale, self.sum, self.products = 1, 0, 0

    def mend(self, values: Sequence[float] | None, after: Sequence[int], sign: int) -> bool:
        """Add *values* at the times *after*, or take them away; false where that is not possible."""
        found = None if values is None else _whole(values)
        if found is None:
            return False
        numbers, scale = found
        if scale > self.scale:
            self.sum *= scale // self.scale
            self.products *= scale // self.scale
            self.scale = scale
        factor = self.scale // scale * sign
        self.sum += factor * sum(numbers)
        if after:
            self.products += factor * sum(map(operator.mul, numbers, after))
        return True


def _whole(values: Sequence[float]) -> tuple[list[int], int] | None:
    """*values* as whole numbers, and how many of those make one; None where they are not finite, or too far apart."""
    if all(map(float.is_integer, values)):
        return (list(map(int, values)), 1) if max(map(abs, values), default=0.0) <= _WIDEST else None
    try:
        ratios = list(map(float.as_integer_ratio, values))
    except (ValueError, OverflowError):
        return None
    scale = max(denominator for _, denominator in ratios)
    if scale > _WIDEST or max(map(abs, values)) > _WIDEST:
        return None
    return [numerator * (scale // denominator) for numerator, denominator in ratios], scale
