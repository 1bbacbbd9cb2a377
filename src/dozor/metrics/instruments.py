"""Counter and histogram, made for being written a million times between two readings.

A histogram's hot path is one `list.append`, which is atomic with the GIL and without it; sorting into buckets happens
when somebody reads. Gauges have no class: they are read from the watched thing at the moment of collection.
"""

import math
import threading
from bisect import bisect_right
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Final, Generic, TypeVar

from msgspec import Struct

from dozor.locks import open_in_child
from dozor.model.labels import Labels
from dozor.model.sample import Sample, samples_of

# What is not yet sorted into buckets; beyond this many the writer sorts, so that a stalled reader costs no memory.
FOLD_AT: Final = 8192
# A writer that has the time at hand asks no more often than this how much that is: that costs less than to ask at each value.
LOOK_SECONDS: Final = 0.1

OTHER: Final = "other"

T = TypeVar("T")


class Counter:
    """A number that only rises. Exact under threads, with and without the GIL."""

    __slots__ = ("__weakref__", "_lock", "_value")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._value = 0.0
        open_in_child(self)

    def inc(self, amount: float = 1.0) -> None:
        """Add *amount*, which must not be negative."""
        with self._lock:
            self._value += amount

    @property
    def value(self) -> float:
        """What has been counted so far."""
        return self._value


class HistogramSnapshot(Struct, frozen=True):
    """A histogram at one moment.

    *cumulative* are the counts up to each bound and to +Inf; *max_since_last* is the largest value since the snapshot
    before, None where there was none.
    """

    cumulative: tuple[int, ...]
    sum: float
    max_since_last: float | None

    @property
    def count(self) -> int:
        """How many values were observed."""
        return self.cumulative[-1]


class Histogram:
    """Durations (or sizes) sorted into buckets. *bounds* rise and are inclusive upper bounds, without +Inf."""

    __slots__ = ("__weakref__", "_bounds", "_counts", "_lock", "_max", "_sum", "append", "bucket_labels", "pending")

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = tuple(bounds)
        self._counts = [0] * (len(self._bounds) + 1)
        self._sum = 0.0
        self._max: float | None = None
        self._lock = threading.Lock()
        self.pending: list[float] = []
        """What is observed and not yet sorted into buckets."""
        self.append = self.pending.append
        """The cheapest way to observe, for a caller that looks at the length of `pending` itself."""
        open_in_child(self)
        self.bucket_labels = (*(format_bound(bound) for bound in self._bounds), "+Inf")

    def observe(self, value: float) -> None:
        """Take *value* in."""
        self.append(value)
        if len(self.pending) > FOLD_AT:
            self.fold()

    def snapshot(self) -> HistogramSnapshot:
        """What has been observed up to now."""
        with self._lock:
            self._fold_locked()
            cumulative, total = [], 0
            for count in self._counts:
                total += count
                cumulative.append(total)
            largest, self._max = self._max, None
            return HistogramSnapshot(tuple(cumulative), self._sum, largest)

    def samples(self, name: str, labels: Labels) -> list[Sample]:
        """The samples of this histogram under the metric *name*, as Prometheus lays them out."""
        return histogram_samples(name, labels, self.bucket_labels, self.snapshot())

    def fold(self) -> None:
        """Sort what is pending into buckets, unless somebody is at it already.

        It never waits: a writer may be a finalizer that the garbage collector runs in the midst of a reader's fold.
        """
        if self._lock.acquire(blocking=False):
            try:
                self._fold_locked()
            finally:
                self._lock.release()

    def take_in(self, ascending: Sequence[float]) -> None:
        """Observe values that are sorted already. It never waits, as `fold`."""
        if not ascending:
            return
        if self._lock.acquire(blocking=False):
            try:
                self._count(ascending, 0)
                self._note(sum(ascending), ascending[-1])
            finally:
                self._lock.release()
        else:
            self.pending.extend(ascending)

    def _fold_locked(self) -> None:
        values = take_all(self.pending)
        if not values:
            return
        # Most values of most histograms lie in the first bucket, and need not be sorted.
        first = self._bounds[0]
        beyond = [value for value in values if value > first]
        self._counts[0] += len(values) - len(beyond)
        if beyond:
            beyond.sort()
            self._count(beyond, 1)
        self._note(sum(values), beyond[-1] if beyond else max(values))

    def _count(self, ascending: Sequence[float], first: int) -> None:
        """Sort *ascending* into the buckets from number *first* on."""
        # Bounds are few and values many: looking up each bound among the sorted values spares a step for each value.
        counts, below, most = self._counts, 0, len(ascending)
        for index in range(first, len(self._bounds)):
            up_to = bisect_right(ascending, self._bounds[index], below)
            counts[index] += up_to - below
            below = up_to
            if below == most:
                return
        counts[-1] += most - below

    def _note(self, total: float, largest: float) -> None:
        self._sum += total
        self._max = largest if self._max is None else max(self._max, largest)


