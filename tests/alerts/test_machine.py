"""Whatever happens, in whatever order: no illegal state, no lost entry, nobody told twice, a restart changes nothing."""

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from tests.alerts.world import World, rules_of
from tests.chaos import examples

from dozor.errors import ActionForbidden
from dozor.model.alert import Alert, AlertState
from dozor.model.notification import Occasion
from dozor.rules import Rule

CAUSE = Rule("Cause", "cause > 0", for_="30s", labels={"severity": "critical"}, annotations={
    "dozor_resolve": "cause == 0", "dozor_resolve_for": "10s", "dozor_escalate": "2m: emergency",
})  # fmt: skip
EFFECT = Rule("Effect", "heat > 90", for_="10s", annotations={
    "dozor_resolve": "heat < 80", "dozor_resolve_for": "20s", "dozor_cooldown": "1m",
    "dozor_inhibited_by": "Cause()", "dozor_escalate_when": "heat > 98",
})  # fmt: skip
PLAIN = Rule("Plain", "heat > 85", keep_firing_for="10s", labels={"severity": "info"})
PLACES = ("a", "b")

places = st.sampled_from(PLACES)
actions = st.sampled_from(["acknowledge", "silence", "resolve"])


class Life(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.world = World(rules_of(CAUSE, EFFECT, PLAIN), reminder_interval_seconds=600.0)
        self.world.put("cause", 0)
        for place in PLACES:
            self.world.put("heat", 20, place=place)
        self.before: dict[str, Alert] = {}

    @rule(place=places, heat=st.sampled_from([20, 82, 88, 95, 99]))
    def set_heat(self, place: str, heat: float) -> None:
        self.world.put("heat", heat, place=place)

    @rule(place=places)
    def lose_series(self, place: str) -> None:
        self.world.drop("heat", place=place)

    @rule(cause=st.sampled_from([0, 1]))
    def set_cause(self, cause: float) -> None:
        self.world.put("cause", cause)

    @rule(ticks=st.integers(1, 30))
    def run(self, ticks: int) -> None:
        for _ in range(ticks):
            self.world.tick()
            self.check_changes()

    @rule(action=actions, index=st.integers(0, 5), seconds=st.sampled_from([None, 10.0, 200.0]))
    def act(self, action: str, index: int, seconds: float | None) -> None:
        alerts = self.world.alerts()
        if not alerts:
            return
        alert = alerts[index % len(alerts)]
        lifecycle, at = self.world.lifecycle, self.world.at
        pending = alert.fired_at is None
        try:
            if action == "silence":
                _, changes = lifecycle.silence(alert.id, at, None if seconds is None else at + seconds, "ann")
            else:
                _, changes = getattr(lifecycle, action)(alert.id, at, "ann")
        except ActionForbidden:
            assert pending
            assert action != "silence"
            return
        assert action == "silence" or not pending
        self.world.take(changes)
        assert [entry.by for entry in changes.audit] == ["ann"]
        self.check_changes()

    @rule(down=st.sampled_from([0.0, 20.0]))
    def restart(self, down: float) -> None:
        shown = {alert.id: alert.state for alert in self.world.alerts()}
        self.world.restart(down_seconds=down)
        assert {alert.id: alert.state for alert in self.world.alerts()} == shown

    @precondition(lambda self: self.world.changes)
    @invariant()
    def what_is_kept_is_what_is_shown(self) -> None:
        kept = {alert.id: alert.state for alert in self.world.kept.values() if alert.resolved_at is None}
        assert {alert.id: alert.state for alert in self.world.alerts()} == kept

    @invariant()
    def identities_are_unique(self) -> None:
        identities = [(alert.rule, alert.labels) for alert in self.world.alerts()]
        assert len(identities) == len(set(identities))

    def check_changes(self) -> None:
        changes = self.world.changes[-1]
        for alert in changes.alerts:
            self.check_step(
                self.before.get(alert.id), alert, {entry.event for entry in changes.audit if entry.alert_id == alert.id}
            )
            self.before[alert.id] = alert
        for alert_id in changes.dropped:
            assert self.world.events(alert_id)[-1] == "ended before it fired"
        for notification in changes.notifications:
            assert notification.alerts
            for told in notification.alerts:
                self.check_told(told, notification.occasion)

    @staticmethod
    def check_step(before: Alert | None, after: Alert, events: set[str]) -> None:
        """No illegal state, and an entry for each thing that happened."""
        if before is None:
            assert "pending" in events
            return
        assert before.resolved_at is None or before.resolved_at == after.resolved_at
        assert before.severity <= after.severity
        assert before.active_at == after.active_at
        assert before.fired_at is None or before.fired_at == after.fired_at
        assert after.resolved_at is None or after.fired_at is not None
        assert (before.fired_at != after.fired_at) == ("fired" in events)
        assert (before.resolved_at != after.resolved_at) == bool({"resolved", "closed by hand"} & events)
        if before.silenced != after.silenced:
            assert {"silenced", "silence ended"} & events
        if before.acknowledged != after.acknowledged:
            assert "acknowledged" in events
        if before.inhibited_by != after.inhibited_by:
            assert {"inhibited", "no longer inhibited"} & events
        if before.severity != after.severity:
            assert any(event.startswith("escalated") for event in events)

    def check_told(self, alert: Alert, occasion: Occasion) -> None:
        """Only what may be told, and each thing once."""
        assert alert.fired_at is not None
        if alert.resolved_at is None:
            assert alert.silenced is None
            assert not alert.inhibited_by
            assert alert.state is not AlertState.ACKNOWLEDGED or occasion is Occasion.ESCALATED
        ends = [
            told
            for notification in self.world.told
            for told in notification.alerts
            if told.id == alert.id and told.resolved_at is not None
        ]
        assert len(ends) <= 1

    def teardown(self) -> None:
        """Group messages keep their distance, and what was told has its end told."""
        last: dict[str, float] = {}
        for notification in self.world.told:
            assert notification.created_at - last.get(notification.group, float("-inf")) >= 60.0
            last[notification.group] = notification.created_at
        self.world.put("cause", 0)
        for place in PLACES:
            self.world.put("heat", 20, place=place)
        self.world.run(300)
        assert self.world.alerts() == []
        for alert in self.world.kept.values():
            assert (alert.told_severity is not None) == alert.told_resolved


TestLife = Life.TestCase
TestLife.settings = settings(
    max_examples=examples(25), stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
)
