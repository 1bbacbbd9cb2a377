"""Annotations, kept and read back. Every function works in the caller's transaction."""

from collections.abc import Iterable, Sequence

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, select, tuple_

from dozor.database.schema import annotations, clean
from dozor.database.statements import insert
from dozor.model.annotation import Annotation


class AnnotationFilter(Struct, frozen=True):
    """Which annotations are wanted; None: any. *since* and *until* (Unix seconds) are included.

    *before*: only those that come after the one of this time and id in a list that begins with the newest.
    """

    since: float | None = None
    until: float | None = None
    tag: str | None = None
    before: tuple[float, str] | None = None
    limit: int = 100

    def matches(self, annotation: Annotation) -> bool:
        """Whether *annotation* is wanted."""
        return (
            (self.since is None or annotation.at >= self.since)
            and (self.until is None or annotation.at <= self.until)
            and (self.tag is None or self.tag in annotation.tags)
            and (self.before is None or (annotation.at, annotation.id) < self.before)
        )


def save(connection: Connection, added: Iterable[Annotation]) -> None:
    """Keep each of *added*; one that is there already is not added twice."""
    rows = [
        {
            "id": one.id,
            "at": one.at,
            "text": one.text,
            "tags": f"[{','.join(map(_encoded, one.tags))}]",
            "by": one.by,
        }
        for one in added
    ]
    if rows:
        connection.execute(insert(connection, annotations).on_conflict_do_nothing(index_elements=["id"]), rows)


def find(connection: Connection, wanted: AnnotationFilter) -> Sequence[Annotation]:
    """Those that are *wanted*, the newest first."""
    c = annotations.c
    statement = select(c.id, c.at, c.text, c.tags, c.by)
    if wanted.since is not None:
        statement = statement.where(c.at >= wanted.since)
    if wanted.until is not None:
        statement = statement.where(c.at <= wanted.until)
    if wanted.tag is not None:
        statement = statement.where(c.tags.contains(_encoded(wanted.tag), autoescape=True))
    if wanted.before is not None:
        statement = statement.where(tuple_(c.at, c.id) < tuple_(*wanted.before))
    rows = connection.execute(statement.order_by(c.at.desc(), c.id.desc()).limit(wanted.limit))
    return [Annotation(row.id, row.at, row.text, tuple(msgspec.json.decode(row.tags)), row.by) for row in rows]


def _encoded(tag: str) -> str:
    return msgspec.json.encode(clean(tag)).decode()


def forget(connection: Connection, before: float) -> None:
    """Delete those of before *before*."""
    connection.execute(annotations.delete().where(annotations.c.at < before))
