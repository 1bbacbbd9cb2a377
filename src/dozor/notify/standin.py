"""Delivers from memory what cannot be committed now, so that people are told while the database is away."""

import logging

from dozor.clock import Clock
from dozor.errors import DeliveryError
from dozor.notify.lane import FAILED, Lane
from dozor.notify.letters import Letter
from dozor.notify.retry import RetryPolicy

logger = logging.getLogger("dozor.notify")


class StandIn:
    """Sends the letters that were released, by the rules that hold for rows. Used on Dozor's loop."""

    def __init__(self, clock: Clock, policy: RetryPolicy) -> None:
        self._clock, self._policy = clock, policy

    async def drain(self, lane: Lane) -> float | None:
        """Send what is to be sent to *lane* from memory now; when there will be more to do, None if nothing waits."""
        while not lane.stopping:
            due, wait = lane.letters.next_due(), lane.wait_seconds
            if due is None or wait > 0:
                return None if due is None else self._clock.timestamp() + wait
            async with lane.lock:
                letter = lane.letters.due(self._clock.timestamp())
                if letter is None:
                    return lane.letters.next_due()
                await self._send(lane, letter)
        return None

    async def _send(self, lane: Lane, letter: Letter) -> None:
        notification = letter.notification
        letter.attempts += 1
        earlier = lane.letters.shown(frozenset(alert.id for alert in notification.alerts), ())
        try:
            await lane.deliver(notification, earlier)
        except DeliveryError as failure:
            lane.results[FAILED].inc()
            logger.debug("notification %s was not delivered to %s: %s", notification.id, lane.name, failure.reason)
            next_at = self._policy.next_attempt(
                failure, attempts=letter.attempts, created_at=notification.created_at, at=self._clock.timestamp()
            )
            if next_at is None:
                lane.letters.forget(notification.id)  # its row, once there is one, becomes the dead letter
            else:
                lane.letters.postpone(notification.id, next_at)
