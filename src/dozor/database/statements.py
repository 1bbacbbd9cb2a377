"""What SQLite and PostgreSQL say alike, but SQLAlchemy spells per dialect."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite

T = TypeVar("T")


def insert(connection: Connection, table: Table) -> "postgresql.Insert | sqlite.Insert":
    """An INSERT into *table* that knows ON CONFLICT."""
    return postgresql.insert(table) if connection.dialect.name == "postgresql" else sqlite.insert(table)


def batches(items: Iterable[T], size: int = 500) -> Iterator[list[T]]:
    """*items* in lists short enough for one IN (…): a database bounds how many parameters a statement may have."""
    remaining = iter(items)
    while batch := list(islice(remaining, size)):
        yield batch
