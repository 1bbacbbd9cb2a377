"""What is counted agrees with the pool, whatever is done to it: random operations, many threads, tasks, greenlets, forks, dispose."""

import asyncio
import gc
import os
import random
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import greenlet  # type: ignore[import-untyped]
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from sqlalchemy import Engine, QueuePool, create_engine, exc, text
from sqlalchemy.ext.asyncio import create_async_engine
from tests.chaos import CHAOS, SEED

from dozor.instruments.connection_pool_monitor import ConnectionPoolMonitor
from dozor.testing import FakeClock


def in_memory(**options: Any) -> Engine:
    given = {"poolclass": QueuePool, "connect_args": {"check_same_thread": False}, **options}
    return create_engine("sqlite://", **given)


def watch(engine: Any, **options: Any) -> ConnectionPoolMonitor:
    monitor = ConnectionPoolMonitor("default", engine, FakeClock(), **options)
    monitor.attach()
    return monitor


def cycle(monitor: ConnectionPoolMonitor) -> None:
    asyncio.run(monitor.refresh())


def is_settled(monitor: ConnectionPoolMonitor, checkouts: int) -> None:
    """Nobody has a connection any more, and everything that happened was counted once."""
    cycle(monitor)
    cycle(monitor)
    figures = monitor.figures()
    assert figures["db_pool_checkouts_total"] == monitor.statistics().use.count == checkouts
    assert not monitor.holders()
    assert not monitor.waiters()
    assert figures["dozor_pool_drift_total"] == 0
    assert figures.get("dozor_pool_unaccounted", 0) == 0


class Pools(RuleBasedStateMachine):
    """A pool, and what a person would write down who watches it."""

    def __init__(self) -> None:
        super().__init__()
        self.engine = in_memory(pool_size=2, max_overflow=2, pool_timeout=0.001)
        self.monitor = watch(self.engine, stacks="all")
        self.out: list[Any] = []
        self.of_old_pools: list[Any] = []
        self.checkouts = self.timeouts = 0

    @rule()
    def check_out(self) -> None:
        try:
            self.out.append(self.engine.raw_connection())
            self.checkouts += 1
        except exc.TimeoutError:
            self.timeouts += 1

    @precondition(lambda self: self.out)
    @rule(which=st.integers(0), how=st.sampled_from(["close", "invalidate", "detach", "forget", "twice"]))
    def give_back(self, which: int, how: str) -> None:
        connection = self.out.pop(which % len(self.out))
        if how == "invalidate":
            connection.invalidate()
        elif how == "detach":
            connection.detach()
            connection.close()
        elif how == "forget":
            del connection
            gc.collect(0)
        else:
            connection.close()
            if how == "twice":
                connection.close()

    @precondition(lambda self: self.of_old_pools)
    @rule(which=st.integers(0))
    def give_back_to_an_old_pool(self, which: int) -> None:
        self.of_old_pools.pop(which % len(self.of_old_pools)).close()

    @rule(close=st.booleans())
    def dispose(self, close: bool) -> None:
        self.engine.dispose(close=close)
        self.of_old_pools += self.out
        self.out = []

    @rule()
    def attach_again(self) -> None:
        self.monitor.attach()

    @rule()
    def a_cycle(self) -> None:
        cycle(self.monitor)

    @invariant()
    def counts_agree(self) -> None:
        figures, pool = self.monitor.figures(), self.engine.pool
        assert figures["db_pool_checked_out"] == len(self.out) == pool.checkedout()  # type: ignore[attr-defined]
        assert len(self.monitor.holders()) == len(self.out) + len(self.of_old_pools)
        assert figures["db_pool_checkouts_total"] == self.checkouts
        assert figures["db_pool_timeouts_total"] == self.timeouts
        assert figures["dozor_pool_drift_total"] == 0
        assert figures.get("dozor_pool_unaccounted", 0) == 0

    def teardown(self) -> None:
        for connection in (*self.out, *self.of_old_pools):
            connection.close()
        self.out, self.of_old_pools = [], []
        is_settled(self.monitor, self.checkouts)
        self.monitor.detach()
        self.engine.dispose()


TestPools = pytest.mark.hypothesis(Pools.TestCase)
# 2,000 x 50 = 100,000 operations
TestPools.settings = settings(max_examples=2000 if CHAOS else 12, stateful_step_count=50, deadline=None)


