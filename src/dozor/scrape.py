"""Each interval: read what is watched, put it into the store, and say that there is something to decide on.

All collectors are begun at once. Those that answer quickly, which in health is all of them, share one timestamp and one
evaluation; those that do not are stored when they have answered or their time is up, and evaluated then. So a server that
hangs delays nobody's samples but its own, and one that is dead is decided on within the cycle in which it died.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Final, Protocol

from dozor.clock import Clock
from dozor.containment import contained, report
from dozor.errors import DozorError
from dozor.model.labels import Labels
from dozor.model.sample import Family, MetricType, Sample
from dozor.store.interface import Appendable

logger = logging.getLogger("dozor")

LONGEST_COLLECTION_SECONDS: Final = 1.0
_SHARE_OF_INTERVAL: Final = 0.8
# How long the cycle waits for everybody before it stores and evaluates what it has.
_GRACE_SECONDS: Final = 0.2
# A collector that ignores its cancellation is left in flight, so that it does not hold up the cycle.
_STUCK_AFTER_SECONDS: Final = 0.1

SeriesKey = tuple[str, Labels]


class Collector(Protocol):
    """One watched thing."""

    @property
    def name(self) -> str:
        """The `collector` label: kind and name, such as `redis:cache`."""

    async def refresh(self) -> None:
        """Read the watched thing, on Dozor's loop. Cancelled at the deadline; raises where the reading failed."""

    def families(self) -> Iterable[Family]:
        """What is known now, from memory; what is unknown is left out.

        Where an attribute `counts_from_zero` is true, a counter that appears was 0 until then.
        """


@dataclass(slots=True, eq=False)
class _Watch:
    """A collector and how its collections went."""

    collector: Collector
    labels: Labels
    succeeded_at: float  # monotonic; the moment of adding stands for a success, so that age starts at 0
    errors: int = 0
    failing: str | None = None
    duration_seconds: float | None = None
    in_flight: "asyncio.Task[None] | None" = None
    keys: frozenset[SeriesKey] = frozenset()
    stored_at: float | None = None
    counted: set[SeriesKey] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class CollectorHealth:
    """How one collector fares.

    Attributes:
        age_seconds: since its last success.
        failing: its present failure in words; None: it succeeds.
        collected_at: when it was last stored, in Unix seconds; None before the first time.
        duration_seconds: how long the last collection took.
        scraped: what it reads, where that is a page of somebody's metrics.
    """

    name: str
    age_seconds: float
    failing: str | None
    collected_at: float | None
    duration_seconds: float | None
    scraped: "ScrapedPage | None" = None


@dataclass(frozen=True, slots=True)
class ScrapedPage:
    """A page that is read at a pace of its own.

    Attributes:
        labels: those that its series get.
        url: without secrets.
        interval_seconds: between two looks.
        timeout_seconds: the longest that one may take.
    """

    labels: Labels
    url: str
    interval_seconds: float
    timeout_seconds: float


