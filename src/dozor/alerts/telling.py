"""When people are told of an alert: derived from the alert itself, so that a restart neither repeats nor forgets."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from dozor.model.alert import Alert, Severity
from dozor.model.notification import Occasion

DEFAULT_COOLDOWNS: Final[Mapping[Severity, float]] = {Severity.WARNING: 300.0, Severity.INFO: 900.0}
"""Seconds; none for what is critical or worse."""


@dataclass(frozen=True, slots=True)
class Telling:
    """How people are told. Times are in seconds.

    Attributes:
        group_interval_seconds: between two messages about one group; the first goes at once.
        reminder_interval_seconds: until a firing alert that nobody owns is told again; 0: never.
        cooldown_seconds: by severity; for rules that say nothing of their own.
        largest_message: how many alerts one message shows.
        service, environment, external_url: see `Notification`.
    """

    group_interval_seconds: float = 60.0
    reminder_interval_seconds: float = 4 * 3600.0
    cooldown_seconds: Mapping[Severity, float] = field(default_factory=lambda: DEFAULT_COOLDOWNS)
    largest_message: int = 100
    service: str = ""
    environment: str | None = None
    external_url: str | None = None


def due(alert: Alert, raised: Severity, at: float, reminder_seconds: float) -> Occasion | None:
    """Why people are to be told of *alert* at *at*, None while they are not.

    *raised* is the severity that the rule gives it: above that, it has escalated.
    """
    if alert.resolved_at is not None:
        return Occasion.RESOLVED if alert.told_severity is not None and not alert.told_resolved else None
    if alert.fired_at is None or alert.silenced is not None or alert.inhibited_by:
        return None
    if alert.severity > (alert.told_severity or raised):
        return Occasion.ESCALATED
    if alert.acknowledged is not None:
        return None
    if alert.told_severity is None:
        quiet = alert.quiet_until is not None and at < alert.quiet_until
        return None if quiet else Occasion.FIRING
    return _again(alert, at, reminder_seconds)


def _again(alert: Alert, at: float, reminder_seconds: float) -> Occasion | None:
    """Of an alert that people have been told of already."""
    if alert.told_at is None:
        return Occasion.FIRING
    return Occasion.REMINDER if reminder_seconds and at - alert.told_at >= reminder_seconds else None


def told(alert: Alert, at: float) -> Alert:
    """*alert* once people have been told of it as it is."""
    if alert.resolved_at is not None:
        return replace(alert, told_at=at, told_resolved=True)
    severities = alert.told_severities
    if alert.severity not in severities:
        severities = (*severities, alert.severity)
    return replace(alert, told_at=at, told_severity=alert.severity, told_severities=severities)
