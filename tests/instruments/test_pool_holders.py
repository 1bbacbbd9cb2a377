"""Who holds a connection, on which statement, at which line of code; who waits; who never gave it back."""

import asyncio
import gc
import logging
import threading
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, NullPool, QueuePool, create_engine, exc, text
from sqlalchemy.ext.asyncio import create_async_engine
from tests.instruments.pools import cycle, only, request, watched
from tests.patience import until

from dozor.instruments.pool_holders import Holder
from dozor.instruments.work import Work

HERE = "instruments/test_pool_holders.py"


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


# -- statement and transaction, of each driver -------------------------------------------------------------------------


def test_with_psycopg_statement_state_and_process_are_known(postgres_database: str) -> None:
    engine = create_engine(postgres_database)
    with watched(engine) as monitor, engine.connect() as connection:
        assert (only(monitor).state, only(monitor).statement) == ("idle", None)
        connection.execute(text("SELECT 'secret', :a"), {"a": 1})
        holder = only(monitor)
        assert holder.state == "idle in transaction"
        assert holder.statement == "SELECT ?, %(a)s"
        assert holder.backend_pid == connection.scalar(text("SELECT pg_backend_pid()"))
        assert holder.state_seconds is not None
        assert holder.statement_seconds is not None
        assert 0 <= holder.state_seconds <= holder.statement_seconds <= holder.held_seconds
        figures = monitor.figures()
        assert figures["db_pool_idle_in_transaction"] == 1
        assert 0 < figures["db_pool_longest_idle_in_transaction_seconds"] < 60
        with pytest.raises(exc.ProgrammingError):
            connection.execute(text("SELECT nothing"))
        assert only(monitor).state == "idle in transaction (aborted)"
        connection.rollback()
        assert only(monitor).state == "idle"
        assert monitor.figures()["db_pool_idle_in_transaction"] == 0
        connection.commit()
        seen = {}

        def look() -> None:
            until(lambda: only(monitor).state == "active")
            seen["holder"] = only(monitor)
            with engine.connect() as other:
                other.execute(text("SELECT pg_cancel_backend(:pid)"), {"pid": seen["holder"].backend_pid})

        looker = threading.Thread(target=look)
        looker.start()
        with pytest.raises(exc.OperationalError, match="canceling"):
            connection.execute(text("SELECT pg_sleep(60)"))
        looker.join(30)
        assert seen["holder"].statement == "SELECT pg_sleep(?)"
        assert any(HERE in line for line in seen["holder"].now_at)
    engine.dispose()


@pytest.mark.anyio
async def test_with_asyncpg_the_task_is_found_at_the_line_where_it_waits(async_postgres_database: str) -> None:
    engine = create_async_engine(async_postgres_database, pool_size=1, max_overflow=0)
    go_on = asyncio.Event()

    async def hold() -> None:
        async with engine.connect() as connection:
            await connection.execute(text("SELECT 42"))
            await go_on.wait()  # here it waits

    with watched(engine) as monitor, request("GET /orders/{id}"):
        task = asyncio.create_task(hold(), name="holds")
        while not monitor.holders() or only(monitor).statement is None or only(monitor).state == "active":
            await asyncio.sleep(0.001)
        holder = await asyncio.to_thread(only, monitor)
        assert (holder.who, holder.endpoint, holder.task) == ("GET /orders/{id}", "GET /orders/{id}", "holds")
        assert (holder.state, holder.statement) == ("idle in transaction", "SELECT ?")
        assert holder.backend_pid is not None
        line = next(
            number for number, row in enumerate(Path(__file__).read_text().splitlines(), 1) if "# here it" in row
        )
        assert holder.now_at[0].endswith(f"{HERE}:{line} in {hold.__qualname__}")
        waiter = asyncio.create_task(engine.connect().start(), name="waits")
        while not monitor.waiters():
            await asyncio.sleep(0.001)
        (waiting,) = monitor.waiters()
        assert (waiting.who, waiting.task) == ("GET /orders/{id}", "waits")
        go_on.set()
        await task
        await (await waiter).close()
        assert not monitor.waiters()
        assert not monitor.holders()
    await engine.dispose()