@dataclass(slots=True)
class Scraper:
    """Runs the cycle. Everything but `families`, `health` and `collect` belongs on Dozor's loop."""

    store: Appendable
    clock: Clock
    interval_seconds: float
    on_samples: Callable[[float], Awaitable[None]]
    _watches: dict[str, _Watch] = field(default_factory=dict)
    _wall_offset: float = 0.0

    @property
    def deadline_seconds(self) -> float:
        """The longest that one collection may take."""
        return min(_SHARE_OF_INTERVAL * self.interval_seconds, LONGEST_COLLECTION_SECONDS)

    def add(self, collector: Collector) -> None:
        """Collect from *collector* from the next cycle on. Its name must be new."""
        if collector.name in self._watches:
            raise ValueError(f"there is a collector {collector.name!r} already")
        labels = Labels(collector=collector.name)
        self._watches[collector.name] = _Watch(collector, labels, self.clock.monotonic())

    def remove(self, name: str) -> None:
        """Forget collector *name*; its series end now."""
        watch = self._watches.pop(name)
        if watch.in_flight is not None:
            watch.in_flight.cancel()
        self.store.mark_stale(self.clock.timestamp(), watch.keys)

    async def cycle(self) -> None:
        """One collection of everything, with an evaluation after it (two, where somebody was slow)."""
        try:
            await self._cycle()
        except asyncio.CancelledError:
            # Stopping: what is in flight would see its connection closed, and take that for the server's fault.
            for watch in self._watches.values():
                if watch.in_flight is not None:
                    watch.in_flight.cancel()
            raise

    async def _cycle(self) -> None:
        self._notice_clock_steps()
        at = self.clock.timestamp()
        watches = list(self._watches.values())
        for watch in watches:
            if watch.in_flight is None:
                watch.in_flight = asyncio.create_task(self._refresh(watch), name=f"collect {watch.collector.name}")
        pending = {watch.in_flight: watch for watch in watches if watch.in_flight is not None}
        prompt, late = await _wait(pending, min(_GRACE_SECONDS, self.deadline_seconds))
        self._store(at, [pending[task] for task in prompt])
        await self.on_samples(at)
        if not late:
            return
        prompt, _ = await _wait(late, self.deadline_seconds + _STUCK_AFTER_SECONDS)
        at = self.clock.timestamp()
        self._store(at, [pending[task] for task in late])
        await self.on_samples(at)

    def collect(self) -> list[Family]:
        """What every collector knows now, for `/metrics`. Safe in any thread."""
        families: list[Family] = []
        for watch in list(self._watches.values()):
            families.extend(_families(watch.collector))
        return families

    def health(self) -> list[CollectorHealth]:
        """How each collector fares. Safe in any thread."""
        now = self.clock.monotonic()
        return [
            CollectorHealth(
                watch.collector.name,
                now - watch.succeeded_at,
                watch.failing,
                watch.stored_at,
                watch.duration_seconds,
            )
            for watch in list(self._watches.values())
        ]

    def families(self) -> list[Family]:
        """`dozor_collector_…`: age and interval of each collector, errors, duration."""
        now = self.clock.monotonic()
        watches = list(self._watches.values())
        return [
            _family("dozor_collector_age_seconds", MetricType.GAUGE, "Time since the last success, in seconds.",
                    [(watch.labels, max(0.0, now - watch.succeeded_at)) for watch in watches]),
            _family("dozor_collector_interval_seconds", MetricType.GAUGE, "Time between two collections, in seconds.",
                    [(watch.labels, self.interval_seconds) for watch in watches]),
            _family("dozor_collector_duration_seconds", MetricType.GAUGE, "Time the last collection took, in seconds.",
                    [(watch.labels, watch.duration_seconds) for watch in watches if watch.duration_seconds is not None]),
            _family("dozor_collector_errors_total", MetricType.COUNTER, "Collections that failed or ran out of time.",
                    [(watch.labels, float(watch.errors)) for watch in watches], unit="collections"),
        ]  # fmt: skip

    async def _refresh(self, watch: _Watch) -> None:
        began = self.clock.monotonic()
        limit = asyncio.timeout(self.deadline_seconds)
        try:
            async with limit:
                await watch.collector.refresh()
        except Exception as error:  # noqa: BLE001 - a watched thing may fail in any way; the others go on
            self._failed(watch, "timeout" if limit.expired() else _in_words(error))
        else:
            if watch.failing is not None:
                logger.info("collector %s succeeds again", watch.collector.name)
            watch.failing, watch.succeeded_at = None, self.clock.monotonic()
        finally:
            watch.in_flight = None
            watch.duration_seconds = self.clock.monotonic() - began

    def _failed(self, watch: _Watch, kind: str) -> None:
        watch.errors += 1
        if watch.failing != kind:  # once for each change; a server that is down for a day is one line
            logger.warning("collector %s fails: %s", watch.collector.name, kind)
        watch.failing = kind

    def _store(self, at: float, watches: Iterable[_Watch]) -> None:
        for watch in watches:
            families = _families(watch.collector)
            samples = [sample for family in families for sample in family.samples]
            keys = frozenset((sample.name, sample.labels) for sample in samples)
            with contained("scrape.append"):
                if getattr(watch.collector, "counts_from_zero", False):
                    self._begin_at_zero(watch, families)
                self.store.append(at, samples)
                if vanished := watch.keys - keys:
                    self.store.mark_stale(at, vanished)
            watch.keys, watch.stored_at = keys, at

    def _begin_at_zero(self, watch: _Watch, families: Iterable[Family]) -> None:
        """Give counters that have appeared since the last cycle the 0 that they stood at then.

        `increase` sees nothing in a series' first sample: without, the first burst of errors of a route, whose counter
        appears with it, would be lost. Prometheus does the same where a counter's creation time is exposed.
        """
        born = [
            Sample(sample.name, sample.labels, 0.0)
            for family in families
            if family.type is not MetricType.GAUGE
            for sample in family.samples
            if (sample.name, sample.labels) not in watch.counted
        ]
        watch.counted.update((sample.name, sample.labels) for sample in born)
        if born and watch.stored_at is not None:
            self.store.append(watch.stored_at, born)

    def _notice_clock_steps(self) -> None:
        offset = self.clock.offset()
        if abs(offset - self._wall_offset) >= 1.0:
            logger.warning(
                "the system clock was set by %+.1f s; durations are not affected, dates follow it",
                offset - self._wall_offset,
            )
            self._wall_offset = offset


def _in_words(error: Exception) -> str:
    # Our own say what happened and hold no secret; what other libraries' texts hold is not known.
    return str(error) if isinstance(error, DozorError) else type(error).__name__


def _families(collector: Collector) -> list[Family]:
    try:
        return list(collector.families())
    except Exception:  # noqa: BLE001 - one collector's fault must not empty /metrics
        report(f"collect.{type(collector).__name__}")
        return []


def _family(
    name: str, kind: MetricType, text: str, samples: Iterable[tuple[Labels, float]], *, unit: str = "seconds"
) -> Family:
    return Family(name, kind, text, unit, tuple(Sample(name, labels, value) for labels, value in samples))


async def _wait(
    tasks: Iterable["asyncio.Task[None]"], timeout_seconds: float
) -> tuple[set["asyncio.Task[None]"], set["asyncio.Task[None]"]]:
    waiting = set(tasks)
    return await asyncio.wait(waiting, timeout=timeout_seconds) if waiting else (set(), set())
