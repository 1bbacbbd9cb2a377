"""What Dozor costs is measured, and detail left out and taken up again as the budget says."""

import asyncio
import logging
import threading

import pytest

from dozor.instruments.calibration import request_seconds
from dozor.instruments.own_cost import Budget, OwnCost, cpu_seconds_by_thread
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
    cost.hot_path_seconds["request"] = request_seconds()
    found = figures(cost)
    assert found["dozor_stage_seconds_total"] == 0.75
    assert 0 <= found["dozor_hot_path_seconds"] < 0.01
