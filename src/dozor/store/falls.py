"""Where a counter fell: found once, then remembered, however many rules look at it."""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import compress
from operator import lt
from typing import Final

MOST: Final = 256
"""So many falls of a series are remembered; whoever takes the rate of something that is no counter has far more."""


class Falls:
    """The places of a series at which its value is below the one before it, and what that was.

    Complete for the places after `since` and before `until`. Changed under the store's lock only. Reading `until`,
    `places` and `since`, in this order, needs none: `since` is raised before places are forgotten, `until` after places are added.
    """

    __slots__ = ("before", "places", "since", "until")

    def __init__(self, since: int) -> None:
        self.since = since
        self.until = since + 1
        self.places: array[int] = array("q")
        self.before: array[float] = array("d")

    def extend(self, values: Sequence[float]) -> None:
        """Go on with the values from the place `until` - 1 on."""
        places, before = _found(values, self.until - 1)
        if places:
            self.places, self.before = self.places + places, self.before + before
            self._forget()
        self.until += max(len(values) - 1, 0)

    def precede(self, since: int, values: Sequence[float]) -> None:
        """Know of the places after *since* too, given the values from there up to that at the present `since`."""
        places, before = _found(values, since)
        if places:
            self.places, self.before = places + self.places, before + self.before
        self.since = since
        self._forget()

    @property
    def full(self) -> bool:
        """Whether no more are remembered of what was before."""
        return len(self.places) >= MOST

    def lost(self, low: int, high: int) -> float:
        """The sum of what the series stood at just before each time that it fell, of the samples from *low* to *high* - 1."""
        begin, stop = bisect_right(self.places, low), bisect_left(self.places, high)
        return sum(self.before[begin:stop], 0.0)

    def _forget(self) -> None:
        if len(self.places) > MOST:
            self.since = self.places[-MOST - 1]
            self.places, self.before = self.places[-MOST:], self.before[-MOST:]


def _found(values: Sequence[float], place: int) -> "tuple[array[int], array[float]]":
    """Falls among *values*, of which the first is that at *place*."""
    fallen = list(compress(range(1, len(values)), map(lt, values[1:], values)))
    return array("q", [place + at for at in fallen]), array("d", [values[at - 1] for at in fallen])
