"""An Alertmanager upstream: Dozor posts its alerts as a Prometheus does, for those who route and group there.

https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml
"""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final

import msgspec
from msgspec.structs import replace

from dozor.clock import Clock
from dozor.model.alert import Alert
from dozor.model.labels import Labels
from dozor.model.notification import Notification
from dozor.notify.http import HttpReceiver, parse_url
from dozor.notify.message import link
from dozor.notify.webhook import labels_of, rfc3339

REFRESH_SECONDS: Final = 60.0
# As Prometheus: what is not sent again within four rounds has ended, which no single lost one may cause.
_ROUNDS: Final = 4


@dataclass(frozen=True, slots=True)
class AlertmanagerChannel:
    """An Alertmanager, by the URL that its page has; a user and a password may stand in it.

    Raises:
        ConfigurationError: this is no such URL.
    """

    kind: ClassVar[str] = "alertmanager"
    rate: ClassVar[tuple[float, int]] = (50.0, 500)

    url: str = field(repr=False, metadata={"secret": True})

    def __post_init__(self) -> None:
        parse_url(self.url, key="url")

    def build(self, name: str, clock: Clock, locale: str) -> "AlertmanagerNotifier":
        """The notifier. What Alertmanager makes of the alerts is in its own templates' language."""
        del locale
        return AlertmanagerNotifier(self.url, clock, name=name)


class AlertmanagerNotifier:
    """Posts alerts when they change, and those that fire every minute, since Alertmanager takes silence for their end."""

    refresh_seconds: ClassVar[float] = REFRESH_SECONDS
    keeps_alerts_open: ClassVar[bool] = True

    def __init__(self, url: str, clock: Clock, *, name: str = "alertmanager", timeout_seconds: float = 10.0) -> None:
        self.name, self._clock = name, clock
        self._http = HttpReceiver(f"{url.rstrip('/')}/api/v2/alerts", key="url", timeout_seconds=timeout_seconds)
        self._posted: dict[str, Labels] = {}
        self._ended: set[str] = set()
        self._posting = asyncio.Lock()

    def __repr__(self) -> str:
        return f"AlertmanagerNotifier({self.target})"

    @property
    def target(self) -> str:
        """Where it leads, without secrets."""
        return self._http.shown.removesuffix("/***")

    async def send(self, notification: Notification) -> None:
        """Post the alerts of *notification*.

        Raises:
            DeliveryError: Alertmanager did not take them.
        """
        async with self._posting:
            await self._post(notification)
            self._ended |= {alert.id for alert in notification.alerts if alert.resolved_at is not None}

    async def refresh(self, notification: Notification) -> None:
        """Post again: *notification* holds all alerts that fire. To be called each `refresh_seconds`.

        Raises:
            DeliveryError: Alertmanager did not take them.
        """
        async with self._posting:
            # What was made before an end was posted must not begin the alert again.
            alerts = tuple(alert for alert in notification.alerts if alert.id not in self._ended)
            await self._post(replace(notification, alerts=alerts))
            self._ended.clear()
            firing = {alert.id for alert in alerts}
            self._posted = {alert_id: labels for alert_id, labels in self._posted.items() if alert_id in firing}

    async def prepare(self) -> None:
        """Do now what the first notification would wait for."""
        await self._http.prepare()

    async def aclose(self) -> None:
        """Close what is open. As a socket does, a lock belongs to one loop."""
        await self._http.aclose()
        self._posting = asyncio.Lock()

    async def _post(self, notification: Notification) -> None:
        posted = {alert.id: _labels(alert, notification) for alert in notification.alerts}
        alerts = [*self._outgrown(posted), *(self._alert(alert, notification) for alert in notification.alerts)]
        if not alerts:
            return
        await self._http.deliver(
            self.name, self._clock, headers={"content-type": "application/json"}, content=msgspec.json.encode(alerts)
        )
        self._posted |= posted
        for alert in notification.alerts:
            if alert.resolved_at is not None:
                del self._posted[alert.id]

    def _outgrown(self, posted: dict[str, Labels]) -> Iterable[dict[str, Any]]:
        """The ends of alerts that were posted with another severity: for Alertmanager, those are other alerts."""
        now = rfc3339(self._clock.now())
        for alert_id, labels in posted.items():
            before = self._posted.get(alert_id, labels)
            if before != labels:
                yield {"labels": dict(before), "endsAt": now}

    def _alert(self, alert: Alert, notification: Notification) -> dict[str, Any]:
        ends_at = self._clock.timestamp() + _ROUNDS * self.refresh_seconds
        posted = {
            "labels": dict(_labels(alert, notification)),
            "annotations": {name: text for name, text in alert.annotations.items() if text},
            "startsAt": rfc3339(self._clock.date(alert.active_at if alert.fired_at is None else alert.fired_at)),
            "endsAt": rfc3339(self._clock.date(ends_at if alert.resolved_at is None else alert.resolved_at)),
        }
        address = link(alert, notification)
        return {**posted, "generatorURL": address} if address else posted


def _labels(alert: Alert, notification: Notification) -> Labels:
    return Labels({**labels_of(alert, notification), "severity": alert.severity.value.lower()})
