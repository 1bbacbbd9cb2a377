"""The cycle: who is collected when, what is stored, what is told to the evaluation."""

import asyncio
import dis
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from dozor.clock import Clock
from dozor.instruments.connection_budget import ConnectionBudget
from dozor.instruments.connection_pool_monitor import ConnectionPoolMonitor
from dozor.instruments.middleware import HttpMonitor
from dozor.instruments.own_cost import OwnCost
from dozor.instruments.query_monitor import QueryMonitor
from dozor.instruments.redis_client_monitor import RedisClientMonitor
from dozor.instruments.runtime_monitor import RuntimeMonitor
from dozor.model.labels import Labels
from dozor.model.sample import Family, MetricType, Sample
from dozor.promql import compile_query
from dozor.response_cache.metrics import ResponseCacheMetrics
from dozor.scrape import Scraper
from dozor.store.memory import MemoryStore
from dozor.testing import FakeClock

pytestmark = pytest.mark.anyio


class Store:
    """Keeps what it is given."""

    def __init__(self) -> None:
        self.appended: list[tuple[float, list[str]]] = []
        self.stale: list[str] = []

    def append(self, at: float, samples: Iterable[Sample]) -> None:
        self.appended.append((at, [sample.name for sample in samples]))

    def mark_stale(self, at: float, keys: Iterable[tuple[str, Labels]]) -> None:
        self.stale.extend(name for name, _ in keys)


class Thing:
    """A watched thing with one gauge for each of *metrics*."""

    def __init__(self, name: str, *metrics: str) -> None:
        self.name = name
        self.metrics = metrics or (name,)
        self.refreshes = 0
        self.failure: Exception | None = None
        self.hang: asyncio.Event | None = None
        self.deaf = False

    async def refresh(self) -> None:
        self.refreshes += 1
        while self.hang and not self.hang.is_set():
            try:
                await self.hang.wait()
            except asyncio.CancelledError:
                if not self.deaf:
                    raise
        if self.failure:
            raise self.failure

    def families(self) -> list[Family]:
        return [Family(name, MetricType.GAUGE, "", "", (Sample(name, Labels(), 1.0),)) for name in self.metrics]


def scraper(
    store: Store, *things: Thing, clock: Clock | None = None, interval: float = 0.3
) -> tuple[Scraper, list[float]]:
    evaluations: list[float] = []

    async def on_samples(at: float) -> None:
        evaluations.append(at)

    made = Scraper(store, clock or FakeClock(), interval, on_samples)
    for thing in things:
        made.add(thing)
    return made, evaluations


async def test_prompt_collectors_share_one_timestamp_and_one_evaluation() -> None:
    store = Store()
    made, evaluations = scraper(store, Thing("a"), Thing("b"))
    await made.cycle()
    assert len(evaluations) == 1
    assert {at for at, _ in store.appended} == set(evaluations)


async def test_what_never_waits_is_collected_in_the_cycles_own_task() -> None:
    store = Store()
    tasks: list[asyncio.Task[object] | None] = []

    class Counted(Thing):
        at_once = True

        async def refresh(self) -> None:
            tasks.append(asyncio.current_task())
            await super().refresh()

    broken = Counted("broken")
    broken.failure = ValueError("each time")
    made, evaluations = scraper(store, Counted("counted"), broken, Thing("asked"))
    await made.cycle()
    assert tasks == [asyncio.current_task()] * 2
    assert {at for at, _ in store.appended} == set(evaluations)
    assert [health.failing for health in made.health()] == [None, "ValueError", None]


@pytest.mark.parametrize(
    "collector",
    [
        ConnectionBudget,
        ConnectionPoolMonitor,
        HttpMonitor,
        OwnCost,
        QueryMonitor,
        RedisClientMonitor,
        ResponseCacheMetrics,
        RuntimeMonitor,
    ],
)
def test_who_says_that_it_never_waits_does_not(collector: Any) -> None:
    assert collector.at_once
    assert "GET_AWAITABLE" not in {instruction.opname for instruction in dis.get_instructions(collector.refresh)}


