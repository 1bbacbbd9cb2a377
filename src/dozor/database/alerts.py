"""Alerts in the database: kept, found again, paged through, counted. Every function works in the caller's transaction."""

import base64
import binascii
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import blake2s
from typing import Any, Final, Generic, TypeVar

import msgspec
from sqlalchemy import ColumnElement, Connection, and_, func, or_, select, tuple_

from dozor.containment import contained
from dozor.database.records import decode_alert, encode_alert
from dozor.database.schema import alerts, audit, clean, meta
from dozor.database.statements import batches, insert
from dozor.model.alert import Alert, AlertState, Severity
from dozor.model.notification import AuditEntry

RETIRED: Final = "retired_alerts"
"""The row of `meta` that counts alerts which fired and have since been deleted by retention."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class HistoryFilter:
    """Which alerts of the history are wanted; None: any.

    *since* and *until* (Unix seconds, both inclusive) bound the time at which the alert fired. *limit* is the size of a
    page; *cursor* the `next_cursor` of the page before.
    """

    severity: Severity | None = None
    rule: str | None = None
    component: str | None = None
    state: AlertState | None = None
    since: float | None = None
    until: float | None = None
    limit: int = 100
    cursor: str | None = None


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some of *total* items; *next_cursor* asks for those after them and is None on the last page."""

    items: tuple[T, ...]
    total: int
    next_cursor: str | None = None


@dataclass(frozen=True, slots=True)
class AlertStatistics:
    """Figures over the alerts that fired since *since* (Unix seconds; None: nothing has ever fired).

    *active* counts those that fire now, since whenever. A mean is None where there is nothing to take it of.
    """

    total: int
    active: int
    by_severity: dict[Severity, int] = field(default_factory=dict)
    by_rule: dict[str, int] = field(default_factory=dict)
    mean_time_to_acknowledge_seconds: float | None = None
    mean_time_to_resolve_seconds: float | None = None
    since: float | None = None


def save(connection: Connection, changed: Sequence[Alert]) -> None:
    """Keep each of *changed* in place of what is kept under its id."""
    if not changed:
        return
    statement = insert(connection, alerts)
    new = statement.excluded
    replaced: dict[str, Any] = {column.name: new[column.name] for column in alerts.columns if column.name != "id"}
    replaced["acknowledged_at"] = func.coalesce(alerts.c.acknowledged_at, new.acknowledged_at)
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
        select(c.alert_id, c.at, c.event, c.by, c.comment).where(c.alert_id == alert_id).order_by(c.id)
    )
    return [AuditEntry(*row) for row in rows]


def recent(connection: Connection, since: float) -> list[Alert]:
    """Alerts that have not ended, and those that ended at *since* or later; oldest first."""
    c = alerts.c
    rows = connection.scalars(
        select(c.record).where(or_(c.resolved_at.is_(None), c.resolved_at >= since)).order_by(c.active_at, c.id)
    )
    return _decoded(rows)


def get(connection: Connection, alert_id: str) -> Alert | None:
    """The alert with this id."""
    text = connection.scalar(select(alerts.c.record).where(alerts.c.id == alert_id))
    return None if text is None else decode_alert(text)


def history(connection: Connection, wanted: HistoryFilter) -> Page[Alert]:
    """One page of the alerts that ever fired, the newest first.

    Raises:
        ValueError: the cursor is not one that this function gave out.
    """
    c = alerts.c
    conditions = _conditions(wanted)
    total = connection.scalar(select(func.count()).select_from(alerts).where(*conditions)) or 0
    if wanted.cursor is not None:
        fired_at, alert_id = _read_cursor(wanted.cursor)
        conditions.append(or_(c.fired_at < fired_at, and_(c.fired_at == fired_at, c.id < alert_id)))
    rows = connection.execute(
        select(c.record, c.fired_at, c.id)
        .where(*conditions)
        .order_by(c.fired_at.desc(), c.id.desc())
        .limit(wanted.limit + 1)
    ).all()
    shown = rows[: wanted.limit]
    more = len(rows) > wanted.limit
    return Page(
        items=tuple(_decoded(row.record for row in shown)),
        total=total,
        next_cursor=_cursor(shown[-1].fired_at, shown[-1].id) if more and shown else None,
    )


