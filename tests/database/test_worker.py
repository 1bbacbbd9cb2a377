"""The store's thread."""

import asyncio
import multiprocessing
import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future

import pytest
from tests.patience import PATIENCE_SECONDS

from dozor.database import StoreThread
from dozor.errors import StoreUnavailable

pytestmark = pytest.mark.anyio


@pytest.fixture
def thread() -> Iterator[StoreThread]:
    thread = StoreThread("store-under-test", max_waiting=3)
    yield thread
    thread.close(PATIENCE_SECONDS)


class Hanging:
    """A database that hangs until it is let go."""

    def __init__(self) -> None:
        self.begun, self.release = threading.Event(), threading.Event()

    def __call__(self) -> str:
        self.begun.set()
        self.release.wait(2 * PATIENCE_SECONDS)
        return "late"


@pytest.fixture
def hanging(thread: StoreThread) -> Iterator[Hanging]:
    call = Hanging()
    thread.submit(call)
    assert call.begun.wait(PATIENCE_SECONDS)
    yield call
    call.release.set()


async def test_calls_run_one_after_another_in_one_daemon_thread(thread: StoreThread) -> None:
    seen: list[tuple[int, threading.Thread]] = []
    await asyncio.gather(
        *(
            thread.run(
                lambda number=number: seen.append((number, threading.current_thread())), timeout=PATIENCE_SECONDS
            )
            for number in range(3)
        )
    )
    assert [number for number, _ in seen] == [0, 1, 2]
    assert len({each for _, each in seen}) == 1
    assert seen[0][1].daemon
    assert seen[0][1].name == "store-under-test"


async def test_no_thread_begins_before_the_first_call() -> None:
    thread = StoreThread("never-begun")
    assert all(each.name != "never-begun" for each in threading.enumerate())
    assert thread.close(1)


@pytest.mark.parametrize("error", [ValueError("x"), TimeoutError("its own"), SystemExit(1)], ids=repr)
async def test_what_a_call_raises_reaches_the_caller_and_the_thread_goes_on(
    thread: StoreThread, error: BaseException
) -> None:
    def fail() -> None:
        raise error

    future: Future[None] = thread.submit(fail)
    assert await asyncio.to_thread(future.exception, PATIENCE_SECONDS) is error
    assert await thread.run(lambda: 3, timeout=PATIENCE_SECONDS) == 3


async def test_a_calls_own_timeout_is_not_taken_for_the_stores(thread: StoreThread) -> None:
    def fail() -> None:
        raise TimeoutError("its own")

    with pytest.raises(TimeoutError, match="its own"):
        await thread.run(fail, timeout=PATIENCE_SECONDS)


async def test_a_hanging_store_is_given_up_at_the_limit_and_the_loop_is_free(
    thread: StoreThread, hanging: Hanging
) -> None:
    began = time.monotonic()
    with pytest.raises(StoreUnavailable, match=r"no answer within 0\.1 s"):
        await thread.run(lambda: 3, timeout=0.1)
    assert time.monotonic() - began < PATIENCE_SECONDS
    hanging.release.set()
    assert await thread.run(lambda: 4, timeout=PATIENCE_SECONDS) == 4


async def test_a_call_given_up_before_it_began_never_runs(thread: StoreThread, hanging: Hanging) -> None:
    ran: list[int] = []
    with pytest.raises(StoreUnavailable):
        await thread.run(ran.append, 1, timeout=0.05)
    hanging.release.set()
    await thread.run(ran.append, 2, timeout=PATIENCE_SECONDS)
    assert ran == [2]


async def test_calls_do_not_pile_up_behind_a_hanging_store(thread: StoreThread, hanging: Hanging) -> None:
    for _ in range(3):
        thread.submit(lambda: None)
    with pytest.raises(StoreUnavailable, match="3 calls are waiting"):
        thread.submit(lambda: None)


async def test_closing_lets_waiting_calls_finish_and_refuses_new_ones(thread: StoreThread) -> None:
    ran: list[int] = []
    for number in range(3):
        thread.submit(ran.append, number)
    assert thread.close(PATIENCE_SECONDS)
    assert ran == [0, 1, 2]
    with pytest.raises(StoreUnavailable, match="closed"):
        thread.submit(ran.append, 4)


async def test_closing_takes_no_longer_than_it_may(thread: StoreThread, hanging: Hanging) -> None:
    waiting = thread.submit(lambda: 3)
    began = time.monotonic()
    assert not thread.close(0.1)
    assert time.monotonic() - began < PATIENCE_SECONDS
    assert waiting.cancelled()


async def test_a_call_that_closing_leaves_undone_is_refused_and_not_cancelled(
    thread: StoreThread, hanging: Hanging
) -> None:
    assert hanging.begun.is_set()
    waiting = asyncio.create_task(thread.run(int, timeout=PATIENCE_SECONDS))
    await asyncio.sleep(0)
    thread.close(0.01)
    with pytest.raises(StoreUnavailable, match="is closed"):
        await waiting


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_child_of_a_fork_has_a_thread_of_its_own() -> None:
    thread = StoreThread()
    parent = thread.submit(os.getpid).result(PATIENCE_SECONDS)
    # The lock is held while the fork happens, as it may be.
    with thread._wake:
        answer = _in_child(lambda: thread.submit(os.getpid).result(PATIENCE_SECONDS))
    assert answer not in {parent, None}
    assert thread.submit(os.getpid).result(PATIENCE_SECONDS) == parent
    thread.close(PATIENCE_SECONDS)


def _in_child(call: object) -> object:
    context = multiprocessing.get_context("fork")
    queue = context.SimpleQueue()
    process = context.Process(target=lambda: queue.put(call()))  # type: ignore[operator]
    process.start()
    process.join(PATIENCE_SECONDS)
    assert process.exitcode == 0
    return queue.get()
