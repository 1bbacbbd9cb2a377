"""A webhook: Alertmanager's body, version 4, so that whatever takes that takes this; signed as Standard Webhooks says."""

import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, ClassVar, Final

import msgspec
from standardwebhooks.webhooks import EmptyWebhookSecretError, Webhook

from dozor.clock import Clock
from dozor.errors import ConfigurationError
from dozor.model.alert import Alert
from dozor.model.labels import Labels
from dozor.model.notification import Notification
from dozor.notify.http import HttpReceiver, parse_url
from dozor.notify.message import link

# The zero time of Go, by which Alertmanager says of an alert that it has not ended.
_NOT_ENDED: Final = "0001-01-01T00:00:00Z"

_FNV_OFFSET: Final = 14_695_981_039_346_656_037
_FNV_PRIME: Final = 1_099_511_628_211


@dataclass(frozen=True, slots=True)
class WebhookChannel:
    """A URL that takes Alertmanager's body.

    Attributes:
        secret: signs it.
        send_resolved: whether ends are told.

    Raises:
        ConfigurationError: one of the two is wrong.
    """

    kind: ClassVar[str] = "webhook"
    rate: ClassVar[tuple[float, int]] = (50.0, 500)

    url: str = field(repr=False, metadata={"secret": True})
    secret: str | None = field(default=None, repr=False, metadata={"secret": True})
    send_resolved: bool = True

    def __post_init__(self) -> None:
        parse_url(self.url, key="url")
        _signer(self.secret, key="secret")

    def build(self, name: str, clock: Clock, locale: str) -> "WebhookNotifier":
        """The notifier. The body is for programs: it is in no language."""
        del locale
        return WebhookNotifier(self.url, clock, secret=self.secret, name=name)


class WebhookNotifier:
    """Posts each notification to a URL.

    `webhook-id` is the same in each attempt, by which the receiver can tell a repetition; `webhook-timestamp` is that
    of the attempt. With a *secret* (base64, with or without the prefix `whsec_`) there is a `webhook-signature`.
    """

    def __init__(
        self,
        url: str,
        clock: Clock,
        *,
        secret: str | None = None,
        name: str = "webhook",
        timeout_seconds: float = 10.0,
    ) -> None:
        self.name, self._clock = name, clock
        self._http = HttpReceiver(url, key="url", timeout_seconds=timeout_seconds)
        self._signer = _signer(secret, key="secret")

    @property
    def target(self) -> str:
        """Where it leads, without secrets."""
        return self._http.shown

    def __repr__(self) -> str:
        return f"WebhookNotifier({self._http.shown})"

    async def send(self, notification: Notification) -> None:
        """Post *notification* once.

        Raises:
            DeliveryError: the receiver did not answer with 2xx.
        """
        content = msgspec.json.encode(body(notification, self._clock, receiver=self.name))
        await self._http.deliver(
            self.name, self._clock, headers=self._headers(notification.id, content), content=content
        )

    async def prepare(self) -> None:
        """Do now what the first notification would wait for."""
        await self._http.prepare()

    async def aclose(self) -> None:
        """Close what is open."""
        await self._http.aclose()

    def _headers(self, notification_id: str, content: bytes) -> dict[str, str]:
        now = self._clock.now()
        headers = {
            "content-type": "application/json",
            "webhook-id": notification_id,
            "webhook-timestamp": str(int(now.timestamp())),
        }
        if self._signer is not None:
            headers["webhook-signature"] = self._signer.sign(notification_id, now, content.decode())
        return headers


def body(notification: Notification, clock: Clock, *, receiver: str) -> dict[str, Any]:
    """*notification* as Alertmanager would post it, each alert with Dozor's `id` besides.

    Who speaks is among the labels, as Prometheus' external labels are: by that a receiver tells applications apart.
    """
    alerts = [_alert(alert, notification, clock) for alert in notification.alerts]
    group = {"alertname": notification.group, **_speaker(notification)}
    return {
        "version": "4",
        "groupKey": f"{{}}:{Labels(group)}",
        "truncatedAlerts": notification.omitted,
        "status": _status(notification.alerts),
        "receiver": receiver,
        "groupLabels": group,
        "commonLabels": _common([alert["labels"] for alert in alerts]),
        "commonAnnotations": _common([alert["annotations"] for alert in alerts]),
        "externalURL": notification.external_url or "",
        "alerts": alerts,
    }


def _alert(alert: Alert, notification: Notification, clock: Clock) -> dict[str, Any]:
    started_at = alert.active_at if alert.fired_at is None else alert.fired_at
    labels = labels_of(alert, notification)
    return {
        "id": alert.id,
        "status": _status([alert]),
        "labels": {**labels, "severity": alert.severity.value.lower()},
        "annotations": dict(alert.annotations),
        "startsAt": rfc3339(clock.date(started_at)),
        "endsAt": _NOT_ENDED if alert.resolved_at is None else rfc3339(clock.date(alert.resolved_at)),
        "generatorURL": link(alert, notification) or "",
        "fingerprint": fingerprint(labels),
    }


def labels_of(alert: Alert, notification: Notification) -> Labels:
    """The labels by which *alert* is known outside, without its `severity`; who speaks is among them."""
    return Labels({**_speaker(notification), **alert.labels, "alertname": alert.rule})


def _speaker(notification: Notification) -> dict[str, str]:
    named = {"environment": notification.environment, "service": notification.service}
    return {name: value for name, value in named.items() if value}


def fingerprint(labels: Labels) -> str:
    """The name by which Alertmanager knows a label set: its FNV-1a hash, 16 hexadecimal digits.

    It is taken of the labels without `severity`: an alert that gets worse is the same alert.
    """
    value = _FNV_OFFSET
    for name, text in labels.pairs:
        for byte in b"%b\xff%b\xff" % (name.encode("utf-8", "replace"), text.encode("utf-8", "replace")):
            value = (value ^ byte) * _FNV_PRIME & 0xFFFF_FFFF_FFFF_FFFF
    return f"{value:016x}"


def _status(alerts: Sequence[Alert]) -> str:
    return "firing" if any(alert.resolved_at is None for alert in alerts) else "resolved"


def _common(mappings: Sequence[Mapping[str, str]]) -> dict[str, str]:
    if not mappings:
        return {}
    first, *others = mappings
    return {name: value for name, value in first.items() if all(other.get(name) == value for other in others)}


def rfc3339(moment: datetime) -> str:
    """*moment* as Go writes it, in UTC, to the millisecond."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _signer(secret: str | None, *, key: str) -> Webhook | None:
    if secret is None:
        return None
    try:
        return Webhook(secret)
    except (binascii.Error, EmptyWebhookSecretError, ValueError):
        raise ConfigurationError(
            "the secret must be base64, with or without whsec_ before it; "
            "make one with: python -c \"import base64, os; print('whsec_' + base64.b64encode(os.urandom(24)).decode())\"",
            key=key,
        ) from None
