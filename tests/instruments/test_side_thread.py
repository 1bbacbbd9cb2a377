import asyncio
import os
import threading

import pytest
from tests.patience import PATIENCE_SECONDS

from dozor.instruments.side_thread import SideThread, StillBusyError

pytestmark = pytest.mark.anyio


async def test_the_result_and_the_error_come_back() -> None:
    side = SideThread("test")
    assert await side.run(lambda: 42, 5) == 42
    with pytest.raises(ZeroDivisionError):
        await side.run(lambda: 1 // 0, 5)
    assert not side.busy


async def test_hung_calls_do_not_pile_up() -> None:
    side, release = SideThread("test"), threading.Event()
    with pytest.raises(TimeoutError):
        await side.run(release.wait, 0.01)
    threads = threading.active_count()
    for _ in range(5):
        with pytest.raises(StillBusyError):
            await side.run(release.wait, 5)
    assert threading.active_count() == threads
    release.set()
    for thread in threading.enumerate():
        if thread.name == "test":
            thread.join(5)
    assert await side.run(lambda: "again", 5) == "again"


def threads() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name == "test"}


async def test_who_calls_often_keeps_the_thread_and_who_calls_no_more_does_not() -> None:
    side = SideThread("test", idle_seconds=PATIENCE_SECONDS)
    first = await side.run(threading.current_thread, PATIENCE_SECONDS)
    assert await side.run(threading.current_thread, PATIENCE_SECONDS) is first
    with pytest.raises(ZeroDivisionError):
        await side.run(lambda: 1 // 0, PATIENCE_SECONDS)
    assert await side.run(threading.current_thread, PATIENCE_SECONDS) is first
    side = SideThread("test", idle_seconds=0.001)
    first = await side.run(threading.current_thread, PATIENCE_SECONDS)
    first.join(PATIENCE_SECONDS)
    assert not first.is_alive()
    assert await side.run(threading.current_thread, PATIENCE_SECONDS) is not first


@pytest.mark.parametrize("idle_seconds", [0.0, 0.000_1])
async def test_a_call_that_comes_while_the_thread_ends_is_made(idle_seconds: float) -> None:
    side = SideThread("test", idle_seconds=idle_seconds)
    for number in range(500):
        assert await side.run(lambda number=number: number, PATIENCE_SECONDS) == number  # type: ignore[misc]


async def test_a_call_that_hung_and_returns_leaves_the_thread_to_the_next() -> None:
    side, release = SideThread("test", idle_seconds=PATIENCE_SECONDS), threading.Event()
    with pytest.raises(TimeoutError):
        await side.run(release.wait, 0.01)
    before = threads()
    release.set()
    while side.busy:
        await asyncio.sleep(0.001)
    assert await side.run(threading.current_thread, PATIENCE_SECONDS) in before


async def test_the_child_of_a_fork_has_a_thread_of_its_own() -> None:
    side = SideThread("test", idle_seconds=PATIENCE_SECONDS)
    first = await side.run(threading.current_thread, PATIENCE_SECONDS)
    side._pid = os.getppid()  # as the child finds it
    assert await side.run(threading.current_thread, PATIENCE_SECONDS) is not first


async def test_a_thread_that_is_to_end_does_so_once_its_call_has_returned() -> None:
    side, release = SideThread("test", idle_seconds=PATIENCE_SECONDS), threading.Event()
    first = await side.run(threading.current_thread, PATIENCE_SECONDS)
    side.end()
    first.join(PATIENCE_SECONDS)
    assert not first.is_alive()
    side.end()  # once more, with none there
    second = await side.run(threading.current_thread, PATIENCE_SECONDS)
    with pytest.raises(TimeoutError):
        await side.run(release.wait, 0.01)
    side.end()
    with pytest.raises(StillBusyError):
        await side.run(release.wait, PATIENCE_SECONDS)
    release.set()
    second.join(PATIENCE_SECONDS)
    assert not second.is_alive()
    assert await side.run(threading.current_thread, PATIENCE_SECONDS) is not second
