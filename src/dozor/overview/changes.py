"""What has changed lately, in words: alerts, targets, rules, deploys. In memory, so that it is known whatever else is away."""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum
from typing import Final

from msgspec import Struct

from dozor.model.alert import Alert, Severity
from dozor.model.annotation import DEPLOY, Annotation
from dozor.model.notification import NOTE, AuditEntry, Changes
from dozor.overview.records import Known
from dozor.overview.words import duration

KEPT: Final = 1000
"""So many are known; a storm pushes the oldest out."""


class ChangeKind(StrEnum):
    """What kind of change, for programs that word it themselves."""

    ALERT_FIRED = "alert_fired"
    ALERT_RESOLVED = "alert_resolved"
    ALERT_ACKNOWLEDGED = "alert_acknowledged"
    ALERT_RELEASED = "alert_released"
    ALERT_SILENCED = "alert_silenced"
    ALERT_SILENCE_ENDED = "alert_silence_ended"
    ALERT_ESCALATED = "alert_escalated"
    ALERT_FLAPPING = "alert_flapping"
    ALERT_NOTE = "alert_note"
    TARGET_DOWN = "target_down"
    TARGET_UP = "target_up"
    SERVER_RESTARTED = "server_restarted"
    FAILOVER = "failover"
    NODE_ADDED = "node_added"
    NODE_REMOVED = "node_removed"
    RULES_RELOADED = "rules_reloaded"
    DEPLOYED = "deployed"
    ANNOTATED = "annotated"
    STARTED = "started"


class Change(Struct, frozen=True):
    """One thing that changed at *at* (Unix seconds).

    Attributes:
        text: in a sentence.
        subject: an alert's or annotation's id, or a target's name; empty where there is none.
        rule, severity: of an alert.
    """

    at: float
    kind: ChangeKind
    text: str
    subject: str = ""
    rule: str | None = None
    severity: Severity | None = None
    by: str | None = None
    comment: str | None = None


class ChangeLog:
    """The newest changes. Belongs to Dozor's loop.

    Args:
        tell: called with what has just been added.
    """

    def __init__(self, tell: Callable[[Sequence[Change]], None] = lambda _: None) -> None:
        self._changes: deque[Change] = deque(maxlen=KEPT)
        self._tell = tell

    def add(self, changes: Iterable[Change]) -> None:
        """Something has changed."""
        if added := list(changes):
            self._changes.extend(added)
            self._tell(added)

    def restore(self, changes: Iterable[Change]) -> None:
        """Put in what changed before Dozor was started; nobody is told."""
        known = set(self._changes)
        found = [change for change in changes if change not in known]
        self._changes = deque(sorted([*self._changes, *found], key=lambda change: change.at), maxlen=KEPT)

    def since(self, at: float) -> list[Change]:
        """Those of *at* (Unix seconds) or later, the newest first."""
        return sorted((change for change in self._changes if change.at >= at), key=lambda change: -change.at)


# -- alerts --------------------------------------------------------------------------------------------------------

_MOST_OF_A_LABEL: Final = 100

_KINDS: Final = {
    "fired": ChangeKind.ALERT_FIRED,
    "resolved": ChangeKind.ALERT_RESOLVED,
    "closed by hand": ChangeKind.ALERT_RESOLVED,
    "acknowledged": ChangeKind.ALERT_ACKNOWLEDGED,
    "no longer acknowledged": ChangeKind.ALERT_RELEASED,
    "silenced": ChangeKind.ALERT_SILENCED,
    "silence ended": ChangeKind.ALERT_SILENCE_ENDED,
    "escalated: nobody acknowledged it": ChangeKind.ALERT_ESCALATED,
    "escalated: it got worse": ChangeKind.ALERT_ESCALATED,
    "flapping": ChangeKind.ALERT_FLAPPING,
    NOTE: ChangeKind.ALERT_NOTE,
}


def of_changes(changes: Changes, find: Callable[[str], Alert | None]) -> list[Change]:
    """What *changes* have to say to people. *find* knows alerts by id that are not among those that changed."""
    alerts = {alert.id: alert for alert in changes.alerts}
    found = []
    for entry in changes.audit[-KEPT:]:
        kind = _KINDS.get(entry.event)
        alert = alerts.get(entry.alert_id) or find(entry.alert_id) if kind is not None else None
        if kind is not None and alert is not None and (alert.fired_at is not None):
            found.append(_of_alert(kind, alert, entry))
    return [*found, *map(of_annotation, changes.annotations)]


