"""A summary of many durations from which any quantile can be read, and which can be added to others of its kind.

The buckets grow by a fixed ratio, as in DDSketch (Masson, Rim, Lee: PVLDB 12, 2019), so that the error is relative: a quantile
is within 2 % of the value that a sorted list of all values would give, for whatever lies between 1 µs and an hour.
"""

import math
from array import array
from bisect import bisect_right
from collections.abc import Iterable
from typing import Final

RELATIVE_ERROR: Final = 0.02

_GAMMA: Final = (1 + RELATIVE_ERROR) / (1 - RELATIVE_ERROR)
_SCALE: Final = 1 / math.log(_GAMMA)
# What stands for a bucket: the value that is equally far, by ratio, from both of its ends.
_MIDDLE: Final = 2 / (_GAMMA + 1)
_LEAST, _MOST = 1e-6, 3600.0
_LOWEST: Final = math.ceil(math.log(_LEAST) * _SCALE)
_HIGHEST: Final = math.ceil(math.log(_MOST) * _SCALE)


def _index(value: float) -> int:
    return min(math.ceil(math.log(value) * _SCALE), _HIGHEST) if value > _LEAST else _LOWEST


def _end(index: int) -> float:
    """The largest value of a bucket."""
    return math.exp(index / _SCALE)


class Sketch:
    """Counts by bucket, of which at most some 550 exist. Not thread-safe."""

    __slots__ = ("_counts",)

    def __init__(self, packed: bytes = b"") -> None:
        """Empty, or what `pack` made *packed* from."""
        self._counts: dict[int, int] = {}
        if packed:
            self.add_packed(packed)

    @property
    def count(self) -> int:
        """How many values it stands for."""
        return sum(self._counts.values())

    def add(self, values: Iterable[float]) -> None:
        """Take *values* in, in seconds. Below a microsecond and above an hour they count as these."""
        # Buckets are few and values many: finding where each bucket ends spares a logarithm for each value.
        ascending, counts, start = sorted(values), self._counts, 0
        while start < len(ascending):
            index = _index(ascending[start])
            end = len(ascending) if index == _HIGHEST else bisect_right(ascending, _end(index), start)
            end = max(end, start + 1)  # a bound that is rounded down must not keep the value at it out
            counts[index] = counts.get(index, 0) + end - start
            start = end

    def merge(self, other: "Sketch") -> None:
        """Take in what *other* stands for."""
        for index, count in other._counts.items():
            self._counts[index] = self._counts.get(index, 0) + count

    def pack(self) -> bytes:
        """The same in few bytes, six a bucket."""
        return array("h", self._counts.keys()).tobytes() + array("I", self._counts.values()).tobytes()

    def add_packed(self, packed: bytes) -> None:
        """Take in what `pack` made *packed* from."""
        buckets = len(packed) // 6
        indexes, counts = array("h"), array("I")
        indexes.frombytes(packed[: 2 * buckets])
        counts.frombytes(packed[2 * buckets :])
        for index, count in zip(indexes, counts, strict=True):
            self._counts[index] = self._counts.get(index, 0) + count

    def quantile(self, share: float) -> float | None:
        """The least value that *share* (0 to 1) of all do not exceed, within `RELATIVE_ERROR`; None where there is none."""
        total = self.count
        if total == 0:
            return None
        rank, below = max(1, math.ceil(share * total)), 0
        for index in sorted(self._counts):
            below += self._counts[index]
            if below >= rank:
                break
        return _MIDDLE * _end(index)
