"""What is deleted with time, and when there is too much of it. Every function works in the caller's transaction."""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Column, ColumnElement, Connection, Table, and_, func, or_, select, text, true, tuple_

from dozor.database.alerts import count_retired
from dozor.database.outbox import DEAD, SENT
from dozor.database.schema import alerts, annotations, audit, messages, metadata, outbox, silences
from dozor.database.statements import is_one_of, stored_bytes

# What a row takes beside its long texts: its header, its short columns, its entries in the indexes.
_ROW_BYTES: Final = 300
_LONG: Final[dict[Table, tuple[Column[Any], ...]]] = {
    alerts: (alerts.c.record, alerts.c.labels),
    audit: (audit.c.comment,),
    outbox: (outbox.c.payload, outbox.c.last_error),
    silences: (silences.c.record,),
    messages: (messages.c.record,),
    annotations: (annotations.c.text, annotations.c.tags),
}
_AT_ONCE: Final = 2_000


def retire(connection: Connection, *, before: float, keep_at_least: int, keep_at_most: int) -> int:
    """Delete alerts that ended before *before*, and the oldest beyond *keep_at_most*; answers how many.

    The newest *keep_at_least* that fired stay whatever their age, and so does everything that has not ended.
    """
    c = alerts.c
    too_old = and_(c.resolved_at < before, _older_than_newest(connection, keep_at_least))
    too_many = _older_than_newest(connection, max(keep_at_least, keep_at_most))
    leaving = and_(c.fired_at.is_not(None), c.resolved_at.is_not(None), or_(too_old, too_many))
    count = connection.execute(alerts.delete().where(leaving)).rowcount
    count_retired(connection, count)
    connection.execute(audit.delete().where(audit.c.at < before, _is_orphan()))
    return count


def size_bytes(connection: Connection) -> int:
    """What the store takes on the disk, in bytes, room that it can use again included; an SQLite file without its log."""
    if connection.dialect.name == "sqlite":
        return _pragma(connection, "page_count") * _pragma(connection, "page_size")
    # A cast of the name fails where there is no such table; to_regclass then is NULL, as is its size.
    names = " + ".join(f"COALESCE(pg_total_relation_size(to_regclass('{name}')), 0)" for name in metadata.tables)
    return connection.scalar(text(f"SELECT {names}")) or 0


def excess_bytes(connection: Connection, keep_bytes: int) -> int:
    """By how many bytes that which is kept is more than *keep_bytes*; 0 where it is not.

    Room that deleted rows have left does not count: it is used again before the store grows.
    """
    size = size_bytes(connection)
    if size <= keep_bytes:
        return 0
    if connection.dialect.name == "sqlite":
        used = size - _pragma(connection, "freelist_count") * _pragma(connection, "page_size")
    else:
        # How much of a table is dead is known to VACUUM only; so the living rows are weighed, of which there are too many.
        used = sum(_weigh(connection, table, *columns) for table, columns in _LONG.items())
    return max(0, used - keep_bytes)


def delete_oldest(connection: Connection, excess: int, keep_at_least: int) -> int:
    """Delete about *excess* bytes of what can be spared best, but no more than some thousand rows; how many went.

    First what was sent, then alerts that ended with all that belongs to them (but the newest *keep_at_least* that fired),
    then what happened to things that are gone, then dead letters, and annotations at the last.
    """
    c, o = alerts.c, outbox.c
    ended = and_(c.resolved_at.is_not(None), _older_than_newest(connection, keep_at_least))
    return (
        _delete_rows(connection, outbox, o.id, o.state == SENT, excess)
        or _delete_alerts(connection, ended, excess)
        or _delete_rows(connection, audit, audit.c.id, _is_orphan(), excess)
        or _delete_rows(connection, outbox, o.id, o.state == DEAD, excess)
        or _delete_annotations(connection, excess)
    )


def _delete_alerts(connection: Connection, which: ColumnElement[bool], excess: int) -> int:
    c = alerts.c
    ids = _oldest(connection, alerts, c.id, and_(c.fired_at.is_not(None), which), excess, age=c.fired_at)
    for table, column in ((alerts, c.id), (audit, audit.c.alert_id), (messages, messages.c.alert_id)):
        connection.execute(table.delete().where(is_one_of(connection, column, ids)))
    count_retired(connection, len(ids))
    return len(ids)


def _delete_annotations(connection: Connection, excess: int) -> int:
    c = annotations.c
    ids = _oldest(connection, annotations, c.id, true(), excess, age=c.at)
    connection.execute(annotations.delete().where(is_one_of(connection, c.id, ids)))
    return len(ids)


def _delete_rows(
    connection: Connection, table: Table, key: Column[Any], which: ColumnElement[bool], excess: int
) -> int:
    ids = _oldest(connection, table, key, which, excess, age=key)
    if ids:
        connection.execute(table.delete().where(which, key <= ids[-1]))
    return len(ids)


def _oldest(
    connection: Connection,
    table: Table,
    key: Column[Any],
    which: ColumnElement[bool],
    excess: int,
    *,
    age: Column[Any],
) -> Sequence[Any]:
    size = stored_bytes(connection, *_LONG[table])
    found = []
    for row in connection.execute(select(key, size).where(which).order_by(age, key).limit(_AT_ONCE)):
        if excess <= 0:
            break
        found.append(row[0])
        excess -= row[1] + _ROW_BYTES
    return found


def _weigh(connection: Connection, table: Table, *columns: Column[Any]) -> int:
    total = func.coalesce(func.sum(stored_bytes(connection, *columns) + _ROW_BYTES), 0)
    return int(connection.scalar(select(total).select_from(table)) or 0)


def _is_orphan() -> ColumnElement[bool]:
    kept = select(alerts.c.id).where(alerts.c.id == audit.c.alert_id).exists()
    silence = select(silences.c.id).where(silences.c.id == audit.c.alert_id).exists()
    return and_(~kept, ~silence)


def _older_than_newest(connection: Connection, count: int) -> ColumnElement[bool]:
    c = alerts.c
    boundary = connection.execute(
        select(c.fired_at, c.id)
        .where(c.fired_at.is_not(None))
        .order_by(c.fired_at.desc(), c.id.desc())
        .offset(count)
        .limit(1)
    ).one_or_none()
    if boundary is None:
        return c.id.is_(None)  # there are not that many: nothing is older
    return tuple_(c.fired_at, c.id) <= tuple_(boundary.fired_at, boundary.id)


def _pragma(connection: Connection, name: str) -> int:
    return int(connection.scalar(text(f"PRAGMA {name}")) or 0)
