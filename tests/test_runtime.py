"""The runtime: own thread, supervised tasks, a stop that ends in time."""

import asyncio
import os
import threading
import time
from collections.abc import Iterator

import pytest
from tests.patience import PATIENCE_SECONDS

from dozor import containment
from dozor.clock import Clock
from dozor.runtime import Runtime


@pytest.fixture
def runtime() -> Iterator[Runtime]:
    runtime = Runtime(Clock())
    runtime.start()
    yield runtime
    runtime.stop()


def on_loop(runtime: Runtime, work: object) -> None:
    async def call() -> None:
        work()  # type: ignore[operator]

    runtime.submit(call()).result(PATIENCE_SECONDS)


def test_work_runs_in_a_thread_of_its_own(runtime: Runtime) -> None:
    async def where() -> str:
        return threading.current_thread().name

    assert runtime.submit(where()).result(PATIENCE_SECONDS) == "dozor"
    assert threading.current_thread().name != "dozor"


def test_run_answers_a_caller_on_another_loop(runtime: Runtime) -> None:
    async def caller() -> str:
        return await runtime.run(lambda: threading.current_thread().name)

    assert asyncio.run(caller()) == "dozor"


def test_starting_twice_keeps_one_thread(runtime: Runtime) -> None:
    first = runtime.loop
    runtime.start()
    assert runtime.loop is first


def test_a_periodic_task_goes_on_after_errors_and_counts_them(runtime: Runtime) -> None:
    enough = threading.Event()
    runs = 0

    async def step() -> None:
        nonlocal runs
        runs += 1
        if runs == 3:
            enough.set()
        raise ValueError("each time")

    before = containment.counts().get("task.fails", 0)
    on_loop(runtime, lambda: runtime.every(0.01, "fails", step))
    assert enough.wait(PATIENCE_SECONDS)
    (stats,) = runtime.stats
    assert stats.errors >= 2
    assert containment.counts()["task.fails"] - before >= 2


def test_a_step_that_is_too_slow_is_cancelled_and_counted(runtime: Runtime) -> None:
    again = threading.Event()
    begun = 0

    async def step() -> None:
        nonlocal begun
        begun += 1
        if begun == 2:
            again.set()
        await asyncio.sleep(60)

    on_loop(runtime, lambda: runtime.every(0.01, "slow", step, timeout_seconds=0.02))
    assert again.wait(PATIENCE_SECONDS)
    assert runtime.stats[0].timeouts >= 1


def test_missed_turns_are_counted_and_not_made_up_for(runtime: Runtime) -> None:
    done = threading.Event()
    times: list[float] = []

    async def step() -> None:
        times.append(time.monotonic())
        if len(times) == 1:
            time.sleep(0.5)  # the stall itself: the loop stands still
        if len(times) == 3:
            done.set()

    on_loop(runtime, lambda: runtime.every(0.1, "stalls", step))
    assert done.wait(PATIENCE_SECONDS)
    assert runtime.stats[0].overruns >= 4
    assert times[2] - times[1] > 0.03, "the turn after a stall is followed by a pause, not by a burst"


def test_an_ended_permanent_task_is_begun_again(runtime: Runtime) -> None:
    again = threading.Event()
    begun = 0

    async def work() -> None:
        nonlocal begun
        begun += 1
        if begun == 2:
            again.set()

    on_loop(runtime, lambda: runtime.always("ends", work))
    assert again.wait(PATIENCE_SECONDS)


def test_stopping_runs_teardowns_in_reverse_even_past_a_failing_one() -> None:
    runtime = Runtime(Clock())
    runtime.start()
    order: list[str] = []

    async def note(name: str) -> None:
        order.append(name)
        if name == "second":
            raise RuntimeError("fails")

    for name in ("first", "second", "third"):
        runtime.on_stop(name, lambda name=name: note(name))  # type: ignore[misc]
    runtime.stop()
    assert order == ["third", "second", "first"]
    assert not runtime.running


@pytest.mark.parametrize("hang", ["teardown", "task", "loop"])
def test_stopping_ends_in_time_whatever_hangs(hang: str) -> None:
    runtime = Runtime(Clock())
    runtime.start()
    release = threading.Event()

    async def stubborn() -> None:
        while not release.is_set():
            try:
                await asyncio.sleep(0.05)
            except asyncio.CancelledError:
                continue

    thread = thread_of(runtime)
    if hang == "teardown":
        runtime.on_stop("hangs", stubborn)
    elif hang == "task":
        on_loop(runtime, lambda: runtime.loop.create_task(stubborn()))
    else:
        block(runtime, release)
    began = time.monotonic()
    runtime.stop(0.5)
    assert time.monotonic() - began < PATIENCE_SECONDS, "it hangs for ever, and stopping ended"
    release.set()
    thread.join(PATIENCE_SECONDS)
    assert not thread.is_alive()


def test_a_loop_that_hung_is_unwound_in_order_once_it_goes_on() -> None:
    runtime = Runtime(Clock())
    runtime.start()
    thread, release, ended = thread_of(runtime), threading.Event(), threading.Event()

    async def teardown() -> None:
        await asyncio.sleep(0)
        ended.set()

    runtime.on_stop("takes two turns", teardown)
    block(runtime, release)
    runtime.stop(0.1)
    release.set()
    thread.join(PATIENCE_SECONDS)
    assert not thread.is_alive()
    assert ended.is_set()


def thread_of(runtime: Runtime) -> threading.Thread:
    assert runtime._thread is not None
    return runtime._thread


def block(runtime: Runtime, release: threading.Event) -> None:
    """Let the loop hang until *release*; returns when it does."""
    blocked = threading.Event()

    def hang() -> None:
        blocked.set()
        release.wait()

    runtime.loop.call_soon_threadsafe(hang)
    assert blocked.wait(PATIENCE_SECONDS)


def test_a_forked_child_knows_that_it_has_no_thread(runtime: Runtime) -> None:
    pid = os.fork()
    if pid == 0:
        os._exit(1 if runtime.running else 0)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert runtime.running