@pytest.mark.anyio
async def test_with_aiosqlite_code_in_a_greenlet_is_found(tmp_path: Path) -> None:
    engine = create_async_engine(f"sqlite+aiosqlite:///{tmp_path}/a.db")
    seen: list[Holder] = []

    with watched(engine) as monitor:

        def inside(connection: Any) -> None:
            connection.execute(text("CREATE TABLE t (a int)"))
            connection.execute(text("INSERT INTO t VALUES (7)"))
            looker = threading.Thread(target=lambda: seen.append(only(monitor)))
            looker.start()
            looker.join(30)

        async with engine.connect() as connection:
            await connection.run_sync(inside)
        assert seen[0].state == "idle in transaction"
        assert seen[0].statement == "INSERT INTO t VALUES (?)"
        assert any("inside" in line for line in seen[0].now_at)
    await engine.dispose()


def test_with_sqlite3_a_thread_is_found_at_its_line_and_its_transaction_is_seen(
    make_engine: Callable[..., Engine],
) -> None:
    engine, held, go_on = make_engine(), threading.Event(), threading.Event()

    def write_report() -> None:
        with engine.connect() as connection:
            connection.execute(text("CREATE TABLE t (a int)"))
            connection.execute(text("INSERT INTO t VALUES (1)"))
            held.set()
            go_on.wait(60)

    with watched(engine) as monitor:
        thread = threading.Thread(target=write_report, name="report-writer")
        thread.start()
        assert held.wait(30)
        holder = only(monitor)
        go_on.set()
        thread.join(30)
    assert (holder.who, holder.thread, holder.endpoint, holder.task) == ("report-writer", "report-writer", None, None)
    assert (holder.state, holder.statement) == ("idle in transaction", "INSERT INTO t VALUES (?)")
    assert "write_report" in holder.now_at[0]
    assert holder.connection is not None


def test_the_last_statement_of_whoever_had_the_connection_before_is_nobodys(make_engine: Callable[..., Engine]) -> None:
    engine = make_engine(pool_size=1)
    with watched(engine) as monitor:
        with engine.connect() as connection:
            connection.execute(text("SELECT 1"))
        with engine.connect():
            assert only(monitor).statement is None


# -- waiting -----------------------------------------------------------------------------------------------------------


def test_who_waits_in_a_thread_is_named_and_what_it_cost_is_told_by_request(make_engine: Callable[..., Engine]) -> None:
    engine = make_engine(pool_size=1, max_overflow=0, pool_timeout=30)
    with watched(engine) as monitor:
        with request("GET /exports") as holding:
            connection = engine.connect()
        cycle(monitor)
        works: list[Work] = []

        def ask() -> None:
            with request("GET /orders") as work:
                works.append(work)
                engine.connect().close()

        thread = threading.Thread(target=ask, name="asks")
        thread.start()
        until(lambda: len(monitor.waiters()) == 1)
        (waiter,) = monitor.waiters()
        assert (waiter.who, waiter.thread, monitor.figures()["db_pool_waiting"]) == ("GET /orders", "asks", 1)
        assert any("ask" in line for line in waiter.now_at)
        until(lambda: monitor.waiters()[0].waited_seconds > 0.01)
        cycle(monitor)
        connection.close()
        thread.join(30)
        assert monitor.waiters() == []
        uses = {use.endpoint: use for use in monitor.endpoints()}
        assert uses["GET /orders"].waits == 1
        assert uses["GET /orders"].wait_seconds == works[0].wait_seconds > 0.01
        assert uses["GET /exports"].held_seconds > 0
        assert holding.wait_seconds < 1
        families = {family.name: family.samples for family in monitor.families()}
        by_endpoint = {
            sample.labels.get("endpoint"): sample.value for sample in families["db_pool_endpoint_wait_seconds_total"]
        }
        assert by_endpoint["GET /orders"] == works[0].wait_seconds


def test_a_request_that_waited_in_vain_is_counted_as_such(make_engine: Callable[..., Engine]) -> None:
    engine = make_engine(pool_size=1, max_overflow=0, pool_timeout=0.01)
    with watched(engine) as monitor, engine.connect():
        with request("GET /orders") as work, pytest.raises(exc.TimeoutError):
            engine.connect()
        (use,) = [one for one in monitor.endpoints() if one.endpoint == "GET /orders"]
        assert (use.waits, use.timeouts) == (1, 1)
        assert use.longest_wait_seconds == work.wait_seconds >= 0.01


def take(engine: Engine) -> Any:
    return engine.connect()


# -- leaks -------------------------------------------------------------------------------------------------------------


