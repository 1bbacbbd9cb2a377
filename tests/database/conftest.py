"""The store, over each database that it can be in."""

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import make_url

from dozor.database import Database
from dozor.database.schema import metadata


class Server(Protocol):
    """A PostgreSQL server, as tests/conftest.py gives it."""

    @property
    def url(self) -> str: ...


@pytest.fixture(scope="session")
def shared_postgres_url(postgres_server: Server) -> Iterator[str]:
    """A database for all tests of the store; to create one for each would take most of their time."""
    url = make_url(postgres_server.url)
    name = f"dozor_store_{uuid4().hex[:12]}"
    address = url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    yield url.set(database=name).render_as_string(hide_password=False)
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture(params=["sqlite-file", "sqlite-memory", "postgresql"])
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
    if kind != "postgresql":
        return f"sqlite:///{folder}/store.db" if kind == "sqlite-file" else "sqlite://"
    url: str = request.getfixturevalue("shared_postgres_url")
    _empty(url)
    return url


def _empty(url: str) -> None:
    address = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(address, autocommit=True) as connection:
        for table in metadata.tables:
            found = connection.execute("SELECT to_regclass(%s)", [table]).fetchone()
            if found and found[0]:
                connection.execute(sql.SQL("TRUNCATE {}").format(sql.Identifier(table)))