def _conditions(wanted: HistoryFilter) -> list[ColumnElement[bool]]:
    c = alerts.c
    conditions: list[ColumnElement[bool]] = [c.fired_at.is_not(None)]
    if wanted.severity is not None:
        conditions.append(c.severity == wanted.severity.value)
    if wanted.rule is not None:
        conditions.append(c.rule == wanted.rule)
    if wanted.component is not None:
        conditions.append(c.component == wanted.component)
    if wanted.state is not None:
        conditions.append(c.state == wanted.state.value)
    if wanted.since is not None:
        conditions.append(c.fired_at >= wanted.since)
    if wanted.until is not None:
        conditions.append(c.fired_at <= wanted.until)
    return conditions


def _cursor(fired_at: float, alert_id: str) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode((fired_at, alert_id))).decode().rstrip("=")


def _read_cursor(cursor: str) -> tuple[float, str]:
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        return msgspec.json.decode(base64.b64decode(padded, altchars=b"-_", validate=True), type=tuple[float, str])
    except (UnicodeEncodeError, binascii.Error, msgspec.DecodeError):
        raise ValueError(f"not a cursor: {cursor[:80]!r}; pass the next_cursor of the page before") from None


def statistics(connection: Connection, since: float | None) -> AlertStatistics:
    """Figures over the alerts that fired at *since* or later; None: over all that are kept."""
    c = alerts.c
    conditions = _conditions(HistoryFilter(since=since))
    total, acknowledge, resolve, first = connection.execute(
        select(
            func.count(),
            func.avg(c.acknowledged_at - c.fired_at),
            func.avg(c.resolved_at - c.fired_at),
            func.min(c.fired_at),
        ).where(*conditions)
    ).one()
    counted = func.count().label("counted")
    severities = connection.execute(select(c.severity, counted).where(*conditions).group_by(c.severity))
    rules = connection.execute(
        select(c.rule, counted).where(*conditions).group_by(c.rule).order_by(counted.desc(), c.rule)
    )
    by_severity = {Severity(severity): count for severity, count in severities}
    return AlertStatistics(
        total=total,
        active=connection.scalar(
            select(func.count()).select_from(alerts).where(c.fired_at.is_not(None), c.resolved_at.is_(None))
        )
        or 0,
        by_severity={severity: by_severity.get(severity, 0) for severity in Severity},
        by_rule={row.rule: row.counted for row in rules},
        mean_time_to_acknowledge_seconds=acknowledge,
        mean_time_to_resolve_seconds=resolve,
        since=first if since is None else since,
    )


def total_fired(connection: Connection) -> int:
    """How many alerts ever fired, those that retention has deleted included.

    It is the sum of what is kept and what was deleted, rather than a count of its own, so that a commit which is
    repeated because its outcome was unknown counts nothing twice.
    """
    kept = connection.scalar(select(func.count()).select_from(alerts).where(alerts.c.fired_at.is_not(None)))
    retired = connection.scalar(select(meta.c.value).where(meta.c.name == RETIRED))
    return (kept or 0) + (retired or 0)


def retire(connection: Connection, *, before: float, keep_at_least: int, keep_at_most: int) -> int:
    """Delete alerts that ended before *before*, and the oldest beyond *keep_at_most*; answers how many.

    The newest *keep_at_least* that fired stay whatever their age, and so does everything that has not ended.
    """
    c = alerts.c
    too_old = and_(c.resolved_at < before, _older_than_newest(connection, keep_at_least))
    too_many = _older_than_newest(connection, max(keep_at_least, keep_at_most))
    leaving = and_(c.fired_at.is_not(None), c.resolved_at.is_not(None), or_(too_old, too_many))
    count = connection.execute(alerts.delete().where(leaving)).rowcount
    if count:
        statement = insert(connection, meta).values(name=RETIRED, value=count)
        connection.execute(
            statement.on_conflict_do_update(index_elements=["name"], set_={"value": meta.c.value + count})
        )
    kept = select(c.id).where(c.id == audit.c.alert_id).exists()
    connection.execute(audit.delete().where(audit.c.at < before, ~kept))
    return count


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


def _decoded(texts: Iterable[str]) -> list[Alert]:
    found = []
    for text in texts:
        with contained("database.decode_alert"):  # one record that cannot be read must not hide the others
            found.append(decode_alert(text))
    return found
