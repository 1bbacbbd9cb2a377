"""What tests of delivery share."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from tests.patience import PATIENCE_SECONDS

from dozor.database import Database, StoreThread
from dozor.errors import StoreUnavailable
from dozor.model.notification import Changes, Notification, SentMessage
from dozor.notify import Delivery, RetryPolicy
from dozor.testing import RecordingNotifier

CEILING = RetryPolicy(uniform=lambda _, high: high)
"""Waits as long as may be: 2, 4, 8 seconds."""

Deliver = Callable[..., Delivery[Any]]


def add(store: Database, delivery: Delivery[Any], *notifications: Notification) -> None:
    """Commit *notifications* for those whom they concern."""
    store.commit(Changes(notifications=notifications), delivery.route(notifications))


def value(delivery: Delivery[Any], name: str, **labels: str) -> float | None:
    """That sample of the delivery's figures."""
    for family in delivery.families():
        for sample in family.samples:
            if sample.name == name and all(sample.labels[key] == text for key, text in labels.items()):
                return sample.value
    return None


async def eventually(condition: Callable[[], bool]) -> None:
    """Wait until *condition* holds."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not condition():
            await asyncio.sleep(0.005)


class Away:
    """Runs calls in the store, which may be away: `lost` calls are not made, of `unheard` ones the answer is lost."""

    def __init__(self, thread: StoreThread) -> None:
        self._thread = thread
        self.lost = self.unheard = False
        self.calls = 0

    async def __call__(self, call: Callable[..., Any], *args: Any, timeout: float) -> Any:
        self.calls += 1
        if self.lost:
            raise StoreUnavailable("away")
        answer = await self._thread.run(call, *args, timeout=timeout)
        if self.unheard:
            raise StoreUnavailable("the answer was lost")
        return answer


class Chat(RecordingNotifier):
    """A notifier that shows each alert in one message, and changes that when it hears more of the alert."""

    follows_updates = True

    def __init__(self) -> None:
        super().__init__()
        self.earlier: list[tuple[SentMessage, ...]] = []

    async def correspond(self, notification: Notification, earlier: Sequence[SentMessage]) -> Sequence[SentMessage]:
        await self.send(notification)
        self.earlier.append(tuple(earlier))
        shown = {alert.id for message in earlier for alert in message.alerts}
        newest = {alert.id: alert for alert in notification.alerts}
        changed = [
            SentMessage(message.reference, tuple(newest.get(alert.id, alert) for alert in message.alerts))
            for message in earlier
        ]
        new = tuple(alert for alert in notification.alerts if alert.id not in shown)
        return [*changed, SentMessage(f"ts-{notification.id}", new)] if new else changed
