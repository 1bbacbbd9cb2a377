"""Alerts from their first breach to their end, over real rules and a real store."""

import pytest
from tests.alerts.world import World, rules_of

from dozor.alerts import FlappingPolicy
from dozor.errors import ActionForbidden, AlertNotFound, ConfigurationError
from dozor.model.alert import AlertState, Severity
from dozor.model.labels import Labels
from dozor.rules import Rule, parse_rules
from dozor.rules.group import RuleSet

HOT = Rule("Hot", "heat > 90", for_="10s", labels={"severity": "critical"}, annotations={
    "summary": "{{ $labels.place }} is at {{ $value }}", "dozor_resolve": "heat < 80", "dozor_resolve_for": "20s",
})  # fmt: skip
PLAIN = Rule("Plain", "heat > 90", labels={"severity": "critical"})
WARM = Rule("Warm", "heat > 50", labels={"severity": "warning"})


def hot(*more: Rule, step: float = 5.0, **telling: float) -> World:
    world = World(rules_of(HOT, *more), step=step, **telling)
    world.put("heat", 95, place="kitchen")
    return world


# By condition


def test_an_alert_lives_from_pending_to_resolved_and_every_change_is_in_the_trail() -> None:
    world = hot()
    world.run(5)
    alert = world.alert("Hot")
    assert (alert.state, alert.value) == (AlertState.PENDING, 95.0)
    world.run(10)
    assert world.state("Hot") is AlertState.FIRING
    world.put("heat", 70, place="kitchen")
    world.run(25)
    assert world.alerts() == []
    assert world.events(alert.id) == ["pending", "fired", "resolved"]
    assert world.words == [("Hot", "firing")]
    world.run(60)
    assert world.words == [("Hot", "firing"), ("Hot", "resolved")]
    assert world.kept[alert.id].resolved_at == alert.active_at + 35
    assert world.kept[alert.id].told_resolved
    assert world.lifecycle.total_fired == 1


def test_a_breach_that_is_too_short_leaves_nothing() -> None:
    world = hot()
    world.run(10)
    world.put("heat", 85, place="kitchen")
    world.run(5)
    assert world.alerts() == []
    assert world.kept == {}
    assert world.told == []


def test_between_the_thresholds_an_alert_stays_and_a_vanished_series_is_no_data() -> None:
    world = hot()
    world.run(20)
    world.put("heat", 85, place="kitchen")
    world.run(600)
    assert world.state("Hot") is AlertState.FIRING
    assert not world.alert("Hot").no_data
    world.drop("heat")
    world.put("heat", 20, place="hall")
    world.run(600)
    assert world.state("Hot") is AlertState.FIRING
    assert world.alert("Hot").no_data


def test_the_removal_of_its_target_ends_an_alert_with_the_reason() -> None:
    world = hot()
    world.put("heat", 99, place="hall")
    world.run(20)
    world.drop("heat", place="kitchen")
    world.take(world.lifecycle.remove_target(Labels(place="kitchen"), "the kitchen was closed", world.at))
    assert [alert.labels["place"] for alert in world.alerts()] == ["hall"]
    world.run(70)
    assert [alert.resolve_reason for notification in world.told for alert in notification.alerts][-1] == (
        "the kitchen was closed"
    )


def test_a_rule_without_a_resolve_condition_ends_as_in_prometheus() -> None:
    world = World(rules_of(Rule("Plain", "heat > 90", for_="10s"), Rule("Kept", "heat > 90", keep_firing_for="30s")))
    world.put("heat", 95, place="kitchen")
    world.run(20)
    assert world.firing == {"Plain", "Kept"}
    world.drop("heat")
    world.run(5)
    assert world.firing == {"Kept"}
    world.run(25)
    assert world.firing == {"Kept"}
    world.run(5)
    assert world.firing == set()


def test_a_value_that_merely_changes_is_shown_and_not_written() -> None:
    world = hot()
    world.run(20)
    world.put("heat", 99, place="kitchen")
    assert not world.tick()
    assert world.alert("Hot").value == 99.0
    assert world.alert("Hot").annotations == {"summary": "kitchen is at 99"}


def test_what_is_written_when_it_fires_is_described() -> None:
    world = hot()
    world.run(15)
    assert world.kept[world.alert("Hot").id].annotations == {"summary": "kitchen is at 95"}


