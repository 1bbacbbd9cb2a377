import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, event, make_url, text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool, StaticPool
from tests.patience import PATIENCE_SECONDS

from dozor.clock import Clock
from dozor.demo.servers import EmbeddedServer
from dozor.errors import ConfigurationError
from dozor.instruments.database_probe import masked
from dozor.instruments.database_server_monitor import DatabaseFailure, DatabaseServerMonitor
from dozor.model.labels import Labels

pytestmark = pytest.mark.anyio

SECRET = "s3cr3t-c@nary/&"


@asynccontextmanager
async def watching(target: object, **options: Any) -> AsyncIterator[DatabaseServerMonitor]:
    monitor = DatabaseServerMonitor("main", target, Clock(), **options)
    try:
        yield monitor
    finally:
        await monitor.close()


async def failing(monitor: DatabaseServerMonitor) -> DatabaseFailure:
    with pytest.raises(DatabaseFailure) as caught:
        await monitor.refresh()
    return caught.value


async def until_up(monitor: DatabaseServerMonitor) -> None:
    for _ in range(200):
        try:
            return await monitor.refresh()
        except DatabaseFailure:
            await asyncio.sleep(0.02)
    pytest.fail(f"still down: {monitor.hint}")


@asynccontextmanager
async def application(url: str) -> AsyncIterator[Engine | AsyncEngine]:
    """An engine of the application's with a pool of one, which is taken."""
    if "asyncpg" in url or "async" in make_url(url).drivername:
        engine = create_async_engine(url, pool_size=1, max_overflow=0)
        async with engine.connect() as connection:
            await connection.execute(text("SELECT 1"))
            yield engine
        await engine.dispose()
    else:
        sync = create_engine(url, pool_size=1, max_overflow=0)
        with sync.connect() as taken:
            taken.execute(text("SELECT 1"))
            yield sync
        sync.dispose()


