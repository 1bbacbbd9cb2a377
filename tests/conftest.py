"""What the tests share: real servers, a clock that moves when told, the event loop.

`valkey_server` and `postgres_server` are shared by all tests of a run and must not be stopped; a test that stops, kills
or freezes a server asks for `own_valkey` or `own_postgres`. Tests that write rows take `postgres_database`, a fresh one.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import uuid4

import psycopg
import pytest
import redis
from psycopg import sql
from sqlalchemy import URL, make_url

from dozor.demo.servers import EmbeddedServer, EmbeddedServers, ServersUnavailable
from dozor.testing import FakeClock

pytest_plugins = ["tests.summary", "tests.chaos", "tests.order"]


@dataclass(frozen=True)
class GivenServer:
    """A server named by an environment variable: it is used, and never stopped."""

    url: str

    @property
    def async_url(self) -> str:
        return self.url.replace("+psycopg:", "+asyncpg:")

    @property
    def port(self) -> int:
        return make_url(self.url).port or 0


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture(scope="session")
def embedded_servers() -> Iterator[EmbeddedServers]:
    """The guard of this run's servers, with none started."""
    with EmbeddedServers(redis=False, postgres=False) as servers:
        yield servers


@pytest.fixture(scope="session")
def valkey_server(request: pytest.FixtureRequest) -> EmbeddedServer | GivenServer:
    """A Valkey (or Redis) server for all tests: `.url`, `.port`."""
    if given := os.environ.get("DOZOR_TEST_REDIS_URL"):
        return GivenServer(given)
    return _launch(request, "redis")


@pytest.fixture
def valkey_database(valkey_server: EmbeddedServer | GivenServer) -> str:
    """The URL of an emptied Valkey database."""
    with redis.Redis.from_url(valkey_server.url) as client:
        client.flushdb()
    return valkey_server.url


@pytest.fixture(scope="session")
def postgres_server(request: pytest.FixtureRequest) -> EmbeddedServer | GivenServer:
    """A PostgreSQL server for all tests: `.url` (psycopg), `.async_url` (asyncpg), `.port`."""
    if given := os.environ.get("DOZOR_TEST_DATABASE_URL"):
        url = make_url(given).set(drivername="postgresql+psycopg")
        return GivenServer(url.render_as_string(hide_password=False))
    return _launch(request, "postgres")


@pytest.fixture
def postgres_database(postgres_server: EmbeddedServer | GivenServer) -> Iterator[str]:
    """The URL (`postgresql+psycopg://…`) of a fresh, empty PostgreSQL database."""
    with _fresh_database(postgres_server) as url:
        yield url


@pytest.fixture(scope="module")
def shared_postgres_database(postgres_server: EmbeddedServer | GivenServer) -> Iterator[str]:
    """As `postgres_database`, for all tests of a module."""
    with _fresh_database(postgres_server) as url:
        yield url


@contextmanager
def _fresh_database(postgres_server: EmbeddedServer | GivenServer) -> Iterator[str]:
    url = make_url(postgres_server.url)
    name = f"dozor_test_{uuid4().hex[:12]}"
    _execute(url, sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    yield url.set(database=name).render_as_string(hide_password=False)
    _execute(url, sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
def async_postgres_database(postgres_database: str) -> str:
    """`postgres_database` for asyncpg."""
    return postgres_database.replace("+psycopg:", "+asyncpg:")


@pytest.fixture
def own_valkey(request: pytest.FixtureRequest) -> Iterator[EmbeddedServer]:
    """A Valkey server for one test, which may do to it what it likes."""
    server = _launch(request, "redis")
    yield server
    server.remove()


@pytest.fixture
def own_postgres(request: pytest.FixtureRequest) -> Iterator[EmbeddedServer]:
    """A PostgreSQL server for one test, which may do to it what it likes."""
    server = _launch(request, "postgres")
    yield server
    server.remove()


def _launch(request: pytest.FixtureRequest, kind: str) -> EmbeddedServer:
    servers: EmbeddedServers = request.getfixturevalue("embedded_servers")
    try:
        return servers.launch("redis" if kind == "redis" else "postgres")
    except ServersUnavailable as error:
        pytest.skip(f"needs a real server: {error}")


def _execute(url: URL, statement: sql.Composed) -> None:
    address = url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute(statement)
