"""What people read: plain text that says which service, what, since when, how bad, and what to do first."""

import unicodedata
from collections.abc import Callable
from datetime import datetime
from typing import Final

from dozor.model.alert import Alert, AlertState
from dozor.model.notification import Notification, Occasion

Dates = Callable[[float], datetime]
"""`Clock.date`: the time of day that a timestamp is shown as."""

_LONGEST_TEXT: Final = 1000

_OCCASIONS: Final = {
    Occasion.FIRING: "firing",
    Occasion.ESCALATED: "worse than before",
    Occasion.REMINDER: "still firing",
    Occasion.RESOLVED: "resolved",
}


def subject(notification: Notification) -> str:
    """One line: `[CRITICAL] shop (production): PoolUtilizationHigh firing, 2 alerts`."""
    worst = max((alert.severity for alert in notification.alerts), default=None)
    ended = notification.occasion is Occasion.RESOLVED
    mark = "RESOLVED" if ended or worst is None else worst.value
    count = len(notification.alerts) + notification.omitted
    what = f"{plain(notification.group)} {_OCCASIONS[notification.occasion]}"
    return f"[{mark}] {_speaker(notification)}: {what}" + (f", {count} alerts" if count > 1 else "")


def text(notification: Notification, date: Dates) -> str:
    """The whole message, ending without a newline."""
    blocks = [subject(notification)]
    blocks += ["\n".join(_lines(alert, notification, date)) for alert in notification.alerts]
    if notification.omitted:
        blocks.append(f"... and {notification.omitted} more")
    return "\n\n".join(blocks)


def line(alert: Alert, notification: Notification, date: Dates) -> str:
    """One alert in one line, for a log."""
    since = alert.active_at if alert.fired_at is None else alert.fired_at
    words = f"{alert.state} {plain(str(alert.labels))} since {_moment(since, date)}"
    return f"[{alert.severity.value}] {_speaker(notification)}: {plain(alert.rule)} {words}: {_summary(alert)}"


def plain(value: str) -> str:
    """*value* in one line, bounded, without characters that move the cursor or turn the writing direction.

    Labels hold what strangers sent; in a terminal or a log a control character could forge a line of its own.
    """
    cut = value[: _LONGEST_TEXT + 1]
    visible = "".join(" " if unicodedata.category(char) in {"Cc", "Cf", "Cs", "Zl", "Zp"} else char for char in cut)
    joined = " ".join(visible.split())
    return joined if len(joined) <= _LONGEST_TEXT else joined[:_LONGEST_TEXT] + "..."


def duration(seconds: float) -> str:
    """Seconds in the two largest units: `45 s`, `3 min 5 s`, `2 h 10 min`, `3 d 4 h`."""
    whole = max(0, round(seconds))
    parts = []
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60), ("s", 1)):
        amount, whole = divmod(whole, size)
        if amount:
            parts.append(f"{amount} {unit}")
        elif parts:
            break
    return " ".join(parts[:2]) or "0 s"


def link(alert: Alert, notification: Notification) -> str | None:
    """Where to look at *alert*, if it is known where people open Dozor."""
    base = notification.external_url
    return f"{base.rstrip('/')}/#alert-{alert.id}" if base else None


def _speaker(notification: Notification) -> str:
    service = plain(notification.service) or "dozor"
    return f"{service} ({plain(notification.environment)})" if notification.environment else service


def _summary(alert: Alert) -> str:
    return plain(alert.annotations.get("summary", "")) or f"{plain(alert.rule)} holds"


def _lines(alert: Alert, notification: Notification, date: Dates) -> list[str]:
    lines = [_summary(alert), f"State: {_state(alert, notification, date)}"]
    lines.append(f"How bad: {alert.severity.value.lower()}, value {alert.value:.6g}")
    labels = alert.labels.without("alertname")
    if labels:
        lines.append(f"Where: {plain(str(labels))}")
    if alert.acknowledged:
        comment = f": {plain(alert.acknowledged.comment)}" if alert.acknowledged.comment else ""
        lines.append(f"Acknowledged by {plain(alert.acknowledged.by or 'somebody')}{comment}")
    if alert.state is not AlertState.RESOLVED and alert.annotations.get("description"):
        lines.append(f"Do first: {plain(alert.annotations['description'])}")
    if alert.annotations.get("runbook_url"):
        lines.append(f"Read: {plain(alert.annotations['runbook_url'])}")
    address = link(alert, notification)
    return [*lines, f"Look: {plain(address)}"] if address else lines


def _state(alert: Alert, notification: Notification, date: Dates) -> str:
    since = alert.active_at if alert.fired_at is None else alert.fired_at
    if alert.resolved_at is None:
        return f"firing since {_moment(since, date)} ({duration(notification.created_at - since)})"
    reason = f", {plain(alert.resolve_reason)}" if alert.resolve_reason else ""
    return f"resolved at {_moment(alert.resolved_at, date)} after {duration(alert.resolved_at - since)}{reason}"


def _moment(at: float, date: Dates) -> str:
    return f"{date(at):%Y-%m-%d %H:%M:%S} UTC"
