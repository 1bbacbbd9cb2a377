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
    kind: str = request.param
    if kind == "postgresql":
        url: str = request.getfixturevalue("shared_postgres_url")
        _empty(url)
    else:
        url = f"sqlite:///{tmp_path}/store.db" if kind == "sqlite-file" else "sqlite://"
    database = Database(url)
    database.open()
    yield database
    database.close()


def _empty(url: str) -> None:
    address = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(address, autocommit=True) as connection:
        for table in metadata.tables:
            found = connection.execute("SELECT to_regclass(%s)", [table]).fetchone()
            if found and found[0]:
                connection.execute(sql.SQL("TRUNCATE {}").format(sql.Identifier(table)))
