"""The history of alerts: filtered, and paged through. Every function works in the caller's transaction."""

from collections.abc import Iterable

from msgspec import Struct
from sqlalchemy import ColumnElement, Connection, and_, func, or_, select

from dozor.database.alerts import decoded
from dozor.database.paging import Page, read_cursor, write_cursor
from dozor.database.schema import alerts, clean
from dozor.database.statements import is_one_of, json_text
from dozor.model.alert import Alert, AlertState, Severity
from dozor.store.matchers import Matcher, MatchOperator


class HistoryFilter(Struct, frozen=True):
    """Which alerts of the history are wanted; None: any.

    *since* and *until* (Unix seconds, both inclusive) bound the time at which the alert fired. *matchers* all match its
    labels, among which are `severity` (the one in force, in lower case) and `component`. *limit* is the size of a page;
    *cursor* the `next_cursor` of the page before.
    """

    severity: Severity | None = None
    rule: str | None = None
    component: str | None = None
    state: AlertState | None = None
    since: float | None = None
    until: float | None = None
    limit: int = 100
    cursor: str | None = None
    matchers: tuple[Matcher, ...] = ()


def find(connection: Connection, wanted: HistoryFilter) -> Page[Alert]:
    """One page of the alerts that ever fired, the newest first.

    Raises:
        ValueError: the cursor is not one that this function gave out.
    """
    c = alerts.c
    conditions = conditions_of(connection, wanted)
    total = connection.scalar(select(func.count()).select_from(alerts).where(*conditions)) or 0
    if wanted.cursor is not None:
        fired_at, alert_id = read_cursor(wanted.cursor, tuple[float, str])
        conditions.append(or_(c.fired_at < fired_at, and_(c.fired_at == fired_at, c.id < clean(alert_id))))
    rows = connection.execute(
        select(c.record, c.fired_at, c.id)
        .where(*conditions)
        .order_by(c.fired_at.desc(), c.id.desc())
        .limit(wanted.limit + 1)
    ).all()
    shown = rows[: wanted.limit]
    more = len(rows) > wanted.limit
    return Page(
        items=tuple(decoded(row.record for row in shown)),
        total=total,
        next_cursor=write_cursor((shown[-1].fired_at, shown[-1].id)) if more and shown else None,
    )


def conditions_of(connection: Connection, wanted: HistoryFilter) -> list[ColumnElement[bool]]:
    """The conditions of *wanted* on alerts that fired."""
    conditions = select_fired(wanted)
    return conditions + _by_labels(connection, wanted.matchers, conditions)


def select_fired(wanted: HistoryFilter) -> list[ColumnElement[bool]]:
    """The conditions of *wanted*, but for its matchers, on alerts that fired."""
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


def _by_labels(
    connection: Connection, matchers: Iterable[Matcher], others: list[ColumnElement[bool]]
) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    for matcher in matchers:
        value = _label(connection, matcher.name)
        if matcher.operator is MatchOperator.EQUAL:
            conditions.append(value == clean(matcher.value))
        elif matcher.operator is MatchOperator.NOT_EQUAL:
            conditions.append(value != clean(matcher.value))
        else:
            # Neither database has the regular expressions that rules have, and what theirs do may take for ever.
            distinct = connection.scalars(select(value).where(*others, *conditions).distinct())
            conditions.append(is_one_of(connection, value, [each for each in distinct if matcher.accepts(each)]))
    return conditions


def _label(connection: Connection, name: str) -> ColumnElement[str]:
    """The value of the label *name*, the empty string where there is none."""
    c = alerts.c
    if name == "severity":
        return func.lower(c.severity)
    if name == "component":
        return func.coalesce(c.component, "")
    return func.coalesce(json_text(connection, c.labels, clean(name)), "")
