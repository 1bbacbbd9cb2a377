"""Messages at receivers that let them be changed: which shows which alert, and how. In the caller's transaction.

An alert belongs to the last message about it, so there is one row for each receiver and alert.
"""

from collections.abc import Iterable, Sequence
from itertools import groupby

from sqlalchemy import Connection, or_, select

from dozor.containment import contained
from dozor.database.records import decode_alert, encode_alert
from dozor.database.schema import alerts, messages
from dozor.database.statements import insert, is_one_of
from dozor.model.alert import Alert
from dozor.model.notification import SentMessage


def keep(connection: Connection, receiver: str, at: float, shown: Sequence[SentMessage]) -> None:
    """What each of *shown* shows since *at*, in place of what it showed before."""
    c = messages.c
    for message in shown:
        connection.execute(messages.delete().where(c.receiver == receiver, c.reference == message.reference))
    rows = [
        {
            "receiver": receiver,
            "alert_id": alert.id,
            "reference": message.reference,
            "position": position,
            "shown_at": at,
            "record": encode_alert(alert),
        }
        for message in shown
        for position, alert in enumerate(message.alerts)
    ]
    if rows:
        statement = insert(connection, messages)
        moved = {name: statement.excluded[name] for name in ("reference", "position", "shown_at", "record")}
        connection.execute(statement.on_conflict_do_update(index_elements=["receiver", "alert_id"], set_=moved), rows)


def find(connection: Connection, receiver: str, alert_ids: Iterable[str]) -> list[SentMessage]:
    """The messages that show one of these alerts, each with all the alerts that it shows, the oldest message first."""
    c, other = messages.c, messages.alias("other")
    references = select(c.reference).where(c.receiver == receiver, is_one_of(connection, c.alert_id, alert_ids))
    rows = connection.execute(
        select(other.c.reference, other.c.record)
        .where(other.c.receiver == receiver, other.c.reference.in_(references))
        .order_by(other.c.shown_at, other.c.reference, other.c.position)
    )
    found = []
    for reference, group in groupby(rows, lambda row: str(row.reference)):
        shown: list[Alert] = []
        for row in group:
            with contained("database.decode_alert"):
                shown.append(decode_alert(row.record))
        found.append(SentMessage(reference, tuple(shown)))
    return found


def forget(connection: Connection, ended_before: float) -> None:
    """Delete messages all of whose alerts are gone or ended before *ended_before*: nothing will change them any more.

    A message that shows one alert that may still change keeps the others too; it is written anew as a whole.
    """
    c, other, a = messages.c, messages.alias("other"), alerts.c
    alive = (
        select(other.c.alert_id)
        .join(alerts, a.id == other.c.alert_id)
        .where(
            other.c.receiver == c.receiver,
            other.c.reference == c.reference,
            or_(a.resolved_at.is_(None), a.resolved_at >= ended_before),
        )
    )
    connection.execute(messages.delete().where(~alive.exists()))