def take_all(entries: list[T]) -> list[T]:
    """What is in *entries*, which then is no longer there. For one thread at a time; others may append meanwhile.

    Two operations, however many there are, each of them atomic; of a deque every entry would have to be taken singly.
    """
    taken = entries[:]
    del entries[: len(taken)]
    return taken


def histogram_samples(
    name: str, labels: Labels, bucket_labels: Sequence[str], snapshot: HistogramSnapshot
) -> list[Sample]:
    """*snapshot* as `name_bucket{le=…}`, `name_sum` and `name_count`."""
    values = map(float, (*snapshot.cumulative, snapshot.sum, snapshot.count))
    return samples_of(_names(name, len(bucket_labels)), _labelled(labels, tuple(bucket_labels)), values)


# The same few series are asked for at every scrape; making and hashing them anew would be most of its cost.


@lru_cache(maxsize=1024)
def _names(name: str, buckets: int) -> list[str]:
    return [f"{name}_bucket"] * buckets + [f"{name}_sum", f"{name}_count"]


@lru_cache(maxsize=4096)
def _labelled(labels: Labels, bucket_labels: tuple[str, ...]) -> list[Labels]:
    return [*(labels.with_({"le": bound}) for bound in bucket_labels), labels, labels]


def format_bound(bound: float) -> str:
    """A bucket bound as prometheus-client and Prometheus 3 write it: `0.005`, `1.0`, `+Inf`."""
    return "+Inf" if math.isinf(bound) else repr(float(bound))


M = TypeVar("M")


class Children(Generic[M]):
    """One instrument for each combination of label values, up to a limit; what comes after shares the child `other`.

    A metric whose label a stranger chooses (a path, an SQL text) would otherwise grow without end. `folded` counts the
    look-ups that went to the shared child.
    """

    __slots__ = ("__weakref__", "_base", "_children", "_limit", "_lock", "_make", "_names", "_overflow", "folded")

    def __init__(
        self, names: Sequence[str], make: Callable[[], M], *, base: Labels | None = None, limit: int = 1000
    ) -> None:
        self._names, self._make, self._limit = tuple(names), make, limit
        self._children: dict[tuple[str, ...], tuple[Labels, M]] = {}
        self._overflow: tuple[Labels, M] | None = None
        self._lock = threading.Lock()
        self.folded = Counter()
        open_in_child(self)
        self._base = base or Labels()

    def get(self, *values: str) -> M:
        """The child for these label *values*, made at first use."""
        found = self._children.get(values)
        return found[1] if found is not None else self._add(values)

    def items(self) -> list[tuple[Labels, M]]:
        """All children with their labels."""
        with self._lock:
            children = list(self._children.values())
            return [*children, self._overflow] if self._overflow else children

    def _add(self, values: tuple[str, ...]) -> M:
        with self._lock:
            found = self._children.get(values)
            if found is not None:
                return found[1]
            if len(self._children) >= self._limit:
                self.folded.inc()
                if self._overflow is None:
                    self._overflow = (self._labels((OTHER,) * len(self._names)), self._make())
                return self._overflow[1]
            child = self._make()
            self._children[values] = (self._labels(values), child)
            return child

    def _labels(self, values: tuple[str, ...]) -> Labels:
        return self._base.with_(dict(zip(self._names, values, strict=True)))
