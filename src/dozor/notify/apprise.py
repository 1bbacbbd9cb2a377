"""Anything else, through Apprise: a hundred services, each by a URL.

https://appriseit.com/services/. The library is an extra of the package, and is imported only where such a channel is set up.
"""

import logging
import re
from collections.abc import Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Final

from typing_extensions import override

from dozor.clock import Clock
from dozor.errors import ConfigurationError, DeliveryError
from dozor.model.alert import Severity
from dozor.model.notification import Notification
from dozor.notify.message import compose, text
from dozor.notify.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Iterator

    from apprise import Apprise

_TYPES: Final = {
    Severity.INFO: "info",
    Severity.WARNING: "warning",
    Severity.CRITICAL: "failure",
    Severity.EMERGENCY: "failure",
}

_ours: ContextVar[bool] = ContextVar("dozor_apprise", default=False)


class _NotOurMessages(logging.Filter):
    """Keeps Apprise, and what it sends with, from logging what Dozor sends: parts of the URLs are secrets."""

    @override
    def filter(self, record: logging.LogRecord) -> bool:
        return not _ours.get()


for _name in ("apprise", "requests", "urllib3.connectionpool", "urllib3.connection", "urllib3.util.retry"):
    logging.getLogger(_name).addFilter(_NotOurMessages())


@dataclass(frozen=True, slots=True)
class AppriseChannel:
    """Services by their Apprise URLs.

    Attributes:
        send_resolved: whether ends are told.

    Raises:
        ConfigurationError: Apprise is not installed, or does not know one of the URLs.
    """

    kind: ClassVar[str] = "apprise"
    rate: ClassVar[tuple[float, int]] = (1.0, 10)

    urls: tuple[str, ...] = field(repr=False, metadata={"secret": True})
    send_resolved: bool = True

    def __post_init__(self) -> None:
        if not self.urls:
            raise ConfigurationError("there is no URL", key="urls")
        _services(self.urls)

    def build(self, name: str, clock: Clock, locale: str) -> "AppriseNotifier":
        """The notifier."""
        return AppriseNotifier(self.urls, clock, name=name, locale=locale)


class AppriseNotifier:
    """Sends to each of the services in turn. Its `send` blocks, so it runs in a thread."""

    def __init__(self, urls: Sequence[str], clock: Clock, *, name: str = "apprise", locale: str = "en") -> None:
        self.name, self._clock, self._locale = name, clock, locale
        self._shown = [shown(url) for url in urls]
        self._services = _services(urls)
        self._progress = Progress()

    def __repr__(self) -> str:
        return f"AppriseNotifier({self.target})"

    @property
    def target(self) -> str:
        """The services, without their URLs."""
        return ", ".join(self._shown)

    def send(self, notification: Notification) -> None:
        """Send to each service that an earlier attempt did not reach.

        Raises:
            DeliveryError: not all of them were reached.
        """
        message = compose(notification, self._clock.date, self._locale)
        words = text(message).removeprefix(message.subject).strip() or message.subject
        kind = _type(notification)
        failed = []
        for number, service in enumerate(self._services):
            if self._progress.done(notification.id, str(number)):
                continue
            with _in_silence():
                sent = service.notify(title=message.subject, body=words, notify_type=kind, body_format="text")
            if sent:
                self._progress.add(notification.id, str(number))
            else:
                failed.append(self._shown[number])
        if failed:
            raise DeliveryError(
                self.name, f"Apprise could not send to {', '.join(failed)} ({len(failed)} of {len(self._services)})"
            )
        self._progress.forget(notification.id)


def shown(url: str) -> str:
    """An Apprise URL as it may be shown: in many of them the host is a part of the secret."""
    scheme = re.match(r"[A-Za-z][A-Za-z0-9+.-]*(?=://)", url)
    return f"{scheme[0]}://***" if scheme else "***"


@contextmanager
def _in_silence() -> "Iterator[None]":
    token = _ours.set(True)
    try:
        yield
    finally:
        _ours.reset(token)


def _services(urls: Sequence[str]) -> "list[Apprise]":
    """A sender for each URL, so that what one of them does is known of each."""
    try:
        import apprise  # noqa: PLC0415 - an extra, and half a second
    except ImportError:
        raise ConfigurationError(
            "this needs the library Apprise, which is not installed: pip install 'dozor[apprise]'", key="urls"
        ) from None
    # With a limit of its own, or several services at once, Apprise sends from threads that keep the process from ending
    # while a service hangs. Here each is asked in the thread that calls, which its caller leaves behind.
    asset = apprise.AppriseAsset(
        app_id="Dozor", app_desc="Monitoring", app_url="", async_mode=False, service_timeout=0, http_redirects=False
    )
    services = []
    for number, url in enumerate(urls, 1):
        service = apprise.Apprise(asset=asset)
        with _in_silence():
            known = service.add(url)
        if not known:
            raise ConfigurationError(
                f"Apprise cannot use URL {number} of {len(urls)}, {shown(url)}; how to write it: "
                "https://appriseit.com/services/",
                key="urls",
            )
        if "overflow=" not in url:
            for one in service:  # else a service with a limit would refuse a long message again and again
                one.overflow_mode = apprise.OverflowMode.SPLIT
        services.append(service)
    return services


def _type(notification: Notification) -> str:
    if all(alert.resolved_at is not None for alert in notification.alerts):
        return "success"
    return _TYPES[max(alert.severity for alert in notification.alerts if alert.resolved_at is None)]
