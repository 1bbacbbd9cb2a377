"""The way of other programs' series into the store: bounded, so that they never take the room of Dozor's own."""

import threading
from collections import Counter
from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Final

from dozor.clock import Clock
from dozor.model.labels import Labels
from dozor.model.sample import Family, MetricType, Sample
from dozor.store.interface import Appendable, milliseconds
from dozor.store.staleness import is_stale

AHEAD_SECONDS: Final = 60.0
"""How far another machine's clock may be ahead. The store keeps what is newest: a sample of next year would empty it."""

_SWEEP_SECONDS: Final = 60.0


class Outcome(StrEnum):
    """What became of a sample."""

    STORED = "stored"
    LATE = "late"  # not newer than the last of its series
    OLD = "old"  # older than what the store keeps
    AHEAD = "ahead"  # of the future
    CROWDED = "crowded"  # of a new series, and there is no room for more
    UNSUPPORTED = "unsupported"  # a native histogram


class Intake:
    """Appends to *store* what came from outside. Safe in any thread.

    Args:
        clock: says what is old, and what cannot be yet.
        max_series: series beyond this many are refused and counted.
        retention_seconds: how long the store keeps samples.
    """

    def __init__(self, store: Appendable, clock: Clock, *, max_series: int, retention_seconds: float = 3600.0) -> None:
        self._store, self._clock = store, clock
        self._max_series, self._retention = max_series, milliseconds(retention_seconds)
        self._lock = threading.Lock()
        self._newest: dict[tuple[str, Labels], int] = {}
        self._swept = clock.monotonic()
        self._outcomes: Counter[tuple[str, Outcome]] = Counter()
        self._crowded_at: float | None = None

    @property
    def series(self) -> int:
        """How many series of others the store holds."""
        return len(self._newest)

    @property
    def crowded(self) -> bool:
        """Whether series were refused in the last minutes, because there were too many."""
        return self._crowded_at is not None and self._clock.monotonic() - self._crowded_at < 5 * _SWEEP_SECONDS

    @property
    def max_series(self) -> int:
        """How many it may hold."""
        return self._max_series

    def take(self, source: str, at: float, samples: Sequence[Sample]) -> None:
        """Append *samples* as of *at*, in Unix seconds; what cannot be taken is counted, by its *source*.

        A staleness marker ends its series; one of an unknown series is passed over.
        """
        time, now = milliseconds(at), milliseconds(self._clock.timestamp())
        if not now - self._retention < time <= now + milliseconds(AHEAD_SECONDS):
            self._count(source, Outcome.AHEAD if time > now else Outcome.OLD, len(samples))
            return
        with self._lock:
            self._sweep(now)
            kept = self._sift(source, time, samples)
            self._store.append(at, kept)
        self._count(source, Outcome.STORED, len(kept))

    def pass_over(self, source: str, histograms: int) -> None:
        """Count native histograms, which are not kept."""
        self._count(source, Outcome.UNSUPPORTED, histograms)

    def end(self, at: float, keys: Iterable[tuple[str, Labels]]) -> None:
        """The series of these keys ended at *at*."""
        self._store.mark_stale(at, keys)

    def families(self) -> list[Family]:
        """What became of the samples. Nothing until there were any."""
        if not self._outcomes:
            return []
        counted = [
            Sample("dozor_intake_samples_total", Labels(source=source, outcome=outcome), float(count))
            for (source, outcome), count in list(self._outcomes.items())
        ]
        return [
            Family("dozor_intake_samples_total", MetricType.COUNTER, "Samples from outside, by what became of them.",
                   "samples", tuple(counted)),
            Family.gauge("dozor_intake_series", "Series from outside in the store.", "series", self.series),
        ]  # fmt: skip

    def _sift(self, source: str, time: int, samples: Sequence[Sample]) -> list[Sample]:
        newest, kept = self._newest, list[Sample]()
        late = crowded = 0
        for sample in samples:
            key = sample[:2]
            last = newest.get(key)
            if last is None:
                if is_stale(sample.value):
                    continue
                if len(newest) >= self._max_series:
                    crowded += 1
                    continue
            elif last >= time:
                late += 1
                continue
            newest[key] = time
            kept.append(sample)
        if crowded:
            self._crowded_at = self._clock.monotonic()
        self._count(source, Outcome.LATE, late)
        self._count(source, Outcome.CROWDED, crowded)
        return kept

    def _count(self, source: str, outcome: Outcome, samples: int) -> None:
        if samples:
            self._outcomes[source, outcome] += samples

    def _sweep(self, now: int) -> None:
        """Forget the series of which the store holds nothing any more."""
        if self._clock.monotonic() - self._swept >= _SWEEP_SECONDS:
            self._swept = self._clock.monotonic()
            oldest = now - self._retention
            self._newest = {key: last for key, last in self._newest.items() if last > oldest}
