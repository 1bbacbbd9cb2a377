"""Telling people in a way of your own: one class, one method.

pip install dozor
python examples/own_notifier.py

What it is told of passes through Dozor's outbox: it is tried again where `send` raises, and not lost by a restart.
"""

import logging
import time

from sqlalchemy import create_engine
from sqlalchemy.pool import QueuePool

from dozor import DeliveryError, Dozor, Notification, Rule

logger = logging.getLogger("pager")


class Pager:
    """Sends a line to wherever you like; here, the log."""

    async def send(self, notification: Notification) -> None:
        lines = [
            f"{'over' if alert.resolved_at else alert.severity.value}: {alert.annotations.get('summary', alert.rule)}"
            for alert in notification.alerts
        ]
        if not lines:
            # Worth no second attempt; anything else that is raised is tried again, later and later.
            raise DeliveryError("pager", "there is nothing to say", recoverable=False)
        # notification.id is the same in every attempt: hand it on as the idempotency key.
        logger.warning("%s %s: %s", notification.id, notification.service, "; ".join(lines))


always = Rule(
    alert="PoolIsThere",
    expr="db_pool_size > 0",
    labels={"severity": "info", "component": "business"},
    annotations={"summary": "The pool {{ $labels.pool }} is watched"},
)

if __name__ == "__main__":
    logging.basicConfig()
    engine = create_engine("sqlite://", poolclass=QueuePool)
    with Dozor(engine=engine, name="pager-example", rules=[always], notifiers=[Pager()]):
        time.sleep(5)
    engine.dispose()
