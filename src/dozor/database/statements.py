"""What SQLite and PostgreSQL can both do, but SQLAlchemy spells per dialect."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, TypeVar

import msgspec
from sqlalchemy import (
    ARRAY,
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Table,
    TableValuedAlias,
    any_,
    cast,
    func,
    literal,
    select,
)
from sqlalchemy.types import Text

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql, sqlite

T = TypeVar("T")

_DAY: Final = 86_400


def insert(connection: Connection, table: Table) -> "postgresql.Insert | sqlite.Insert":
    """An INSERT into *table* that knows ON CONFLICT."""
    # Each dialect is megabytes, and loaded already where there is a connection of it.
    if _is_postgresql(connection):
        from sqlalchemy.dialects import postgresql  # noqa: PLC0415

        return postgresql.insert(table)
    from sqlalchemy.dialects import sqlite  # noqa: PLC0415

    return sqlite.insert(table)


def batches(items: Iterable[T], size: int = 500) -> Iterator[list[T]]:
    """*items* in lists short enough for one IN (…): a database bounds how many parameters a statement may have."""
    remaining = iter(items)
    while batch := list(islice(remaining, size)):
        yield batch


def is_one_of(connection: Connection, value: ColumnElement[Any], wanted: Iterable[str]) -> ColumnElement[bool]:
    """Whether the text *value* is one of *wanted*, of which there may be more than a statement may have parameters."""
    if _is_postgresql(connection):
        return value == any_(literal(list(wanted), ARRAY(Text)))
    listed = func.json_each(msgspec.json.encode(list(wanted)).decode()).table_valued("value")
    return value.in_(select(listed.c.value))


def json_text(connection: Connection, value: Column[Any], name: str) -> ColumnElement[str | None]:
    """The text under *name* in the JSON object *value*, NULL where there is none."""
    if _is_postgresql(connection):
        found: ColumnElement[str | None] = value[name].as_string()
        return found
    # Not by a path: SQLite compares one with the name as it is written in the JSON, where it may be escaped.
    pairs = func.json_each(value).table_valued("key", "value")
    return select(pairs.c.value).where(pairs.c.key == name).scalar_subquery()


def json_pairs(connection: Connection, value: ColumnElement[Any]) -> TableValuedAlias:
    """The rows (`key`, `value`) that the JSON object *value* of a row beside them in FROM holds; its values are text."""
    expand = func.jsonb_each_text if _is_postgresql(connection) else func.json_each
    return expand(value).table_valued("key", "value", joins_implicitly=True)


def day_number(connection: Connection, at: Column[float]) -> ColumnElement[int]:
    """The days (UTC) from 1970-01-01 to *at*, in Unix seconds."""
    # The one rounds when it casts and the other cannot be relied upon to have floor().
    days = at / _DAY
    return cast(func.floor(days) if _is_postgresql(connection) else days, BigInteger)


def stored_bytes(connection: Connection, *columns: Column[Any]) -> ColumnElement[int]:
    """About how many bytes of a row its *columns* take, as they are kept (PostgreSQL compresses long text)."""
    measure = func.pg_column_size if _is_postgresql(connection) else func.length
    return sum((func.coalesce(measure(each), 0) for each in columns), literal(0))


def _is_postgresql(connection: Connection) -> bool:
    return connection.dialect.name == "postgresql"