async def test_a_collection_that_does_not_end_is_the_only_one_whatever_its_collector_says() -> None:
    class Sometimes(Thing):
        @property
        def at_once(self) -> bool:
            return self.refreshes % 2 != 0

    deaf = Sometimes("deaf")
    deaf.hang, deaf.deaf = asyncio.Event(), True
    made, _ = scraper(Store(), deaf, clock=Clock())
    await made.cycle()
    await made.cycle()
    assert deaf.refreshes == 1
    deaf.hang.set()
    await asyncio.sleep(0)


async def test_who_waits_now_and_then_says_when() -> None:
    tasks: list[bool] = []

    class Sometimes(Thing):
        @property
        def at_once(self) -> bool:
            return self.refreshes % 3 != 0

        async def refresh(self) -> None:
            tasks.append(asyncio.current_task() is cycle)
            await super().refresh()

    made, _ = scraper(Store(), Sometimes("sometimes"))
    cycle = asyncio.current_task()
    for _ in range(6):
        await made.cycle()
    assert tasks == [False, True, True] * 2


async def test_a_collector_that_hangs_delays_nobody_and_is_evaluated_when_its_time_is_up() -> None:
    store, slow = Store(), Thing("slow")
    slow.hang = asyncio.Event()
    made, evaluations = scraper(store, slow, Thing("quick"), clock=Clock())
    await made.cycle()
    assert [names for _, names in store.appended] == [["quick"], ["slow"]]
    assert len(evaluations) == 2
    assert evaluations[1] - evaluations[0] < 0.8 * 0.3 + 0.2
    assert [health.failing for health in made.health()] == ["timeout", None]


async def test_stopping_amid_a_cycle_leaves_nothing_in_flight_and_is_nobodys_failure(
    caplog: pytest.LogCaptureFixture,
) -> None:
    slow = Thing("slow")
    slow.hang = asyncio.Event()
    made, _ = scraper(Store(), slow, clock=Clock(), interval=30)
    cycle = asyncio.create_task(made.cycle())
    while not slow.refreshes:
        await asyncio.sleep(0)
    cycle.cancel()
    await asyncio.wait([cycle])
    slow.failure = ConnectionError("closed under its hands")
    slow.hang.set()
    for _ in range(5):
        await asyncio.sleep(0)
    assert "collect slow" not in {task.get_name() for task in asyncio.all_tasks()}
    assert caplog.records == []


async def test_a_collector_that_ignores_its_deadline_has_one_collection_in_flight() -> None:
    store, deaf = Store(), Thing("deaf")
    deaf.hang, deaf.deaf = asyncio.Event(), True
    made, _ = scraper(store, deaf, clock=Clock())
    await made.cycle()
    await made.cycle()
    assert deaf.refreshes == 1
    deaf.hang.set()
    await asyncio.sleep(0)
    await made.cycle()
    assert deaf.refreshes == 2


async def test_age_counts_from_the_last_success_and_survives_a_clock_that_is_set() -> None:
    clock, thing = FakeClock(), Thing("redis:main")
    made, _ = scraper(Store(), thing, clock=clock, interval=1.0)
    await made.cycle()
    thing.failure = ConnectionError("gone")
    clock.advance(30)
    clock.set_wall(-3600)
    await made.cycle()
    (health,) = made.health()
    assert (health.age_seconds, health.failing) == (30, "ConnectionError")
    age = next(family for family in made.families() if family.name == "dozor_collector_age_seconds")
    assert age.samples == (Sample("dozor_collector_age_seconds", Labels(collector="redis:main"), 30.0),)
    thing.failure = None
    await made.cycle()
    assert made.health()[0].age_seconds == 0


