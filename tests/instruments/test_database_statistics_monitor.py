"""The statements that a real PostgreSQL counts, seen from outside."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from sqlalchemy import create_engine, make_url
from tests.instruments.test_database_server_monitor import execute
from tests.patience import PATIENCE_SECONDS

from dozor.demo.servers import EmbeddedServer
from dozor.errors import PlanUnavailable
from dozor.instruments import database_statistics, server_statements
from dozor.instruments.database_server_monitor import DatabaseFailure, DatabaseServerMonitor
from dozor.instruments.database_statistics_monitor import EVERY_SECONDS, DatabaseStatisticsMonitor
from dozor.instruments.query_monitor import QueryMonitor
from dozor.instruments.query_report import QueryReport, TopQueries, top_queries
from dozor.rules.known_metrics import OWN
from dozor.testing import FakeClock

pytestmark = pytest.mark.anyio

EXTENSION = "CREATE EXTENSION pg_stat_statements"
VERSIONS = ["1.8", "1.9", "1.10", "1.11", "1.12"]
"""Those of PostgreSQL 13, 14, 15 and 16, 17, 18: each has other columns, and a newer server serves the older ones, too."""


class World:
    """A monitor, and a clock that moves when told."""

    def __init__(self, url: str) -> None:
        self.clock = FakeClock()
        self.server = DatabaseServerMonitor("main", url, self.clock, server_figures=True)
        self.monitor = DatabaseStatisticsMonitor(self.server, self.server.engine, self.clock)

    async def read(self) -> None:
        """Have it read once more."""
        self.clock.advance(EVERY_SECONDS)
        with contextlib.suppress(DatabaseFailure):  # of the reading before
            await self.monitor.refresh()
        assert self.monitor._task is not None
        async with asyncio.timeout(PATIENCE_SECONDS):
            await self.monitor._task

    def top(self, window: str = "5m") -> TopQueries:
        return top_queries({"main": self.monitor.book}, window, "total", self.clock.monotonic())

    def found(self) -> dict[str, QueryReport]:
        return {one.statement: one for one in self.top().entries}


@asynccontextmanager
async def world(url: str) -> AsyncIterator[World]:
    made = World(url)
    try:
        yield made
    finally:
        await made.monitor.close()
        await made.server.close()


@pytest.fixture(params=["psycopg", "asyncpg"])
def url(request: pytest.FixtureRequest, postgres_database: str) -> str:
    execute(postgres_database, EXTENSION, "CREATE TABLE items (id int PRIMARY KEY, name text)")
    return postgres_database.replace("+psycopg:", f"+{request.param}:")


async def test_what_was_called_between_two_readings(url: str) -> None:
    async with world(url) as it:
        execute(url, "SELECT count(*) FROM items WHERE id = 1")
        await it.read()
        assert it.found() == {}
        assert it.monitor.state.missing is None
        execute(
            url, *["SELECT count(*) FROM items WHERE id = 7"] * 3, "INSERT INTO items VALUES (1, 'hunter2'), (2, 'b')"
        )
        await it.read()
        found = it.found()
        selected = found["SELECT count(*) FROM items WHERE id = $1"]
        assert (selected.source, selected.pool, selected.operation) == ("server", "main", "SELECT")
        window = selected.present
        assert (window.calls, window.rows, window.rows_known) == (3, 3, 3)
        assert window.total_seconds > 0
        assert window.mean_seconds == pytest.approx(window.total_seconds / 3)
        assert window.stddev_seconds is not None
        assert (window.errors, window.timeouts, window.cancelled, window.slow) == (None, None, None, None)
        assert (window.p50_seconds, window.p95_seconds, window.p99_seconds) == (None, None, None)
        [inserted] = [one for shown, one in found.items() if shown.startswith("INSERT")]
        assert (inserted.present.rows, inserted.present.max_seconds) == (2, inserted.present.total_seconds)
        assert 0 < selected.present.share < 1
        assert "hunter2" not in repr(it.top())


async def test_dozors_own_statements_are_left_out(url: str) -> None:
    async with world(url) as it:
        for _ in range(3):
            await it.server.refresh()
            await it.read()
        assert it.found() == {}
        assert it.top().other is None


async def test_so_are_those_of_a_dozor_inside_the_application(postgres_database: str) -> None:
    execute(postgres_database, EXTENSION)
    engine = create_engine(postgres_database)
    queries = QueryMonitor("shop", engine, FakeClock())
    queries.attach()
    with engine.connect() as connection:
        connection.exec_driver_sql("SELECT 1 + 1")
    queries.book.fold()
    [asked] = [one for one in queries.book.statements() if one.statement == "SELECT ? + ?"]
    async with world(postgres_database) as it:
        await it.read()
        inside = DatabaseServerMonitor("shop", engine, FakeClock())
        await inside.refresh()
        assert inside.capacity is not None
        await queries.planner.plan(asked)
        await it.read()
        # What SQLAlchemy and the driver themselves ask when they connect is not told apart from the application's.
        sent = {shown for shown in it.found() if "dozor" in shown or "current_setting" in shown or "EXPLAIN" in shown}
        assert sent == set()
        await inside.close()
    queries.detach()
    engine.dispose()


def test_cursors_and_savepoints_are_one_whatever_they_are_called() -> None:
    for texts in (
        ['FETCH FORWARD 100 FROM "c_7f9a23c5ce10_1"', 'FETCH FORWARD 200 FROM "c_7f9a23c5ce10_2"'],
        ['DECLARE "c_1" CURSOR FOR SELECT "name" FROM "a"', 'DECLARE "c_2" CURSOR FOR SELECT "name" FROM "a"'],
        ['SAVEPOINT "_pg3_1"', 'SAVEPOINT "_pg3_2"'],
    ):
        assert len({server_statements.read_text(text).fingerprint for text in texts}) == 1
    assert '"name"' in server_statements.read_text('DECLARE "c_1" CURSOR FOR SELECT "name" FROM a').shown
    assert '"?"' not in server_statements.read_text('SELECT "name" FROM a').shown


@pytest.mark.parametrize("version", VERSIONS)
async def test_every_version_of_the_extension(postgres_database: str, version: str) -> None:
    execute(postgres_database, f"{EXTENSION} VERSION '{version}'", "CREATE TABLE items (id int)")
    async with world(postgres_database) as it:
        await it.read()
        execute(postgres_database, "SELECT id FROM items", "SELECT id FROM items")
        await it.read()
        assert it.found()["SELECT id FROM items"].present.calls == 2
        execute(postgres_database, "SELECT pg_stat_statements_reset()", "SELECT id FROM items")
        await it.read()
        assert it.found()["SELECT id FROM items"].present.calls == 3
        assert it.monitor.state.missing is None


async def test_an_extension_in_a_schema_of_its_own(postgres_database: str) -> None:
    execute(postgres_database, 'CREATE SCHEMA "My stats"', f'{EXTENSION} SCHEMA "My stats"')
    async with world(postgres_database) as it:
        await it.read()
        execute(postgres_database, "SELECT 1 + 1")
        await it.read()
        assert it.found()["SELECT $1 + $2"].present.calls == 1


@pytest.mark.parametrize(
    ("before", "says"),
    [
        (["SELECT 1"], "pg_stat_statements is loaded but not there: CREATE EXTENSION pg_stat_statements in the database dozor_test_"),
        ([f"{EXTENSION} VERSION '1.7'"], "ALTER EXTENSION pg_stat_statements UPDATE"),
        ([EXTENSION, "ALTER ROLE watcher SET pg_stat_statements.track = none"], "pg_stat_statements.track is none"),
        ([EXTENSION, "ALTER ROLE watcher SET compute_query_id = off"], "compute_query_id is off"),
    ],
)  # fmt: skip
async def test_what_is_missing_is_said_in_one_line(postgres_database: str, before: list[str], says: str) -> None:
    execute(
        postgres_database, "DROP ROLE IF EXISTS watcher", "CREATE ROLE watcher LOGIN IN ROLE pg_read_all_stats", *before
    )
    url = make_url(postgres_database).set(username="watcher").render_as_string(hide_password=False)
    async with world(url) as it:
        await it.read()
        await it.read()
        assert it.monitor.state.missing is not None
        assert says in it.monitor.state.missing
        assert it.found() == {}
        assert it.monitor.families()  # what needs no extension is known all the same


async def test_who_may_not_see_the_statements_of_others_is_told_how(postgres_database: str) -> None:
    execute(postgres_database, EXTENSION, "DROP ROLE IF EXISTS watcher", "CREATE ROLE watcher LOGIN")
    url = make_url(postgres_database).set(username="watcher").render_as_string(hide_password=False)
    async with world(url) as it:
        await it.read()
        execute(postgres_database, "SELECT 'of', 'other', 'users'")
        execute(url, "SELECT 'its', 'own'")
        await it.read()
        assert "SELECT $1, $2" in it.found()
        assert "SELECT $1, $2, $3" not in it.found()
        assert it.monitor.state.limits == (
            'only the statements of watcher itself are seen: GRANT pg_read_all_stats TO "watcher"',
        )


@pytest.mark.parametrize("driver", ["psycopg", "asyncpg"])
async def test_a_right_that_was_taken_away_is_missing_and_no_failure(postgres_database: str, driver: str) -> None:
    execute(
        postgres_database,
        EXTENSION,
        "DROP ROLE IF EXISTS watcher",
        "CREATE ROLE watcher LOGIN IN ROLE pg_read_all_stats",
        "REVOKE ALL ON FUNCTION pg_stat_statements(boolean) FROM PUBLIC",
    )
    url = make_url(postgres_database).set(username="watcher", drivername=f"postgresql+{driver}")
    async with world(url.render_as_string(hide_password=False)) as it:
        await it.server.refresh()
        await it.read()
        await it.monitor.refresh()
        assert it.monitor.state.missing is not None
        assert "may not read pg_stat_statements" in it.monitor.state.missing


async def test_texts_are_fetched_for_the_costliest_and_once(
    postgres_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    execute(postgres_database, EXTENSION)
    monkeypatch.setattr(server_statements, "MOST_TEXTS_AT_ONCE", 2)
    async with world(postgres_database) as it:
        await it.read()
        execute(postgres_database, "SELECT pg_sleep(0.05), 1", "SELECT pg_sleep(0.1)", "SELECT 1, 2")
        await it.read()
        found = it.top()
        assert [one.statement for one in found.entries] == ["SELECT pg_sleep($1)", "SELECT pg_sleep($1), $2"]
        assert found.other is not None
        assert found.other.calls >= 1
        execute(postgres_database, *["SELECT 1, 2"] * 5)
        monkeypatch.undo()
        await it.read()
        assert it.found()["SELECT $1, $2"].present.calls == 5


async def test_more_statements_than_are_read(postgres_database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    execute(postgres_database, EXTENSION)
    monkeypatch.setattr(database_statistics, "MOST_ENTRIES", 2)
    async with world(postgres_database) as it:
        await it.read()
        execute(postgres_database, *[f"SELECT {'1, ' * number} 2" for number in range(6)])
        await it.read()
        assert any("more statements than Dozor reads" in one for one in it.monitor.state.limits)
        assert len(it.top().entries) <= 2


async def test_a_server_that_is_gone_is_told_once_and_counting_goes_on_after(own_postgres: EmbeddedServer) -> None:
    execute(own_postgres.url, EXTENSION, "CREATE TABLE items (id int)")
    async with world(own_postgres.url) as it:
        await it.server.refresh()
        await it.read()
        execute(own_postgres.url, "SELECT id FROM items")
        await it.read()
        own_postgres.stop()
        with pytest.raises(DatabaseFailure):
            await it.server.refresh()
        await it.read()
        await it.monitor.refresh()  # silent: the server's own monitor says it
        own_postgres.start()
        await it.server.refresh()
        with pytest.raises(DatabaseFailure):  # the server is back, and nothing was read since
            await it.monitor.refresh()
        execute(own_postgres.url, *["SELECT id FROM items"] * 5)
        await it.read()
        assert it.found()["SELECT id FROM items"].present.calls == 1  # a new beginning after the restart
        execute(own_postgres.url, "SELECT id FROM items")
        await it.read()
        assert it.found()["SELECT id FROM items"].present.calls == 2


async def test_what_the_database_has_done_in_all(url: str) -> None:
    async with world(url) as it:
        await it.read()
        execute(url, "INSERT INTO items SELECT n, 'a' FROM generate_series(1, 50) AS n", "SELECT count(*) FROM items")
        await it.read()
        found = {family.name: family.samples[0] for family in it.monitor.families()}
        assert set(found) <= OWN
        commits = found["pg_stat_database_xact_commit"]
        assert commits.value > 0
        assert commits.labels["datname"] == make_url(url).database
        assert {"pg_stat_database_deadlocks", "pg_stat_database_temp_bytes", "pg_stat_database_xact_rollback"} <= set(
            found
        )
        assert 0 < found["db_server_cache_hit_rate"].value <= 100


async def test_a_plan_of_a_statement_that_another_sent(postgres_database: str) -> None:
    execute(
        postgres_database,
        EXTENSION,
        "CREATE TABLE items (id int PRIMARY KEY, name text)",
        "DROP ROLE IF EXISTS watcher",
        "CREATE ROLE watcher LOGIN IN ROLE pg_monitor, pg_read_all_data",
    )
    url = make_url(postgres_database).set(username="watcher").render_as_string(hide_password=False)
    async with world(url) as it, world(postgres_database) as superuser:
        await it.read()
        await superuser.read()
        execute(
            postgres_database,
            "SELECT name FROM items WHERE id = 7 AND name = 'hunter2'",
            "SELECT now() - interval '3 days'",
        )
        await it.read()
        await superuser.read()
        statements = {one.statement: one for one in it.monitor.book.statements()}
        plan = await it.monitor.planner.plan(statements["SELECT name FROM items WHERE id = $1 AND name = $2"])
        assert plan.lines[0].startswith("Index Scan using items_pkey on items")
        assert any("Index Cond: (id = $1)" in line for line in plan.lines)
        with pytest.raises(PlanUnavailable, match="a mark where none may stand"):
            await it.monitor.planner.plan(statements["SELECT now() - interval $1"])
        [same] = [one for one in superuser.monitor.book.statements() if one.statement.startswith("SELECT name")]
        with pytest.raises(PlanUnavailable, match="Dozor is a superuser there"):
            await superuser.monitor.planner.plan(same)
