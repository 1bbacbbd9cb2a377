"""Silences by matchers, kept and read back. Every function works in the caller's transaction."""

from collections.abc import Sequence

from sqlalchemy import Connection, or_, select

from dozor.containment import contained
from dozor.database.records import decode_silence, encode_silence
from dozor.database.schema import silences
from dozor.database.statements import insert
from dozor.model.silence import Silence


def save(connection: Connection, changed: Sequence[Silence]) -> None:
    """Keep each of *changed* in place of what is kept under its id."""
    if not changed:
        return
    statement = insert(connection, silences)
    replaced = {column.name: statement.excluded[column.name] for column in silences.columns if column.name != "id"}
    rows = [
        {
            "id": silence.id,
            "starts_at": silence.starts_at,
            "ends_at": silence.ends_at,
            "ended_at": silence.ended_at,
            "updated_at": silence.updated_at,
            "record": encode_silence(silence),
        }
        for silence in changed
    ]
    connection.execute(statement.on_conflict_do_update(index_elements=["id"], set_=replaced), rows)


def load(connection: Connection, since: float) -> list[Silence]:
    """Those that ended at *since* (Unix seconds) or later, or whose end was never noted; the oldest change first.

    One whose time ran out while nobody was there to note it is among them, so that its end can be noted now.
    """
    c = silences.c
    statement = select(c.record).where(or_(c.ended_at.is_(None), c.ended_at >= since)).order_by(c.updated_at, c.id)
    found = []
    for text in connection.scalars(statement):
        with contained("database.decode_silence"):  # one record that cannot be read must not hide the others
            found.append(decode_silence(text))
    return found


def forget(connection: Connection, before: float) -> None:
    """Delete those that ended before *before*."""
    c = silences.c
    connection.execute(silences.delete().where(c.ended_at < before))