def test_a_rule_that_fails_keeps_its_alerts_and_lets_the_others_work() -> None:
    world = World(rules_of(Rule("Ratio", "heat / on (room) cold > 2"), WARM))
    world.put("heat", 90, place="a", room="1")
    world.put("cold", 10, place="a", room="1")
    world.run(10)
    assert world.firing == {"Ratio", "Warm"}
    world.put("cold", 10, place="b", room="1")
    world.run(600)
    assert world.firing == {"Ratio", "Warm"}
    states = {state.rule: state for state in world.lifecycle.rule_states()}
    assert (states["Ratio"].health, states["Warm"].health) == ("err", "ok")
    assert states["Ratio"].last_error
    world.drop("cold", place="b")
    world.run(5)
    assert {state.health for state in world.lifecycle.rule_states()} == {"ok"}


def test_an_internal_error_in_a_rule_is_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    world = hot(WARM)
    world.run(20)

    def broken(self: object, store: object, at: float, *, watched: bool) -> None:
        raise RuntimeError("broken")

    evaluate = type(HOT.compiled).evaluate
    monkeypatch.setattr(
        type(HOT.compiled),
        "evaluate",
        lambda self, *a, **k: broken(self, *a, **k) if self.name == "Hot" else evaluate(self, *a, **k),
    )
    world.run(20)
    states = {state.rule: state for state in world.lifecycle.rule_states()}
    assert (states["Hot"].health, states["Hot"].last_error) == ("err", "internal error: RuntimeError")
    assert (states["Hot"].state, states["Warm"].health) == ("firing", "ok")


def test_how_a_rule_stands() -> None:
    world = hot()
    (state,) = world.lifecycle.rule_states()
    assert (state.state, state.health, state.last_evaluation) == ("inactive", "unknown", None)
    world.run(5)
    (state,) = world.lifecycle.rule_states()
    assert (state.state, state.health, state.last_evaluation) == ("pending", "ok", world.at)
    assert (state.rule, state.expr, state.for_seconds, state.severity) == ("Hot", "heat > 90", 10.0, Severity.CRITICAL)
    assert state.evaluation_seconds is not None
    assert [alert.rule for alert in state.alerts] == ["Hot"]
    world.run(10)
    assert world.lifecycle.rule_states()[0].state == "firing"


def test_a_group_is_evaluated_at_its_interval() -> None:
    text = "groups: [{name: slow, interval: 1m, rules: [{alert: Slow, expr: heat > 90}]}]"
    world = World(RuleSet(parse_rules(text)))
    world.run(5)
    world.put("heat", 95, place="kitchen")
    world.run(55)
    assert world.firing == set()
    world.run(5)
    assert world.firing == {"Slow"}


def test_recording_rules_feed_the_rules_behind_them_and_end_their_series() -> None:
    text = """
groups:
  - name: recorded
    rules:
      - record: heat:max
        expr: max(heat)
        labels: {kind: max}
      - alert: TooHot
        expr: heat:max > 90
"""
    world = World(RuleSet(parse_rules(text)))
    world.put("heat", 95, place="kitchen")
    world.run(5)
    assert dict(world.alert("TooHot").labels) == {"alertname": "TooHot", "kind": "max"}
    world.drop("heat")
    world.run(5)
    assert world.alerts() == []


# Telling


def test_a_storm_is_one_message_then_one_each_interval() -> None:
    world = World(rules_of(PLAIN))
    for index in range(300):
        world.put("heat", 95, place=str(index))
    world.run(5)
    (message,) = world.told
    assert (len(message.alerts), message.omitted) == (300, 0), (
        "what one receiver is shown of it is cut where it is routed"
    )
    for index in range(300, 310):
        world.put("heat", 95, place=str(index))
        world.run(5)
    assert len(world.told) == 1
    world.run(10)
    assert len(world.told) == 2
    assert len(world.told[1].alerts) == 10


def test_worst_first_in_a_message() -> None:
    rules = rules_of(
        Rule("Hot", "heat > 90", labels={"severity": "{{ if eq $labels.place `b` }}critical{{ else }}info{{ end }}"})
    )
    world = World(rules)
    for place in "abc":
        world.put("heat", 95, place=place)
    world.run(5)
    assert [alert.labels["place"] for alert in world.told[0].alerts] == ["b", "a", "c"]
    assert world.told[0].alerts[0].severity is Severity.CRITICAL
    assert "severity" not in world.told[0].alerts[0].labels


