"""A process to be killed: commits alerts with their notifications, and delivers them, until it is."""

import asyncio
import os
from itertools import count
from multiprocessing.connection import Connection

from tests.database.records import make_alert, make_notification, to
from tests.patience import PATIENCE_SECONDS

from dozor.clock import Clock
from dozor.database import Database, OutboxRow, StoreThread
from dozor.model.notification import Changes
from dozor.notify import Delivery, RetryPolicy
from dozor.notify.webhook import WebhookNotifier

QUICKLY = RetryPolicy(first_seconds=0.01, longest_seconds=0.05)


def storm(url: str, webhook_url: str, prefix: str, committed: Connection) -> None:
    """Commit and deliver for ever; write the id of each alert that is committed to the pipe *committed*."""
    asyncio.run(_storm(url, webhook_url, prefix, committed))


async def _storm(url: str, webhook_url: str, prefix: str, committed: Connection) -> None:
    database, thread, clock = Database(url), StoreThread(), Clock()
    await thread.run(database.open, timeout=PATIENCE_SECONDS)
    delivery = deliver(database, thread, clock, webhook_url)
    delivery.start()
    for number in count():
        alert = make_alert(id=f"{prefix}-{number}", rule=f"Rule{number % 5}")
        message = make_notification(
            id=f"msg-{prefix}-{number}", group=alert.rule, alerts=(alert,), created_at=clock.timestamp()
        )
        changes = Changes(alerts=(alert,), notifications=(message,))
        await thread.run(
            database.commit, changes, to(delivery.receivers, *changes.notifications), timeout=PATIENCE_SECONDS
        )
        os.write(committed.fileno(), f"{alert.id}\n".encode())
        delivery.wake()
        await asyncio.sleep(0.005)


def deliver(database: Database, thread: StoreThread, clock: Clock, webhook_url: str) -> Delivery[OutboxRow]:
    """A delivery that neither waits long for a retry nor for the lease of a process that was killed."""
    notifiers = {"webhook": WebhookNotifier(webhook_url, clock)}
    delivery = Delivery(database, notifiers, clock, thread.run, policy=QUICKLY)
    delivery._lease_seconds = 0.5
    return delivery
