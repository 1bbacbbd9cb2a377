"""Dozor's own data: alerts, their history, and the outbox of notifications, in SQLite or PostgreSQL."""

from dozor.database.alerts import AlertStatistics, HistoryFilter, Page
from dozor.database.database import Database
from dozor.database.outbox import OutboxCounts, OutboxRow
from dozor.database.worker import StoreThread

__all__ = ["AlertStatistics", "Database", "HistoryFilter", "OutboxCounts", "OutboxRow", "Page", "StoreThread"]