def test_reminders_come_every_four_hours_while_nobody_owns_it() -> None:
    world = hot(step=60)
    world.run(4 * 3600 + 180)
    assert world.words == [("Hot", "firing"), ("Hot", "reminder")]
    world.acknowledge("Hot")
    world.run(9 * 3600)
    assert len(world.told) == 2


def test_alerts_that_began_apart_are_reminded_of_together() -> None:
    world = hot(step=60)
    world.run(120)
    world.put("heat", 95, place="hall")
    world.run(4 * 3600 + 120)
    assert world.words == [("Hot", "firing"), ("Hot", "firing"), ("Hot", "reminder")]
    assert len(world.told[-1].alerts) == 2


def test_a_recurrence_in_the_cooldown_is_listed_at_once_and_told_when_the_cooldown_ends() -> None:
    world = World(rules_of(WARM))
    world.put("heat", 60, place="kitchen")
    world.run(60)
    world.put("heat", 40, place="kitchen")
    world.run(5)
    ended_at = world.at
    world.put("heat", 60, place="kitchen")
    world.run(10)
    assert world.state("Warm") is AlertState.FIRING
    world.run(ended_at + 295 - world.at)
    assert [word for word in world.words if word[1] == "firing"] == [("Warm", "firing")]
    world.run(5)
    assert world.words == [("Warm", "firing"), ("Warm", "resolved"), ("Warm", "firing")]


def test_what_recurs_is_told_once_a_cooldown_and_not_hidden_for_ever() -> None:
    world = World(rules_of(WARM), flapping=FlappingPolicy(count=0))
    world.put("heat", lambda elapsed: 60 if elapsed % 60 < 30 else 40, place="kitchen")
    world.run(1200)
    firing = [notification.created_at for notification in world.told if notification.occasion == "firing"]
    assert 3 <= len(firing) <= 4
    assert len(world.audit) > 30


def test_critical_alerts_have_no_cooldown() -> None:
    world = World(rules_of(PLAIN))
    for heat in (95, 20, 95, 20):
        world.put("heat", heat, place="kitchen")
        world.run(60)
    assert [occasion for _, occasion in world.words] == ["firing", "resolved"] * 2


def test_a_rules_own_cooldown_takes_precedence() -> None:
    world = World(rules_of(Rule("Warm", "heat > 50", annotations={"dozor_cooldown": "0s"})))
    for heat in (60, 20, 60):
        world.put("heat", heat, place="kitchen")
        world.run(65)
    assert [occasion for _, occasion in world.words] == ["firing", "resolved", "firing"]


def test_inhibition_precedes_and_people_are_told_if_the_inhibitor_ends_without_firing() -> None:
    cause = Rule("Cause", "fire > 0", for_="60s", labels={"severity": "critical"})
    effect = Rule(
        "Effect", "heat > 90", for_="10s", labels={"severity": "critical"},
        annotations={"dozor_inhibited_by": "Cause(place)"},
    )  # fmt: skip
    world = World(rules_of(effect, cause))
    world.put("heat", 95, place="kitchen")
    world.put("heat", 95, place="hall")
    world.put("fire", 1, place="kitchen")
    world.run(30)
    quiet = {alert.labels["place"]: alert.inhibited_by for alert in world.alerts("Effect")}
    assert quiet == {"kitchen": ("Cause",), "hall": ()}
    assert [len(notification.alerts) for notification in world.told] == [1]
    world.drop("fire")
    world.run(60)
    assert [alert.labels["place"] for alert in world.told[-1].alerts] == ["kitchen"]
    (kitchen,) = [alert for alert in world.alerts("Effect") if alert.labels["place"] == "kitchen"]
    assert world.events(kitchen.id) == ["pending", "inhibited", "fired", "no longer inhibited"]


