"""The store, over each database that it can be in."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Protocol
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import make_url

from dozor.database import Database
from dozor.database.schema import metadata

ON_20: Final = "DOZOR_TEST_SQLALCHEMY_20" in os.environ


class Server(Protocol):
    """A PostgreSQL server, as tests/conftest.py gives it."""

    @property
    def url(self) -> str: ...


@pytest.fixture(scope="session")
def shared_postgres_url(postgres_server: Server) -> Iterator[str]:
    """A database for all tests of the store; to create one for each would take most of their time."""
    with _new_database(postgres_server) as url:
        yield url


@contextmanager
def _new_database(server: Server) -> Iterator[str]:
    url = make_url(server.url)
    name = f"dozor_store_{uuid4().hex[:12]}"
    address = url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    yield url.set(database=name).render_as_string(hide_password=False)
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture(params=["sqlite-file", "postgresql"])
def new_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database of each kind in which there is nothing."""
    if request.param == "sqlite-file":
        yield f"sqlite:///{tmp_path}/store.db"
        return
    server: Server = request.getfixturevalue("postgres_server")
    with _new_database(server) as url:
        yield url


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite file with the tables in it; to make them for each test would take most of its time."""
    path = tmp_path_factory.mktemp("template") / "store.db"
    database = Database(f"sqlite:///{path}")
    database.open()
    database.close()
    return path


@pytest.fixture(params=["sqlite-file", "postgresql"] if ON_20 else ["sqlite-file", "sqlite-memory", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """An open, empty store of each kind."""
    database = Database(_url(request, tmp_path))
    database.open()
    yield database
    database.close()


@pytest.fixture(params=["sqlite-file", "postgresql"])
def durable_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where an empty store of each kind that outlives its process can be."""
    return _url(request, tmp_path)


def _url(request: pytest.FixtureRequest, folder: Path) -> str:
    kind: str = request.param
    if kind == "sqlite-memory":
        return "sqlite://"
    if kind == "sqlite-file":
        shutil.copy2(request.getfixturevalue("sqlite_template"), folder / "store.db")
        return f"sqlite:///{folder}/store.db"
    url: str = request.getfixturevalue("shared_postgres_url")
    _empty(url)
    return url


def _empty(url: str) -> None:
    address = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(address, autocommit=True) as connection:
        there = [row[0] for row in connection.execute("SELECT tablename FROM pg_tables WHERE tablename LIKE 'dozor%'")]
        names = [sql.Identifier(name) for name in sorted({*there} & {*metadata.tables})]
        if names:
            connection.execute(sql.SQL("TRUNCATE {}").format(sql.SQL(", ").join(names)))
