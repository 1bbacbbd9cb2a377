"""Whether a server takes what all workers may open."""

import asyncio
import logging
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import NullPool, create_engine, make_url
from sqlalchemy.ext.asyncio import create_async_engine

from dozor.instruments.connection_budget import ConnectionBudget, PoolClaim, ServerBudget, budget_of
from dozor.instruments.connection_pool_monitor import ConnectionPoolMonitor
from dozor.instruments.database_server_monitor import DatabaseServerMonitor
from dozor.instruments.server_capacity import ServerCapacity
from dozor.instruments.workers import Workers, count_workers
from dozor.testing import FakeClock

URL = make_url("postgresql+psycopg://me:secret@db/shop")


def a_claim(
    pool: str = "default", size: int | None = 5, overflow: int | None = 10, is_open: int = 3, **capacity: Any
) -> PoolClaim:
    room = ServerCapacity(**{"most": 100, "reserved": 3, "in_use": 10, "port": 5432, **capacity})
    return PoolClaim(pool, URL, size, overflow, is_open, room)


def budget(*claims: PoolClaim, workers: int = 1) -> ServerBudget:
    found = budget_of("db:5432", claims, Workers(workers, "as the test says"))
    assert found is not None
    return found


def test_one_worker_with_the_default_pool_is_within_it_with_the_working_shown() -> None:
    found = budget(a_claim())
    assert (found.planned, found.available, found.others, found.exceeded) == (15, 91, 6, False)
    assert found.working == (
        "1 worker (as the test says) x (5 + 10 (pool default)) = 15 connections may be opened, within the 91 that there are: "
        "max_connections 100, less 3 reserved, less 6 that others have"
    )


def test_workers_and_pools_multiply_and_add_up() -> None:
    found = budget(a_claim(), a_claim("reports", 2, 0), workers=6)
    assert (found.planned, found.exceeded) == (6 * 17, True)
    assert "6 workers (as the test says) x (5 + 10 (pool default) + 2 + 0 (pool reports)) = 102" in found.working
    assert found.working.endswith("Make pools or workers fewer, raise max_connections, or put PgBouncer in between")


def test_what_other_workers_may_have_open_is_not_counted_as_somebody_elses() -> None:
    assert budget(a_claim(in_use=60, is_open=15), workers=4).others == 0
    assert budget(a_claim(in_use=80, is_open=15), workers=4).others == 80 - 15 - 1 - 3 * 16


@pytest.mark.parametrize(
    "claim",
    [
        PoolClaim("default", URL, 5, 10, 0, None),
        a_claim(overflow=None),
        a_claim(size=None),
        a_claim(port=6543),  # who answered is not who was asked
    ],
)
def test_what_is_not_known_is_not_judged(claim: PoolClaim) -> None:
    assert budget_of("db:5432", [claim], Workers(1, "")) is None


def test_an_exceeded_budget_is_told_once_and_shown_as_metrics(caplog: pytest.LogCaptureFixture) -> None:
    collector = ConnectionBudget(lambda: [a_claim()], Workers(8, "WEB_CONCURRENCY"))
    caplog.set_level(logging.WARNING, "dozor")
    for _ in range(2):
        asyncio.run(collector.refresh())
    (record,) = caplog.records
    assert "connections to db:5432: 8 workers (WEB_CONCURRENCY) x (5 + 10 (pool default)) = 120" in record.getMessage()
    values = {family.name: family.samples[0] for family in collector.families()}
    assert {name: sample.value for name, sample in values.items()} == {
        "db_connection_budget_planned": 120,
        "db_connection_budget_available": 97,
        "db_connection_budget_others": 0,
    }
    assert values["db_connection_budget_planned"].labels.get("server") == "db:5432"
    assert "secret" not in caplog.text


@pytest.mark.anyio
@pytest.mark.parametrize("driver", ["psycopg", "asyncpg"])
async def test_the_server_behind_an_engine_is_asked_over_dozors_own_connection(
    postgres_database: str, async_postgres_database: str, driver: str
) -> None:
    engine: Any = (
        create_engine(postgres_database)
        if driver == "psycopg"
        else create_async_engine(async_postgres_database, pool_size=2, max_overflow=1)
    )
    server = DatabaseServerMonitor("default", engine, FakeClock(), interval=30)
    await server.refresh()
    capacity = server.capacity
    assert capacity is not None
    assert capacity.most > capacity.reserved > 0
    assert capacity.in_use >= 1
    assert capacity.port == make_url(postgres_database).port
    claim = ConnectionPoolMonitor("default", engine, FakeClock()).claim(capacity)
    assert (claim.size, claim.overflow) == ((5, 10) if driver == "psycopg" else (2, 1))
    found = budget_of("here", [claim], Workers(1, ""))
    assert found is not None
    assert found.available == capacity.ordinary - found.others
    await server.close()


def test_a_pool_without_a_limit_claims_nothing_known() -> None:
    monitor = ConnectionPoolMonitor("default", create_engine("sqlite://", poolclass=NullPool), FakeClock())
    assert (monitor.claim(None).size, monitor.claim(None).overflow) == (None, None)


@pytest.mark.parametrize(
    ("given", "environment", "command", "expected"),
    [
        (3, {"WEB_CONCURRENCY": "5"}, "gunicorn -w 4", (3, "DOZOR_WORKERS")),
        (None, {"WEB_CONCURRENCY": "5"}, "/usr/bin/python\0/app/bin/gunicorn\0-w\0004\0app", (4, "the command line")),
        (None, {}, "/app/bin/uvicorn\0app:app\0--workers=7", (7, "the command line")),
        (None, {"GUNICORN_CMD_ARGS": "--workers 6 --bind x"}, "python\0serve.py", (6, "GUNICORN_CMD_ARGS")),
        (None, {"WEB_CONCURRENCY": "5"}, "python\0serve.py\0-w\0009", (5, "WEB_CONCURRENCY")),
        (None, {"WEB_CONCURRENCY": "many"}, "uvicorn\0--workers\0none", (1, "nothing says that there are more")),
    ],
)
def test_workers_are_found_where_they_are_said(
    tmp_path: Path, given: int | None, environment: dict[str, str], command: str, expected: tuple[int, str]
) -> None:
    (tmp_path / "cmdline").write_text(command)
    found = count_workers(given, environment, tmp_path / "cmdline")
    assert (found.count, found.source) == expected


def test_where_the_command_line_cannot_be_read_there_is_one_worker(tmp_path: Path) -> None:
    assert count_workers(None, {}, tmp_path / "absent").count == 1
