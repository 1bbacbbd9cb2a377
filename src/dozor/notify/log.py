"""The log as a receiver: always there, so that an alert is told even where nothing else is set up."""

import logging
from typing import Final

from dozor.clock import Clock
from dozor.model.alert import Alert, Severity
from dozor.model.notification import Notification
from dozor.notify.plain import plain

logger = logging.getLogger("dozor.alerts")

_LEVELS: Final = {
    Severity.INFO: logging.INFO,
    Severity.WARNING: logging.WARNING,
    Severity.CRITICAL: logging.ERROR,
    Severity.EMERGENCY: logging.CRITICAL,
}


class LogNotifier:
    """Writes one line for each alert to the logger `dozor.alerts`, at the level that fits its severity."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def send(self, notification: Notification) -> None:
        """Log *notification*."""
        from dozor.notify import message  # noqa: PLC0415 - every language, for whom there is something to tell

        for alert in notification.alerts:
            logger.log(_level(alert), "%s", message.line(alert, notification, self._clock.date))
        if notification.omitted:
            logger.warning("... and %d more of %s", notification.omitted, plain(notification.group))


def _level(alert: Alert) -> int:
    return logging.INFO if alert.resolved_at is not None else _LEVELS[alert.severity]
