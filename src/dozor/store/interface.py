"""What the rest of Dozor knows of a store: somewhere to append samples, somewhere to select them.

Times at this border are integers, Unix milliseconds: Prometheus' resolution, so that the edges of a range fall where they
fall there. `milliseconds` makes them. Only `Appendable` takes the float seconds that the rest of Dozor counts in.
"""

from collections.abc import Iterable
from typing import Protocol

from dozor.model.labels import Labels
from dozor.model.sample import Sample
from dozor.store.columns import Columns, windows_of
from dozor.store.matchers import Matcher
from dozor.store.window import Window

Matchers = tuple[Matcher, ...]


def milliseconds(seconds: float) -> int:
    """Unix *seconds* as the store counts them, rounded to the nearest millisecond."""
    return round(seconds * 1000)


class Selection:
    """The series that matched, in the order of their labels.

    `labels` and `bare` (without `__name__` and the like) run in parallel; each column of `blocks` says to which of them it belongs.
    The same list object is handed out for `labels` and for `bare` as long as the same series match, so a reader may keep what it
    derived from one, by identity. Nobody changes them.
    """

    __slots__ = ("bare", "blocks", "labels")

    def __init__(self, labels: list[Labels], bare: list[Labels], blocks: list[Columns]) -> None:
        self.labels, self.bare, self.blocks = labels, bare, blocks

    @property
    def windows(self) -> list[Window]:
        """The samples of each series, in parallel to `labels`."""
        return windows_of(self.blocks)

    @property
    def size(self) -> int:
        """How many samples there are."""
        return sum([block.size * len(block.rows) for block in self.blocks])


class Appendable(Protocol):
    """Takes samples."""

    def append(self, at: float, samples: Iterable[Sample]) -> None:
        """Keep *samples* as of *at*, in Unix seconds. A series' samples that are not newer than its last are dropped."""

    def mark_stale(self, at: float, keys: Iterable[tuple[str, Labels]]) -> None:
        """Say that the series of these (sample name, labels) ended at *at*: the next query no longer sees them."""


class Queryable(Protocol):
    """Answers selectors. Safe in any thread. Times are Unix milliseconds, ranges are left-open: (start, end]."""

    def select(self, matchers: Matchers, start: int, end: int, *, markers: bool = False) -> Selection:
        """The series that match all *matchers* and have samples in (*start*, *end*].

        Staleness markers are left out, or kept in where *markers* is true.
        """

    def latest(self, matchers: Matchers, at: int, lookback: int) -> tuple[list[Labels], list[float]]:
        """The labels and last value of each matching series that has one in (*at* - *lookback*, *at*] and is not stale.

        The list of labels keeps its identity as in `Selection`.
        """

    def lacks(self, metrics: frozenset[str]) -> bool:
        """Whether there surely is no series of any of *metrics*; false where that is not known."""