def test_a_leak_is_told_once_for_its_place_and_kept_until_and_after_it_is_back(
    make_engine: Callable[..., Engine], caplog: pytest.LogCaptureFixture
) -> None:
    now = 100.0
    engine = make_engine(pool_size=20)
    caplog.set_level(logging.WARNING, "dozor")
    with watched(engine, timer=lambda: now) as monitor:
        now += 1
        cycle(monitor)
        with request("POST /imports"):
            first = take(engine)
        now += 61
        cycle(monitor)
        (leak,) = monitor.leaks()
        assert (leak.outcome, leak.holder.who, leak.holder.held_seconds) == ("held", "POST /imports", 61)
        assert "in take" in leak.holder.taken_at[0]
        # Whoever has leaked before is looked at from now on, at each of its checkouts.
        with request("POST /imports"):
            others = [take(engine) for _ in range(3)]
        now += 61
        cycle(monitor)
        assert len(monitor.leaks()) == 4
        assert all("in take" in one.holder.taken_at[0] for one in monitor.leaks())
        told = [record.getMessage() for record in caplog.records]
        assert len([line for line in told if "taken by POST /imports" in line and "in take" in line]) <= 2
        assert monitor.figures()["db_pool_leaked"] == 4
        for connection in (first, *others):
            connection.close()
        now += 1
        cycle(monitor)
        assert {leak.outcome for leak in monitor.leaks()} == {"returned"}
        assert monitor.leaks()[-1].holder.held_seconds == 123
        assert monitor.figures()["db_pool_leaked"] == 0


@pytest.mark.anyio
async def test_an_async_connection_that_the_garbage_collector_took_is_a_leak(
    async_postgres_database: str, caplog: pytest.LogCaptureFixture
) -> None:
    engine = create_async_engine(async_postgres_database, pool_size=2)
    caplog.set_level(logging.WARNING, "dozor")

    async def forget() -> Any:
        connection = await engine.connect()
        await connection.execute(text("SELECT 13"))
        return (await connection.get_raw_connection()).driver_connection

    with watched(engine, stacks="all") as monitor:
        await monitor.refresh()
        with request("GET /careless"):
            driver = await asyncio.create_task(forget(), name="careless")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            gc.collect()
        figures = monitor.figures()
        assert (figures["db_pool_garbage_collected_total"], figures["db_pool_checked_out"]) == (1, 0)
        (leak,) = monitor.leaks()
        assert leak.outcome == "garbage collected"
        assert (leak.holder.endpoint, leak.holder.task) == ("GET /careless", "careless (ended)")
        assert leak.holder.statement == "SELECT ?"
        assert any("in forget" in line or "forget" in line for line in leak.holder.taken_at)
        assert "the garbage collector took it" in caplog.text
        assert monitor.holders() == []
    if not driver.is_closed():
        driver.terminate()
    await engine.dispose()


@pytest.mark.anyio
async def test_a_connection_that_is_detached_on_purpose_is_no_leak(async_postgres_database: str) -> None:
    engine = create_async_engine(async_postgres_database)
    with watched(engine) as monitor:
        connection = await engine.raw_connection()
        driver: Any = connection.driver_connection
        connection.detach()
        assert monitor.figures()["db_pool_garbage_collected_total"] == 0
        assert not monitor.leaks()
        assert not monitor.holders()
        driver.terminate()
    await engine.dispose()


@pytest.mark.anyio
async def test_the_note_of_who_holds_keeps_no_task_alive(tmp_path: Path) -> None:
    engine = create_async_engine(f"sqlite+aiosqlite:///{tmp_path}/a.db", poolclass=None)
    kept: list[Any] = []

    async def leak() -> None:
        kept.append(await engine.connect())

    with watched(engine) as monitor:
        await asyncio.create_task(leak(), name="leaks")
        await asyncio.sleep(0)  # the loop lets go of what it has just run
        gc.collect()
        assert only(monitor).task == "leaks (ended)"
        (held,) = monitor._tally.holders.values()
        assert held[1][0]() is None  # type: ignore[index]
        await kept.pop().close()
    await engine.dispose()


def test_a_pool_that_keeps_nothing_has_holders_too(make_engine: Callable[..., Engine]) -> None:
    engine = make_engine(poolclass=NullPool)
    with watched(engine) as monitor, engine.connect() as connection:
        connection.execute(text("SELECT 1"))
        assert only(monitor).statement == "SELECT ?"
        assert monitor.waiters() == []


def test_connections_that_were_out_at_attachment_are_unaccounted_for(make_engine: Callable[..., Engine]) -> None:
    engine = make_engine()
    with engine.connect(), watched(engine) as monitor:
        cycle(monitor)
        cycle(monitor)
        assert monitor.figures()["dozor_pool_unaccounted"] == 1
        assert "1 connection(s) are in use that Dozor did not see being taken" in monitor.health()
