"""What blocks a loop: found in its thread, counted, kept."""

import asyncio
import pdb  # noqa: T100 - its path
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from tests.patience import until

from dozor.instruments import loop_probe
from dozor.instruments.detail import DETAIL
from dozor.instruments.doing import DEBUGGED
from dozor.instruments.loop_probe import LoopProbe
from dozor.instruments.loop_stalls import STOOD_STILL, Stall, Stalls
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
    let_go, blocking = threading.Event(), threading.Event()

    def block_the_loop() -> None:
        blocking.set()
        let_go.wait()

    monitor.watch()  # the first sign of life tells which thread it is
    settle(loop)
    loop.call_soon_threadsafe(block_the_loop)
    assert blocking.wait(60)
    assert monitor.watch() == pytest.approx(0.35, abs=0.01)
    at[0] += 0.2
    monitor.watch()
    assert monitor.stalls.all() == []
    at[0] += 0.2
    monitor.watch()
    [stall] = monitor.stalls.all()
    assert stall.place is not None
    assert stall.place.endswith("block_the_loop")
    assert "test_loop_stalls.py" in stall.place
    assert any("block_the_loop" in frame for frame in stall.stack)
    assert not stall.ended
    assert figures(monitor.stalls)["event_loop_stalls_total"] == 1
    at[0] += 1
    let_go.set()
    stall = ended(monitor)
    assert stall.seconds == pytest.approx(
        1.3, abs=0.01
    )  # as late as the sign of life that was due a tenth of a second after the last
    assert figures(monitor.stalls)["event_loop_stall_seconds_total"] == stall.seconds


def test_a_stall_that_nobody_could_look_at_is_counted_all_the_same() -> None:
    stalls = Stalls(Labels())
    stalls.came(1, 0.2, 10.0)
    stalls.came(1, 3.0, 20.0)
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
        stalls.came(1, 1.0, float(number))
    assert (len(stalls.all()), stalls.total) == (100, 150)


def test_a_process_that_stood_still_is_shown_and_not_counted() -> None:
    stalls = Stalls(Labels())
    stalls.overdue(1, None, 30.0, 100.0, still=29.9)
    assert stalls.all() == []  # a tenth of a second is left for the loop to be blamed for
    stalls.came(1, 30.0, 100.0, still=29.9)
    [stall] = stalls.all()
    assert (stall.seconds, stall.doing, stall.counted) == (30.0, STOOD_STILL, False)
    found = figures(stalls)
    assert (found["event_loop_stalls_total"], found["event_loop_stall_seconds_total"]) == (0, 0)
    assert found["event_loop_delay_seconds_sum"] == 30.0  # callbacks were late all the same


def test_a_blocked_loop_in_a_process_that_also_stood_still_is_blamed_for_its_own_part() -> None:
    stalls = Stalls(Labels())
    stalls.overdue(1, None, 2.0, 100.0)
    stalls.overdue(1, None, 33.0, 131.0, still=30.0)
    assert figures(stalls)["event_loop_stall_seconds_total"] == 3.0
    stalls.came(1, 34.0, 132.0, still=30.0)
    assert figures(stalls)["event_loop_stall_seconds_total"] == 4.0


@pytest.mark.parametrize(("used", "blamed"), [(0.0, False), (0.2, False), (4.8, True)])
def test_who_holds_up_every_thread_is_blamed_where_a_processor_was_used(
    loop: asyncio.AbstractEventLoop, used: float, blamed: bool
) -> None:
    """Code that computes and keeps the GIL, against SIGSTOP, a suspended machine and a processor that others have."""
    at, processor = [100.0], [10.0]
    monitor = RuntimeMonitor(timer=lambda: at[0], processor_timer=lambda: processor[0])
    monitor.watch_loop(loop)
    monitor.watch()
    settle(loop)
    blocking, let_go = threading.Event(), threading.Event()

    def block() -> None:
        blocking.set()
        let_go.wait()

    loop.call_soon_threadsafe(block)
    assert blocking.wait(60)
    monitor.watch()
    at[0] += 5
    processor[0] += used
    let_go.set()
    stall = ended(monitor)
    assert (stall.counted, monitor.stalls.total) == (blamed, int(blamed))


def test_a_loop_that_blocks_after_the_process_has_stood_still_has_no_excuse(loop: asyncio.AbstractEventLoop) -> None:
    at = [100.0]
    monitor = RuntimeMonitor(timer=lambda: at[0], processor_timer=lambda: 10.0)
    monitor.watch_loop(loop)
    monitor.watch()
    settle(loop)
    at[0] += 30
    stall = ended(monitor)
    assert (stall.doing, stall.counted) == (STOOD_STILL, False)
    assert stall.seconds == pytest.approx(29.9, abs=0.01)
    assert monitor.lag_seconds() == stall.seconds  # callbacks were late all the same
    blocking, let_go = threading.Event(), threading.Event()

    def block() -> None:
        blocking.set()
        let_go.wait()

    monitor.watch()
    loop.call_soon_threadsafe(block)
    assert blocking.wait(60)
    for _ in range(4):
        at[0] += 0.3  # Dozor's thread does run
        monitor.watch()
    assert [stall.counted for stall in monitor.stalls.all()] == [True, False]
    let_go.set()


def test_signs_of_life_end_when_the_loop_is_watched_no_longer_and_when_nobody_looks(
    loop: asyncio.AbstractEventLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop_probe, "LOOK_SECONDS", 0.0)
    monkeypatch.setattr(loop_probe, "_MOST_KEPT", 5)
    probe = LoopProbe(loop)
    probe.ask()
    until(lambda: probe.due_at is None)
    settle(loop)
    assert len(probe.take()) == 5
    probe.ask()  # somebody does, again
    until(lambda: probe.due_at is None)
    settle(loop)
    assert len(probe.take()) == 5
    monitor = RuntimeMonitor()
    monitor.watch_loop(loop)
    monitor.watch()
    [watched] = monitor._probes.values()
    monitor.detach()
    settle(loop)
    settle(loop)
    watched.take()
    settle(loop)
    assert watched.take() == []


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
    stalls.came(1, 60.0, 155.0)
    assert figures(stalls)["event_loop_stalls_total"] == 0


def settle(loop: asyncio.AbstractEventLoop) -> None:
    """Return when *loop* has done what it was asked so far."""
    done = threading.Event()
    loop.call_soon_threadsafe(done.set)
    assert done.wait(60)


def ended(monitor: RuntimeMonitor) -> Stall:
    """The one stall there is, once it has ended."""

    def seen() -> bool:
        monitor.watch()
        return any(stall.ended for stall in monitor.stalls.all())

    until(seen)
    [stall] = monitor.stalls.all()
    return stall