def of_alert(alert: Alert) -> list[Change]:
    """What is known of *alert* from before Dozor was started."""
    entries = [
        (alert.fired_at, "fired", None, None),
        *([(alert.acknowledged.at, "acknowledged", alert.acknowledged.by, None)] if alert.acknowledged else ()),
        (alert.resolved_at, "resolved", None, None),
    ]
    return [
        _of_alert(_KINDS[event], alert, AuditEntry(alert.id, at, event, by, comment))
        for at, event, by, comment in entries
        if at is not None and alert.fired_at is not None
    ]


def _of_alert(kind: ChangeKind, alert: Alert, entry: AuditEntry) -> Change:
    return Change(
        entry.at,
        kind,
        _words(kind, alert, entry),
        alert.id,
        alert.rule,
        alert.severity,
        entry.by,
        entry.comment,
    )


def _words(kind: ChangeKind, alert: Alert, entry: AuditEntry) -> str:
    rule, who = _named(alert), entry.by or "Somebody"
    lasted = duration(entry.at - (entry.at if alert.fired_at is None else alert.fired_at))
    match kind:
        case ChangeKind.ALERT_FIRED:
            about = alert.annotations.get("summary", "").strip().rstrip(".")
            words = f"{alert.rule} fires: {about}." if about else f"{rule} fires."
        case ChangeKind.ALERT_RESOLVED if entry.event == "closed by hand":
            words = f"{who} closed {rule} after {lasted}."
        case ChangeKind.ALERT_RESOLVED:
            words = f"{rule} has ended after {lasted}."
        case ChangeKind.ALERT_ACKNOWLEDGED:
            words = f"{who} acknowledged {rule}."
        case ChangeKind.ALERT_RELEASED:
            words = f"Nobody has {rule} any more: {who} gave it back."
        case ChangeKind.ALERT_SILENCED:
            words = f"{rule} is silenced by {entry.by}." if entry.by else f"{rule} is silenced."
        case ChangeKind.ALERT_SILENCE_ENDED:
            words = f"{rule} is silenced no longer."
        case ChangeKind.ALERT_ESCALATED:
            words = f"{rule} is {alert.severity.value.lower()} now: {entry.event.partition(': ')[2]}."
        case ChangeKind.ALERT_FLAPPING:
            words = f"{rule} is flapping: it fires and ends again and again."
        case _:
            words = f"{who} wrote on {rule}: {entry.comment}"
    return words


def _named(alert: Alert) -> str:
    """Which of the alerts of its rule, by its own labels: `HttpRequestsSlow (route=/orders)`."""
    labels = alert.labels.without("alertname", "component").pairs
    own = ", ".join(f"{name}={value[:_MOST_OF_A_LABEL]}" for name, value in labels)
    return f"{alert.rule} ({own})" if own else alert.rule


# -- all else ------------------------------------------------------------------------------------------------------


def of_annotation(annotation: Annotation) -> Change:
    """*annotation*, as a change."""
    kind = ChangeKind.DEPLOYED if DEPLOY in annotation.tags else ChangeKind.ANNOTATED
    return Change(annotation.at, kind, annotation.text, annotation.id, by=annotation.by)


class TargetWatch:
    """Notices targets that go and come back, and servers that were started anew. Belongs to Dozor's loop."""

    def __init__(self) -> None:
        self._answering: dict[tuple[str, str], bool] = {}
        self._uptimes: dict[str, float] = {}

    def look(self, known: Known, at: float) -> list[Change]:
        """What has changed since the last look."""
        found = []
        answering = {
            **{("Database", pool.name): (pool.up, pool.hint or pool.failure) for pool in known.pools},
            **{("Redis", server.name): (server.connected, server.hint or server.failure) for server in known.servers},
        }
        for key, (answers, reason) in answering.items():
            if answers is None:
                continue
            if self._answering.get(key, True) != answers:
                found.append(_of_target(key, reason, at, answers=answers))
            self._answering[key] = answers
        self._answering = {key: value for key, value in self._answering.items() if key in answering}
        self._uptimes = {server.name: self._uptimes.get(server.name, 0.0) for server in known.servers}
        for server in known.servers:
            uptime = server.figures.get("redis_uptime_in_seconds")
            if uptime is not None:
                if uptime < self._uptimes.get(server.name, 0.0):
                    when = "just now" if uptime < 1 else f"{duration(uptime)} ago"
                    text = f"Redis {server.name} was started anew {when}."
                    found.append(Change(at, ChangeKind.SERVER_RESTARTED, text, server.name))
                self._uptimes[server.name] = uptime
        return found


def _of_target(key: tuple[str, str], reason: str | None, at: float, *, answers: bool) -> Change:
    name = " ".join(key)
    if answers:
        return Change(at, ChangeKind.TARGET_UP, f"{name} answers again.", key[1])
    text = f"{name} does not answer: {reason}" if reason else f"{name} does not answer"
    return Change(at, ChangeKind.TARGET_DOWN, text if text.endswith((".", "?", "!")) else f"{text}.", key[1])