async def test_series_that_vanish_are_marked_stale() -> None:
    store, thing = Store(), Thing("thing", "one", "two")
    made, _ = scraper(store, thing)
    await made.cycle()
    thing.metrics = ("one",)
    await made.cycle()
    assert store.stale == ["two"]
    made.remove("thing")
    assert store.stale == ["two", "one"]


async def test_families_that_raise_leave_the_others_standing() -> None:
    class Broken(Thing):
        def families(self) -> list[Family]:
            raise RuntimeError("no")

    store = Store()
    made, evaluations = scraper(store, Broken("broken"), Thing("fine"))
    await made.cycle()
    assert ["fine"] in [names for _, names in store.appended]
    assert [family.name for family in made.collect()] == ["fine"]
    assert len(evaluations) == 1


async def test_two_collectors_of_one_name_are_refused() -> None:
    made, _ = scraper(Store(), Thing("a"))
    with pytest.raises(ValueError, match="'a' already"):
        made.add(Thing("a"))


async def test_a_step_of_the_system_clock_is_one_line_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    clock = FakeClock()
    made, _ = scraper(Store(), clock=clock)
    clock.set_wall(3600)
    await made.cycle()
    await made.cycle()
    assert [record.getMessage() for record in caplog.records] == [
        "the system clock was set by +3600.0 s; durations are not affected, dates follow it"
    ]


class Counting:
    """Counts what appears in `counts`."""

    name = "counting"
    counts_from_zero = True

    def __init__(self) -> None:
        self.counts: dict[str, float] = {}

    async def refresh(self) -> None:
        pass

    def families(self) -> list[Family]:
        samples = tuple(Sample("errors_total", Labels(route=route), count) for route, count in self.counts.items())
        return [Family("errors_total", MetricType.COUNTER, "", "", samples)]


@pytest.mark.parametrize("from_zero", [True, False])
async def test_the_first_burst_of_a_new_counter_is_an_increase_where_it_counts_from_zero(*, from_zero: bool) -> None:
    clock, store, counting = FakeClock(), MemoryStore(), Counting()
    counting.counts_from_zero = from_zero
    evaluated: list[float] = []

    async def on_samples(at: float) -> None:
        evaluated.append(at)

    made = Scraper(store, clock, 1.0, on_samples)
    made.add(counting)
    for counts in ({"/a": 1.0}, {"/a": 1.0, "/b": 500.0}, {}, {"/b": 500.0}):
        counting.counts = counts
        clock.advance(1)
        await made.cycle()
    zeros = compile_query('resets(errors_total{route="/b"}[1m])').instant(store, clock.timestamp())
    assert [sample.value for sample in zeros] == [0.0], "a counter that comes back has not begun anew"
    rises = compile_query('delta(errors_total{route="/b"}[1m])').instant(store, evaluated[1])
    assert [sample.value > 400 for sample in rises] == ([True] if from_zero else [])


async def test_what_was_counted_before_the_first_cycle_is_an_increase() -> None:
    clock, store, counting = FakeClock(), MemoryStore(), Counting()

    async def on_samples(at: float) -> None: ...

    made = Scraper(store, clock, 1.0, on_samples)
    made.add(counting)
    counting.counts = {"/a": 3.0}
    clock.advance(0.4)
    await made.cycle()
    clock.advance(1)
    await made.cycle()
    (rise,) = compile_query('delta(errors_total{route="/a"}[1m])').instant(store, clock.timestamp())
    assert rise.value > 0


async def _until(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0.001)


async def test_who_asks_for_it_is_collected_from_alone_and_decided_on_at_once() -> None:
    store, thing, other, clock = Store(), Thing("a"), Thing("b"), FakeClock()
    made, evaluations = scraper(store, thing, other, clock=clock, interval=30)
    await made.cycle()
    clock.advance(0.4)
    made.soon("a")
    await _until(lambda: len(evaluations) == 2)
    assert (thing.refreshes, other.refreshes) == (2, 1)
    assert store.appended[-1] == (evaluations[1], ["a"])
    assert evaluations[1] - evaluations[0] == pytest.approx(0.4)