@pytest.fixture
def switching() -> Iterator[None]:
    """Threads change places at nearly every opportunity."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def churn(engine: Engine, number: int, times: int) -> int:
    """Use *engine* as careless code does; how many connections were got."""
    chance, got = random.Random(SEED + number), 0
    for _ in range(times):
        try:
            connection = engine.raw_connection()
        except exc.TimeoutError:
            continue
        got += 1
        what = chance.random()
        if what < 0.05:
            connection.invalidate()
        elif what < 0.1:
            connection.detach()
            connection.close()
        elif what < 0.15:
            del connection
        else:
            connection.close()
    return got


@pytest.mark.usefixtures("switching")
def test_threads_that_switch_at_every_step_are_counted_exactly() -> None:
    threads = 1000 if CHAOS else 100
    engine = in_memory(pool_size=3, max_overflow=2, pool_timeout=0.01)
    monitor = watch(engine, stacks="all")
    stop = threading.Event()

    def look() -> None:
        while not stop.is_set():
            cycle(monitor)
            monitor.holders()
            monitor.families()

    looker = threading.Thread(target=look)
    looker.start()
    with ThreadPoolExecutor(threads) as pool:
        got = sum(pool.map(lambda number: churn(engine, number, 10), range(threads)))
    stop.set()
    looker.join(60)
    gc.collect()
    is_settled(monitor, got)
    figures = monitor.figures()
    assert figures["db_pool_checkouts_total"] + figures["db_pool_timeouts_total"] == threads * 10
    assert figures["db_pool_waiting"] == 0
    engine.dispose()


@pytest.mark.usefixtures("switching")
def test_dispose_under_load_loses_nothing() -> None:
    engine = in_memory(pool_size=3, max_overflow=2, pool_timeout=1)
    monitor = watch(engine)
    with ThreadPoolExecutor(8) as pool:
        working = [pool.submit(churn, engine, number, 100) for number in range(8)]
        while not all(future.done() for future in working):
            engine.dispose()
        got = sum(future.result() for future in working)
    gc.collect()
    is_settled(monitor, got)
    figures = monitor.figures()
    assert figures["db_pool_checked_out"] == 0
    engine.dispose()


@pytest.mark.anyio
async def test_tasks_that_are_cancelled_anywhere_are_counted_exactly(tmp_path: Path) -> None:
    engine = create_async_engine(f"sqlite+aiosqlite:///{tmp_path}/a.db", pool_size=3, max_overflow=0, pool_timeout=5)
    monitor = watch(engine)
    chance = random.Random(SEED)

    async def use() -> None:
        async with engine.connect() as connection:
            await connection.execute(text("SELECT 1"))

    for _ in range(10):
        tasks = [asyncio.create_task(use()) for _ in range(12)]
        for _ in range(chance.randrange(6)):
            await asyncio.sleep(0)
        for task in chance.sample(tasks, 4):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    await monitor.refresh()
    await monitor.refresh()
    figures = monitor.figures()
    assert figures["db_pool_checked_out"] == figures["db_pool_waiting"] == 0
    assert figures["dozor_pool_drift_total"] == figures["dozor_pool_unaccounted"] == 0
    assert not monitor.holders()
    assert not monitor.waiters()
    assert monitor.statistics().use.count == figures["db_pool_checkouts_total"] >= 80
    await engine.dispose()


def test_greenlets_of_one_thread_are_counted_each() -> None:
    engine = in_memory(pool_size=5)
    monitor = watch(engine)

    def use() -> None:
        with engine.connect():
            greenlet.getcurrent().parent.switch()

    users = [greenlet.greenlet(use) for _ in range(5)]
    for user in users:
        user.switch()
    assert len(monitor.holders()) == monitor.figures()["db_pool_checked_out"] == 5
    for user in users:
        user.switch()
    is_settled(monitor, 5)
    engine.dispose()


def test_the_child_of_a_fork_has_no_holders_of_its_parents() -> None:
    engine = in_memory()
    monitor = watch(engine)
    connection = engine.connect()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # other tests may have left threads
        child = os.fork()
    if child == 0:
        try:
            engine.dispose(close=False)
            cycle(monitor)
            assert monitor.holders() == []
            engine.connect().close()
            assert monitor.figures()["db_pool_checkouts_total"] == 2
            os._exit(0)
        finally:
            os._exit(1)
    assert os.waitpid(child, 0)[1] == 0
    assert len(monitor.holders()) == 1
    connection.close()
    is_settled(monitor, 1)
    engine.dispose()


def test_a_pool_that_says_more_than_was_seen_is_told_of_only_when_it_lasts() -> None:
    engine = in_memory()
    before = engine.connect()
    monitor = watch(engine)
    read: Callable[[], Any] = lambda: monitor.figures().get("dozor_pool_unaccounted")  # noqa: E731
    cycle(monitor)
    assert read() == 0
    cycle(monitor)
    assert read() == 1
    before.close()
    cycle(monitor)
    assert read() == 0
    engine.dispose()
