"""The pool monitor against real pools: what it shows, what it leaves alone, what it leaves behind (nothing)."""

import asyncio
import gc
import re
import threading
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import (
    AssertionPool,
    Engine,
    NullPool,
    Pool,
    QueuePool,
    SingletonThreadPool,
    StaticPool,
    create_engine,
    event,
    exc,
    text,
)
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import base as pool_base
from tests.patience import PATIENCE_SECONDS, until

from dozor import containment
from dozor.instruments import pool_wrap
from dozor.instruments.connection_pool_monitor import ConnectionPoolMonitor
from dozor.model.labels import Labels
from dozor.testing import FakeClock

UNKNOWN = object()


class Hands:
    """A timer moved by hand."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def make_engine(tmp_path: Path) -> Iterator[Callable[..., Engine]]:
    made: list[Engine] = []

    def make(**options: Any) -> Engine:
        engine = create_engine(f"sqlite:///{tmp_path}/{len(made)}.db", **{"poolclass": QueuePool, **options})
        made.append(engine)
        return engine

    yield make
    for engine in made:
        engine.dispose()


def watch(engine: Engine | AsyncEngine, name: str = "default", **options: Any) -> ConnectionPoolMonitor:
    monitor = ConnectionPoolMonitor(name, engine, FakeClock(), **options)
    monitor.attach()
    return monitor


def figure(monitor: ConnectionPoolMonitor, name: str) -> float | object:
    return monitor.figures().get(f"db_pool_{name}", UNKNOWN)


# -- the figures -------------------------------------------------------------------------------------------------------


def test_gauges_are_those_of_the_pool(make_engine: Callable[..., Engine]) -> None:
    engine = make_engine(pool_size=2, max_overflow=2)
    monitor = watch(engine)
    asyncio.run(monitor.refresh())
    connections = [engine.connect() for _ in range(3)]
    assert monitor.figures() == {
        "db_pool_size": 2,
        "db_pool_capacity": 4,
        "db_pool_checked_out": 3,
        "db_pool_available": 1,
        "db_pool_utilization": 75,
        "db_pool_idle": 0,
        "db_pool_idle_min": 0,
        "db_pool_overflow": 1,
        "db_pool_waiting": 0,
        "db_pool_leaked": 0,
        "db_pool_checkouts_total": 3,
        "db_pool_connects_total": 3,
        "db_pool_disconnects_total": 0,
        "db_pool_timeouts_total": 0,
        "db_pool_errors_total": 0,
        "db_pool_garbage_collected_total": 0,
        "db_pool_idle_in_transaction": 0,
        "db_pool_longest_idle_in_transaction_seconds": 0,
        "dozor_pool_drift_total": 0,
        "dozor_pool_unaccounted": 0,
    }
    for connection in connections:
        connection.close()
    assert figure(monitor, "idle") == engine.pool.checkedin() == 2  # type: ignore[attr-defined]
    assert figure(monitor, "overflow") == 0
    assert figure(monitor, "disconnects_total") == 1


def test_what_was_told_stays_until_it_is_told_anew(make_engine: Callable[..., Engine]) -> None:
    engine, clock = make_engine(), FakeClock()
    monitor = ConnectionPoolMonitor("default", engine, clock)
    monitor.attach()
    assert monitor.told()[1]["db_pool_checked_out"] == 0
    with engine.connect():
        assert monitor.told()[1]["db_pool_checked_out"] == 1, "nothing was told yet"
        monitor.families()
        told_at = clock.timestamp()
    clock.advance(1)
    assert (monitor.told()[0], monitor.told()[1]["db_pool_checked_out"]) == (told_at, 1)
    monitor.families()
    assert (monitor.told()[0], monitor.told()[1]["db_pool_checked_out"]) == (told_at + 1, 0)


def test_overflow_is_never_below_zero(make_engine: Callable[..., Engine]) -> None:
    engine = make_engine(pool_size=5)
    assert engine.pool.overflow() < 0  # type: ignore[attr-defined]
    assert figure(watch(engine), "overflow") == 0


@pytest.mark.parametrize("limits", [{"pool_size": 0}, {"pool_size": 2, "max_overflow": -1}])
def test_without_a_limit_there_is_no_capacity_and_no_utilization(
    make_engine: Callable[..., Engine], limits: dict[str, int]
) -> None:
    engine = make_engine(**limits)
    monitor = watch(engine)
    with engine.connect(), engine.connect(), engine.connect():
        figures = monitor.figures()
        assert figures["db_pool_checked_out"] == 3
        assert not {"db_pool_capacity", "db_pool_available", "db_pool_utilization"} & figures.keys()
    assert "no limit" in " ".join(monitor.health())


@pytest.mark.parametrize("kind", [NullPool, StaticPool, SingletonThreadPool, AssertionPool])
def test_pools_that_are_no_queue_show_what_they_can(make_engine: Callable[..., Engine], kind: type[Pool]) -> None:
    engine = make_engine(poolclass=kind)
    monitor = watch(engine)
    with engine.connect() as connection:
        connection.execute(text("SELECT 1"))
        assert figure(monitor, "checked_out") == 1
        assert figure(monitor, "connects_total") == 1
    assert figure(monitor, "checked_out") == 0
    assert figure(monitor, "checkouts_total") == 1
    assert figure(monitor, "disconnects_total") == (1 if kind is NullPool else 0)
    for name in ("capacity", "available", "utilization", "idle", "overflow", "waiting"):
        assert figure(monitor, name) is UNKNOWN
    assert figure(monitor, "size") == (5 if kind is SingletonThreadPool else UNKNOWN)


def test_a_thread_that_gets_its_own_connection_again_is_one_checkout(make_engine: Callable[..., Engine]) -> None:
    engine = make_engine(poolclass=SingletonThreadPool)
    monitor = watch(engine)
    with engine.connect(), engine.connect():
        pass
    assert figure(monitor, "checkouts_total") == 1
    assert monitor.statistics().use.count == 1


def test_waiting_callers_are_seen_and_not_counted_as_timeouts(make_engine: Callable[..., Engine]) -> None:
    engine = make_engine(pool_size=1, max_overflow=0, pool_timeout=30)
    monitor = watch(engine)
    with ThreadPoolExecutor(3) as threads:
        with engine.connect():
            waiting = [threads.submit(lambda: engine.connect().close()) for _ in range(3)]
            until(lambda: figure(monitor, "waiting") == 3)
            assert figure(monitor, "checkouts_total") == 1
        for future in waiting:
            future.result(10)
    assert figure(monitor, "waiting") == 0
    assert figure(monitor, "timeouts_total") == 0
    assert figure(monitor, "checkouts_total") == 4


def test_a_caller_that_gave_up_is_a_timeout_and_no_error(make_engine: Callable[..., Engine]) -> None:
    engine = make_engine(pool_size=1, max_overflow=0, pool_timeout=0.01)
    monitor = watch(engine)
    with engine.connect(), pytest.raises(exc.TimeoutError, match="QueuePool limit of size 1 overflow 0 reached"):
        engine.connect()
    assert figure(monitor, "timeouts_total") == 1
    assert figure(monitor, "errors_total") == 0
    assert figure(monitor, "checkouts_total") == 1


def test_a_connection_that_cannot_be_opened_is_an_error(make_engine: Callable[..., Engine]) -> None:
    monitor = watch(engine := make_engine(connect_args={"uri": 5.5, "timeout": "soon"}))
    with pytest.raises(TypeError):
        engine.connect()
    assert figure(monitor, "errors_total") == 1
    assert figure(monitor, "checked_out") == 0
    assert figure(monitor, "checkouts_total") == 0


def test_durations_are_measured(make_engine: Callable[..., Engine]) -> None:
    engine, timer = make_engine(pool_size=1), Hands()
    monitor = watch(engine, timer=timer)
    with engine.connect():
        timer.now += 2.0
    use = monitor.statistics().use
    assert (use.count, use.mean_seconds, use.max_seconds) == (1, 2.0, 2.0)
    names = {family.name: family for family in monitor.families()}
    counts = {
        name: [sample.value for sample in names[name].samples if sample.name.endswith("_count")]
        for name in ("db_pool_wait_seconds", "db_pool_use_seconds", "db_pool_create_seconds")
    }
    assert counts == {name: [1.0] for name in counts}


def test_every_series_carries_the_pool_and_the_base_labels(make_engine: Callable[..., Engine]) -> None:
    monitor = watch(make_engine(), "orders", base_labels=Labels(worker="3"))
    for family in monitor.families():
        assert family.help
        for sample in family.samples:
            assert (sample.labels["pool"], sample.labels["worker"]) == ("orders", "3")


def test_all_nine_signals_of_opentelemetry_are_there_as_the_guide_maps_them(
    make_engine: Callable[..., Engine],
) -> None:
    guide = Path(__file__).parents[2] / "docs" / "guides" / "connection-pools.md"
    rows = re.findall(
        r"^\| `db\.client\.connection\.([a-z_.]+)(?:\{.*\})?` \| `(\w+)`", guide.read_text(), re.MULTILINE
    )
    assert {signal for signal, _ in rows} == {
        "count", "idle.max", "idle.min", "max", "pending_requests", "timeouts", "create_time", "wait_time", "use_time"
    }  # fmt: skip
    engine = make_engine(pool_size=3, max_overflow=4)
    monitor = watch(engine)
    out = [engine.connect() for _ in range(2)]
    engine.connect().close()
    values = {sample.name: sample.value for family in monitor.families() for sample in family.samples}
    told = [(signal, values.get(name, values.get(f"{name}_count"))) for signal, name in rows]
    assert told == [
        ("count", 2), ("count", 1), ("idle.max", 3), ("idle.min", 0), ("max", 7), ("pending_requests", 0), ("timeouts", 0),
        ("create_time", 3), ("wait_time", 3), ("use_time", 1),
    ]  # fmt: skip
    for connection in out:
        connection.close()


# -- holders and leaks -------------------------------------------------------------------------------------------------


def test_holders_name_the_thread_longest_first_and_long_ones_are_leaks(make_engine: Callable[..., Engine]) -> None:
    engine, timer = make_engine(), Hands()
    monitor = watch(engine, timer=timer, leak_after_seconds=60)
    taken, done = threading.Event(), threading.Event()

    def hold() -> None:
        with engine.connect():
            taken.set()
            done.wait(PATIENCE_SECONDS)

    thread = threading.Thread(target=hold, name="report-writer")
    thread.start()
    assert taken.wait(PATIENCE_SECONDS)
    timer.now += 60.5
    with engine.connect():
        first, second = monitor.holders()
        assert (first.who, first.held_seconds, first.leaked) == ("report-writer", 60.5, True)
        assert (second.who, second.leaked) == (threading.current_thread().name, False)
        assert figure(monitor, "leaked") == 1
        assert "held longer than 60 s, longest by report-writer" in " ".join(monitor.health())
    done.set()
    thread.join()
    assert monitor.holders() == []
    assert figure(monitor, "leaked") == 0


def test_a_connection_that_was_dropped_without_close_is_held_no_longer(make_engine: Callable[..., Engine]) -> None:
    engine = make_engine()
    monitor = watch(engine)
    connection: Any = engine.raw_connection()
    assert len(monitor.holders()) == 1
    del connection
    gc.collect()
    assert monitor.holders() == []
    assert figure(monitor, "checked_out") == 0


# -- dispose, detach, invalidate ---------------------------------------------------------------------------------------


def test_dispose_while_a_connection_is_out(make_engine: Callable[..., Engine]) -> None:
    engine = make_engine(pool_size=2)
    monitor = watch(engine)
    engine.connect().close()
    out = engine.connect()
    old = engine.pool
    engine.dispose()
    assert engine.pool is not old
    assert figure(monitor, "checked_out") == 0, "gauges are those of the pool that the engine has now"
    assert len(monitor.holders()) == 1
    with engine.connect():
        assert figure(monitor, "checked_out") == 1
        assert figure(monitor, "checkouts_total") == 3
    out.close()
    assert monitor.holders() == []
    assert figure(monitor, "connects_total") == 2
    assert figure(monitor, "disconnects_total") == 1, "what goes back to a disposed pool is closed with it"


def test_a_pool_put_in_the_place_of_the_watched_one_is_found(make_engine: Callable[..., Engine]) -> None:
    engine = make_engine()
    monitor = watch(engine)
    # As a test suite or a tool might: neither dispose() nor an event tells of it.
    engine.pool = QueuePool(engine.pool._creator, dialect=engine.dialect)
    asyncio.run(monitor.refresh())
    with engine.connect():
        assert figure(monitor, "checkouts_total") == 1


def test_a_detached_connection_left_the_pool(make_engine: Callable[..., Engine]) -> None:
    engine = make_engine(pool_size=1, max_overflow=0)
    monitor = watch(engine)
    connection = engine.connect()
    connection.detach()
    assert figure(monitor, "checked_out") == 0
    assert figure(monitor, "disconnects_total") == 1
    assert monitor.holders() == []
    connection.close()
    assert figure(monitor, "disconnects_total") == 1


@pytest.mark.parametrize("soft", [False, True])
def test_an_invalidated_connection_is_one_disconnect(make_engine: Callable[..., Engine], soft: bool) -> None:
    engine = make_engine(pool_size=1)
    monitor = watch(engine)
    connection = engine.raw_connection()
    connection.invalidate(soft=soft)
    connection.close()
    engine.connect().close()
    assert figure(monitor, "disconnects_total") == 1
    assert figure(monitor, "connects_total") == 2
    assert figure(monitor, "checked_out") == 0


def test_counters_add_up_to_the_connections_open(make_engine: Callable[..., Engine]) -> None:
    engine = make_engine(pool_size=2, max_overflow=3, pool_timeout=0.05)
    monitor = watch(engine)

    def work(number: int) -> None:
        for step in range(40):
            try:
                connection = engine.raw_connection()
            except exc.TimeoutError:
                continue
            if (number + step) % 7 == 0:
                connection.invalidate()
            elif (number + step) % 11 == 0:
                connection.detach()
                connection.close()
            else:
                connection.close()

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(work, range(8)))
    pool: Any = engine.pool
    idle = sum(1 for record in pool._pool.queue if record.dbapi_connection is not None)
    assert pool.checkedout() == figure(monitor, "checked_out") == 0
    figures = monitor.figures()
    assert figures["db_pool_connects_total"] - figures["db_pool_disconnects_total"] == idle
    assert figures["db_pool_checkouts_total"] + figures["db_pool_timeouts_total"] == 8 * 40
    assert monitor.statistics().use.count == figures["db_pool_checkouts_total"]


# -- asyncio -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def async_engine(tmp_path: Path) -> AsyncEngine:
    return create_async_engine(f"sqlite+aiosqlite:///{tmp_path}/a.db", pool_size=1, max_overflow=0, pool_timeout=0.05)


@pytest.mark.anyio
async def test_an_async_engine_is_watched_by_its_sync_side(async_engine: AsyncEngine) -> None:
    monitor = watch(async_engine)
    assert figure(monitor, "checked_out") == 0, "before its first use"

    async def hold() -> None:
        async with async_engine.connect() as connection:
            await connection.execute(text("SELECT 1"))
            assert [holder.who for holder in monitor.holders()] == ["checkout of orders"]
            assert figure(monitor, "utilization") == 100
            with pytest.raises(exc.TimeoutError):
                await async_engine.connect()

    await asyncio.create_task(hold(), name="checkout of orders")
    assert figure(monitor, "timeouts_total") == 1
    assert figure(monitor, "checkouts_total") == 1
    await async_engine.dispose()
    assert figure(monitor, "disconnects_total") == 1


@pytest.mark.anyio
async def test_a_cancelled_waiter_is_neither_timeout_nor_error(tmp_path: Path) -> None:
    engine = create_async_engine(f"sqlite+aiosqlite:///{tmp_path}/a.db", pool_size=1, max_overflow=0, pool_timeout=30)
    monitor = watch(engine)
    async with engine.connect():
        waiter = asyncio.ensure_future(engine.connect().start())
        while figure(monitor, "waiting") != 1:
            await asyncio.sleep(0)
        waiter.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiter
        assert figure(monitor, "waiting") == 0
    assert figure(monitor, "timeouts_total") == figure(monitor, "errors_total") == 0
    await engine.dispose()


@pytest.mark.anyio
async def test_a_leaked_async_connection_that_was_collected_is_held_no_longer(async_engine: AsyncEngine) -> None:
    monitor = watch(async_engine)
    connection: Any = await async_engine.raw_connection()
    driver = connection.driver_connection
    assert figure(monitor, "checked_out") == 1
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        del connection
        gc.collect()
    assert figure(monitor, "checked_out") == 0
    assert monitor.holders() == []
    assert figure(monitor, "disconnects_total") == 1
    if not async_engine.dialect.has_terminate:  # SQLAlchemy 2.0 drops the connection without closing it
        await driver.close()
    await async_engine.dispose()
    while driver._thread.is_alive():  # it answers to this loop, which must not be closed before
        await asyncio.sleep(0.01)


def test_reading_never_makes_the_queue_of_an_asyncio_pool(async_engine: AsyncEngine) -> None:
    monitor = watch(async_engine)
    monitor.figures()
    pool: Any = async_engine.pool
    assert "_queue" not in vars(pool._pool)


# -- leaving nothing behind --------------------------------------------------------------------------------------------


def state_of(engine: Engine) -> dict[str, Any]:
    pool, dialect = engine.pool, engine.dialect
    listeners = {
        f"{type(target).__name__}.{name}": list(getattr(target.dispatch, name))
        for target in (engine, pool, dialect)
        for name in type(target).dispatch._event_names
    }
    attributes = {
        type(target).__name__: {name: value for name, value in vars(target).items() if callable(value)}
        for target in (engine, pool, dialect)
    }
    return {"listeners": listeners, "attributes": attributes, "flags": (engine._has_events, dialect._has_events)}


def test_detach_leaves_nothing(make_engine: Callable[..., Engine]) -> None:
    engine = make_engine()
    engine.connect().close()
    event.listen(engine, "checkin", lambda *_: None)
    before = state_of(engine)
    monitor = watch(engine)
    assert state_of(engine) != before
    with engine.connect():
        monitor.detach()
    assert state_of(engine) == before
    monitor.detach()
    engine.connect().close()
    assert figure(monitor, "checkouts_total") == 1


def test_detach_after_dispose_leaves_nothing(make_engine: Callable[..., Engine]) -> None:
    engine = make_engine()
    out = engine.connect()
    monitor = watch(engine)
    engine.dispose()
    monitor.detach()
    out.close()
    untouched = make_engine()
    assert state_of(engine)["attributes"]["QueuePool"].keys() == state_of(untouched)["attributes"]["QueuePool"].keys()
    assert [len(each) for each in state_of(engine)["listeners"].values()] == [
        len(each) for each in state_of(untouched)["listeners"].values()
    ]


def test_two_monitors_of_one_engine_may_go_in_any_order(make_engine: Callable[..., Engine]) -> None:
    engine = make_engine()
    engine.connect().close()
    before = state_of(engine)
    first, second = watch(engine), watch(engine)
    engine.connect().close()
    assert figure(first, "checkouts_total") == figure(second, "checkouts_total") == 1
    first.detach()
    engine.connect().close()
    assert figure(second, "checkouts_total") == 2
    second.detach()
    assert state_of(engine) == before


def test_several_engines_are_told_apart(make_engine: Callable[..., Engine]) -> None:
    one, other = make_engine(), make_engine()
    first, second = watch(one, "one"), watch(other, "other")
    one.connect().close()
    assert (figure(first, "checkouts_total"), figure(second, "checkouts_total")) == (1, 0)


def test_monitoring_takes_no_connection_and_keeps_the_fast_path(make_engine: Callable[..., Engine]) -> None:
    engine = make_engine(pool_size=1, max_overflow=0)
    monitor = watch(engine)
    asyncio.run(monitor.refresh())
    monitor.families(), monitor.health(), monitor.statistics(300)
    assert engine.pool.checkedin() == engine.pool.checkedout() == 0  # type: ignore[attr-defined]
    assert not engine.pool.dispatch.checkout
    assert not engine._has_events


# -- isolation level ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("level", ["AUTOCOMMIT", "SERIALIZABLE"])
def test_the_isolation_level_is_never_touched(postgres_database: str, level: Any) -> None:
    engine = create_engine(postgres_database, isolation_level=level)
    monitor = watch(engine)
    with engine.connect() as connection:
        connection.execute(text("SELECT 1"))
        asyncio.run(monitor.refresh())
        monitor.families()
        driver: Any = connection.connection.dbapi_connection
        shown = connection.scalar(text("SHOW transaction_isolation"))
        monitor.detach()
        assert driver.autocommit is (level == "AUTOCOMMIT")
        assert shown == ("serializable" if level == "SERIALIZABLE" else "read committed")
    engine.dispose()


def test_attaching_within_an_open_transaction_does_not_disturb_it(postgres_database: str) -> None:
    engine = create_engine(postgres_database)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE t (a int)"))
        monitor = watch(engine)
        connection.execute(text("INSERT INTO t VALUES (1)"))
        assert figure(monitor, "checked_out") == 1
        asyncio.run(monitor.refresh())
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM t")) == 1
    monitor.detach()
    engine.dispose()


@pytest.mark.anyio
async def test_with_asyncpg(async_postgres_database: str) -> None:
    engine = create_async_engine(async_postgres_database, pool_size=1, max_overflow=1, pool_pre_ping=True)
    monitor = watch(engine)
    async with engine.connect() as one, engine.connect() as other:
        assert await one.scalar(text("SELECT 1")) == await other.scalar(text("SELECT 1")) == 1
        assert figure(monitor, "checked_out") == 2
    await engine.dispose()
    assert figure(monitor, "connects_total") == figure(monitor, "disconnects_total") == 2


# -- where SQLAlchemy's inside is another ------------------------------------------------------------------------------


class OtherwiseReturned(QueuePool):
    """A pool whose inside was rewritten: connections go back by another method."""

    def _return_conn(self, record: Any) -> None:
        self._hand_in(record)

    def _hand_in(self, record: Any) -> None:
        super()._do_return_conn(record)

    def recreate(self) -> "OtherwiseReturned":
        return super().recreate()  # type: ignore[return-value]


def test_events_count_where_the_inside_is_another(make_engine: Callable[..., Engine]) -> None:
    engine, timer = make_engine(poolclass=OtherwiseReturned, pool_size=1, max_overflow=0, pool_timeout=0.01), Hands()
    engine.connect().close()
    before = state_of(engine)
    monitor = watch(engine, timer=timer)
    assert monitor.fallback_reason == "OtherwiseReturned._return_conn does not use _do_return_conn any more"
    with engine.connect():
        timer.now += 3
        assert len(monitor.holders()) == 1
        with pytest.raises(exc.TimeoutError):
            engine.connect()
    figures = monitor.figures()
    assert (figures["db_pool_checkouts_total"], figures["db_pool_checked_out"]) == (1, 0)
    assert figure(monitor, "timeouts_total") is UNKNOWN
    assert figure(monitor, "errors_total") is UNKNOWN
    statistics = monitor.statistics()
    assert (statistics.wait, statistics.timeouts, statistics.use.max_seconds) == (None, None, 3)
    assert "db_pool_wait_seconds" not in {family.name for family in monitor.families()}
    assert "unknown" in " ".join(monitor.health())
    with engine.connect() as connection:
        connection.detach()
    assert monitor.holders() == []
    monitor.detach()
    assert state_of(engine) == before


def test_methods_with_other_arguments_are_not_wrapped(make_engine: Callable[..., Engine]) -> None:
    class Other(QueuePool):
        def _do_return_conn(self, record: Any, reason: Any) -> None:  # type: ignore[override]
            raise NotImplementedError

    assert "not as expected" in str(pool_wrap.unsupported(make_engine(poolclass=Other).pool))


def test_a_sqlalchemy_whose_functions_changed_is_not_wrapped(
    make_engine: Callable[..., Engine], monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = make_engine().pool
    assert pool_wrap.unsupported(pool) is None
    monkeypatch.setattr(pool_base._ConnectionFairy, "detach", lambda self: None)
    assert pool_wrap.unsupported(pool) is not None
    monkeypatch.undo()
    monkeypatch.delattr(pool_base, "_ConnectionRecord")
    assert pool_wrap.unsupported(pool) is not None


def test_waiting_is_unknown_where_the_queue_is_another(
    make_engine: Callable[..., Engine], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = make_engine()
    monitor = watch(engine)
    pool: Any = engine.pool
    monkeypatch.delattr(pool._pool, "not_empty")
    assert figure(monitor, "waiting") is UNKNOWN


def test_a_return_that_was_not_seen_is_noticed(make_engine: Callable[..., Engine]) -> None:
    engine, timer = make_engine(), Hands()
    monitor = watch(engine, timer=timer)
    connection = engine.connect()
    pool: Any = engine.pool
    hidden = {name: vars(pool).pop(name) for name in ("_return_conn", "_do_return_conn")}
    connection.close()
    assert len(monitor.holders()) == 1
    vars(pool).update(hidden)
    asyncio.run(monitor.refresh())
    assert len(monitor.holders()) == 1, "between a return and its note lies a moment"
    timer.now += 1
    asyncio.run(monitor.refresh())
    assert monitor.holders() == []
    assert "1 return(s) of connections were not seen" in monitor.health()


# -- our own faults ----------------------------------------------------------------------------------------------------


class Broken:
    """Raises whatever is done with it."""

    value = 0.0

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError("injected")

    def __len__(self) -> int:
        raise RuntimeError("injected")


class BrokenMethods(Broken):
    """Raises when it is used, not when it is looked at."""

    pending = ()

    def __getattr__(self, name: str) -> Any:
        def fail(*_: object) -> None:
            raise RuntimeError("injected")

        return fail

    def __setitem__(self, *_: object) -> None:
        raise RuntimeError("injected")


@pytest.mark.parametrize("kind", [QueuePool, OtherwiseReturned])
@pytest.mark.parametrize(
    "place",
    [
        "notable",
        "waiting",
        "statements",
        "collected",
        "connects",
        "disconnects",
        "errors",
        "timeouts",
        "waits",
        "uses",
        "creates",
        "holders",
    ],
)
def test_a_fault_of_ours_never_reaches_the_application(
    make_engine: Callable[..., Engine], kind: type[QueuePool], place: str
) -> None:
    engine = make_engine(poolclass=kind, pool_size=1, max_overflow=0, pool_timeout=0.01)
    monitor = ConnectionPoolMonitor("default", engine, FakeClock())
    setattr(monitor._tally, place, BrokenMethods())
    monitor.attach()
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT 1")) == 1
        with pytest.raises(exc.TimeoutError, match="QueuePool limit"):
            engine.connect()
        connection.invalidate()
    engine.raw_connection().detach()
    engine.dispose()
    assert engine.pool.checkedout() == 0  # type: ignore[attr-defined]


def test_a_fault_of_ours_is_contained_and_counted(make_engine: Callable[..., Engine]) -> None:
    engine = make_engine()
    monitor = ConnectionPoolMonitor("default", engine, FakeClock())
    monitor._tally.holders = BrokenMethods()  # type: ignore[assignment]
    monitor.attach()
    before = containment.counts()
    engine.connect().close()
    after = containment.counts()
    for place in ("pool.checkout", "pool.checkin"):
        assert after[place] == before.get(place, 0) + 1
