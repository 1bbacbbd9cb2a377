"""What blocks a loop: found in its thread, counted, kept."""

import asyncio
import threading
from collections.abc import Iterator

import pytest

from dozor.instruments.detail import DETAIL
from dozor.instruments.loop_stalls import Stalls
from dozor.instruments.runtime_monitor import RuntimeMonitor
from dozor.model.labels import Labels


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield loop
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


def figures(stalls: Stalls) -> dict[str, float]:
    return {sample.name: sample.value for family in stalls.families() for sample in family.samples}


def test_a_blocked_loop_is_found_with_the_line_that_blocks_it(loop: asyncio.AbstractEventLoop) -> None:
    at = [100.0]
    monitor = RuntimeMonitor(timer=lambda: at[0])
    monitor.watch_loop(loop)
    answered, let_go, blocking = threading.Event(), threading.Event(), threading.Event()

    def block_the_loop() -> None:
        blocking.set()
        let_go.wait()

    def watch() -> None:
        asyncio.run(monitor.watch())

    watch()  # the first answer tells which thread it is
    loop.call_soon_threadsafe(answered.set)
    assert answered.wait(60)
    watch()
    answered.clear()
    loop.call_soon_threadsafe(answered.set)
    assert answered.wait(60)
    loop.call_soon_threadsafe(block_the_loop)
    assert blocking.wait(60)
    watch()
    at[0] += 0.2
    watch()
    assert monitor.stalls.all() == []
    at[0] += 0.2
    watch()
    [stall] = monitor.stalls.all()
    assert stall.place is not None
    assert stall.place.endswith("block_the_loop")
    assert "test_loop_stalls.py" in stall.place
    assert any("block_the_loop" in frame for frame in stall.stack)
    assert not stall.ended
    assert figures(monitor.stalls)["event_loop_stalls_total"] == 1
    at[0] += 1
    let_go.set()
    answered.clear()
    loop.call_soon_threadsafe(answered.set)
    assert answered.wait(60)
    watch()
    [stall] = monitor.stalls.all()
    assert stall.ended
    assert stall.seconds == pytest.approx(1.4)
    assert figures(monitor.stalls)["event_loop_stall_seconds_total"] == pytest.approx(1.4)


def test_a_stall_that_nobody_could_look_at_is_counted_all_the_same() -> None:
    stalls = Stalls(Labels())
    stalls.came_back(1, 0.2, 10.0)
    stalls.came_back(1, 3.0, 20.0)
    [stall] = stalls.all()
    assert (stall.began_at, stall.seconds, stall.place, stall.stack) == (17.0, 3.0, None, ())
    found = figures(stalls)
    assert (found["event_loop_stalls_total"], found["event_loop_delay_seconds_count"]) == (1, 2)


def test_a_loop_that_is_watched_no_longer_stalls_no_longer() -> None:
    stalls = Stalls(Labels())
    stalls.overdue(1, None, 5.0, 10.0)
    stalls.forget(1)
    assert stalls.all() == []


def test_stacks_can_be_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DETAIL, "lines", False)
    stalls = Stalls(Labels())
    stalls.overdue(1, threading.get_ident(), 1.0, 10.0)
    [stall] = stalls.all()
    assert (stall.place, stall.stack) == (None, ())


def test_stalls_kept_are_bounded_and_all_are_counted() -> None:
    stalls = Stalls(Labels())
    for number in range(150):
        stalls.came_back(1, 1.0, float(number))
    assert (len(stalls.all()), stalls.total) == (100, 150)
