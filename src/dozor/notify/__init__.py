"""Tells people, surely: from the outbox to whoever is to know."""

from dozor.notify.channel_state import ChannelCondition, ChannelState
from dozor.notify.delivery import Delivery
from dozor.notify.log import LogNotifier
from dozor.notify.notifier import AnyNotifier, BlockingNotifier, Channel, Notifier, Receiver, table
from dozor.notify.retry import RetryPolicy
from dozor.notify.routing import Route, Router
from dozor.notify.trial import Speaker

__all__ = [
    "AnyNotifier",
    "BlockingNotifier",
    "Channel",
    "ChannelCondition",
    "ChannelState",
    "Delivery",
    "LogNotifier",
    "Notifier",
    "Receiver",
    "RetryPolicy",
    "Route",
    "Router",
    "Speaker",
    "table",
]
