"""PagerDuty, by its Events API v2: one incident for each alert, opened, taken and closed as the alert is.

https://developer.pagerduty.com/docs/events-api-v2/overview/
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final

import msgspec

from dozor.clock import Clock
from dozor.errors import ConfigurationError, DeliveryError
from dozor.model.alert import Alert, Severity
from dozor.model.notification import Notification
from dozor.notify.http import HttpReceiver, parse_url
from dozor.notify.message import AlertText, MessageText, compose
from dozor.notify.progress import Progress

_LONGEST_SUMMARY: Final = 1024
# Emergency has no rank of its own there; it is among the details.
_SEVERITIES: Final = {
    Severity.INFO: "info",
    Severity.WARNING: "warning",
    Severity.CRITICAL: "critical",
    Severity.EMERGENCY: "critical",
}


@dataclass(frozen=True, slots=True)
class PagerDutyChannel:
    """A service in PagerDuty, by the key of its integration "Events API V2".

    *url* is that of the region: https://events.eu.pagerduty.com for accounts in Europe.

    Raises:
        ConfigurationError: one of the two is wrong.
    """

    kind: ClassVar[str] = "pagerduty"
    rate: ClassVar[tuple[float, int]] = (1.0, 10)

    routing_key: str = field(repr=False, metadata={"secret": True})
    url: str = "https://events.pagerduty.com"

    def __post_init__(self) -> None:
        if not (self.routing_key.isascii() and self.routing_key.isalnum()):
            raise ConfigurationError(
                'this is no key of an integration; copy the "Integration Key" of an "Events API V2" integration',
                key="routing_key",
            )
        parse_url(self.url, key="url")

    def build(self, name: str, clock: Clock, locale: str) -> "PagerDutyNotifier":
        """The notifier."""
        return PagerDutyNotifier(self, clock, name=name, locale=locale)


class PagerDutyNotifier:
    """Sends an event for each alert. The alert's id is the `dedup_key`, so a repeated event changes nothing."""

    follows_updates = True
    keeps_alerts_open = True

    def __init__(
        self,
        channel: PagerDutyChannel,
        clock: Clock,
        *,
        name: str = "pagerduty",
        locale: str = "en",
        timeout_seconds: float = 10.0,
    ) -> None:
        self.name, self._clock, self._locale = name, clock, locale
        self._key = channel.routing_key
        self._http = HttpReceiver(
            f"{channel.url.rstrip('/')}/v2/enqueue",
            key="url",
            timeout_seconds=timeout_seconds,
            secrets=(channel.routing_key,),
        )
        self._progress = Progress()

    def __repr__(self) -> str:
        return f"PagerDutyNotifier({self.target})"

    @property
    def target(self) -> str:
        """Where it leads, without secrets."""
        return self._http.shown.removesuffix("/***")

    async def send(self, notification: Notification) -> None:
        """Send the events of *notification* that did not arrive in an earlier attempt.

        An event that PagerDuty calls wrong does not keep the others back; a PagerDuty that is away or busy is left alone.

        Raises:
            DeliveryError: not all arrived.
        """
        message = compose(notification, self._clock.date, self._locale)
        refused: list[DeliveryError] = []
        for alert, text in zip(notification.alerts, message.alerts, strict=True):
            if self._progress.done(notification.id, alert.id):
                continue
            content = msgspec.json.encode(self._event(alert, text, notification, message))
            try:
                await self._http.deliver(
                    self.name, self._clock, headers={"content-type": "application/json"}, content=content
                )
            except DeliveryError as error:
                if error.recoverable:
                    raise
                refused.append(error)
            else:
                self._progress.add(notification.id, alert.id)
        self._progress.forget(notification.id)
        if refused:
            raise self._refused(refused, len(notification.alerts))

    async def prepare(self) -> None:
        """Do now what the first notification would wait for."""
        await self._http.prepare()

    async def aclose(self) -> None:
        """Close what is open."""
        await self._http.aclose()

    def _refused(self, errors: list[DeliveryError], count: int) -> DeliveryError:
        share = f"{len(errors)} of {count} events were refused: " if count > 1 else ""
        advice = "; check the integration key, and that the URL is that of your region"
        return DeliveryError(self.name, f"{share}{errors[0].reason}{advice}", recoverable=False)

    def _event(self, alert: Alert, text: AlertText, notification: Notification, message: MessageText) -> dict[str, Any]:
        event: dict[str, Any] = {
            "routing_key": self._key,
            "event_action": _action(alert, notification),
            "dedup_key": alert.id,
            "client": "Dozor",
            "payload": self._payload(alert, text, notification, message),
        }
        if text.link is not None:
            event["client_url"] = text.link
        links = [(text.link, message.headings.open), (text.runbook, message.headings.runbook)]
        event["links"] = [{"href": address, "text": words} for address, words in links if address is not None]
        return event

    def _payload(
        self, alert: Alert, text: AlertText, notification: Notification, message: MessageText
    ) -> Mapping[str, Any]:
        speaker = f"{message.service} ({message.environment})" if message.environment else message.service
        details: dict[str, Any] = dict(text.facts)
        if text.advice is not None:
            details[message.headings.advice] = text.advice
        if text.evidence:
            details[message.headings.evidence] = list(text.evidence)
        since = alert.active_at if alert.fired_at is None else alert.fired_at
        return {
            "summary": f"[{text.severity_text}] {speaker}: {text.summary}"[:_LONGEST_SUMMARY],
            "source": speaker,
            "severity": _SEVERITIES[alert.severity],
            "timestamp": self._clock.date(since).isoformat(timespec="milliseconds"),
            "component": alert.component,
            "group": notification.group,
            "class": text.rule,
            "custom_details": details,
        }


def _action(alert: Alert, notification: Notification) -> str:
    """What is to become of the incident. A silenced alert calls nobody, so its incident counts as taken."""
    if alert.resolved_at is not None:
        return "resolve"
    return "acknowledge" if notification.occasion.update else "trigger"
