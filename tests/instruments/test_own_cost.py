"""What Dozor costs is measured, and detail left out and taken up again as the budget says."""

import asyncio
import logging
import threading
import time
from collections.abc import Callable

import pytest
from sqlalchemy import Engine, Pool, event
from tests.patience import PATIENCE_SECONDS

from dozor import containment
from dozor.instruments.calibration import checkout_seconds, request_seconds, statement_seconds
from dozor.instruments.own_cost import Budget, HotPath, OwnCost, cpu_seconds_by_thread
from dozor.testing import FakeClock


class Threads:
    """CPU seconds by thread, set by hand."""

    def __init__(self) -> None:
        self.seconds = {1: 0.0}

    def __call__(self) -> dict[int, float]:
        return dict(self.seconds)


def cycles(cost: OwnCost, clock: FakeClock, threads: Threads, count: int, percent: float) -> None:
    """*count* cycles of a second, each of which takes *percent* of a core."""

    async def run() -> None:
        for _ in range(count):
            clock.advance(1)
            threads.seconds[1] += percent / 100
            await cost.refresh()

    asyncio.run(run())


def figures(cost: OwnCost) -> dict[str, float]:
    return {sample.name: sample.value for family in cost.families() for sample in family.samples}


def test_detail_goes_step_by_step_and_comes_back_when_it_has_been_quiet_for_long(
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock, threads, levels = FakeClock(), Threads(), list[int]()
    cost = OwnCost(clock, Budget(5.0), levels.append, threads)
    with caplog.at_level(logging.INFO, "dozor"):
        cycles(cost, clock, threads, 31, 4.0)
        assert (levels, cost.complaints()) == ([], [])
        cycles(cost, clock, threads, 31, 9.0)
        assert levels == [1]
        assert "DOZOR_CPU_BUDGET" in cost.complaints()[0]
        cycles(cost, clock, threads, 90, 9.0)
        assert levels == [1, 2]
        assert figures(cost)["dozor_detail_shed"] == 2
        cycles(cost, clock, threads, 300, 4.0)  # within the budget, but not by much
        assert levels == [1, 2]
        cycles(cost, clock, threads, 151, 1.0)
        assert levels == [1, 2, 1]
        cycles(cost, clock, threads, 151, 1.0)
    assert levels == [1, 2, 1, 0]
    assert cost.complaints() == []
    assert [record.levelname for record in caplog.records] == ["WARNING", "WARNING", "WARNING", "INFO"]


def test_the_time_of_threads_that_ended_stays_and_a_number_used_anew_begins_at_nothing() -> None:
    clock, threads = FakeClock(), Threads()
    cost = OwnCost(clock, Budget(5.0), lambda level: None, threads)
    for seconds in ({1: 1.0, 2: 5.0}, {1: 2.0}, {1: 2.0, 2: 0.5}, {1: 2.0, 2: 0.25}):
        threads.seconds = seconds
        asyncio.run(cost.refresh())
    assert cost.total_seconds == 1.0 + 5.0 + 1.0 + 0.5 + 0.25
    assert figures(cost)["dozor_cpu_seconds_total"] == 7.75


def test_only_threads_of_dozors_are_counted() -> None:
    inside = threading.Event()
    ended = threading.Event()

    def work() -> None:
        inside.set()
        ended.wait()

    threads = [threading.Thread(target=work, name=name) for name in ("dozor-test", "application")]
    for thread in threads:
        thread.start()
    assert inside.wait(60)
    try:
        found = cpu_seconds_by_thread()
    finally:
        ended.set()
        for thread in threads:
            thread.join()
    assert threads[0].native_id in found
    assert threads[1].native_id not in found
    assert all(seconds >= 0 for seconds in found.values())


def test_stages_add_up_and_what_an_event_costs_is_told() -> None:
    cost = OwnCost(FakeClock(), Budget(5.0), lambda level: None, Threads())
    cost.stage("decide", 0.25)
    cost.stage("decide", 0.5)
    assert figures(cost)["dozor_stage_seconds_total"] == 0.75


def until_measured(cost: OwnCost) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while any(path.seconds is None for path in cost.hot_paths):
        assert time.monotonic() < deadline
        asyncio.run(cost.refresh())


class Events:
    """How many there were, set by hand."""

    count: float | None = None
    measured = 0

    def __call__(self) -> float | None:
        return self.count

    def measure(self) -> float:
        assert threading.current_thread() is not threading.main_thread()
        self.measured += 1
        return 0.25


def test_what_events_cost_is_measured_once_there_are_some_and_counted_against_the_budget() -> None:
    clock, threads, events, levels = FakeClock(), Threads(), Events(), list[int]()
    cost = OwnCost(clock, Budget(5.0), levels.append, threads)
    cost.hot_paths.append(HotPath("request", events.measure, events))
    cycles(cost, clock, threads, 2, 0.0)
    assert events.measured == 0
    assert "dozor_hot_path_seconds" not in figures(cost)
    events.count = 4
    until_measured(cost)
    cycles(cost, clock, threads, 1, 0.0)
    assert events.measured == 1
    found = figures(cost)
    assert (found["dozor_hot_path_seconds"], found["dozor_hot_path_cpu_seconds_total"]) == (0.25, 1.0)
    events.count = 3  # what was watched is not any more
    cycles(cost, clock, threads, 1, 0.0)
    events.count = 8
    cycles(cost, clock, threads, 30, 0.0)
    found = figures(cost)
    assert found["dozor_hot_path_cpu_seconds_total"] == 2.25
    assert found["dozor_cpu_seconds_total"] == 0.0
    assert found["dozor_cpu_utilization"] == pytest.approx(100 * 1.25 / 30)
    assert levels == [1]


def test_what_cannot_be_measured_costs_nothing_and_is_not_tried_again() -> None:
    tried: list[int] = []

    def broken() -> float:
        tried.append(1)
        raise RuntimeError("injected")

    clock, threads = FakeClock(), Threads()
    cost = OwnCost(clock, Budget(5.0), lambda level: None, threads)
    cost.hot_paths.append(HotPath("request", broken, lambda: 1.0))
    before = containment.counts().get("own_cost.measure", 0)
    until_measured(cost)
    cycles(cost, clock, threads, 3, 0.0)
    assert len(tried) == 1
    assert containment.counts()["own_cost.measure"] == before + 1
    assert figures(cost)["dozor_hot_path_seconds"] == 0.0


@pytest.mark.parametrize("measure", [request_seconds, checkout_seconds, statement_seconds])
def test_measuring_works_on_nothing_of_the_applications(
    measure: Callable[[], float], monkeypatch: pytest.MonkeyPatch
) -> None:
    def told(*_: object) -> None:
        raise AssertionError("the application's listeners know nothing of it")

    before = containment.counts()
    # SQLAlchemy notes for ever that somebody has listened to the class, whoever stops to: put back for other tests.
    monkeypatch.setattr(Engine, "_has_events", Engine._has_events)
    for target, name in ((Engine, "before_cursor_execute"), (Pool, "connect"), (Pool, "checkout")):
        event.listen(target, name, told)
    try:
        assert 0 <= measure() < 0.01
    finally:
        for target, name in ((Engine, "before_cursor_execute"), (Pool, "connect"), (Pool, "checkout")):
            event.remove(target, name, told)
    assert containment.counts() == before