def test_escalation_by_value_is_told_even_of_an_owned_alert_and_in_a_cooldown() -> None:
    world = World(rules_of(Rule("Warm", "heat > 50", annotations={"dozor_escalate_when": "heat > 99"})))
    for heat in (60, 20, 60):
        world.put("heat", heat, place="kitchen")
        world.run(65)
    world.acknowledge("Warm")
    world.put("heat", 100, place="kitchen")
    world.run(5)
    assert world.alert("Warm").severity is Severity.EMERGENCY
    assert world.words[-1] == ("Warm", "escalated")
    world.put("heat", 60, place="kitchen")
    world.run(600)
    assert world.alert("Warm").severity is Severity.EMERGENCY


# By people


def test_an_unknown_alert_and_forbidden_actions() -> None:
    world = hot()
    world.run(5)
    alert = world.alert("Hot")
    for action in (world.lifecycle.acknowledge, world.lifecycle.silence, world.lifecycle.resolve):
        with pytest.raises(AlertNotFound, match="nothing"):
            action("nothing", world.at)
    for action in (world.lifecycle.acknowledge, world.lifecycle.resolve):
        with pytest.raises(ActionForbidden, match="PENDING"):
            action(alert.id, world.at)
    world.run(15)
    world.resolve("Hot")
    for action in (world.lifecycle.acknowledge, world.lifecycle.silence, world.lifecycle.resolve):
        with pytest.raises(ActionForbidden, match="RESOLVED"):
            action(alert.id, world.at)
    found = world.lifecycle.get(alert.id)
    assert found is not None
    assert found.state is AlertState.RESOLVED


def test_an_acknowledged_alert_is_owned_and_its_end_is_told() -> None:
    world = hot()
    world.run(20)
    owned = world.acknowledge("Hot", "ann")
    assert owned.state is AlertState.ACKNOWLEDGED
    assert world.acknowledge("Hot", "bob").acknowledged.by == "bob"  # type: ignore[union-attr]
    world.put("heat", 10, place="kitchen")
    world.run(70)
    assert world.words == [("Hot", "firing"), ("Hot", "resolved")]
    assert [(entry.event, entry.by) for entry in world.audit if entry.by] == [
        ("acknowledged", "ann"),
        ("acknowledged", "bob"),
    ]


def test_a_silence_keeps_people_in_peace_and_its_end_tells_them() -> None:
    world = hot(reminder_interval_seconds=600)
    world.run(20)
    silenced = world.silence("Hot", 3600)
    assert silenced.state is AlertState.SILENCED
    assert world.lifecycle.active() == [silenced]
    world.run(3595)
    assert len(world.told) == 1
    world.run(10)
    assert world.words == [("Hot", "firing"), ("Hot", "firing")]
    assert world.state("Hot") is AlertState.FIRING


def test_the_end_of_a_silence_is_no_news_to_an_owner() -> None:
    world = hot()
    world.run(20)
    world.acknowledge("Hot")
    world.silence("Hot", 60)
    world.run(600)
    assert world.state("Hot") is AlertState.ACKNOWLEDGED
    assert len(world.told) == 1


def test_a_new_silence_replaces_the_old() -> None:
    world = hot()
    world.run(20)
    world.silence("Hot", 60)
    world.silence("Hot", None)
    world.run(7200)
    assert world.state("Hot") is AlertState.SILENCED
    assert len(world.told) == 1


def test_in_a_silence_only_the_end_of_what_was_told_is_told() -> None:
    world = hot()
    world.run(20)
    world.silence("Hot", None)
    world.put("heat", 10, place="kitchen")
    world.run(120)
    assert world.words == [("Hot", "firing"), ("Hot", "resolved")]
    untold = hot()
    untold.run(5)
    assert untold.silence("Hot", None).state is AlertState.SILENCED
    untold.run(60)
    untold.put("heat", 10, place="kitchen")
    untold.run(120)
    assert untold.told == []


def test_a_silence_must_end_in_the_future() -> None:
    world = hot()
    world.run(20)
    with pytest.raises(ConfigurationError, match="before it begins"):
        world.lifecycle.silence(world.alert("Hot").id, world.at, world.at - 3600)


def test_an_alert_closed_by_hand_comes_back_as_a_new_one_if_its_condition_holds_on() -> None:
    world = hot()
    world.run(20)
    closed = world.resolve("Hot")
    assert closed.state is AlertState.RESOLVED
    world.run(295)
    assert world.alerts() == []
    world.run(10)
    again = world.alert("Hot")
    assert again.state is AlertState.FIRING
    assert again.id != closed.id
    assert world.words == [("Hot", "firing"), ("Hot", "resolved"), ("Hot", "firing")]


