"""Why a statement failed, as drivers say it; what they raise comes from real servers."""

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine

from dozor.instruments.query_failure import kind_of


@pytest.mark.anyio
@pytest.mark.parametrize("driver", ["psycopg", "asyncpg"])
async def test_postgresql(postgres_database: str, driver: str) -> None:
    engine = create_async_engine(postgres_database.replace("+psycopg:", f"+{driver}:"))
    other = create_engine(postgres_database)
    with other.begin() as holder:
        holder.execute(text("CREATE TABLE held (id int)"))
    with other.connect() as holder:
        holder.execute(text("LOCK TABLE held"))
        for setting, statement, kind in [
            ("SET statement_timeout = 20", "SELECT pg_sleep(9)", "timeout"),
            ("SET lock_timeout = 20", "SELECT * FROM held", "timeout"),
            ("SELECT 1", "SELECT 1/0", "error"),
        ]:
            async with engine.connect() as connection:
                await connection.execute(text(setting))
                with pytest.raises(DBAPIError) as raised:
                    await connection.execute(text(statement))
                assert kind_of(raised.value) == kind
                await connection.rollback()
                await connection.execute(text("RESET ALL"))
    async with engine.connect() as connection:
        pid = await connection.scalar(text("SELECT pg_backend_pid()"))
        sleeping = asyncio.ensure_future(connection.execute(text("SELECT pg_sleep(9)")))
        async with engine.connect() as killer:
            while not await killer.scalar(
                text("SELECT true FROM pg_stat_activity WHERE pid = :pid AND query LIKE 'SELECT pg_sleep%'"),
                {"pid": pid},
            ):
                await killer.rollback()
            await killer.execute(text("SELECT pg_cancel_backend(:pid)"), {"pid": pid})
        with pytest.raises(DBAPIError) as raised:
            await sleeping
        assert kind_of(raised.value) == "cancelled"
    await engine.dispose()
    other.dispose()


def test_a_locked_sqlite_file_is_a_timeout(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path}/a.db", connect_args={"timeout": 0.01})
    with engine.connect() as holder, engine.connect() as other:
        holder.execute(text("BEGIN IMMEDIATE"))
        with pytest.raises(DBAPIError) as raised:
            other.execute(text("CREATE TABLE a (id)"))
        assert kind_of(raised.value) == kind_of(raised.value.orig or raised.value) == "timeout"


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (asyncio.CancelledError(), "cancelled"),
        (GeneratorExit(), "cancelled"),
        (TimeoutError(), "timeout"),
        (RuntimeError(3024, "maximum statement execution time exceeded"), "timeout"),
        (RuntimeError(1317, "Query execution was interrupted"), "cancelled"),
        (RuntimeError("interrupted"), "cancelled"),
        (RuntimeError("hunter2"), "error"),
        (RuntimeError(), "error"),
    ],
)
def test_other_drivers(error: BaseException, kind: str) -> None:
    assert kind_of(error) == kind


def test_an_exception_that_cannot_be_read_is_an_error() -> None:
    class Odd(Exception):
        @property
        def sqlstate(self) -> str:
            raise RuntimeError

    assert kind_of(Odd()) == "error"
