"""The outbox: one row for each notification and receiver, written with the change that caused it.

A row is *pending* until it is *sent* or, given up, *dead*. Delivery claims it for a while (a lease), sends, and settles.
A claim that was never settled, since its process was killed, runs out, or is freed by the next process if that is alone
with the store; then the row can be claimed again: every message is sent at least once, and sent twice only when the process
died between sending and settling.

Every function works in the caller's transaction. Times are Unix seconds.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final

import msgspec
from msgspec import Struct, field
from sqlalchemy import ColumnElement, Connection, Row, Update, and_, func, or_, select

from dozor.containment import report
from dozor.database.paging import Page, read_cursor, write_cursor
from dozor.database.records import decode_notification, encode_notification
from dozor.database.schema import outbox
from dozor.database.statements import insert
from dozor.errors import ActionForbidden, NotificationNotFound
from dozor.model.notification import Notification, Outgoing

PENDING: Final = "pending"
SENT: Final = "sent"
DEAD: Final = "dead"

LONGEST_WAIT_SECONDS: Final = 3600.0
"""No row waits longer for its next attempt; one that seems to was written before the clock was set back."""

_MOST: Final = 2**63 - 1
_Id = Annotated[int, msgspec.Meta(ge=0, le=_MOST)]


class OutboxRow(Struct, frozen=True):
    """One notification on its way to one receiver.

    *attempts* counts the claims, the present one included. *settled_at* is when it was sent or given up. *since* is from
    when on giving up is reckoned: *created_at*, or when a person had a dead letter tried again.
    """

    id: int
    receiver: str
    notification: Notification
    attempts: int
    created_at: float
    settled_at: float | None = None
    last_error: str | None = None
    state: str = PENDING
    next_at: float | None = None
    retried_at: float | None = None

    @property
    def since(self) -> float:
        """Unix seconds; see above."""
        return self.created_at if self.retried_at is None else self.retried_at


class OutboxFilter(Struct, frozen=True):
    """Which rows are wanted; None: any.

    *state* is `PENDING`, `SENT` or `DEAD`; *limit* the size of a page; *cursor* the `next_cursor` of the page before.
    """

    state: str | None = None
    receiver: str | None = None
    limit: int = 100
    cursor: str | None = None


class OutboxCounts(Struct, frozen=True):
    """How many rows are on their way, and how many were given up and are kept to be looked at.

    *waiting* are those on their way by receiver; *oldest_at* is when the oldest of them was written.
    """

    pending: int
    dead: int
    waiting: Mapping[str, int] = field(default_factory=dict)
    oldest_at: float | None = None


def add(connection: Connection, outgoing: Sequence[Outgoing]) -> None:
    """One row for each of *outgoing*, due at once, or sent where it was sent already.

    One that is there stays as it is, but for a pending one that has been sent meanwhile.
    """
    payloads: dict[int, str] = {}
    rows = [_new_row(each, payloads) for each in outgoing]
    if not rows:
        return
    statement = insert(connection, outbox)
    sent = statement.excluded
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=["notification_id", "receiver"],
            set_={"state": sent.state, "settled_at": sent.settled_at, "claimed_until": None, "last_error": None},
            where=and_(outbox.c.state == PENDING, sent.state == SENT),
        ),
        rows,
    )


def _new_row(each: Outgoing, payloads: dict[int, str]) -> dict[str, object]:
    notification = each.notification
    payload = payloads.get(id(notification))
    if payload is None:  # one notification often goes to several receivers, and has many alerts
        payload = payloads[id(notification)] = encode_notification(notification)
    return {
        "notification_id": notification.id,
        "receiver": each.receiver,
        "group_key": notification.group,
        "payload": payload,
        "state": PENDING if each.sent_at is None else SENT,
        "created_at": notification.created_at,
        "attempts": 0,
        "next_at": notification.created_at,
        "settled_at": each.sent_at,
    }


def claim(
    connection: Connection, at: float, lease_seconds: float, limit: int, receiver: str | None = None
) -> list[OutboxRow]:
    """Up to *limit* rows that are due, oldest first, claimed until *at* + *lease_seconds*.

    Of one receiver and group only the oldest pending row is ever given out, so that their order is kept. *receiver*
    None: any.
    """
    c = outbox.c
    ready = and_(_is_head(receiver), c.state == PENDING, _is_free(at, lease_seconds))
    due = select(c.id).where(ready).order_by(c.id).limit(limit)
    ids = list(connection.scalars(due.with_for_update(skip_locked=True)))
    if not ids:
        return []
    connection.execute(
        outbox.update().where(c.id.in_(ids)).values(attempts=c.attempts + 1, claimed_until=at + lease_seconds)
    )
    return _rows(connection, at, c.id.in_(ids))


def free_claims(connection: Connection) -> None:
    """Let every row be claimed now that is due: whoever had claimed one is no more."""
    c = outbox.c
    connection.execute(
        outbox.update().where(c.state == PENDING, c.claimed_until.is_not(None)).values(claimed_until=None)
    )


def next_due(connection: Connection, receiver: str | None = None) -> float | None:
    """When the next row can be claimed; None if none is pending."""
    c = outbox.c
    free_at = func.coalesce(c.claimed_until, c.next_at)
    return connection.scalar(select(func.min(free_at)).where(_is_head(receiver)))


def settle_sent(connection: Connection, row: OutboxRow, at: float) -> None:
    """*row* has arrived. Holds even if its lease has run out meanwhile."""
    connection.execute(
        outbox.update()
        .where(outbox.c.id == row.id)
        .values(state=SENT, settled_at=at, claimed_until=None, last_error=None)
    )


def settle_retry(connection: Connection, row: OutboxRow, next_at: float, error: str) -> None:
    """*row* did not arrive and is to be tried again at *next_at*. Does nothing if somebody else has claimed it since."""
    connection.execute(_still_ours(row).values(next_at=next_at, claimed_until=None, last_error=error))


def settle_dead(connection: Connection, row: OutboxRow, at: float, error: str) -> None:
    """*row* is given up. Does nothing if somebody else has claimed it since."""
    connection.execute(_still_ours(row).values(state=DEAD, settled_at=at, claimed_until=None, last_error=error))


def bury(connection: Connection, at: float, created_before: float, receivers: Sequence[str]) -> int:
    """Give up rows older than *created_before* of receivers that exist no longer (not in *receivers*); how many."""
    c = outbox.c
    since = func.coalesce(c.retried_at, c.created_at)
    forgotten = outbox.update().where(c.state == PENDING, since < created_before, c.receiver.not_in(receivers))
    return connection.execute(
        forgotten.values(state=DEAD, settled_at=at, claimed_until=None, last_error="no receiver of this name is set up")
    ).rowcount


def find(connection: Connection, wanted: OutboxFilter) -> Page[OutboxRow]:
    """One page of rows, the newest first; those that cannot be read are left out.

    Raises:
        ValueError: the cursor is not one that this function gave out.
    """
    c = outbox.c
    conditions = _of(wanted.receiver)
    if wanted.state is not None:
        conditions.append(c.state == wanted.state)
    total = connection.scalar(select(func.count()).select_from(outbox).where(*conditions)) or 0
    if wanted.cursor is not None:
        (last,) = read_cursor(wanted.cursor, tuple[_Id])
        conditions.append(c.id < last)
    rows = connection.execute(select(outbox).where(*conditions).order_by(c.id.desc()).limit(wanted.limit + 1)).all()
    shown = rows[: wanted.limit]
    return Page(
        items=tuple(_readable_rows(shown)),
        total=total,
        next_cursor=write_cursor((shown[-1].id,)) if len(rows) > wanted.limit and shown else None,
    )


def retry(connection: Connection, row_id: int, at: float) -> OutboxRow:
    """Have a dead letter tried again, from *at* on, as if it were new.

    Raises:
        NotificationNotFound: there is no such row. ActionForbidden: it is not dead.
    """
    if not 0 <= row_id <= _MOST:
        raise NotificationNotFound(row_id)
    c = outbox.c
    revived = connection.execute(_revival(at).where(c.id == row_id)).rowcount
    found = connection.execute(select(outbox).where(c.id == row_id)).one_or_none()
    row = next(iter(_readable_rows([found])), None) if found is not None else None
    if row is None:
        raise NotificationNotFound(row_id)
    if not revived:
        raise ActionForbidden("retry", str(row_id), row.state, what="notification")
    return row


def retry_dead(connection: Connection, at: float, receiver: str | None = None) -> int:
    """Have all dead letters, those of *receiver* or all, tried again from *at* on; how many."""
    return connection.execute(_revival(at).where(*_of(receiver))).rowcount


def _revival(at: float) -> Update:
    # The error stays until the next attempt ends: it is why somebody had it tried again.
    c = outbox.c
    return (
        outbox.update()
        .where(c.state == DEAD)
        .values(state=PENDING, attempts=0, next_at=at, retried_at=at, settled_at=None, claimed_until=None)
    )


def counts(connection: Connection) -> OutboxCounts:
    """How many rows are pending and how many dead."""
    c = outbox.c
    pending = select(c.receiver, func.count(), func.min(c.id)).where(c.state == PENDING).group_by(c.receiver)
    rows = connection.execute(pending.order_by(c.receiver)).all()
    # Of the oldest of each receiver alone: to read a row's times is to read past its text.
    since = select(func.min(func.coalesce(c.retried_at, c.created_at))).where(c.id.in_([row[2] for row in rows]))
    dead = connection.scalar(select(func.count()).select_from(outbox).where(c.state == DEAD))
    return OutboxCounts(
        pending=sum(row[1] for row in rows),
        dead=dead or 0,
        waiting={row[0]: row[1] for row in rows},
        oldest_at=connection.scalar(since) if rows else None,
    )


def forget(connection: Connection, *, sent_before: float, dead_before: float) -> None:
    """Delete rows that were sent, or given up, before these times."""
    c = outbox.c
    connection.execute(
        outbox.delete().where(
            or_(
                and_(c.state == SENT, c.settled_at < sent_before),
                and_(c.state == DEAD, c.settled_at < dead_before),
            )
        )
    )


def _is_head(receiver: str | None) -> ColumnElement[bool]:
    """Whether a row is the oldest pending one of its receiver and group. Read from the index alone, however many wait."""
    head = outbox.alias("head")
    heads = select(func.min(head.c.id)).where(head.c.state == PENDING).group_by(head.c.receiver, head.c.group_key)
    return outbox.c.id.in_(heads if receiver is None else heads.where(head.c.receiver == receiver))


def _is_free(at: float, lease_seconds: float) -> ColumnElement[bool]:
    # A time further ahead than any that is ever written was written before the clock was set back: it means "now".
    c = outbox.c
    waiting = and_(c.claimed_until.is_(None), or_(c.next_at <= at, c.next_at > at + LONGEST_WAIT_SECONDS))
    abandoned = or_(c.claimed_until <= at, c.claimed_until > at + max(lease_seconds, LONGEST_WAIT_SECONDS))
    return or_(waiting, abandoned)


def _of(receiver: str | None) -> list[ColumnElement[bool]]:
    return [] if receiver is None else [outbox.c.receiver == receiver]


def _still_ours(row: OutboxRow) -> Update:
    c = outbox.c
    return outbox.update().where(c.id == row.id, c.state == PENDING, c.attempts == row.attempts)


def _rows(connection: Connection, at: float, condition: ColumnElement[bool]) -> list[OutboxRow]:
    found = []
    for row in connection.execute(select(outbox).where(condition).order_by(outbox.c.id)):
        notification = _readable(row.payload)
        if notification is None:
            unreadable = outbox.update().where(outbox.c.id == row.id)
            connection.execute(
                unreadable.values(state=DEAD, settled_at=at, claimed_until=None, last_error="its text cannot be read")
            )
        else:
            found.append(_record(row, notification))
    return found


def _readable_rows(rows: Sequence[Row[Any]]) -> list[OutboxRow]:
    readable = ((row, _readable(row.payload)) for row in rows)
    return [_record(row, notification) for row, notification in readable if notification is not None]


def _readable(payload: str) -> Notification | None:
    try:
        return decode_notification(payload)
    except ValueError:
        report("database.decode_notification")
        return None


def _record(row: Row[Any], notification: Notification) -> OutboxRow:
    return OutboxRow(
        id=row.id,
        receiver=row.receiver,
        notification=notification,
        attempts=row.attempts,
        created_at=row.created_at,
        settled_at=row.settled_at,
        last_error=row.last_error,
        state=row.state,
        next_at=row.next_at,
        retried_at=row.retried_at,
    )