def test_an_alert_closed_by_hand_whose_condition_ended_may_come_back_at_once() -> None:
    world = hot()
    world.run(20)
    world.resolve("Hot")
    world.put("heat", 10, place="kitchen")
    world.run(20)
    world.put("heat", 95, place="kitchen")
    world.run(15)
    assert world.state("Hot") is AlertState.FIRING


# Over a restart


def test_a_pending_alert_goes_on_waiting_over_a_restart() -> None:
    world = World(rules_of(Rule("Slow", "heat > 90", for_="10m", labels={"severity": "critical"})))
    world.put("heat", 95, place="kitchen")
    world.run(300)
    pending = world.alert("Slow")
    world.restart(down_seconds=60)
    world.run(240)
    assert world.state("Slow") is AlertState.PENDING
    world.run(10)
    assert world.alert("Slow").id == pending.id
    assert world.state("Slow") is AlertState.FIRING


def test_a_pending_alert_waits_for_its_series_after_a_restart_but_not_for_ever() -> None:
    world = hot()
    world.run(5)
    world.drop("heat")
    world.restart()
    world.run(250)
    assert world.state("Hot") is AlertState.PENDING
    world.run(60)
    assert world.alerts() == []


def test_after_a_long_time_away_waiting_begins_anew() -> None:
    world = hot()
    world.run(5)
    before = world.alert("Hot")
    world.restart(down_seconds=2 * 3600)
    world.run(5)
    assert world.state("Hot") is AlertState.PENDING
    assert world.alert("Hot").id != before.id


@pytest.mark.parametrize("action", ["none", "acknowledge", "silence"])
def test_a_restart_repeats_nothing_and_forgets_nothing(action: str) -> None:
    world = hot()
    world.run(20)
    if action == "acknowledge":
        world.acknowledge("Hot")
    elif action == "silence":
        world.silence("Hot", None)
    state = world.state("Hot")
    for _ in range(3):
        world.restart(down_seconds=30)
        world.run(120)
    assert world.state("Hot") is state
    assert len(world.told) == 1
    assert world.lifecycle.total_fired == 1
    world.put("heat", 10, place="kitchen")
    world.run(120)
    assert world.words == [("Hot", "firing"), ("Hot", "resolved")]


def test_a_cooldown_and_a_closed_alert_outlive_a_restart() -> None:
    world = World(rules_of(WARM, HOT))
    world.put("heat", 95, place="kitchen")
    world.run(65)
    world.resolve("Hot")
    world.put("heat", 40, place="hall")
    world.resolve("Warm")
    world.run(65)
    world.restart(down_seconds=10)
    world.run(120)
    assert world.alerts() == []
    world.run(120)
    assert world.firing == {"Hot", "Warm"}


def test_the_end_that_nobody_was_told_of_is_told_after_a_restart() -> None:
    world = hot()
    world.run(20)
    world.put("heat", 10, place="kitchen")
    world.run(25)
    assert len(world.told) == 1
    world.restart()
    world.run(60)
    assert world.words == [("Hot", "firing"), ("Hot", "resolved")]
    world.restart()
    world.run(120)
    assert len(world.told) == 2


def test_the_alerts_of_a_rule_that_is_no_more_end() -> None:
    world = hot()
    world.run(20)
    world.put("heat", 95, place="hall")
    world.run(5)
    world.rules = rules_of(WARM)
    world.restart()
    world.run(5)
    assert world.firing == {"Warm"}
    (ended,) = [alert for alert in world.kept.values() if alert.rule == "Hot"]
    assert ended.resolve_reason == "its rule was removed"
    assert ("Hot", "resolved") in world.words


def test_an_alert_without_traffic_since_a_restart_ends() -> None:
    world = hot()
    world.run(20)
    world.drop("heat")
    world.restart()
    world.run(590)
    assert world.alert("Hot").no_data
    world.run(20)
    assert world.alerts() == []


