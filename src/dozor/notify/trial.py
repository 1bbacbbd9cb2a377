"""Notifications that delivery makes itself: an alert that says it is a test, and what is said again of those that fire."""

import secrets
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from dozor.model.alert import Alert, Severity
from dozor.model.labels import Labels
from dozor.model.notification import Notification, Occasion

NAME: Final = "DozorTest"

_TEXTS: Final = {
    "en": ("This is a test: nothing is wrong", "Nothing. Somebody tried whether messages of Dozor arrive here."),
    "ru": ("Это проверка: ничего не случилось", "Ничего. Кто-то проверил, доходят ли сюда сообщения Dozor."),
}


class Speaker(Struct, frozen=True):
    """Who speaks in messages, where people open Dozor, and the language (`en` or `ru`)."""

    service: str = ""
    environment: str | None = None
    external_url: str | None = None
    locale: str = "en"


NOBODY: Final = Speaker()


def trial(at: float, speaker: Speaker) -> Notification:
    """A notification to try a channel with at *at*."""
    summary, advice = _TEXTS[speaker.locale]
    alert = Alert(
        id=f"test-{secrets.token_hex(8)}",
        rule=NAME,
        labels=Labels(alertname=NAME),
        severity=Severity.INFO,
        component="system",
        annotations={"summary": summary, "description": advice},
        value=1.0,
        active_at=at,
        fired_at=at,
        told_at=at,
        told_severity=Severity.INFO,
        told_severities=(Severity.INFO,),
    )
    return Notification(
        id=f"test-{secrets.token_hex(8)}",
        group=NAME,
        occasion=Occasion.FIRING,
        alerts=(alert,),
        created_at=at,
        service=speaker.service,
        environment=speaker.environment,
        external_url=speaker.external_url,
    )


def end_of(notification: Notification, at: float) -> Notification:
    """The end of what *notification* told."""
    ended = (replace(alert, resolved_at=at, told_resolved=True) for alert in notification.alerts)
    return replace(
        notification, id=f"{notification.id}-end", occasion=Occasion.RESOLVED, alerts=tuple(ended), created_at=at
    )


def firing(alerts: tuple[Alert, ...], at: float, speaker: Speaker) -> Notification:
    """All *alerts* that fire at *at*, for a receiver that forgets those of which it hears no more."""
    return Notification(
        id=f"firing-{at:.3f}",
        group="",
        occasion=Occasion.REMINDER,
        alerts=alerts,
        created_at=at,
        service=speaker.service,
        environment=speaker.environment,
        external_url=speaker.external_url,
    )
