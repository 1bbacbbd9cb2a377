"""What evaluation passes from node to node.

Lists of labels are shared, never changed, and keep their identity from one evaluation to the next while the same series
are there. A node may therefore keep what it worked out from such a list (groups, matches, names dropped) and look only at
whether it was handed the same list again.
"""

from typing import Final

from dozor.model.labels import Labels
from dozor.store import Columns, Window, windows_of


class Vector:
    """One value for each of a number of series; `labels` and `values` run in parallel."""

    __slots__ = ("labels", "values")

    def __init__(self, labels: list[Labels], values: list[float]) -> None:
        self.labels, self.values = labels, values


class Matrix:
    """A stretch of samples, (`start`, `end`] in milliseconds, for each of a number of series."""

    __slots__ = ("blocks", "end", "labels", "start")

    def __init__(self, labels: list[Labels], blocks: list[Columns], start: int, end: int) -> None:
        self.labels, self.blocks, self.start, self.end = labels, blocks, start, end

    @property
    def windows(self) -> list[Window]:
        """The samples of each series."""
        return windows_of(self.blocks)

    @property
    def size(self) -> int:
        """How many samples there are."""
        size = 0
        for block in self.blocks:
            size += block.size * len(block.rows)
        return size


NO_LABELS: Final[list[Labels]] = []
EMPTY: Final = Vector(NO_LABELS, [])
UNLABELLED: Final = [Labels()]
"""The labels of a vector of one element without any."""