def test_what_began_while_the_database_was_away_goes_on_as_the_alert_that_was_kept() -> None:
    world = hot()
    world.run(20)
    first = world.alert("Hot")
    kept, world.kept = world.kept, {}
    world.restart()
    world.run(20)
    assert world.alert("Hot").id != first.id
    world.lifecycle.restore(kept.values(), total_fired=1)
    world.kept.update(kept)
    world.run(120)
    assert world.alert("Hot").id == first.id
    assert [alert.id for alert in world.kept.values() if alert.resolved_at is None] == [first.id]
    assert world.words == [("Hot", "firing")] * 2


def test_rules_that_share_a_name_keep_their_own_alerts() -> None:
    text = """
groups:
  - name: disk
    rules:
      - {alert: Filling, expr: full > 50, labels: {severity: warning}}
      - {alert: Filling, expr: full > 90, labels: {severity: critical}}
"""
    world = World(RuleSet(parse_rules(text)))
    world.put("full", 95, disk="a")
    world.run(5)
    assert [alert.severity.value for alert in world.alerts()] == ["CRITICAL", "WARNING"]
    assert len(world.told) == 1
    world.restart()
    world.put("full", 60, disk="a")
    world.run(5)
    assert [alert.severity.value for alert in world.alerts()] == ["WARNING"]


def test_the_families_count_by_rule_severity_and_state() -> None:
    world = hot(WARM)
    world.run(20)
    world.silence("Warm", None)
    found = {
        (sample.name, *(text for _, text in sample.labels.pairs)): sample.value
        for family in world.lifecycle.families()
        for sample in family.samples
    }
    assert found == {
        ("active_alerts_count",): 2.0,
        ("total_alerts_count",): 2.0,
        ("dozor_alerts", "Hot", "critical", "FIRING"): 1.0,
        ("dozor_alerts", "Warm", "warning", "SILENCED"): 1.0,
    }


def test_evidence_is_taken_when_an_alert_fires() -> None:
    from dozor.alerts import Lifecycle

    world = hot()
    taken: list[str] = []

    def evidence(alert: object) -> dict[str, object]:
        taken.append("once")
        return {"holders": ["app.py:12"]}

    world.lifecycle = Lifecycle(world.rules, evidence=evidence)
    world.run(60)
    assert taken == ["once"]
    assert world.kept[world.alert("Hot").id].evidence == {"holders": ["app.py:12"]}


def test_an_alert_carries_what_its_value_is_compared_with() -> None:
    world = hot(Rule("Odd", "heat"))
    world.run(5)
    assert (world.alert("Hot").threshold, world.alert("Odd").threshold) == ("> 90", None)


def test_the_end_of_what_was_told_is_told_although_its_rule_is_no_more() -> None:
    world = hot()
    world.run(20)
    world.put("heat", 20, place="kitchen")
    world.run(25)
    assert world.words == [("Hot", "firing")]
    world.rules = rules_of(WARM)
    world.restart()
    world.run(60)
    assert world.words == [("Hot", "firing"), ("Hot", "resolved")]


def test_nobody_acknowledges_and_it_escalates_once_out_of_a_cooldown_too() -> None:
    slow = Rule("Slow", "heat > 90", annotations={"dozor_cooldown": "1h", "dozor_escalate": "5m: emergency"})
    world = World(rules_of(slow))
    for heat in (95, 20, 95):
        world.put("heat", heat, place="kitchen")
        world.run(70)
    assert world.words == [("Slow", "firing"), ("Slow", "resolved")]
    world.run(600)
    assert world.words[2:] == [("Slow", "escalated")]
    assert world.alert("Slow").severity is Severity.EMERGENCY


def test_an_owner_hears_no_reminder_and_no_escalation_by_time() -> None:
    slow = Rule("Slow", "heat > 90", annotations={"dozor_escalate": "5m: emergency"})
    world = World(rules_of(slow), step=60.0)
    world.put("heat", 95, place="kitchen")
    world.run(120)
    world.acknowledge("Slow")
    world.run(5 * 3600)
    assert world.words == [("Slow", "firing")]
    assert world.updates == [("Slow", "acknowledged")]


def test_an_update_about_a_storm_is_one_message() -> None:
    world = World(rules_of(PLAIN))
    for number in range(150):
        world.put("heat", 95, place=f"room {number}")
    world.run(10)
    _, changes = world.lifecycle.create_silence(world.at, matchers=["alertname=Plain"], ends_at=world.at + 60)
    (update,) = changes.notifications
    assert (len(update.alerts), update.omitted) == (150, 0)
