"""Plans on demand, from real databases: of what was seen, without running it, and without its literals."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Column, Engine, Integer, MetaData, String, Table, create_engine, insert, select, text, update
from sqlalchemy.ext.asyncio import create_async_engine

from dozor.errors import PlanUnavailable
from dozor.instruments.query_monitor import QueryMonitor
from dozor.instruments.query_plan import QueryPlan, with_numbers
from dozor.testing import FakeClock

ITEMS = Table("items", MetaData(), Column("id", Integer, primary_key=True), Column("name", String))

pytestmark = pytest.mark.anyio


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = create_engine(f"sqlite:///{tmp_path}/a.db")
    ITEMS.create(engine)
    yield engine
    engine.dispose()


def watch(engine: Any) -> QueryMonitor:
    monitor = QueryMonitor("default", engine, FakeClock())
    monitor.attach()
    return monitor


async def plans(monitor: QueryMonitor) -> dict[str, QueryPlan | str]:
    """The plan of each statement, or why there is none, by the statement's beginning."""
    monitor.book.fold()
    found: dict[str, QueryPlan | str] = {}
    for statement in monitor.book.statements():
        try:
            found[statement.statement[:18].strip()] = await monitor.planner.plan(statement)
        except PlanUnavailable as error:
            found[statement.statement[:18].strip()] = str(error)
    return found


@pytest.mark.parametrize("driver", ["psycopg", "psycopg_async", "asyncpg"])
async def test_postgresql(postgres_database: str, driver: str) -> None:
    setup = create_engine(postgres_database)
    with setup.begin() as connection:
        ITEMS.create(connection)
    engine = create_async_engine(postgres_database.replace("+psycopg:", f"+{driver}:"))
    monitor = watch(engine)
    async with engine.connect() as connection:
        await connection.execute(select(ITEMS).where(ITEMS.c.name == "a", ITEMS.c.id > 1))
        await connection.execute(insert(ITEMS).values(name="b"))
        await connection.execute(update(ITEMS).values(name="c").where(ITEMS.c.id.in_([1, 2, 3])))
        await connection.execute(text("SELECT count(*) FROM items WHERE name LIKE 'hunter2%'"))
        await connection.execute(text("SHOW server_version"))
        await connection.execute(text("CREATE TEMPORARY TABLE mine (id int)"))
        await connection.execute(text("SELECT * FROM mine"))
        await connection.rollback()
    found = await plans(monitor)
    selected = found["SELECT items.id, i"]
    assert isinstance(selected, QueryPlan)
    assert selected.lines[0].startswith("Bitmap Heap Scan on items  (cost=")
    assert any("Index Cond: (id > $" in line for line in selected.lines)
    inserted, changed = found["INSERT INTO items"], found["UPDATE items SET n"]
    assert isinstance(inserted, QueryPlan)
    assert isinstance(changed, QueryPlan)
    assert inserted.lines[0].startswith("Insert on items")
    assert changed.lines[0].startswith("Update on items")
    counted = found["SELECT count(*) FR"]
    assert isinstance(counted, QueryPlan)
    assert counted.nodes["Node Type"] == "Aggregate"
    assert "is read from its beginning to its end" in counted.notes[0]
    assert "hunter2" not in repr(counted)
    assert "SHOW has no plan" in str(found["SHOW server_versio"])
    assert "a table that Dozor's connection does not find" in str(found["SELECT * FROM mine"])
    with setup.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM items")) == 0
        assert connection.scalar(text("SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%dozor_plan%'")) == 1
    monitor.detach()
    await engine.dispose()
    setup.dispose()


async def test_sqlite(engine: Engine) -> None:
    monitor = watch(engine)
    with engine.begin() as connection:
        connection.execute(select(ITEMS).where(ITEMS.c.id == 1))
        connection.execute(text("SELECT name FROM items WHERE name = :name"), {"name": "a"})
        connection.exec_driver_sql("DELETE FROM items WHERE name = 'hunter2'")
        connection.exec_driver_sql("PRAGMA user_version")
    found = await plans(monitor)
    by_key, by_name = found["SELECT items.id, i"], found["SELECT name FROM i"]
    assert isinstance(by_key, QueryPlan)
    assert isinstance(by_name, QueryPlan)
    assert by_key.lines == ("SEARCH items USING INTEGER PRIMARY KEY (rowid=?)",)
    assert by_name.lines == ("SCAN items",)
    assert by_name.notes == ("SCAN items: reads all of it",)
    assert "PRAGMA has no plan" in str(found["PRAGMA…"])
    assert isinstance(found["DELETE FROM items"], QueryPlan)


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        ("SELECT 1; DROP TABLE items", "more than one statement"),
        ("SELECT 'a\\'", "not understood to its end"),
        (f"SELECT '{'x' * 20_000}'", "too long"),
        ("SELECT * FROM gone", "refused to make one (OperationalError)"),
    ],
)
async def test_what_is_not_explained(engine: Engine, sent: str, reason: str) -> None:
    monitor = watch(engine)
    statement = monitor.book.text(sent, None)
    statement.append(0.1)
    assert [reason in str(found) for found in (await plans(monitor)).values()] == [True]


async def test_a_database_in_memory_has_no_second_connection() -> None:
    engine = create_engine("sqlite://")
    monitor = watch(engine)
    with engine.connect() as connection:
        connection.execute(text("SELECT 1"))
    assert "in memory" in str((await plans(monitor))["SELECT ?"])
    engine.dispose()


async def test_a_server_that_is_gone_is_said(postgres_database: str) -> None:
    engine = create_engine(postgres_database)
    monitor = watch(engine)
    with engine.connect() as connection:
        connection.execute(text("SELECT 1"))
    engine.pool._creator = lambda *_: (_ for _ in ()).throw(ConnectionRefusedError("hunter2"))
    found = str((await plans(monitor))["SELECT ?"])
    assert "refused to make one (ConnectionRefusedError)" in found
    engine.dispose()


@pytest.mark.parametrize(
    ("sent", "marked"),
    [
        ("SELECT %(a)s, %(b)s::INTEGER, %(a)s", "SELECT $1, $2::INTEGER, $1"),
        ("SELECT %s, %b, 5 %% 2 LIKE 'a%%'", "SELECT $1, $2, 5 % 2 LIKE 'a%'"),
        ("SELECT 1", "SELECT 1"),
    ],
)
async def test_marks_become_those_of_postgresql(sent: str, marked: str) -> None:
    assert with_numbers(sent, "psycopg") == marked
    assert with_numbers("SELECT $1 % 2", "asyncpg") == "SELECT $1 % 2"
