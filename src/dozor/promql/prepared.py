"""What a selector or a subquery fetched once for all steps of a query."""

from bisect import bisect_right
from collections.abc import Sequence

from dozor.model.labels import Labels
from dozor.promql.vector import NO_LABELS, Matrix
from dozor.store import Columns, Shortened, is_stale


class Prepared:
    """Series in the order of *labels*, and their samples in all of the time that is looked at."""

    def __init__(self, labels: list[Labels], blocks: list[Columns]) -> None:
        self._labels, self._blocks = labels, blocks
        self._shortened = Shortened(labels)
        self._shown: tuple[list[bool], list[Labels], list[Sequence[int]]] = ([], NO_LABELS, [])

    def between(self, start: int, end: int) -> Matrix:
        """The samples in (*start*, *end*]; series without any are left out."""
        found = [block.between(start, end) for block in self._blocks]
        parts = [part for part in found if part is not None]
        if len(parts) == len(found):
            return Matrix(self._labels, parts, start, end)
        labels, rows = self._some([part is not None for part in found])
        for part, places in zip(parts, rows, strict=True):
            part.rows = places
        return Matrix(labels, parts, start, end)

    def latest(self, at: int, lookback: int) -> tuple[list[Labels], list[float], list[int]]:
        """The last sample of each series in (*at* - *lookback*, *at*] that is no staleness marker: labels, values, times."""
        found = [_latest(block, at, lookback) for block in self._blocks]
        if len(found) == 1 and found[0] is not None and self._blocks[0].clean:
            moment, values = found[0]
            return self._labels, values, [moment] * len(values)
        rows: list[tuple[int, float, int]] = []
        for block, one in zip(self._blocks, found, strict=True):
            if one is not None:
                moment, values = one
                rows += [
                    (row, value, moment) for row, value in zip(block.rows, values, strict=True) if not is_stale(value)
                ]
        rows.sort()
        labels = self._shortened([row for row, _, _ in rows])
        return labels, [value for _, value, _ in rows], [moment for _, _, moment in rows]

    def _some(self, present: list[bool]) -> tuple[list[Labels], list[Sequence[int]]]:
        """The labels, and the rows of each block, where only the blocks that are *present* are there."""
        known, labels, rows = self._shown
        if known != present:
            blocks = [block for block, there in zip(self._blocks, present, strict=True) if there]
            places = sorted(row for block in blocks for row in block.rows)
            ranks = {row: rank for rank, row in enumerate(places)}
            labels, rows = self._shortened(places), [[ranks[row] for row in block.rows] for block in blocks]
            self._shown = (present, labels, rows)
        return labels, rows


def _latest(block: Columns, at: int, lookback: int) -> tuple[int, list[float]] | None:
    begin = block.first_time
    place = bisect_right(block.times, at, begin, begin + block.size) - 1
    if place < begin or block.times[place] <= at - lookback:
        return None
    return block.times[place], block.at(place - begin)
