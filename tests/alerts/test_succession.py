"""Rules are replaced while alerts are open."""

from tests.alerts.world import World, rules_of

from dozor.alerts.succession import RULE_CHANGED, RULE_REMOVED
from dozor.model.alert import Alert, AlertState, Severity
from dozor.model.rule import RuleChanges
from dozor.promql import compile_query
from dozor.rules import Rule, RuleSet, parse_rules


def hot(**fields: object) -> Rule:
    return Rule(**{"alert": "Hot", "expr": "temperature > 90", "for_": "30s", **fields})  # type: ignore[arg-type]


COLD = Rule("Cold", "temperature < 10")


def replace(world: World, rules: RuleSet) -> RuleChanges:
    world.rules = rules
    changed, changes = world.lifecycle.replace_rules(rules, world.store, world.at + 1)
    world.take(changes)
    return changed


def a_world(*rules: Rule, fired: bool = True) -> World:
    """One in which an alert of `Hot` fires, or is pending."""
    world = World(rules_of(*rules), group_interval_seconds=0.0)
    world.put("temperature", 95, room="a")
    world.run(60 if fired else 20)
    return world


def only(world: World) -> Alert:
    (alert,) = world.alerts()
    return alert


def test_what_was_not_changed_goes_on_untouched_and_pending_clocks_run_on() -> None:
    world = a_world(hot(), fired=False)
    before = only(world)
    assert replace(world, rules_of(hot(), COLD)) == RuleChanges(rules=2, added=("Cold",))
    assert only(world) is before
    world.run(15)
    after = only(world)
    assert (after.id, after.state) == (before.id, AlertState.FIRING)
    assert after.fired_at == before.active_at + 30
    assert not replace(world, rules_of(hot(), COLD))


def test_a_line_that_moved_is_no_change() -> None:
    text = "groups: [{name: a, rules: [{alert: Hot, expr: temperature > 90, for: 30s}]}]"
    world = World(RuleSet(parse_rules(text, "a.yml")))
    world.put("temperature", 95)
    world.run(60)
    assert not replace(world, RuleSet(parse_rules("# new\n\n" + text, "a.yml")))


def test_the_alerts_of_a_rule_that_is_gone_end_with_that_reason_and_people_hear_of_it() -> None:
    world = a_world(hot(), COLD)
    alert = only(world)
    assert replace(world, rules_of(COLD)).removed == ("Hot",)
    assert world.alerts() == []
    assert world.kept[alert.id].resolve_reason == RULE_REMOVED
    assert world.words == [("Hot", "firing"), ("Hot", "resolved")]
    assert compile_query('{__name__=~"ALERTS.*"}').instant(world.store, world.at + 1) == []
    world.run(60)
    assert world.words == [("Hot", "firing"), ("Hot", "resolved")]


def test_a_pending_alert_of_a_rule_that_is_gone_is_forgotten() -> None:
    world = a_world(hot(), fired=False)
    replace(world, rules_of(COLD))
    assert (world.alerts(), world.kept, world.words) == ([], {}, [])


def test_an_end_that_people_have_not_heard_of_is_told_when_its_rule_goes() -> None:
    world = World(rules_of(hot(), COLD), group_interval_seconds=600.0)
    world.put("temperature", 95, room="a")
    world.run(60)
    world.put("temperature", 20, room="a")
    world.run(10)
    assert world.words == [("Hot", "firing")]
    replace(world, rules_of(COLD))
    assert world.words == [("Hot", "firing"), ("Hot", "resolved")]


def test_an_alert_of_a_changed_rule_goes_on_while_its_labels_could_be_the_rules_own() -> None:
    world = a_world(hot())
    before = only(world)
    assert replace(world, rules_of(hot(expr="temperature > 94"))).changed == ("Hot",)
    world.run(60)
    after = only(world)
    assert (after.id, after.threshold, after.no_data) == (before.id, "> 94", False)
    assert world.words == [("Hot", "firing")]


def test_it_ends_where_the_changed_condition_does_not_hold() -> None:
    world = a_world(hot())
    replace(world, rules_of(hot(expr="temperature > 99")))
    world.run(10)
    assert world.alerts() == []
    assert world.words == [("Hot", "firing"), ("Hot", "resolved")]


def test_it_ends_where_the_rules_labels_are_others_now_and_a_new_one_begins() -> None:
    world = a_world(hot())
    before = only(world)
    replace(world, rules_of(hot(labels={"team": "ops"})))
    assert world.kept[before.id].resolve_reason == RULE_CHANGED
    world.run(5)
    assert (only(world).labels["team"], only(world).state) == ("ops", AlertState.PENDING)


def test_an_alert_about_another_metric_than_the_rule_now_ends_in_time() -> None:
    end = {"dozor_resolve": "humidity < 50"}
    world = a_world(hot(annotations={"dozor_resolve": "temperature < 50"}))
    replace(world, rules_of(hot(expr="humidity > 90", annotations=end)))
    world.put("humidity", 70, room="b")
    world.run(590)
    assert only(world).no_data
    world.run(30)
    assert world.alerts() == []


