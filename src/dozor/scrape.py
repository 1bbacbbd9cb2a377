"""Each interval: read what is watched, put it into the store, and say that there is something to decide on.

All collectors are begun at once. Those that answer quickly, which in health is all of them, share one timestamp and one
evaluation; those that do not are stored when they have answered or their time is up, and evaluated then. So a server that
hangs delays nobody's samples but its own, and one that is dead is decided on within the cycle in which it died.

Who notices between two cycles that its watched thing has changed asks for an early collection of it alone (`soon`).
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Final, Protocol

from dozor.clock import Clock
from dozor.containment import contained, report
from dozor.errors import DozorError
from dozor.model.collector import CollectorHealth
from dozor.model.labels import Labels
from dozor.model.sample import Family, MetricType, Sample
from dozor.store.interface import Appendable

logger = logging.getLogger("dozor")

LONGEST_COLLECTION_SECONDS: Final = 1.0
_SPARED_EVERY: Final = 5
_SHARE_OF_INTERVAL: Final = 0.8
# How long the cycle waits for everybody before it stores and evaluates what it has.
_GRACE_SECONDS: Final = 0.2
# A collector that ignores its cancellation is left in flight, so that it does not hold up the cycle.
_STUCK_AFTER_SECONDS: Final = 0.1
# What seems to be gone is asked once more: a server that is restarted closes its connections first, and is back at once.
_SECOND_LOOK_SECONDS: Final = 0.1
# Between two early collections of one thing, and the most of them in a minute: a server may come and go.
_EARLY_SECONDS: Final = 0.1
_EARLY_A_MINUTE: Final = 20

SeriesKey = tuple[str, Labels]


class Collector(Protocol):
    """One watched thing."""

    @property
    def name(self) -> str:
        """The `collector` label: kind and name, such as `redis:cache`."""

    async def refresh(self) -> None:
        """Read the watched thing, on Dozor's loop. Cancelled at the deadline; raises where the reading failed.

        While an attribute `at_once` is true, this waits for nothing, and is run without a task or a deadline of its own.
        """

    def families(self) -> Iterable[Family]:
        """What is known now, from memory; what is unknown is left out.

        Where an attribute `counts_from_zero` is true, a counter that appears was 0 until then.
        """


class _OutOfTimeError(DozorError):
    """A collection was ended at its deadline."""


def _set_event() -> asyncio.Event:
    event = asyncio.Event()
    event.set()
    return event


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
    names: list[str] = field(default_factory=list)
    labelled: list[Labels] = field(default_factory=list)
    added_at: float = 0.0  # Unix seconds, as is:
    stored_at: float | None = None
    counted: set[SeriesKey] = field(default_factory=set)
    early: "asyncio.Task[None] | None" = None
    early_at: deque[float] = field(default_factory=lambda: deque(maxlen=_EARLY_A_MINUTE))  # monotonic

    @property
    def at_once(self) -> bool:
        """Whether the next collection waits for nothing, not even for the one before."""
        return self.in_flight is None and getattr(self.collector, "at_once", False)


@dataclass(slots=True)
class Scraper:
    """Runs the cycle. Everything but `families`, `health` and `collect` belongs on Dozor's loop."""

    store: Appendable
    clock: Clock
    interval_seconds: float
    on_samples: Callable[[float], Awaitable[None]]
    spared: Callable[[str], bool] | None = None
    """Which collectors, by name, are left out of four cycles in five; None: none."""
    stage: Callable[[str, float], None] | None = None
    """Told how long the stages of a cycle took."""
    turns: Callable[[], None] = lambda: None
    """Called after each small piece of work, so that other threads have their turn."""
    _cycles: int = 0
    _watches: dict[str, _Watch] = field(default_factory=dict)
    _early_collections: int = 0
    _wall_offset: float = 0.0
    _between: asyncio.Event = field(default_factory=_set_event)
    """Not set while a cycle has taken its time and not yet decided as of that: an early decision would be ahead of it."""

    @property
    def deadline_seconds(self) -> float:
        """The longest that one collection may take."""
        return min(_SHARE_OF_INTERVAL * self.interval_seconds, LONGEST_COLLECTION_SECONDS)

    def add(self, collector: Collector) -> None:
        """Collect from *collector* from the next cycle on. Its name must be new."""
        if collector.name in self._watches:
            raise ValueError(f"there is a collector {collector.name!r} already")
        labels = Labels(collector=collector.name)
        self._watches[collector.name] = _Watch(
            collector, labels, self.clock.monotonic(), added_at=self.clock.timestamp()
        )

    def remove(self, name: str) -> None:
        """Forget collector *name*; its series end now."""
        watch = self._watches.pop(name)
        _cancel(watch)
        self.store.mark_stale(self.clock.timestamp(), zip(watch.names, watch.labelled, strict=True))

    async def cycle(self) -> None:
        """One collection of everything, with an evaluation after it (two, where somebody was slow)."""
        try:
            await self._cycle()
        except asyncio.CancelledError:
            await self.cancel()
            raise

    async def cancel(self) -> None:
        """Collect no more: what is in flight would see its connection closed, and take that for the server's fault."""
        for watch in self._watches.values():
            _cancel(watch)

    def soon(self, name: str) -> None:
        """Collect from collector *name* before the next cycle, and decide on what comes of it.

        Not while it is being collected from, which will find out; not twice within 0.1 s, and 20 times a minute at most.
        """
        watch = self._watches.get(name)
        if watch is not None and watch.in_flight is None and watch.early is None:
            now = self.clock.monotonic()
            if len(watch.early_at) < _EARLY_A_MINUTE or now - watch.early_at[0] >= 60:
                wait = _EARLY_SECONDS - (now - watch.early_at[-1]) if watch.early_at else 0.0
                watch.early = asyncio.create_task(self._early(watch, wait), name=f"collect {name} early")

    async def _early(self, watch: _Watch, wait_seconds: float) -> None:
        try:
            if wait_seconds > 0:
                await asyncio.sleep(wait_seconds)
            watch.early_at.append(self.clock.monotonic())
            self._early_collections += 1
            await self._look(watch)
            if watch.failing is not None:
                await asyncio.sleep(_SECOND_LOOK_SECONDS)
                await self._look(watch)
            looked_at = self.clock.timestamp()
            await self._between.wait()
            if watch.stored_at is None or watch.stored_at < looked_at:  # else a cycle has come first, and has decided
                at = self.clock.timestamp()
                self._store(at, [watch])
                with contained("scrape.early"):
                    await self.on_samples(at)
        finally:
            watch.early = None

    async def _look(self, watch: _Watch) -> None:
        """Have *watch* collected, once: where a cycle is at it, by that."""
        await asyncio.wait([self._collect(watch)])

    def _collect(self, watch: _Watch) -> "asyncio.Task[None]":
        if watch.in_flight is None:
            watch.in_flight = asyncio.create_task(self._refresh(watch), name=f"collect {watch.collector.name}")
        return watch.in_flight

    async def _cycle(self) -> None:
        self._notice_clock_steps()
        self._between.clear()
        try:
            late = await self._first_part()
        finally:
            self._between.set()
        if late:
            await self._second_part(late)

    async def _first_part(self) -> "dict[asyncio.Task[None], _Watch]":
        """Begin with everybody, and decide on who answered promptly; the others are the answer."""
        at, due = self.clock.timestamp(), self._due()
        pending = {self._collect(watch): watch for watch in due if not watch.at_once}
        ready = [watch for watch in due if watch.at_once]
        for watch in ready:
            await self._refresh(watch)
        prompt, late = await _wait(pending, min(_GRACE_SECONDS, self.deadline_seconds))
        self._store(at, [*ready, *(pending[task] for task in prompt)])
        await self.on_samples(at)
        return {task: pending[task] for task in late}

    def _due(self) -> "list[_Watch]":
        """Those to be collected from in this cycle."""
        self._cycles += 1
        watches, spared = list(self._watches.values()), self.spared
        if spared is None or self._cycles % _SPARED_EVERY == 0:
            return watches
        return [watch for watch in watches if not spared(watch.collector.name)]

    async def _second_part(self, late: "dict[asyncio.Task[None], _Watch]") -> None:
        await _wait(late, self.deadline_seconds + _STUCK_AFTER_SECONDS)
        at = self.clock.timestamp()
        self._store(at, late.values())
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
            Family.counter("dozor_early_collections_total", "Collections between the cycles: what was watched had closed its "
                           "connection.", "collections", self._early_collections),
        ]  # fmt: skip

    async def _refresh(self, watch: _Watch) -> None:
        began = self.clock.monotonic()
        try:
            await (watch.collector.refresh() if watch.at_once else self._refresh_in_time(watch.collector))
        except Exception as error:  # noqa: BLE001 - a watched thing may fail in any way; the others go on
            self._failed(watch, _in_words(error))
        else:
            if watch.failing is not None:
                logger.info("collector %s succeeds again", watch.collector.name)
            watch.failing, watch.succeeded_at = None, self.clock.monotonic()
        finally:
            watch.in_flight = None
            watch.duration_seconds = self.clock.monotonic() - began
            self.turns()

    async def _refresh_in_time(self, collector: Collector) -> None:
        limit = asyncio.timeout(self.deadline_seconds)
        try:
            async with limit:
                await collector.refresh()
        except Exception as error:
            if limit.expired():
                raise _OutOfTimeError("timeout") from error
            raise

    def _failed(self, watch: _Watch, kind: str) -> None:
        watch.errors += 1
        if watch.failing != kind:  # once for each change; a server that is down for a day is one line
            logger.warning("collector %s fails: %s", watch.collector.name, kind)
        watch.failing = kind

    def _store(self, at: float, watches: Iterable[_Watch]) -> None:
        began = self.clock.monotonic()
        self._keep(at, watches)
        if self.stage is not None:
            self.stage("keep", self.clock.monotonic() - began)

    def _keep(self, at: float, watches: Iterable[_Watch]) -> None:
        for watch in watches:
            if self._watches.get(watch.collector.name) is not watch:  # removed meanwhile: its series have ended
                continue
            families = _families(watch.collector)
            samples = [sample for family in families for sample in family.samples]
            names, labelled = [sample.name for sample in samples], [sample.labels for sample in samples]
            # Mostly they are the same objects in the same order, which is seen without hashing any.
            same = names == watch.names and labelled == watch.labelled
            with contained("scrape.append"):
                if not same and getattr(watch.collector, "counts_from_zero", False):
                    self._begin_at_zero(watch, families, at)
                self.store.append(at, samples)
                if not same:
                    vanished = set(zip(watch.names, watch.labelled, strict=True)).difference(
                        zip(names, labelled, strict=True)
                    )
                    self.store.mark_stale(at, vanished)
            watch.names, watch.labelled, watch.stored_at = names, labelled, at
            self.turns()

    def _begin_at_zero(self, watch: _Watch, families: Iterable[Family], at: float) -> None:
        """Give counters that have appeared since the last cycle, or since *watch* began, the 0 that they stood at then.

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
        before = watch.added_at if watch.stored_at is None else watch.stored_at
        if born and before < at:
            self.store.append(before, born)

    def _notice_clock_steps(self) -> None:
        offset = self.clock.offset()
        if abs(offset - self._wall_offset) >= 1.0:
            logger.warning(
                "the system clock was set by %+.1f s; durations are not affected, dates follow it",
                offset - self._wall_offset,
            )
            self._wall_offset = offset


def _cancel(watch: _Watch) -> None:
    for task in (watch.in_flight, watch.early):
        if task is not None:
            task.cancel()


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
    return Family(name, kind, text, unit, tuple([Sample(name, labels, value) for labels, value in samples]))


async def _wait(
    tasks: Iterable["asyncio.Task[None]"], timeout_seconds: float
) -> tuple[set["asyncio.Task[None]"], set["asyncio.Task[None]"]]:
    waiting = set(tasks)
    return await asyncio.wait(waiting, timeout=timeout_seconds) if waiting else (set(), set())
