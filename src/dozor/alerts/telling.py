"""When people are told of an alert: derived from the alert itself, so that a restart neither repeats nor forgets."""

from collections.abc import Mapping
from typing import Final

from msgspec import Struct, field
from msgspec.structs import replace

from dozor.alerts.flapping import FlappingPolicy
from dozor.alerts.transitions import CONDITION_ENDED
from dozor.model.alert import Alert, AlertState, Severity
from dozor.model.notification import Occasion

DEFAULT_COOLDOWNS: Final[Mapping[Severity, float]] = {Severity.WARNING: 300.0, Severity.INFO: 900.0}
"""Seconds; none for what is critical or worse."""


class Telling(Struct, frozen=True):
    """How people are told. Times are in seconds.

    Attributes:
        group_interval_seconds: between two messages about one group; the first goes at once.
        reminder_interval_seconds: until a firing alert that nobody owns is told again; 0: never.
        cooldown_seconds: by severity; for rules that say nothing of their own.
        flapping: when an alert flaps, and how seldom people then hear of it.
        service, environment, external_url: see `Notification`.
    """

    group_interval_seconds: float = 60.0
    reminder_interval_seconds: float = 4 * 3600.0
    cooldown_seconds: Mapping[Severity, float] = field(default_factory=lambda: DEFAULT_COOLDOWNS)
    flapping: FlappingPolicy = field(default_factory=FlappingPolicy)
    service: str = ""
    environment: str | None = None
    external_url: str | None = None


def due(
    alert: Alert, raised: Severity, at: float, *, reminder_seconds: float, quiet_seconds: float = 0.0
) -> Occasion | None:
    """Why people are to be told of *alert* at *at*, None while they are not.

    Args:
        alert: as it is now.
        raised: the severity that the rule gives it: above that, it has escalated.
        at: Unix seconds.
        reminder_seconds: until one that fires on and has no owner is told again; 0: never.
        quiet_seconds: how long the last word about one that flaps stands, before its end is told.
    """
    if alert.resolved_at is not None:
        return Occasion.RESOLVED if owes_end(alert) and not _flaps_on(alert, at, quiet_seconds) else None
    if alert.fired_at is None or alert.silenced is not None or alert.silenced_by or alert.inhibited_by:
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
    if alert.tell_again or alert.told_at is None:  # earlier releases took `told_at` away at the end of a silence
        return Occasion.FIRING
    return Occasion.REMINDER if reminder_seconds and at - alert.told_at >= reminder_seconds else None


def owes_end(alert: Alert) -> bool:
    """Whether people heard of *alert*, and not of its end."""
    return alert.told_severity is not None and not alert.told_resolved


def _flaps_on(alert: Alert, at: float, quiet_seconds: float) -> bool:
    # It will fire again before long: that it ended would be the wrong last word.
    flapped = alert.flaps > 0 and alert.resolve_reason == CONDITION_ENDED
    return flapped and alert.told_at is not None and at - alert.told_at < quiet_seconds


def update_for(before: Alert, after: Alert) -> Occasion | None:
    """What a receiver that shows *before* is to be brought up to date with, now that it is *after*; None: with nothing.

    That it fires, got worse or ended is no update: it is told by itself.
    """
    if after.told_severity is None or after.resolved_at is not None:
        return None
    if after.acknowledged is not None and after.acknowledged != before.acknowledged:
        return Occasion.ACKNOWLEDGED
    if after.silenced == before.silenced and after.state is before.state:
        return None
    return _UPDATES.get(after.state)


_UPDATES: Final[Mapping[AlertState, Occasion]] = {
    AlertState.ACKNOWLEDGED: Occasion.ACKNOWLEDGED,
    AlertState.SILENCED: Occasion.SILENCED,
}


def told(alert: Alert, at: float) -> Alert:
    """*alert* once people have been told of it as it is."""
    if alert.resolved_at is not None:
        return replace(alert, told_at=at, told_resolved=True)
    severities = alert.told_severities
    if alert.severity not in severities:
        severities = (*severities, alert.severity)
    return replace(alert, told_at=at, told_severity=alert.severity, told_severities=severities, tell_again=False)
