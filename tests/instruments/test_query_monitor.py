"""The query monitor against real databases: counts, slow statements, where they come from, and what it leaves alone."""

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import (
    Column,
    Engine,
    Integer,
    MetaData,
    QueuePool,
    String,
    Table,
    create_engine,
    event,
    exc,
    func,
    insert,
    select,
    text,
)
from sqlalchemy.engine import Connection
from sqlalchemy.engine.default import DefaultDialect
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from dozor import containment
from dozor.instruments import query_monitor
from dozor.instruments.query_monitor import QueryMonitor, unsupported
from dozor.instruments.query_operation import operation_of
from dozor.model.labels import Labels
from dozor.testing import FakeClock

ITEMS = Table("items", MetaData(), Column("id", Integer, primary_key=True), Column("name", String))
HERE = Path(__file__).name


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = create_engine(f"sqlite:///{tmp_path}/a.db", poolclass=QueuePool)
    ITEMS.create(engine)
    yield engine
    engine.dispose()


@pytest.fixture(params=["wrap", "events"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """How statements are seen; the second where SQLAlchemy's inside has changed."""
    if request.param == "events":
        monkeypatch.setattr(query_monitor, "unsupported", lambda engine: "changed")
    return str(request.param)


def watch(engine: Engine | AsyncEngine, **options: Any) -> QueryMonitor:
    monitor = QueryMonitor("default", engine, FakeClock(), **options)
    monitor.attach()
    return monitor


def counts(monitor: QueryMonitor) -> dict[str, float]:
    return {
        sample.labels["operation"]: sample.value
        for family in monitor.families()
        for sample in family.samples
        if sample.name == "db_query_seconds_count"
    }


def some_statements(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(insert(ITEMS), [{"name": "a"}, {"name": "b"}])
        connection.execute(text("select 1"))


# -- counting ----------------------------------------------------------------------------------------------------------


def test_statements_are_counted_by_operation(engine: Engine, way: str) -> None:
    monitor = watch(engine)
    with engine.begin() as connection:
        connection.execute(insert(ITEMS), {"name": "a"})
        connection.execute(ITEMS.update().values(name="b"))
        connection.execute(select(ITEMS))
        connection.execute(text("  select 1"))
        connection.execute(ITEMS.delete())
        connection.exec_driver_sql("PRAGMA user_version")
        connection.exec_driver_sql("ANALYZE")
    assert counts(monitor) == {"INSERT": 1, "UPDATE": 1, "SELECT": 2, "DELETE": 1, "PRAGMA": 1, "other": 1}


def test_a_failed_statement_counts_once(engine: Engine, way: str) -> None:
    monitor = watch(engine)
    with engine.connect() as connection:
        with pytest.raises(exc.OperationalError):
            connection.execute(text("SELECT nothing FROM nowhere"))
        connection.execute(text("SELECT 1"))
    assert counts(monitor) == {"SELECT": 2}


def test_executemany_is_one_statement(engine: Engine, way: str) -> None:
    monitor = watch(engine)
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO items (name) VALUES (:n)"), [{"n": str(n)} for n in range(100)])
    assert counts(monitor) == {"INSERT": 1}


def test_inserts_in_batches_are_counted_by_batch(engine: Engine, way: str) -> None:
    monitor = watch(engine)
    with engine.execution_options(insertmanyvalues_page_size=10).begin() as connection:
        rows = [{"name": str(n)} for n in range(30)]
        assert len(connection.execute(insert(ITEMS).returning(ITEMS.c.id), rows).all()) == 30
    assert counts(monitor) == {"INSERT": 3}


def test_a_statement_within_a_statement(engine: Engine, way: str) -> None:
    table = Table("items", MetaData(), Column("id", Integer, primary_key=True),
                  Column("name", String, default=select(func.count()).select_from(ITEMS).scalar_subquery()))  # fmt: skip
    monitor = watch(engine)
    with engine.begin() as connection:
        connection.execute(insert(table))
        connection.execute(insert(table).values(name=select(text("1")).scalar_subquery()))
    assert counts(monitor)["INSERT"] == 2


def test_streaming_and_connections_at_once(engine: Engine, way: str) -> None:
    monitor = watch(engine)

    def work(number: int) -> None:
        with engine.connect() as one, engine.connect() as other:
            rows = one.execution_options(stream_results=True, yield_per=2).execute(select(ITEMS))
            other.execute(select(func.count()).select_from(ITEMS))
            rows.all()

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(work, range(20)))
    assert counts(monitor) == {"SELECT": 40}


def test_statements_without_parameters_of_the_driver(engine: Engine, way: str) -> None:
    monitor = watch(engine)
    with engine.connect().execution_options(no_parameters=True) as connection:
        assert connection.exec_driver_sql("SELECT 1").scalar() == 1
    assert counts(monitor) == {"SELECT": 1}


def test_what_is_marked_as_our_own_is_not_counted(engine: Engine, way: str) -> None:
    ours: ContextVar[bool] = ContextVar("ours", default=False)
    monitor = watch(engine, ignore=ours, slow_seconds=0)
    with engine.connect() as connection:
        connection.execute(text("SELECT 1"))
        token = ours.set(True)
        connection.execute(text("SELECT 2"))
        ours.reset(token)
    assert counts(monitor) == {"SELECT": 1}
    assert monitor.slow_total == 1


def test_labels_and_both_metrics(engine: Engine) -> None:
    monitor = watch(engine, base_labels=Labels(worker="4"))
    some_statements(engine)
    assert [family.name for family in monitor.families()][:2] == ["db_query_seconds", "db_pool_slow_queries_total"]
    assert {(s.labels["pool"], s.labels["worker"]) for f in monitor.families() for s in f.samples} == {("default", "4")}


@pytest.mark.parametrize(
    ("statement", "operation"),
    [
        ("SELECT 1", "SELECT"),
        ("  \n(select 1) union (select 2)", "SELECT"),
        ("-- why\nDELETE FROM t", "DELETE"),
        ("/* a */ /* b */ update t set a = 1", "UPDATE"),
        ("WITH a AS (SELECT 1) SELECT * FROM a", "WITH"),
        ("SELECTED", "other"),
        ("VACUUM", "other"),
        ("", "other"),
        ("--", "other"),
        ("DROP TABLE t", "DROP"),
        ("ж", "other"),
    ],
)
def test_the_operation_is_the_first_word(statement: str, operation: str) -> None:
    assert operation_of(statement, None) == operation


def test_with_is_named_by_what_it_does_where_that_is_known(engine: Engine) -> None:
    monitor = watch(engine)
    recent = select(ITEMS.c.id).cte("recent")
    with engine.begin() as connection:
        connection.execute(select(recent))
        connection.execute(ITEMS.delete().where(ITEMS.c.id.in_(select(recent.c.id))))
        connection.execute(text("WITH a AS (SELECT 1) SELECT * FROM a"))
    assert counts(monitor) == {"SELECT": 1, "DELETE": 1, "WITH": 1}


# -- slow statements ---------------------------------------------------------------------------------------------------


def test_a_slow_statement_is_kept_redacted_with_the_line_that_sent_it(engine: Engine, way: str) -> None:
    monitor = watch(engine, slow_seconds=0)
    with engine.connect() as connection:
        connection.execute(text("SELECT id FROM items WHERE name = 'hunter2'"))
    [slow] = monitor.slow_queries()
    assert slow.statement == "SELECT id FROM items WHERE name = ?"
    assert (slow.pool, slow.operation, slow.failed, slow.error) == ("default", "SELECT", False, None)
    assert slow.at == FakeClock().timestamp()
    assert slow.duration_seconds >= 0
    name = test_a_slow_statement_is_kept_redacted_with_the_line_that_sent_it.__name__
    assert slow.caller is not None
    assert HERE in slow.caller
    assert slow.caller.endswith(f" in {name}")
    assert monitor.slow_total == 1
    assert monitor.families()[1].samples[0].value == 1


def test_a_slow_statement_that_failed_says_so_and_no_more(engine: Engine, way: str) -> None:
    monitor = watch(engine, slow_seconds=0)
    with engine.connect() as connection, pytest.raises(exc.OperationalError):
        connection.execute(text("SELECT 'hunter2' FROM nowhere"))
    [slow] = monitor.slow_queries()
    assert (slow.failed, slow.error) == (True, "OperationalError")
    assert "hunter2" not in repr(slow)


def test_what_is_faster_than_the_threshold_is_not_slow(engine: Engine, way: str) -> None:
    clock = FakeClock()
    monitor = watch(engine, slow_seconds=1.0, timer=clock.monotonic)
    with engine.connect() as connection:
        driver: Any = connection.connection.driver_connection
        driver.create_function("wait", 1, clock.advance)
        connection.execute(text("SELECT wait(0.9375)"))
        connection.execute(text("SELECT wait(1)"))
    assert [slow.duration_seconds for slow in monitor.slow_queries()] == [1.0]


def test_the_last_five_hundred_are_kept_newest_first(engine: Engine) -> None:
    monitor = watch(engine, slow_seconds=0)
    with engine.connect() as connection:
        for number in range(502):
            connection.exec_driver_sql(f"SELECT 1 AS a{number}")
    kept = monitor.slow_queries()
    assert (len(kept), kept[0].statement, kept[-1].statement) == (500, "SELECT ? AS a501", "SELECT ? AS a2")
    assert monitor.slow_total == 502


def test_a_thread_of_the_standard_library_is_not_the_caller(engine: Engine) -> None:
    monitor = watch(engine, slow_seconds=0)

    def send() -> None:
        with engine.connect() as connection:
            connection.execute(text("SELECT 1"))

    thread = threading.Thread(target=send)
    thread.start()
    thread.join()
    [slow] = monitor.slow_queries()
    assert str(slow.caller).endswith("<locals>.send")


def test_without_code_of_the_application_there_is_no_caller(engine: Engine) -> None:
    monitor = watch(engine, slow_seconds=0)
    connection = engine.connect()
    thread = threading.Thread(target=connection.execute, args=(text("SELECT 1"),))
    thread.start()
    thread.join()
    connection.close()
    assert [slow.caller for slow in monitor.slow_queries()] == [None]


# -- asyncio, PostgreSQL -----------------------------------------------------------------------------------------------


@pytest.mark.anyio
@pytest.mark.parametrize("driver", ["asyncpg", "psycopg"])
async def test_statements_of_an_async_engine(postgres_database: str, driver: str, way: str) -> None:
    engine = create_async_engine(postgres_database.replace("+psycopg:", f"+{driver}:"))
    async with engine.connect() as connection:
        monitor = watch(engine, slow_seconds=0.2)
        assert await connection.scalar(text("SELECT 1")) == 1
        await connection.execute(text("SELECT pg_sleep(0.25)"))
        with pytest.raises(exc.DBAPIError):
            await connection.execute(text("SELECT 1/0, 'hunter2'"))
        await connection.rollback()
        async with connection.stream(text("SELECT generate_series(1, 100)")) as rows:
            assert len([row async for row in rows]) == 100
        task = asyncio.ensure_future(connection.execute(text("SELECT pg_sleep(30)")))
        await asyncio.sleep(0.3)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        monitor.detach()
    cancelled, slow = monitor.slow_queries()
    assert counts(monitor) == {"SELECT": 5}
    assert (slow.statement, slow.failed) == ("SELECT pg_sleep(?)", False)
    assert str(slow.caller).endswith(f" in {test_statements_of_an_async_engine.__name__}")
    assert HERE in str(slow.caller)
    assert (cancelled.failed, cancelled.error) == (True, "CancelledError")
    await engine.dispose()


def test_with_psycopg(postgres_database: str, way: str) -> None:
    engine = create_engine(postgres_database)
    with engine.begin() as connection:
        monitor = watch(engine, slow_seconds=0)
        ITEMS.create(connection)
        connection.execute(insert(ITEMS), [{"name": "a"}, {"name": "b"}])
        assert connection.scalar(select(func.count()).where(ITEMS.c.name.in_(["a", "hunter2"]))) == 1
    assert {"CREATE", "INSERT", "SELECT"} <= counts(monitor).keys()
    selects = [slow.statement for slow in monitor.slow_queries() if slow.statement.endswith("IN (...)")]
    assert len(selects) == 1
    monitor.detach()
    engine.dispose()


@pytest.mark.anyio
async def test_with_aiosqlite(tmp_path: Path, way: str) -> None:
    engine = create_async_engine(f"sqlite+aiosqlite:///{tmp_path}/a.db")
    monitor = watch(engine, slow_seconds=0)
    async with engine.connect() as connection:
        await connection.execute(text("SELECT 1"))
    assert counts(monitor) == {"SELECT": 1}
    assert HERE in str(monitor.slow_queries()[0].caller)
    await engine.dispose()


# -- leaving nothing behind --------------------------------------------------------------------------------------------


def state_of(engine: Engine) -> list[Any]:
    listeners = [list(getattr(target.dispatch, name)) for target in (engine, engine.dialect)
                 for name in type(target).dispatch._event_names]  # fmt: skip
    wrapped = [vars(engine.dialect).get(name) for name in ("do_execute", "do_executemany", "do_execute_no_params")]
    return [listeners, wrapped, engine._has_events, engine.dialect._has_events]


def test_detach_leaves_nothing(engine: Engine, way: str) -> None:
    engine.connect().close()
    before = state_of(engine)
    monitor = watch(engine)
    assert state_of(engine) != before
    with engine.connect() as connection:
        connection.execute(text("SELECT 1"))
        monitor.detach()
        connection.execute(text("SELECT 1"))
    monitor.detach()
    assert state_of(engine) == before
    assert counts(monitor) == {"SELECT": 1}


def test_listeners_of_the_application_stay(engine: Engine, way: str) -> None:
    seen: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda c, cu, statement, *rest: seen.append(statement))
    before = state_of(engine)
    watch(engine).detach()
    assert state_of(engine) == before
    with engine.connect() as connection:
        connection.execute(text("SELECT 1"))
    assert seen == ["SELECT 1"]


def test_the_wrap_switches_no_events_on(engine: Engine) -> None:
    monitor = watch(engine)
    assert monitor.fallback_reason is None
    assert not engine._has_events
    assert not engine.dialect._has_events


def test_two_monitors_of_one_engine_both_count(engine: Engine, way: str) -> None:
    first, second = watch(engine), watch(engine)
    with engine.connect() as connection:
        connection.execute(text("SELECT 1"))
    assert counts(first) == counts(second) == {"SELECT": 1}


# -- where SQLAlchemy's inside is another, and where ours fails --------------------------------------------------------


def test_a_changed_inside_is_noticed(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    assert unsupported(engine) is None

    class Other(DefaultDialect):
        def do_execute(self, cursor: Any) -> None:  # type: ignore[override]
            raise NotImplementedError

    monkeypatch.setattr(engine, "dialect", Other())
    assert "other arguments" in str(unsupported(engine))
    monkeypatch.setattr(Connection, "_exec_single_context", lambda self: None)
    assert "any more" in str(unsupported(engine))


@pytest.mark.parametrize("place", ["_texts", "_texts_lock", "_slow", "_clock"])
def test_a_fault_of_ours_fails_no_statement(engine: Engine, way: str, place: str) -> None:
    monitor = watch(engine, slow_seconds=0)
    setattr(monitor.book if place in {"_texts", "_texts_lock"} else monitor, place, None)
    before = sum(containment.counts().values())
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT 1")) == 1
        with pytest.raises(exc.OperationalError, match="no such table"):
            connection.execute(text("SELECT 1 FROM nowhere"))
    assert sum(containment.counts().values()) >= before + 2
