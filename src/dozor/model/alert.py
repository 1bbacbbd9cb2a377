"""An alert, as rules raise it, people act on it and history keeps it."""

from collections.abc import Mapping
from enum import Enum, StrEnum
from functools import total_ordering

from msgspec import Struct, field

from dozor.model.labels import Labels


@total_ordering
class Severity(Enum):
    """How bad it is. A rule's `severity` label holds the name in lower case."""

    INFO = "INFO"
    WARNING = "WARNING"
    CRITICAL = "CRITICAL"
    EMERGENCY = "EMERGENCY"

    def __lt__(self, other: "Severity") -> bool:
        return _RANK[self] < _RANK[other]


_RANK = {severity: rank for rank, severity in enumerate(Severity)}


class AlertState(StrEnum):
    """The state shown, in rising order of precedence (specification 1.4)."""

    PENDING = "PENDING"
    FIRING = "FIRING"
    ACKNOWLEDGED = "ACKNOWLEDGED"
    SILENCED = "SILENCED"
    RESOLVED = "RESOLVED"


class Acknowledgement(Struct, frozen=True):
    """Somebody owns the alert. Ends when the alert resolves."""

    at: float
    by: str | None = None
    comment: str | None = None


class AlertSilence(Struct, frozen=True):
    """Nobody is told of the alert until *until* (Unix seconds), or, where that is None, until it resolves."""

    at: float
    until: float | None = None
    by: str | None = None
    comment: str | None = None


class Alert(Struct, frozen=True):
    """One alert from its first breach to its end. Times are Unix seconds of `Clock.timestamp()`.

    Identity is *rule* and *labels* (which hold `alertname` and no `severity`); *id* is new for each occurrence.

    Attributes:
        severity: the severity in force, after any escalation.
        value: what the rule's expression gave when it was last evaluated and held.
        active_at: since when the condition holds; fired_at: since when that has been for long enough.
        holds: whether the rule's condition held at the last evaluation that had data.
        clear_since: since when the resolve condition has held, without a break; None where it does not hold.
        no_data: the series is gone while its target is still watched.
        inhibited_by: the rules that keep this alert quiet now.
        silenced_by: ids of the silences whose matchers silence this alert now.
        quiet_until: the end of the cooldown of an earlier occurrence; nobody is told before it.
        flaps: how often this alert's identity has fired lately, if that is so often that it counts as flapping; else 0.
        threshold: what the rule compares the value with, such as `> 90`, where that can be told from its expression.
        told_severity: the severity people were last told, None if they never were. told_at: when.
        told_severities: each severity that they were told, in that order: who hears of the alert follows from them.
        tell_again: a silence has ended since, so that what they were told before it does not count.
        told_resolved: whether they were told of the end.
    """

    id: str
    rule: str
    labels: Labels
    severity: Severity
    component: str
    annotations: Mapping[str, str]
    value: float
    active_at: float
    fired_at: float | None = None
    resolved_at: float | None = None
    resolve_reason: str | None = None
    holds: bool = True
    clear_since: float | None = None
    no_data: bool = False
    acknowledged: Acknowledgement | None = None
    silenced: AlertSilence | None = None
    inhibited_by: tuple[str, ...] = ()
    silenced_by: tuple[str, ...] = ()
    quiet_until: float | None = None
    flaps: int = 0
    threshold: str | None = None
    told_severity: Severity | None = None
    told_at: float | None = None
    told_severities: tuple[Severity, ...] = ()
    tell_again: bool = False
    told_resolved: bool = False
    evidence: Mapping[str, object] = field(default_factory=dict)

    @property
    def state(self) -> AlertState:
        """RESOLVED over SILENCED over ACKNOWLEDGED over FIRING over PENDING.

        A silence that has run out is taken off by the next evaluation, so this needs no time.
        """
        if self.resolved_at is not None:
            return AlertState.RESOLVED
        if self.silenced is not None or self.silenced_by:
            return AlertState.SILENCED
        if self.acknowledged is not None:
            return AlertState.ACKNOWLEDGED
        return AlertState.PENDING if self.fired_at is None else AlertState.FIRING

    @property
    def matching_labels(self) -> dict[str, str]:
        """What matchers of silences, inhibitions, routes and filters see: also `severity`, in force, and `component`."""
        return {**self.labels, "severity": self.severity.value.lower(), "component": self.component}

    @property
    def firing(self) -> bool:
        """Whether the alert has fired and not ended, whatever people have done about it."""
        return self.fired_at is not None and self.resolved_at is None