async def test_what_is_back_at_the_second_look_was_never_gone() -> None:
    store, thing, clock = Store(), Thing("a"), FakeClock()
    made, evaluations = scraper(store, thing, clock=clock)
    await made.cycle()
    clock.advance(1)
    thing.failure = ConnectionError()
    made.soon("a")
    await _until(lambda: thing.refreshes == 2)
    thing.failure = None
    await _until(lambda: len(evaluations) == 2)
    assert thing.refreshes == 3
    assert [health.failing for health in made.health()] == [None]
    assert len(store.appended) == 2, "the first look is not stored"


async def test_an_early_decision_waits_for_the_one_of_a_cycle_that_has_begun() -> None:
    thing, slow, clock = Thing("a"), Thing("slow"), Clock()
    slow.hang = asyncio.Event()
    made, evaluations = scraper(Store(), thing, slow, clock=clock, interval=30)
    cycle = asyncio.create_task(made.cycle())
    await _until(lambda: thing.refreshes == 1)
    await asyncio.sleep(0)
    made.soon("a")
    await _until(lambda: thing.refreshes == 2)
    assert evaluations == []
    await _until(lambda: len(evaluations) == 2)
    slow.hang.set()
    await cycle
    assert len(evaluations) == 3
    assert evaluations == sorted(set(evaluations))


async def test_no_two_collections_of_one_thing_are_in_flight() -> None:
    thing = Thing("a")
    thing.hang = asyncio.Event()
    made, evaluations = scraper(Store(), thing, clock=Clock(), interval=30)
    made.soon("a")
    await _until(lambda: thing.refreshes == 1)
    cycle = asyncio.create_task(made.cycle())
    for _ in range(10):
        made.soon("a")
        await asyncio.sleep(0)
    thing.hang.set()
    await cycle
    assert thing.refreshes == 1
    await _until(lambda: bool(evaluations))


async def test_a_thing_that_comes_and_goes_makes_no_storm() -> None:
    thing, clock = Thing("a"), FakeClock()
    made, evaluations = scraper(Store(), thing, clock=clock)
    for number in range(30):
        clock.advance(0.2)
        made.soon("a")
        while len(evaluations) < min(number + 1, 20):
            await asyncio.sleep(0.001)
    assert thing.refreshes == 20
    clock.advance(61)
    made.soon("a")
    made.soon("nobody of this name")
    await _until(lambda: thing.refreshes == 21)


async def test_between_two_early_collections_lies_a_tenth_of_a_second() -> None:
    thing, clock = Thing("a"), Clock()
    made, evaluations = scraper(Store(), thing, clock=clock)
    made.soon("a")
    await _until(lambda: len(evaluations) == 1)
    made.soon("a")
    await _until(lambda: len(evaluations) == 2)
    assert evaluations[1] - evaluations[0] > 0.09


async def test_stopping_ends_what_was_asked_for_early() -> None:
    thing = Thing("a")
    thing.hang = asyncio.Event()
    made, evaluations = scraper(Store(), thing, clock=Clock(), interval=30)
    made.soon("a")
    await _until(lambda: thing.refreshes == 1)
    await made.cancel()
    for _ in range(5):
        await asyncio.sleep(0)
    assert not [task for task in asyncio.all_tasks() if task.get_name().startswith("collect")]
    assert evaluations == []


async def test_what_is_spared_is_read_in_one_cycle_of_five_and_stays_as_it_was_in_the_others() -> None:
    store, dear, cheap = Store(), Thing("dear"), Thing("cheap")
    made, evaluations = scraper(store, dear, cheap)
    made.spared = lambda name: name == "dear"
    for _ in range(10):
        await made.cycle()
    assert (dear.refreshes, cheap.refreshes, len(evaluations)) == (2, 10, 10)
    assert store.stale == []
    made.spared = None
    await made.cycle()
    assert dear.refreshes == 3