def execute(url: str, *statements: str) -> list[Any]:
    """Run *statements* as an administrator would; the rows of the last."""
    engine = create_engine(url.replace("+asyncpg:", "+psycopg:"), poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        results = [connection.exec_driver_sql(statement) for statement in statements]
        return list(results[-1]) if results[-1].returns_rows else []


@pytest.fixture(params=["psycopg", "asyncpg"])
def url(request: pytest.FixtureRequest, postgres_database: str) -> str:
    return postgres_database.replace("+psycopg:", f"+{request.param}:")


class TestObserved:
    async def test_it_is_asked_beside_the_pool(self, url: str) -> None:
        async with application(url) as engine, watching(engine) as monitor:
            pool = engine.pool
            checked_out = pool.checkedout()  # type: ignore[attr-defined]
            for _ in range(3):
                await until_up(monitor)
            assert monitor.figures() == {"db_up": 1.0}
            assert monitor.up
            assert monitor.failure is None
            assert pool.checkedout() == checked_out  # type: ignore[attr-defined]
            assert monitor.families()[0].samples[0].labels == Labels(pool="main")

    async def test_hooks_and_arguments_of_the_engine_are_used(self, postgres_database: str) -> None:
        engine = create_engine(postgres_database.replace("postgres@", "nobody-by-that-name@"))

        @event.listens_for(engine, "do_connect")
        def log_in(dialect: Any, record: Any, arguments: Any, keywords: Any) -> None:
            keywords["user"] = "postgres"

        async with watching(engine) as monitor:
            await until_up(monitor)
            assert monitor.up

    async def test_no_transaction_is_left_open(self, postgres_database: str) -> None:
        async with application(postgres_database) as engine, watching(engine) as monitor:
            await until_up(monitor)
            rows = execute(postgres_database, "SELECT state FROM pg_stat_activity WHERE datname = current_database()")
            assert sorted(state for (state,) in rows) == [
                "active",
                "idle",
                "idle in transaction",
            ]  # this one, the probe, the application's

    async def test_a_broken_connection_alone_is_no_outage(self, url: str) -> None:
        async with application(url) as engine, watching(engine) as monitor:
            await until_up(monitor)
            ours = "FROM pg_stat_activity WHERE state = 'idle' AND datname = current_database()"
            assert execute(url, f"SELECT pg_terminate_backend(pid) {ours}")
            await monitor.refresh()
            assert monitor.up

    @pytest.mark.parametrize("driver", ["psycopg", "asyncpg"])
    async def test_killed_and_frozen_and_back(self, own_postgres: EmbeddedServer, driver: str) -> None:
        url = own_postgres.url.replace("psycopg", driver)
        engine = create_engine(url) if driver == "psycopg" else create_async_engine(url)
        async with watching(engine, interval=0.5) as monitor:
            await until_up(monitor)
            threads, tasks = threading.active_count(), len(asyncio.all_tasks())
            own_postgres.freeze()
            clock = Clock()
            for _ in range(4):
                began = clock.monotonic()
                assert (await failing(monitor)).kind == "timeout"
                assert clock.monotonic() - began < PATIENCE_SECONDS  # for ever, without the deadline
            assert monitor.figures() == {"db_up": 0.0}
            assert threading.active_count() <= threads + 1
            assert len(asyncio.all_tasks()) <= tasks + 1
            own_postgres.thaw()
            await until_up(monitor)
            own_postgres.kill()
            while (failure := await failing(monitor)).kind == "timeout":
                pass  # a slow machine may take longer to notice
            assert failure.kind == "refused"
            assert "is it running" in str(failure)
            own_postgres.start()
            await until_up(monitor)

    async def test_a_cancelled_collection_is_a_timeout(self, own_postgres: EmbeddedServer) -> None:
        async with watching(create_engine(own_postgres.url), interval=60) as monitor:
            await until_up(monitor)
            own_postgres.freeze()
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(monitor.refresh(), 0.1)
            assert (monitor.up, monitor.failure) == (False, "timeout")
            own_postgres.thaw()
            await until_up(monitor)


class TestOutside:
    async def test_the_figures_of_a_server(self, url: str) -> None:
        async with application(url), watching(url, server_figures=True) as monitor:
            await until_up(monitor)
            figures = monitor.figures()
            assert figures["db_server_max_connections"] == 100.0
            assert figures["db_server_waiting_locks"] >= 0
            assert figures["db_server_longest_transaction_seconds"] > 0
            (connections,) = (family for family in monitor.families() if family.name == "db_server_connections")
            states = {sample.labels["state"]: sample.value for sample in connections.samples}
            assert states["idle in transaction"] >= 1
            assert monitor.capabilities() == {"activity": True}

    async def test_who_may_not_read_all_is_missing_a_capability(self, postgres_database: str) -> None:
        execute(postgres_database, "DROP ROLE IF EXISTS watcher", "CREATE ROLE watcher LOGIN")
        url = make_url(postgres_database).set(username="watcher")
        async with application(postgres_database), watching(url, server_figures=True) as monitor:
            await until_up(monitor)
            assert monitor.capabilities() == {"activity": False}
            assert monitor.up
            assert "db_server_longest_transaction_seconds" not in monitor.figures()
            assert monitor.figures()["db_server_max_connections"] == 100.0

    async def test_a_plain_url_gets_a_small_pool_of_dozors_own(self, postgres_database: str) -> None:
        async with watching(postgres_database.replace("+psycopg", "")) as monitor:
            await until_up(monitor)
            assert monitor.engine.pool.size() == 2  # type: ignore[attr-defined]
            assert monitor.engine.pool.checkedout() == 0  # type: ignore[attr-defined]

    async def test_a_server_that_is_full_is_not_down(self, own_postgres: EmbeddedServer) -> None:
        execute(own_postgres.url, "CREATE ROLE watcher LOGIN CONNECTION LIMIT 0")
        url = make_url(own_postgres.url).set(username="watcher")
        async with watching(url) as monitor:
            await failing(monitor)
            assert (monitor.up, monitor.failure) == (True, "full")


class TestSqlite:
    async def test_a_file_is_looked_at_and_never_made(self, tmp_path: Path) -> None:
        path = tmp_path / "app.db"
        for target in (f"sqlite:///{path}", create_engine(f"sqlite:///{path}"), f"sqlite+aiosqlite:///{path}"):
            path.unlink(missing_ok=True)
            async with watching(target, server_figures=True) as monitor:
                assert "there is no file" in str(await failing(monitor))
                assert not path.exists()
                sqlite3.connect(path).close()
                path.touch()
                await until_up(monitor)
                assert monitor.up
                path.write_bytes(b"no database " * 100)
                assert "file is not a database" in str(await failing(monitor))

    async def test_one_in_memory_is_always_there(self) -> None:
        for url in ("sqlite://", "sqlite:///:memory:", "sqlite:///file:x?mode=memory&cache=shared&uri=true"):
            async with watching(create_engine(url, poolclass=NullPool)) as monitor:
                await until_up(monitor)
                assert monitor.up

    async def test_the_one_connection_of_a_static_pool_is_not_closed(self) -> None:
        shared = sqlite3.connect(":memory:", check_same_thread=False)
        engine = create_engine("sqlite://", creator=lambda: shared, poolclass=StaticPool)
        async with watching(engine) as monitor:
            await until_up(monitor)
        shared.execute("SELECT 1")
        shared.close()


class TestSecrets:
    async def test_a_password_is_never_shown(self, own_postgres: EmbeddedServer, caplog: Any) -> None:
        url = make_url(own_postgres.url).set(password=SECRET, database="no such database")
        async with watching(url) as monitor:
            failure = await failing(monitor)
            assert "no such database" in str(failure)
            assert SECRET not in f"{failure}{monitor.hint}{monitor!r}"

    def test_it_is_masked_however_it_is_written(self) -> None:
        url = make_url("postgresql://u@h/d").set(password=SECRET).update_query_dict({"sslpassword": "other-secret"})
        words = masked(f"{url.render_as_string(hide_password=False)} {SECRET} other-secret\n\x1b[31m", url)
        assert "canary" not in words
        assert "c%40nary" not in words
        assert "other-secret" not in words
        assert words.isprintable()

    @pytest.mark.parametrize(
        "given", ["nonsense", f"nosuchdb://u:{SECRET}@h/d", "postgresql://u:p@h:port/d", "", 42, None]
    )
    async def test_what_cannot_be_watched_is_said_in_one_message(self, given: Any) -> None:
        with pytest.raises(ConfigurationError) as caught:
            DatabaseServerMonitor("main", given, Clock())
        assert SECRET not in str(caught.value)