def test_a_rule_made_severer_lifts_its_alerts_and_people_hear_of_it() -> None:
    world = a_world(hot(labels={"severity": "warning"}))
    replace(world, rules_of(hot(labels={"severity": "critical"})))
    assert only(world).severity is Severity.CRITICAL
    world.run(10)
    assert world.words == [("Hot", "firing"), ("Hot", "escalated")]
    replace(world, rules_of(hot(labels={"severity": "info"})))
    world.run(10)
    assert only(world).severity is Severity.CRITICAL
    assert len(world.words) == 2


def test_a_pending_alert_takes_the_rules_new_severity_and_nothing_escalates() -> None:
    world = a_world(hot(labels={"severity": "critical"}), fired=False)
    replace(world, rules_of(hot(labels={"severity": "warning"})))
    world.run(30)
    assert only(world).severity is Severity.WARNING
    assert world.words == [("Hot", "firing")]


def test_of_two_rules_of_one_name_each_keeps_its_own_alerts() -> None:
    warm = hot(labels={"severity": "warning"})
    world = a_world(warm, hot(expr="temperature > 92", labels={"severity": "critical"}))
    kept = {alert.severity: alert.id for alert in world.alerts()}
    replace(world, rules_of(warm, hot(expr="temperature > 93", labels={"severity": "critical"})))
    world.run(30)
    assert {alert.severity: alert.id for alert in world.alerts()} == kept
    assert len(world.words) == 1


def test_what_was_closed_by_hand_stays_closed_and_cooldowns_last() -> None:
    world = a_world(hot())
    _, changes = world.lifecycle.resolve(only(world).id, world.at)
    world.take(changes)
    replace(world, rules_of(hot(expr="temperature > 91")))
    world.run(200)
    assert world.alerts() == []


def test_what_flaps_goes_on_to_flap() -> None:
    world = World(rules_of(hot(for_=0)), group_interval_seconds=0.0)
    for value in (95, 20) * 3:
        world.put("temperature", value, room="a")
        world.run(10)
    world.put("temperature", 95, room="a")
    world.run(10)
    assert only(world).flaps == 4
    replace(world, rules_of(hot(for_=0, expr="temperature > 91")))
    world.run(10)
    assert only(world).flaps == 4


def test_groups_keep_their_turn_and_series_of_a_recording_rule_that_is_gone_end() -> None:
    text = "groups: [{name: a, interval: 1m, rules: [%s]}]"
    record, other = "{record: heat, expr: temperature}", "{record: cold, expr: temperature}"
    world = World(RuleSet(parse_rules(text % record)))
    world.put("temperature", 95, room="a")
    world.run(30)
    replace(world, RuleSet(parse_rules(text % f"{record}, {other}")))
    assert compile_query("heat").instant(world.store, world.at) != []
    world.run(20)
    assert compile_query("cold").instant(world.store, world.at + 1) == []
    world.run(20)
    assert compile_query("cold").instant(world.store, world.at) != []
    changed = replace(world, RuleSet(parse_rules(text % other)))
    assert changed == RuleChanges(1, removed=("heat",))
    assert compile_query("heat").instant(world.store, world.at + 1) == []
    (group,) = world.lifecycle.rule_groups()
    assert (group.name, group.interval_seconds, len(group.rules)) == ("a", 60.0, 1)
    assert group.last_evaluation is not None


def test_an_alert_with_labels_that_the_rule_no_longer_gives_does_not_fire_for_ever() -> None:
    end = {"dozor_resolve": "temperature < 50"}
    world = a_world(hot(labels={"team": "ops"}, annotations=end), COLD)
    before = only(world)
    replace(world, rules_of(hot(annotations=end), COLD))
    world.run(700)
    assert world.kept[before.id].state is AlertState.RESOLVED
    assert "team" not in only(world).labels


def test_an_alert_of_a_rule_that_aggregates_otherwise_now_does_not_fire_for_ever() -> None:
    world = a_world(
        hot(expr="max by (room) (temperature) > 90", annotations={"dozor_resolve": "max by (room) (temperature) < 50"})
    )
    before = only(world)
    replace(world, rules_of(hot(expr="max(temperature) > 90", annotations={"dozor_resolve": "max(temperature) < 50"})))
    world.run(700)
    assert world.kept[before.id].state is AlertState.RESOLVED
    assert "room" not in only(world).labels


def test_an_alert_between_its_thresholds_goes_on_for_hours_after_its_rule_was_changed() -> None:
    end = {"dozor_resolve": "temperature < 50"}
    world = a_world(hot(annotations=end))
    before = only(world)
    replace(world, rules_of(hot(expr="temperature > 99", annotations=end)))
    world.run(3600)
    assert only(world).id == before.id
    assert not only(world).no_data


def test_a_rule_that_names_no_series_needs_none_to_end_its_alerts() -> None:
    world = World(rules_of(hot(expr="vector(7) > 3")))
    world.run(60)
    replace(world, rules_of(hot(expr="vector(7) > 8")))
    world.run(10)
    assert world.alerts() == []
