"""What the alerts of the history have in common, counted by the database. In the caller's transaction."""

from typing import Final

from msgspec import Struct
from sqlalchemy import Connection, Subquery, func, literal_column, select, union_all
from sqlalchemy.types import Text

from dozor.database.history import HistoryFilter, conditions_of
from dozor.database.schema import alerts
from dozor.database.statements import json_pairs

MOST_COUNTED: Final = 20_000
"""The newest alerts beyond which nothing is counted: more would take longer than the second that a reader has."""
MOST_LABELS: Final = 20


class Facet(Struct, frozen=True):
    """The values of one label by how many alerts have them, most first, and how many *others* are not among them."""

    label: str
    values: tuple[tuple[str, int], ...]
    others: int = 0


class Facets(Struct, frozen=True):
    """*total* alerts, of which the newest *counted* are sorted by their labels.

    First come the labels that each alert has (`alertname`, `severity`, the one in force, and `component`), then those of most alerts.
    """

    total: int
    counted: int
    facets: tuple[Facet, ...] = ()


def count(connection: Connection, wanted: HistoryFilter, values: int) -> Facets:
    """How many of the alerts that *wanted* asks for have which label, at most *values* of each. Pages are of no interest."""
    conditions = conditions_of(connection, wanted)
    total = connection.scalar(select(func.count()).select_from(alerts).where(*conditions)) or 0
    c = alerts.c
    newest = (
        select(c.severity, c.component, c.labels)
        .where(*conditions)
        .order_by(c.fired_at.desc(), c.id.desc())
        .limit(MOST_COUNTED)
        .cte("newest")
    )
    pairs = json_pairs(connection, newest.c.labels)
    own = literal_column("'severity'", Text), literal_column("'component'", Text)
    listed = union_all(
        select(pairs.c.key.label("label"), pairs.c.value.label("value"))
        .select_from(newest, pairs)
        .where(pairs.c.key.not_in(("severity", "component"))),
        select(own[0], func.lower(newest.c.severity)),
        select(own[1], newest.c.component).where(newest.c.component != ""),
    ).subquery()
    return Facets(total, min(total, MOST_COUNTED), _ranked(connection, listed, values))


def _ranked(connection: Connection, listed: Subquery, values: int) -> tuple[Facet, ...]:
    """Of *listed* (label, value) pairs the commonest values of the commonest labels; ranked by the database, as there may be many."""
    label, value, number = listed.c.label, listed.c.value, func.count().label("number")
    groups = select(label, value, number).group_by(label, value).subquery()
    g = groups.c
    r = (
        select(
            g.label,
            g.value,
            g.number,
            func.row_number().over(partition_by=g.label, order_by=(g.number.desc(), g.value)).label("place"),
            func.count().over(partition_by=g.label).label("distinct"),
            func.sum(g.number).over(partition_by=g.label).label("carriers"),
        )
        .subquery()
        .c
    )
    first = {"alertname": 0, "severity": 1, "component": 2}
    found: dict[str, list[tuple[str, int]]] = {}
    distinct: dict[str, int] = {}
    for row in connection.execute(
        select(r.label, r.value, r.number, r.distinct)
        .where(r.place <= values)
        .order_by(r.carriers.desc(), r.label, r.place)
    ):
        found.setdefault(row.label, []).append((row.value, row.number))
        distinct[row.label] = row.distinct
    labels = sorted(found, key=lambda name: first.get(name, len(first)))[:MOST_LABELS]
    return tuple(Facet(name, tuple(found[name]), distinct[name] - len(found[name])) for name in labels)
