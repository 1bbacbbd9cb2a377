"""Alerts in the database, and what happened to them. Every function works in the caller's transaction."""

from collections.abc import Iterable, Sequence
from hashlib import blake2s
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, and_, case, func, or_, select

from dozor.containment import contained
from dozor.database.records import decode_alert, encode_alert
from dozor.database.schema import alerts, audit, clean, meta
from dozor.database.statements import batches, insert
from dozor.model.alert import Alert
from dozor.model.notification import AuditEntry

_RETIRED: Final = "retired_alerts"
"""The row of `meta` that counts alerts which fired and have since been deleted by retention."""


def save(connection: Connection, changed: Sequence[Alert]) -> None:
    """Keep each of *changed* in place of what is kept under its id."""
    if not changed:
        return
    statement = insert(connection, alerts)
    new = statement.excluded
    replaced: dict[str, Any] = {column.name: new[column.name] for column in alerts.columns if column.name != "id"}
    # Whoever takes over does not move it; one that was taken back was a slip, and the next one is the first.
    taken_back = and_(new.acknowledged_at.is_(None), new.resolved_at.is_(None))
    first = func.coalesce(alerts.c.acknowledged_at, new.acknowledged_at)
    replaced["acknowledged_at"] = case((taken_back, None), else_=first)
    connection.execute(
        statement.on_conflict_do_update(index_elements=["id"], set_=replaced), [_row(alert) for alert in changed]
    )


def _row(alert: Alert) -> dict[str, object]:
    return {
        "id": alert.id,
        "rule": alert.rule,
        "severity": alert.severity.value,
        "component": alert.component,
        "state": alert.state.value,
        "active_at": alert.active_at,
        "fired_at": alert.fired_at,
        "acknowledged_at": alert.acknowledged.at if alert.acknowledged else None,
        "resolved_at": alert.resolved_at,
        "record": encode_alert(alert),
        "labels": {clean(name): clean(value) for name, value in alert.labels.items()},
    }


def delete(connection: Connection, ids: Iterable[str]) -> None:
    """Forget the alerts with these *ids*."""
    for batch in batches(ids):
        connection.execute(alerts.delete().where(alerts.c.id.in_(batch)))


def record(connection: Connection, entries: Sequence[AuditEntry]) -> None:
    """Add *entries* to the audit trail; one that is there already is not added twice."""
    if not entries:
        return
    rows = [
        {
            "digest": _digest(entry),
            "alert_id": entry.alert_id,
            "at": entry.at,
            "event": entry.event,
            "by": entry.by,
            "comment": entry.comment,
        }
        for entry in entries
    ]
    connection.execute(insert(connection, audit).on_conflict_do_nothing(index_elements=["digest"]), rows)


def _digest(entry: AuditEntry) -> str:
    identity = msgspec.json.encode([clean(part) if isinstance(part, str) else part for part in _parts(entry)])
    return blake2s(identity, digest_size=16).hexdigest()


def _parts(entry: AuditEntry) -> tuple[object, ...]:
    return entry.alert_id, entry.at, entry.event, entry.by, entry.comment


def trail(connection: Connection, alert_id: str) -> list[AuditEntry]:
    """What happened to an alert, oldest first."""
    c = audit.c
    rows = connection.execute(
        select(c.alert_id, c.at, c.event, c.by, c.comment).where(c.alert_id == clean(alert_id)).order_by(c.id)
    )
    return [AuditEntry(*row) for row in rows]


def recent(connection: Connection, since: float) -> list[Alert]:
    """Alerts that have not ended, and those that ended at *since* or later; oldest first."""
    c = alerts.c
    rows = connection.scalars(
        select(c.record).where(or_(c.resolved_at.is_(None), c.resolved_at >= since)).order_by(c.active_at, c.id)
    )
    return decoded(rows)


def get(connection: Connection, alert_id: str) -> Alert | None:
    """The alert with this id."""
    text = connection.scalar(select(alerts.c.record).where(alerts.c.id == clean(alert_id)))
    return None if text is None else decode_alert(text)


def total_fired(connection: Connection) -> int:
    """How many alerts ever fired, those that retention has deleted included.

    It is the sum of what is kept and what was deleted, rather than a count of its own, so that a commit which is
    repeated because its outcome was unknown counts nothing twice.
    """
    kept = connection.scalar(select(func.count()).select_from(alerts).where(alerts.c.fired_at.is_not(None)))
    return (kept or 0) + total_retired(connection)


def total_retired(connection: Connection) -> int:
    """How many alerts that fired have been deleted."""
    return connection.scalar(select(meta.c.value).where(meta.c.name == _RETIRED)) or 0


def count_retired(connection: Connection, more: int) -> None:
    """*more* alerts that fired are not kept any longer."""
    if more > 0:
        statement = insert(connection, meta).values(name=_RETIRED, value=more)
        connection.execute(
            statement.on_conflict_do_update(index_elements=["name"], set_={"value": meta.c.value + more})
        )


def decoded(texts: Iterable[str]) -> list[Alert]:
    """The alerts that *texts* hold, without those that cannot be read."""
    found = []
    for text in texts:
        with contained("database.decode_alert"):  # one record that cannot be read must not hide the others
            found.append(decode_alert(text))
    return found
