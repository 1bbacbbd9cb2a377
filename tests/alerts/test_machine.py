"""Whatever happens, in whatever order: no illegal state, no lost entry, nobody told twice, a restart changes nothing."""

from collections.abc import Callable, Sequence
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from tests.alerts.world import World, rules_of
from tests.chaos import examples

from dozor.alerts import FlappingPolicy, InhibitRule
from dozor.errors import ActionForbidden, ConfigurationError, SilenceNotFound
from dozor.model.alert import Alert, AlertState
from dozor.model.labels import Labels
from dozor.model.notification import Changes, Notification, Occasion
from dozor.model.silence import Silence, SilenceState
from dozor.rules import Rule
from dozor.store.matchers import match_all, parse_matcher

CAUSE = Rule("Cause", "cause > 0", for_="30s", labels={"severity": "critical"}, annotations={
    "dozor_resolve": "cause == 0", "dozor_resolve_for": "10s", "dozor_escalate": "2m: emergency",
})  # fmt: skip
EFFECT = Rule("Effect", "heat > 90", for_="10s", annotations={
    "dozor_resolve": "heat < 80", "dozor_resolve_for": "20s", "dozor_cooldown": "1m",
    "dozor_inhibited_by": "Cause()", "dozor_escalate_when": "heat > 98",
})  # fmt: skip
PLAIN = Rule("Plain", "heat > 85", keep_firing_for="10s", labels={"severity": "info"})
QUICK = Rule("Quick", "heat > 94", labels={"severity": "critical"})
BESIDE = InhibitRule((parse_matcher("alertname=Cause"),), (parse_matcher("severity=info"), parse_matcher("place=b")))
PLACES = ("a", "b")
TELLING: dict[str, Any] = {
    "reminder_interval_seconds": 600.0,
    "flapping": FlappingPolicy(count=3, window_seconds=300.0, quiet_seconds=120.0),
    "inhibit": (BESIDE,),
}

places = st.sampled_from(PLACES)
heats = st.sampled_from([20, 82, 88, 95, 99])
lengths = st.sampled_from([None, 10.0, 200.0])
actions = st.sampled_from(["acknowledge", "release", "silence", "lift", "resolve"])
matchers = st.sampled_from([
    ["place=a"], ['severity=~"info|warning"'], ['alertname!="Cause"', "severity!=info", 'place=~".+"'], ['alertname=~".+"'], ["alertname=Quick", "place=b"],
])  # fmt: skip


def world() -> World:
    made = World(rules_of(CAUSE, EFFECT, PLAIN, QUICK), **TELLING)
    made.put("cause", 0)
    for place in PLACES:
        made.put("heat", 20, place=place)
    return made


def calm(world: World) -> None:
    world.put("cause", 0)
    for place in PLACES:
        world.put("heat", 20, place=place)


