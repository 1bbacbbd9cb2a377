"""Dozor's own data: alerts, silences, their history, and the outbox of notifications, in SQLite or PostgreSQL."""

from dozor.database.annotations import AnnotationFilter
from dozor.database.database import Database
from dozor.database.facets import Facet, Facets
from dozor.database.history import HistoryFilter
from dozor.database.outbox import DEAD, PENDING, SENT, OutboxCounts, OutboxFilter, OutboxRow
from dozor.database.paging import Page
from dozor.database.statistics import AlertStatistics, DayStatistics, RuleStatistics
from dozor.database.worker import StoreThread

__all__ = [
    "DEAD",
    "PENDING",
    "SENT",
    "AlertStatistics",
    "AnnotationFilter",
    "Database",
    "DayStatistics",
    "Facet",
    "Facets",
    "HistoryFilter",
    "OutboxCounts",
    "OutboxFilter",
    "OutboxRow",
    "Page",
    "RuleStatistics",
    "StoreThread",
]
