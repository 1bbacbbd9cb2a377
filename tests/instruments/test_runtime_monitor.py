"""The process as the Prometheus client sees it, and the lag of an event loop in another thread."""

import asyncio
import os
import threading
from collections.abc import Iterator

import pytest
from prometheus_client.process_collector import ProcessCollector
from tests.patience import PATIENCE_SECONDS, until

from dozor.instruments.runtime_monitor import RuntimeMonitor
from dozor.model.labels import Labels
from dozor.model.sample import Family

pytestmark = pytest.mark.anyio


def figures(monitor: RuntimeMonitor) -> dict[str, float]:
    return {family.name: family.samples[0].value for family in monitor.families() if len(family.samples) == 1}


async def test_process_metrics_are_those_of_the_prometheus_client() -> None:
    monitor = RuntimeMonitor()
    await monitor.refresh()
    ours = figures(monitor)
    theirs = {s.name: s.value for family in ProcessCollector(registry=None).collect() for s in family.samples}
    assert {name for name in ours if name.startswith("process_")} == theirs.keys()
    assert ours["process_start_time_seconds"] == pytest.approx(theirs["process_start_time_seconds"], abs=1.5)
    assert ours["process_resident_memory_bytes"] == pytest.approx(theirs["process_resident_memory_bytes"], rel=0.2)
    assert ours["process_cpu_seconds_total"] == pytest.approx(theirs["process_cpu_seconds_total"], abs=1)
    assert ours["process_max_fds"] == theirs["process_max_fds"]
    assert ours["process_open_fds"] == pytest.approx(theirs["process_open_fds"], abs=2)


async def test_threads_collections_and_version_are_told() -> None:
    monitor = RuntimeMonitor(base_labels=Labels(worker="1"))
    before = threading.active_count()
    await monitor.refresh()
    families: dict[str, Family] = {family.name: family for family in monitor.families()}
    # A thread that another test has left may end meanwhile.
    assert threading.active_count() <= families["python_threads"].samples[0].value <= before
    assert [s.labels["generation"] for s in families["python_gc_collections_total"].samples] == ["0", "1", "2"]
    assert families["python_info"].samples[0].labels["major"] == "3"
    assert all(sample.labels["worker"] == "1" for family in families.values() for sample in family.samples)
    assert "event_loop_lag_seconds" not in families


async def test_a_forked_child_reads_itself() -> None:
    monitor = RuntimeMonitor()
    await monitor.refresh()
    monitor._process = type("Parent", (), {"pid": os.getppid()})()
    await monitor.refresh()
    assert monitor._process.pid == os.getpid()


# -- event loops -------------------------------------------------------------------------------------------------------


@pytest.fixture
def other_loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield loop
    if not loop.is_closed():
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def test_an_idle_loop_has_next_to_no_lag(other_loop: asyncio.AbstractEventLoop) -> None:
    monitor = RuntimeMonitor()
    monitor.watch_loop(other_loop)
    monitor.probe()
    until(lambda: monitor.lag_seconds() is not None)
    lag = monitor.lag_seconds()
    assert lag is not None
    assert 0 <= lag < 5


def test_the_lag_grows_while_the_loop_is_blocked_and_is_known_after(other_loop: asyncio.AbstractEventLoop) -> None:
    now = 1000.0
    monitor = RuntimeMonitor(timer=lambda: now)
    blocked, release = threading.Event(), threading.Event()

    def block() -> None:
        blocked.set()
        release.wait(PATIENCE_SECONDS)

    other_loop.call_soon_threadsafe(block)
    assert blocked.wait(PATIENCE_SECONDS)
    monitor.watch_loop(other_loop)
    shown = []
    for _ in range(3):
        monitor.probe()
        now += 10
        shown.append(monitor.lag_seconds())
    assert shown == [10, 20, 30]
    release.set()
    [probe] = monitor._probes.values()
    until(lambda: bool(probe.take()))
    assert monitor.lag_seconds() == 30
    monitor.probe()
    assert monitor.lag_seconds() == 30, "shown until the next measurement"
    probe.take()
    until(lambda: bool(probe.take()))
    monitor.probe()
    assert monitor.lag_seconds() == 0


def test_a_loop_that_does_not_run_has_no_lag(other_loop: asyncio.AbstractEventLoop) -> None:
    idle = asyncio.new_event_loop()
    monitor = RuntimeMonitor()
    monitor.watch_loop(idle)
    monitor.probe()
    assert monitor.lag_seconds() is None
    idle.close()


def test_a_closed_loop_is_dropped() -> None:
    loop = asyncio.new_event_loop()
    monitor = RuntimeMonitor()
    monitor.watch_loop(loop)
    loop.close()
    monitor.probe()
    assert monitor._probes == {}
    assert monitor.lag_seconds() is None


def test_of_several_loops_the_worst_is_shown_and_one_may_leave(other_loop: asyncio.AbstractEventLoop) -> None:
    monitor = RuntimeMonitor()
    monitor.watch_loop(other_loop)
    monitor.watch_loop(other_loop)
    monitor.probe()
    until(lambda: monitor.lag_seconds() is not None)
    monitor.unwatch_loop(other_loop)
    monitor.unwatch_loop(other_loop)
    assert monitor.lag_seconds() is None
