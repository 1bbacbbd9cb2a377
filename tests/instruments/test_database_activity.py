"""The open transactions of a real PostgreSQL server: their age, their statement, and who waits for whom."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.ext.asyncio import create_async_engine

from dozor.instruments.database_activity import DatabaseActivity
from dozor.instruments.database_server_monitor import DatabaseServerMonitor
from dozor.instruments.own_mark import MARK
from dozor.testing import FakeClock

pytestmark = pytest.mark.anyio


async def look(target: Any, clock: FakeClock) -> DatabaseActivity:
    monitor = DatabaseServerMonitor("default", target, clock, interval=5.0)
    await monitor.refresh()
    found = monitor.activity()
    await monitor.close()
    return found


@pytest.mark.parametrize("driver", ["psycopg", "asyncpg"])
async def test_a_session_that_waits_and_the_one_that_it_waits_for(
    postgres_database: str, driver: str, clock: FakeClock
) -> None:
    engine = create_async_engine(postgres_database.replace("+psycopg:", f"+{driver}:"))
    async with engine.begin() as connection:
        await connection.execute(text("CREATE TABLE items (id int)"))
    async with engine.connect() as first, engine.connect() as second:
        await first.execute(text("LOCK TABLE items"))
        await first.execute(text("SELECT 'hunter2'"))
        holding = await first.scalar(text("SELECT pg_backend_pid()"))
        waiting = await second.scalar(text("SELECT pg_backend_pid()"))
        blocked = asyncio.ensure_future(second.execute(text("INSERT INTO items VALUES (4711)")))
        while True:
            found = await look(engine, clock)
            sessions = {session.pid: session for session in found.sessions}
            if sessions[waiting].blocked_by:
                break
        await first.rollback()
        await blocked
    assert list(sessions) == [holding, waiting]
    assert (sessions[holding].blocking, sessions[holding].state) == ((waiting,), "idle in transaction")
    assert sessions[holding].waits_for is None
    assert (sessions[waiting].blocked_by, sessions[waiting].waits_for) == ((holding,), "Lock: relation")
    assert sessions[waiting].statement == "INSERT INTO items VALUES (?)"
    assert sessions[holding].transaction_seconds >= sessions[waiting].transaction_seconds > 0
    assert "hunter2" not in repr(found)
    assert found.at == clock.timestamp()
    await engine.dispose()


async def test_a_server_watched_by_its_url_is_looked_at_every_five_seconds(
    postgres_database: str, clock: FakeClock
) -> None:
    monitor = DatabaseServerMonitor("default", postgres_database, clock, interval=5.0, server_figures=True)
    assert monitor.activity().missing == "nobody has looked yet"
    await monitor.refresh()
    first = monitor.activity()
    assert first == DatabaseActivity((), clock.timestamp())
    clock.advance(4)
    await monitor.refresh()
    assert monitor.activity() is first
    clock.advance(1)
    await monitor.refresh()
    assert monitor.activity().at == clock.timestamp()
    await monitor.close()


async def test_what_cannot_be_told_says_so(tmp_path: Path, clock: FakeClock) -> None:
    engine = create_engine(f"sqlite:///{tmp_path}/a.db")
    engine.connect().close()
    assert "of PostgreSQL it can" in str((await look(engine, clock)).missing)
    engine.dispose()


async def test_a_look_that_fails_is_no_fault_of_the_servers(
    postgres_database: str, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dozor.instruments.database_activity._SESSIONS", "SELECT hunter2 FROM nowhere")
    engine = create_engine(postgres_database)
    monitor = DatabaseServerMonitor("default", engine, clock, interval=5.0)
    await monitor.refresh()
    assert monitor.up
    assert monitor.activity().missing == "the server did not tell (UndefinedTable)"
    await monitor.refresh()
    await monitor.close()
    engine.dispose()


async def test_transactions_of_another_dozor_are_left_out(postgres_database: str, clock: FakeClock) -> None:
    engine = create_engine(postgres_database)
    with engine.connect() as connection, engine.connect() as other:
        connection.execute(text("SELECT 'hunter2'"))
        other.execute(text(f"SELECT 1 {MARK}"))  # what its probe is at, seen at a bad moment
        found = await look(postgres_database, clock)
    assert [session.statement for session in found.sessions] == ["SELECT ?"]
    engine.dispose()
