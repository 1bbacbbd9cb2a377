"""The alerts of one rule, as they are in memory."""

import math
from dataclasses import dataclass

from msgspec.structs import replace

from dozor.alerts.rule import AlertRule, RecordRule
from dozor.model.alert import Alert, Severity
from dozor.model.labels import Labels
from dozor.model.rule import Breach, RecordingState, RuleState


class Tracked:
    """An alert that has not ended, with what changes too often to be kept anywhere but here.

    Attributes:
        alert: as it was last written; its value and annotations may have moved on, see `current`.
        breach: the series as it last broke the rule; None after a restart until it does.
        raised: the severity that the rule gives it.
        restored: it was read back and its series has not been seen since.
    """

    __slots__ = ("alert", "annotations", "breach", "described", "raised", "restored")

    def __init__(self, alert: Alert, raised: Severity, *, breach: Breach | None = None) -> None:
        self.alert, self.raised, self.breach = alert, raised, breach
        self.annotations = alert.annotations
        self.described: float | None = None
        self.restored = breach is None

    def current(self) -> Alert:
        """The alert with its newest value and annotations."""
        alert, value = self.alert, self.alert.value if self.breach is None else self.breach.value
        if self.annotations is not alert.annotations or not _same(value, alert.value):
            self.alert = replace(alert, value=value, annotations=self.annotations)
        return self.alert

    @property
    def stale_text(self) -> bool:
        """Whether the annotations speak of another value than the newest."""
        return self.breach is not None and (self.described is None or not _same(self.described, self.breach.value))


def _same(left: float, right: float) -> bool:
    return left == right or (math.isnan(left) and math.isnan(right))


@dataclass(slots=True)
class HeldDown:
    """An alert that was closed by hand stays closed until *until*; *since*: its condition holds without a break."""

    until: float
    since: float | None = None


class Fate:
    """How a rule fared at its last evaluation: see `RuleState`."""

    def __init__(self) -> None:
        self.health = "unknown"
        self.last_error: str | None = None
        self.last_evaluation: float | None = None
        self.evaluation_seconds: float | None = None

    def note(self, error: str | None, at: float, seconds: float) -> None:
        """It was evaluated at *at*, which took *seconds* and failed for the reason *error*, if there is one."""
        self.health, self.last_error = ("ok", None) if error is None else ("err", error)
        self.last_evaluation, self.evaluation_seconds = at, seconds


class RecordTrack(Fate):
    """One recording rule."""

    def __init__(self, rule: RecordRule) -> None:
        super().__init__()
        self.rule = rule

    def state(self) -> RecordingState:
        """How the rule stands."""
        rule = self.rule
        return RecordingState(
            record=rule.name,
            group=rule.group,
            expr=rule.expr,
            labels=rule.labels,
            health=self.health,
            last_error=self.last_error,
            last_evaluation=self.last_evaluation,
            evaluation_seconds=self.evaluation_seconds,
            file=rule.file,
        )


class RuleTrack(Fate):
    """One rule and its alerts, by the labels that identify them."""

    def __init__(self, rule: AlertRule) -> None:
        super().__init__()
        self.rule = rule
        self.open: dict[Labels, Tracked] = {}
        self.ended: dict[str, Alert] = {}
        """Resolved alerts of whose end people are still to be told, by id."""
        self.quiet_until: dict[Labels, float] = {}
        """The ends of cooldowns."""
        self.held_down: dict[Labels, HeldDown] = {}

    @property
    def watched(self) -> bool:
        """Whether it matters if the resolve condition holds."""
        return bool(self.open or self.held_down)

    def expire(self, at: float) -> None:
        """Forget the cooldowns that are over at *at*."""
        if self.quiet_until:
            self.quiet_until = {labels: until for labels, until in self.quiet_until.items() if until > at}

    def state(self) -> RuleState:
        """How the rule stands."""
        rule, alerts = self.rule, tuple(tracked.current() for tracked in self.open.values())
        firing = any(alert.fired_at is not None for alert in alerts)
        return RuleState(
            rule=rule.name,
            group=rule.group,
            expr=rule.expr,
            for_seconds=rule.for_seconds,
            severity=rule.severity,
            component=rule.component,
            state="firing" if firing else "pending" if alerts else "inactive",
            health=self.health,
            last_error=self.last_error,
            last_evaluation=self.last_evaluation,
            evaluation_seconds=self.evaluation_seconds,
            alerts=alerts,
            keep_firing_seconds=rule.keep_firing_seconds,
            labels=rule.label_texts,
            annotations=rule.annotation_texts,
            threshold=rule.threshold,
            file=rule.file,
        )
