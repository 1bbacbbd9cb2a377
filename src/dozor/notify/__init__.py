"""Tells people, surely: from the outbox to whoever is to know."""

from dozor.notify.delivery import Delivery
from dozor.notify.heartbeat import Heartbeat
from dozor.notify.log import LogNotifier
from dozor.notify.notifier import AnyNotifier, BlockingNotifier, Notifier, table
from dozor.notify.retry import RetryPolicy
from dozor.notify.webhook import WebhookNotifier

__all__ = [
    "AnyNotifier",
    "BlockingNotifier",
    "Delivery",
    "Heartbeat",
    "LogNotifier",
    "Notifier",
    "RetryPolicy",
    "WebhookNotifier",
    "table",
]