class Life(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.world = world()
        self.before: dict[str, Alert] = {}
        self.silences_before: dict[str, Silence] = {}

    @rule(place=places, heat=heats)
    def set_heat(self, place: str, heat: float) -> None:
        self.world.put("heat", heat, place=place)

    @rule(place=places)
    def lose_series(self, place: str) -> None:
        self.world.drop("heat", place=place)

    @rule(place=places)
    def remove_target(self, place: str) -> None:
        self.world.drop("heat", place=place)
        self.take(self.world.lifecycle.remove_target(Labels(place=place), "it was removed", self.world.at))
        assert not [alert for alert in self.world.alerts() if alert.labels.get("place") == place]

    @rule(cause=st.sampled_from([0, 1]))
    def set_cause(self, cause: float) -> None:
        self.world.put("cause", cause)

    @rule(ticks=st.integers(1, 30))
    def run(self, ticks: int) -> None:
        for _ in range(ticks):
            self.world.tick()
            self.check_changes()
            self.check_silenced()

    @rule(place=places, times=st.integers(2, 5))
    def flap(self, place: str, times: int) -> None:
        for _ in range(times):
            for heat in (95, 20):
                self.world.put("heat", heat, place=place)
                self.run(2)

    @rule(action=actions, index=st.integers(0, 5), seconds=lengths)
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
            assert pending or (action == "release" and alert.acknowledged is None)
            assert action in {"acknowledge", "release", "resolve"}
            return
        except SilenceNotFound:
            assert action == "lift"
            assert alert.silenced is None
            return
        assert action in {"silence", "lift"} or not pending
        self.take(changes)
        assert [entry.by for entry in changes.audit] == ["ann"]

    @rule(index=st.integers(0, 5), text=st.sampled_from(["the fan", " "]))
    def write_a_note(self, index: int, text: str) -> None:
        known = sorted(self.world.kept)
        if known:
            try:
                entry, changes = self.world.lifecycle.note(
                    known[index % len(known)], self.world.at, by="ann", text=text
                )
            except ConfigurationError:
                assert text == " "
                return
            self.take(changes)
            assert entry in changes.audit

    @rule(texts=matchers, start=st.sampled_from([None, 60.0]), seconds=lengths)
    def create_silence(self, texts: Sequence[str], start: float | None, seconds: float | None) -> None:
        self.plan(lambda plan: self.world.lifecycle.create_silence(self.world.at, **plan), texts, start, seconds)

    @precondition(lambda self: self.world.lifecycle.silences())
    @rule(index=st.integers(0, 3), texts=matchers, start=st.sampled_from([None, 60.0]), seconds=lengths)
    def change_silence(self, index: int, texts: Sequence[str], start: float | None, seconds: float | None) -> None:
        chosen = self.chosen(index)
        act = self.world.lifecycle.update_silence
        self.plan(lambda plan: act(chosen.id, self.world.at, **plan), texts, start, seconds, chosen)

    @precondition(lambda self: self.world.lifecycle.silences())
    @rule(index=st.integers(0, 3))
    def end_silence(self, index: int) -> None:
        chosen = self.chosen(index)
        try:
            ended, changes = self.world.lifecycle.end_silence(chosen.id, self.world.at, by="ann")
        except ActionForbidden:
            assert chosen.state(self.world.at) is SilenceState.EXPIRED
            return
        self.take(changes)
        self.check_silenced()
        assert ended.state(self.world.at) is SilenceState.EXPIRED

    @rule(down=st.sampled_from([0.0, 20.0]))
    def restart(self, down: float) -> None:
        shown = {alert.id: alert.state for alert in self.world.alerts()}
        silences = self.world.lifecycle.silences()
        self.world.restart(down_seconds=down)
        assert {alert.id: alert.state for alert in self.world.alerts()} == shown
        assert self.world.lifecycle.silences() == silences

    @precondition(lambda self: self.world.changes)
    @invariant()
    def what_is_kept_is_what_is_shown(self) -> None:
        kept = {alert.id: alert.state for alert in self.world.kept.values() if alert.resolved_at is None}
        assert {alert.id: alert.state for alert in self.world.alerts()} == kept
        silences = {silence.id: silence for silence in self.world.lifecycle.silences()}
        assert silences == self.world.kept_silences

    @invariant()
    def identities_are_unique(self) -> None:
        identities = [(alert.rule, alert.labels) for alert in self.world.alerts()]
        assert len(identities) == len(set(identities))

    def chosen(self, index: int) -> Silence:
        silences = self.world.lifecycle.silences()
        return silences[index % len(silences)]

    def plan(
        self,
        act: Callable[[dict[str, Any]], tuple[Silence, Changes]],
        texts: Sequence[str],
        start: float | None,
        seconds: float | None,
        chosen: Silence | None = None,
    ) -> None:
        at = self.world.at
        times = {
            "starts_at": None if start is None else at + start,
            "ends_at": None if seconds is None else at + seconds,
        }
        try:
            made, changes = act({"matchers": texts, **times, "by": "ann"})
        except ConfigurationError:
            begins = start if start is not None else chosen.starts_at - at if chosen is not None else 0.0
            assert seconds is not None
            assert seconds <= begins
            return
        except ActionForbidden:
            assert chosen is not None
            assert chosen.state(at) is SilenceState.EXPIRED
            return
        self.take(changes)
        self.check_silenced()
        assert made.by == "ann"
        assert {entry.by for entry in changes.audit if entry.alert_id == made.id} == {"ann"}

    def take(self, changes: Changes) -> None:
        self.world.take(changes)
        self.check_changes()

    def check_silenced(self) -> None:
        """What is silenced is what the active silences match."""
        at = self.world.at
        active = [silence for silence in self.world.lifecycle.silences() if silence.state(at) is SilenceState.ACTIVE]
        parsed = {silence.id: [parse_matcher(text) for text in silence.matchers] for silence in active}
        for alert in self.world.alerts():
            labels = alert.matching_labels
            assert set(alert.silenced_by) == {each for each, texts in parsed.items() if match_all(texts, labels)}
        assert all(silence.matched for silence in active if self.world.lifecycle.silenced_alerts(silence.id))

    def check_changes(self) -> None:
        changes = self.world.changes[-1]
        for alert in changes.alerts:
            events = {entry.event for entry in changes.audit if entry.alert_id == alert.id}
            self.check_step(self.before.get(alert.id), alert, events)
            self.before[alert.id] = alert
        for alert_id in changes.dropped:
            assert self.world.events(alert_id)[-1] == "ended before it fired" or "note" in self.world.events(alert_id)
        for silence in changes.silences:
            events = {entry.event for entry in changes.audit if entry.alert_id == silence.id}
            self.check_silence(self.silences_before.get(silence.id), silence, events)
            self.silences_before[silence.id] = silence
        for notification in changes.notifications:
            assert notification.alerts
            for told in notification.alerts:
                self.check_told(told, notification)

    @staticmethod
    def check_silence(before: Silence | None, after: Silence, events: set[str]) -> None:
        if before is None:
            assert "silence created" in events
            return
        assert before.ended_at is None
        assert before.created_at == after.created_at
        assert (after.ended_at is not None) == ("silence ended" in events)
        if (before.matchers, before.starts_at, before.ends_at) != (after.matchers, after.starts_at, after.ends_at):
            assert "silence changed" in events

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
        if (before.silenced, before.silenced_by) != (after.silenced, after.silenced_by):
            assert {"silenced", "silence ended"} & events
        if before.acknowledged != after.acknowledged:
            assert ("acknowledged" if after.acknowledged else "no longer acknowledged") in events
        if before.inhibited_by != after.inhibited_by:
            assert {"inhibited", "no longer inhibited"} & events
        if before.flaps != after.flaps:
            assert {"flapping", "no longer flapping"} & events
        if before.severity != after.severity:
            assert any(event.startswith("escalated") for event in events)

    def check_told(self, alert: Alert, notification: Notification) -> None:
        """Only what may be told, and each thing once."""
        occasion = notification.occasion
        assert alert.fired_at is not None
        if occasion.update:
            assert alert.told_severity is not None
            assert alert.state in {AlertState.ACKNOWLEDGED, AlertState.SILENCED}
            return
        if alert.resolved_at is None:
            assert alert.silenced is None
            assert not alert.silenced_by
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
        calm(self.world)
        self.world.run(300)
        assert self.world.alerts() == []
        for alert in self.world.kept.values():
            assert (alert.told_severity is not None) == alert.told_resolved


class TwoLives(RuleBasedStateMachine):
    """The same happens to two; one of them is started again and again, and nobody can tell which."""

    def __init__(self) -> None:
        super().__init__()
        self.worlds = (world(), world())

    @initialize()
    def begin(self) -> None:
        self.both(lambda each: each.run(10))

    @rule(place=places, heat=heats)
    def set_heat(self, place: str, heat: float) -> None:
        self.both(lambda each: each.put("heat", heat, place=place))

    @rule(cause=st.sampled_from([0, 1]))
    def set_cause(self, cause: float) -> None:
        self.both(lambda each: each.put("cause", cause))

    @rule(ticks=st.integers(1, 30))
    def run(self, ticks: int) -> None:
        self.both(lambda each: each.run(5.0 * ticks))

    @rule(place=places, times=st.integers(2, 5))
    def flap(self, place: str, times: int) -> None:
        for _ in range(times):
            for heat in (95, 20):
                self.set_heat(place, heat)
                self.run(2)

    @rule(action=st.sampled_from(["acknowledge", "silence"]), index=st.integers(0, 5), seconds=lengths)
    def act(self, action: str, index: int, seconds: float | None) -> None:
        firing = [alert for alert in self.worlds[0].alerts() if alert.fired_at is not None]
        if firing:
            alert, at = firing[index % len(firing)], self.worlds[0].at
            until = {"until": None if seconds is None else at + seconds} if action == "silence" else {}
            self.both(lambda each: each.take(getattr(each.lifecycle, action)(alert.id, at, **until)[1]))

    @rule(texts=matchers, seconds=lengths)
    def silence(self, texts: Sequence[str], seconds: float | None) -> None:
        at = self.worlds[0].at
        ends_at = None if seconds is None else at + seconds
        self.both(lambda each: each.take(each.lifecycle.create_silence(at, matchers=texts, ends_at=ends_at)[1]))

    @rule()
    def restart(self) -> None:
        self.worlds[1].restart()

    @invariant()
    def they_are_alike(self) -> None:
        steady, restarted = self.worlds
        assert told(steady) == told(restarted)
        assert {alert.id: alert for alert in steady.alerts()} == {alert.id: alert for alert in restarted.alerts()}
        assert steady.lifecycle.silences() == restarted.lifecycle.silences()

    def both(self, do: Callable[[World], object]) -> None:
        for each in self.worlds:
            do(each)

    def teardown(self) -> None:
        self.both(calm)
        self.run(100)
        self.they_are_alike()


def told(world: World) -> list[tuple[float, str, Occasion, frozenset[str]]]:
    return [
        (message.created_at, message.group, message.occasion, frozenset(alert.id for alert in message.alerts))
        for message in world.messages
    ]


TestLife = Life.TestCase
TestTwoLives = TwoLives.TestCase
for case, count in ((TestLife, 20), (TestTwoLives, 10)):
    case.settings = settings(
        max_examples=examples(count), stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
    )
