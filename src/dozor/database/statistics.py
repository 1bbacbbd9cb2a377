"""Figures over the history of alerts, all counted by the database. In the caller's transaction."""

from datetime import date
from typing import Final

from msgspec import Struct, field
from sqlalchemy import ColumnElement, Connection, Label, and_, case, func, select

from dozor.database.history import HistoryFilter, select_fired
from dozor.database.schema import alerts
from dozor.database.statements import day_number
from dozor.model.alert import Severity

_NOISIEST: Final = 10
_EPOCH: Final = date(1970, 1, 1).toordinal()


class DayStatistics(Struct, frozen=True):
    """The alerts that fired on one day, in UTC."""

    day: date
    total: int
    by_severity: dict[Severity, int]


class RuleStatistics(Struct, frozen=True):
    """The alerts of one rule: how many fired, how long they fired in all, and how long one took to end (None: none did)."""

    rule: str
    count: int
    firing_seconds: float
    mean_time_to_resolve_seconds: float | None


class AlertStatistics(Struct, frozen=True):
    """Figures over the alerts that fired since *since* (Unix seconds; None: nothing has ever fired).

    *active* counts those that fire now, since whenever; *acknowledged* those that somebody took on. A mean is None where
    there is nothing to take it of. *by_day* has the days on which an alert fired, the oldest first; *noisiest* the ten
    rules that fired most often, the first most of all.
    """

    total: int
    active: int
    by_severity: dict[Severity, int] = field(default_factory=dict)
    by_rule: dict[str, int] = field(default_factory=dict)
    mean_time_to_acknowledge_seconds: float | None = None
    mean_time_to_resolve_seconds: float | None = None
    since: float | None = None
    acknowledged: int = 0
    by_day: tuple[DayStatistics, ...] = ()
    noisiest: tuple[RuleStatistics, ...] = ()


def gather(connection: Connection, since: float | None, at: float) -> AlertStatistics:
    """Figures over the alerts that fired at *since* or later (None: over all that are kept), as of *at*."""
    c = alerts.c
    fired = and_(*select_fired(HistoryFilter(since=since)))
    total, acknowledged, acknowledge, resolve, first = connection.execute(
        select(
            func.count(),
            func.count(c.acknowledged_at),
            func.avg(c.acknowledged_at - c.fired_at),
            func.avg(c.resolved_at - c.fired_at),
            func.min(c.fired_at),
        ).where(fired)
    ).one()
    active = select(func.count()).select_from(alerts).where(c.fired_at.is_not(None), c.resolved_at.is_(None))
    counted = func.count().label("counted")
    rules = _rules(connection, fired, counted, at)
    days = _days(connection, fired, counted)
    return AlertStatistics(
        total=total,
        active=connection.scalar(active) or 0,
        by_severity={severity: sum(day.by_severity[severity] for day in days) for severity in Severity},
        by_rule={rule.rule: rule.count for rule in rules},
        mean_time_to_acknowledge_seconds=acknowledge,
        mean_time_to_resolve_seconds=resolve,
        since=first if since is None else since,
        acknowledged=acknowledged,
        by_day=days,
        noisiest=rules[:_NOISIEST],
    )


def _rules(
    connection: Connection, fired: ColumnElement[bool], counted: Label[int], at: float
) -> tuple[RuleStatistics, ...]:
    c = alerts.c
    ended_at = func.coalesce(c.resolved_at, at)
    firing = func.sum(case((ended_at > c.fired_at, ended_at - c.fired_at), else_=0.0)).label("firing")
    to_resolve = func.avg(c.resolved_at - c.fired_at).label("to_resolve")
    rows = connection.execute(
        select(c.rule, counted, firing, to_resolve).where(fired).group_by(c.rule).order_by(counted.desc(), c.rule)
    )
    return tuple(RuleStatistics(row.rule, row.counted, row.firing, row.to_resolve) for row in rows)


def _days(connection: Connection, fired: ColumnElement[bool], counted: Label[int]) -> tuple[DayStatistics, ...]:
    c = alerts.c
    day = day_number(connection, c.fired_at).label("day")
    found: dict[int, dict[Severity, int]] = {}
    for row in connection.execute(
        select(day, c.severity, counted).where(fired).group_by(day, c.severity).order_by(day)
    ):
        by_severity = found.setdefault(row.day, dict.fromkeys(Severity, 0))
        by_severity[Severity(row.severity)] += row.counted
    return tuple(
        DayStatistics(date.fromordinal(_EPOCH + number), sum(by_severity.values()), by_severity)
        for number, by_severity in found.items()
    )
