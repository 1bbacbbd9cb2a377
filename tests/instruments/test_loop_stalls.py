"""What blocks a loop: found in its thread, counted, kept."""

import asyncio
import pdb  # noqa: T100 - its path
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from dozor.instruments.detail import DETAIL
from dozor.instruments.doing import DEBUGGED
from dozor.instruments.loop_stalls import STOOD_STILL, Stalls
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
    monitor = RuntimeMonitor(timer=lambda: at[0], processor_timer=lambda: at[0])
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


def test_a_process_that_stood_still_is_shown_and_not_counted() -> None:
    stalls = Stalls(Labels())
    stalls.stood_still(1, 29.9)
    stalls.overdue(1, None, 30.0, 100.0)
    assert stalls.all() == []  # a tenth of a second is left for the loop to be blamed for
    stalls.came_back(1, 30.0, 100.0)
    [stall] = stalls.all()
    assert (stall.seconds, stall.doing, stall.counted) == (30.0, STOOD_STILL, False)
    found = figures(stalls)
    assert (found["event_loop_stalls_total"], found["event_loop_stall_seconds_total"]) == (0, 0)
    assert found["event_loop_delay_seconds_sum"] == 30.0  # callbacks were late all the same
    stalls.came_back(1, 1.0, 200.0)
    assert stalls.total == 1  # what was before is no excuse


def test_a_blocked_loop_in_a_process_that_also_stood_still_is_blamed_for_its_own_part() -> None:
    stalls = Stalls(Labels())
    stalls.overdue(1, None, 2.0, 100.0)
    stalls.stood_still(1, 30.0)
    stalls.overdue(1, None, 33.0, 131.0)
    assert figures(stalls)["event_loop_stall_seconds_total"] == 3.0
    stalls.came_back(1, 34.0, 132.0)
    assert figures(stalls)["event_loop_stall_seconds_total"] == 4.0


@pytest.mark.parametrize(("used", "blamed"), [(0.0, False), (0.2, False), (4.8, True)])
def test_who_holds_up_every_thread_is_blamed_where_a_processor_was_used(
    loop: asyncio.AbstractEventLoop, used: float, blamed: bool
) -> None:
    """Code that computes and keeps the GIL, against SIGSTOP, a suspended machine and a processor that others have."""
    at, processor = [100.0], [10.0]
    monitor = RuntimeMonitor(timer=lambda: at[0], processor_timer=lambda: processor[0])
    monitor.watch_loop(loop)
    asyncio.run(monitor.watch())
    settle(loop)
    blocking, let_go = threading.Event(), threading.Event()

    def block() -> None:
        blocking.set()
        let_go.wait()

    loop.call_soon_threadsafe(block)
    assert blocking.wait(60)
    asyncio.run(monitor.watch())  # asks
    at[0] += 5
    processor[0] += used
    let_go.set()
    settle(loop)
    asyncio.run(monitor.watch())
    [stall] = monitor.stalls.all()
    assert (stall.counted, monitor.stalls.total) == (blamed, int(blamed))


def test_a_process_that_stood_still_between_two_questions_is_shown_too(loop: asyncio.AbstractEventLoop) -> None:
    at = [100.0]
    monitor = RuntimeMonitor(timer=lambda: at[0], processor_timer=lambda: 10.0)
    monitor.watch_loop(loop)
    for _ in range(3):
        asyncio.run(monitor.watch())
        settle(loop)  # it has answered, and nobody asks until the next look
    at[0] += 30
    asyncio.run(monitor.watch())
    [stall] = monitor.stalls.all()
    assert (stall.doing, stall.counted) == (STOOD_STILL, False)
    assert stall.seconds == pytest.approx(29.9)
    assert monitor.lag_seconds() == pytest.approx(29.9)


def test_who_debugs_blocks_nothing(loop: asyncio.AbstractEventLoop) -> None:
    blocking, let_go, threads = threading.Event(), threading.Event(), []
    # A frame in the file of the standard library's debugger.
    names: dict[str, Any] = {"wait": let_go.wait, "begin": blocking.set}
    exec(compile("def interaction():\n    begin()\n    wait()\n", pdb.__file__, "exec"), names)

    def handler() -> None:
        threads.append(threading.get_ident())
        names["interaction"]()

    loop.call_soon_threadsafe(handler)
    assert blocking.wait(60)
    stalls = Stalls(Labels())
    stalls.overdue(1, threads[0], 5.0, 100.0)
    let_go.set()
    [stall] = stalls.all()
    assert (stall.doing, stall.counted) == (DEBUGGED, False)
    assert stall.place is not None
    assert stall.place.endswith("handler")
    stalls.came_back(1, 60.0, 155.0)
    assert figures(stalls)["event_loop_stalls_total"] == 0


def settle(loop: asyncio.AbstractEventLoop) -> None:
    """Return when *loop* has done what it was asked so far."""
    done = threading.Event()
    loop.call_soon_threadsafe(done.set)
    assert done.wait(60)
