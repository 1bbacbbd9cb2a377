"""What is deleted with time. Every function works in the caller's transaction."""

from sqlalchemy import ColumnElement, Connection, and_, or_, select, tuple_

from dozor.database.alerts import count_retired
from dozor.database.schema import alerts, audit


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
