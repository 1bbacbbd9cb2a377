"""How long rows take to be read, with the drivers that read them as they are asked for, and with the others."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, QueuePool, create_engine, text
from sqlalchemy.ext.asyncio import create_async_engine

from dozor.instruments.query_fetch import Reading, TimedCursor
from dozor.instruments.query_monitor import QueryMonitor
from dozor.testing import FakeClock

HERE = Path(__file__).name
SERIES = "WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < {}) SELECT n, wait(0.125) FROM s"


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def engine(tmp_path: Path, clock: FakeClock) -> Iterator[Engine]:
    """An SQLite database, whose function `wait` moves the clock."""
    engine = create_engine(f"sqlite:///{tmp_path}/a.db", poolclass=QueuePool)
    with engine.connect() as connection:
        driver: Any = connection.connection.driver_connection
        driver.create_function("wait", 1, clock.advance)
    yield engine
    engine.dispose()


def watch(engine: Any, clock: FakeClock, **options: Any) -> QueryMonitor:
    monitor = QueryMonitor("default", engine, clock, timer=clock.monotonic, **options)
    monitor.attach()
    return monitor


def test_rows_that_are_slow_to_come_are_found_though_the_execution_was_quick(engine: Engine, clock: FakeClock) -> None:
    monitor = watch(engine, clock)
    with engine.connect() as connection:
        rows = connection.execute(text(SERIES.format(20))).all()
    assert len(rows) == 20
    [slow] = monitor.slow_fetches()
    assert (slow.fetch_seconds, slow.open_seconds, slow.rows) == (19 * 0.125, 19 * 0.125, 20)
    assert slow.statement.startswith("WITH RECURSIVE s(n) AS (SELECT ?")
    assert str(slow.caller).endswith(
        f" in {test_rows_that_are_slow_to_come_are_found_though_the_execution_was_quick.__name__}"
    )
    assert monitor.slow_queries() == ()
    assert monitor.slow_fetches_total == 1
    [counted] = [s.value for f in monitor.families() for s in f.samples if s.name == "db_query_slow_fetches_total"]
    assert counted == 1


def test_an_application_that_takes_its_time_with_the_rows_is_found(engine: Engine, clock: FakeClock) -> None:
    monitor = watch(engine, clock)
    with engine.connect() as connection:
        for _row in connection.execution_options(yield_per=2).execute(text("VALUES (1), (2), (3)")):
            clock.advance(0.5)
    [slow] = monitor.slow_fetches()
    assert (slow.fetch_seconds, slow.open_seconds, slow.rows) == (0.0, 1.5, 3)


def test_once_slow_every_result_is_timed(engine: Engine, clock: FakeClock) -> None:
    monitor = watch(engine, clock, slow_seconds=1.0)
    statement = text("SELECT n, wait(:seconds) FROM (SELECT 1 AS n UNION ALL SELECT 2)")
    with engine.connect() as connection:
        connection.execute(statement, {"seconds": 0.0625}).all()  # noticed, though not slow
        for _ in range(5):
            connection.execute(statement, {"seconds": 0.0625}).all()
        connection.execute(statement, {"seconds": 2}).all()
    assert [slow.fetch_seconds for slow in monitor.slow_fetches()] == [2.0]


def test_what_is_quick_is_timed_once_and_then_goes_the_short_way(
    engine: Engine, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Any] = []

    class Counted(TimedCursor):
        def __init__(self, *arguments: Any) -> None:
            made.append(arguments)
            super().__init__(*arguments)

    monkeypatch.setattr("dozor.instruments.query_monitor.TimedCursor", Counted)
    watch(engine, clock)
    with engine.connect() as connection:
        for _ in range(10):
            assert connection.execute(text("SELECT 1")).scalar() == 1
    assert len(made) == 1


@pytest.mark.anyio
@pytest.mark.parametrize("driver", ["psycopg", "asyncpg"])
async def test_streamed_results_of_postgresql(postgres_database: str, driver: str, clock: FakeClock) -> None:
    engine = create_async_engine(postgres_database.replace("+psycopg:", f"+{driver}:"))
    monitor = watch(engine, clock)
    async with engine.connect() as connection:
        async with connection.stream(text("SELECT generate_series(1, 2500)")) as rows:
            count = 0
            async for _row in rows:
                count += 1
                if count % 1000 == 0:
                    clock.advance(1)
        assert (await connection.execute(text("SELECT 1"))).all() == [(1,)]
    [slow] = monitor.slow_fetches()
    assert (slow.rows, slow.open_seconds) == (2500, 2.0)
    assert HERE in str(slow.caller)
    await engine.dispose()


@pytest.mark.anyio
async def test_with_aiosqlite(tmp_path: Path, clock: FakeClock) -> None:
    engine = create_async_engine(f"sqlite+aiosqlite:///{tmp_path}/a.db")
    monitor = watch(engine, clock)
    async with engine.connect() as connection, connection.stream(text("VALUES (1), (2), (3)")) as rows:
        async for _row in rows:
            clock.advance(0.5)
    assert [(slow.rows, slow.open_seconds) for slow in monitor.slow_fetches()] == [(3, 1.5)]
    await engine.dispose()


def test_a_result_that_is_given_up_is_timed_up_to_there(engine: Engine, clock: FakeClock) -> None:
    monitor = watch(engine, clock)
    with engine.connect() as connection:
        rows = connection.execute(text("VALUES (1), (2), (3)"))
        assert rows.fetchone() == (1,)
        clock.advance(3)
        rows.close()
    assert [(slow.rows, slow.open_seconds) for slow in monitor.slow_fetches()] == [(1, 3.0)]


def test_the_cursor_is_the_given_one_in_all_else(engine: Engine) -> None:
    import sqlite3

    told: list[Reading] = []
    real = sqlite3.connect(":memory:").cursor()
    cursor: Any = TimedCursor(real, told.append)
    cursor.execute("VALUES (1), (2), (3), (4)")
    assert isinstance(cursor, sqlite3.Cursor)
    cursor.arraysize = 2
    assert (real.arraysize, cursor.rowcount) == (2, -1)
    assert cursor.fetchmany() == [(1,), (2,)]
    assert cursor.fetchmany(1) == [(3,)]
    assert list(cursor) == [(4,)]
    cursor.close()
    cursor.close()
    assert [reading.rows for reading in told] == [3]


def test_what_the_driver_raises_comes_through(engine: Engine, clock: FakeClock) -> None:
    import sqlite3

    watch(engine, clock)
    with engine.connect() as connection:
        driver: Any = connection.connection.driver_connection

        def fail(number: int) -> int:
            if number > 1:
                raise ValueError
            return number

        driver.create_function("fail", 1, fail)
        rows = connection.execute(text("SELECT fail(n) FROM (SELECT 1 AS n UNION ALL SELECT 2)"))
        with pytest.raises(Exception, match="user-defined function raised exception") as raised:
            rows.all()
    assert isinstance(raised.value.__cause__, sqlite3.OperationalError)
