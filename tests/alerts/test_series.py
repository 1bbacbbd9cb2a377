"""`ALERTS` and `ALERTS_FOR_STATE`."""

from tests.alerts.world import START, World, rules_of

from dozor.alerts.series import AlertSeries
from dozor.alerts.tracking import RuleTrack
from dozor.model.labels import Labels
from dozor.promql import compile_query
from dozor.rules import Rule, RuleSet, parse_rules

HOT = Rule("Hot", "temperature > 90", for_="10s", labels={"severity": "page", "team": "ops"})


def the(world: World, expr: str) -> dict[str, float]:
    """What *expr* gives now."""
    return {str(labels): value for labels, value in compile_query(expr).instant(world.store, world.at)}


def test_an_alert_is_a_series_from_pending_to_its_end() -> None:
    world = World(rules_of(HOT))
    world.put("temperature", 95, room="a")
    world.tick()
    labels = 'room="a", severity="page", team="ops"}'
    assert the(world, "ALERTS") == {'ALERTS{alertname="Hot", alertstate="pending", ' + labels: 1}
    began = world.at
    world.run(10)
    assert the(world, "ALERTS") == {'ALERTS{alertname="Hot", alertstate="firing", ' + labels: 1}
    assert the(world, "ALERTS_FOR_STATE") == {'ALERTS_FOR_STATE{alertname="Hot", ' + labels: began}
    world.put("temperature", 20, room="a")
    world.tick()
    assert the(world, '{__name__=~"ALERTS.*"}') == {}


def test_its_severity_is_the_label_as_it_is_written_and_none_where_there_is_none() -> None:
    templated = Rule("Templated", "temperature > 90", labels={"severity": "{{ $labels.room }}"})
    world = World(rules_of(templated, Rule("Plain", "temperature > 90")))
    world.put("temperature", 95, room="critical")
    world.tick()
    assert the(world, 'count by (alertname, severity) (ALERTS{alertstate="firing"})') == {
        '{alertname="Templated", severity="critical"}': 1,
        '{alertname="Plain"}': 1,
    }


def test_rules_read_them_in_the_evaluation_that_wrote_them() -> None:
    world = World(rules_of(HOT, Rule("Both", 'count(ALERTS{alertname="Hot"}) > 1')))
    for room in "ab":
        world.put("temperature", 95, room=room)
    world.tick()
    assert sorted(alert.rule for alert in world.alerts()) == ["Both", "Hot", "Hot"]


def test_after_a_restart_the_clock_is_the_old_one_before_and_after_the_series_is_back() -> None:
    world = World(rules_of(HOT))
    world.put("temperature", 95, room="a")
    world.run(20)
    (began,) = the(world, "ALERTS_FOR_STATE").values()
    world.drop("temperature")
    world.restart(down_seconds=30)
    world.tick()
    before = the(world, "ALERTS_FOR_STATE")
    assert list(before.values()) == [began]
    world.put("temperature", 95, room="a")
    world.tick()
    assert the(world, "ALERTS_FOR_STATE") == before


def test_a_rule_that_cannot_be_evaluated_leaves_its_alerts_as_they_are() -> None:
    world = World(rules_of(Rule("Fragile", "temperature > on(room) limit")))
    world.put("temperature", 95, room="a")
    world.put("limit", 90, room="a", shelf="1")
    world.tick()
    world.put("limit", 90, room="a", shelf="2")
    world.run(600)
    (state,) = world.lifecycle.rule_states()
    assert state.health == "err"
    assert len(the(world, 'ALERTS{alertstate="firing"}')) == 1


def test_with_a_query_offset_they_are_written_where_the_expression_looked() -> None:
    (group,) = parse_rules(
        "groups: [{name: late, query_offset: 60s, rules: "
        "[{alert: Hot, expr: temperature > 90}, {record: hot, expr: temperature > 90}]}]"
    )
    world = World(RuleSet([group]))
    world.put("temperature", 95)
    world.run(120)
    newest = compile_query("max by (__name__) (timestamp({__name__=~'ALERTS|hot'}))")
    assert {value for _, value in newest.instant(world.store, world.at)} == {world.at - 60}


def test_thousands_of_alerts_do_not_take_the_store() -> None:
    world = World(rules_of(HOT), step=15)
    for number in range(1_500):
        world.series["temperature", Labels(room=str(number))] = 95.0
    world.store = type(world.store)(max_bytes=64 * 2**20, max_series=20_000)
    world.run(30)
    assert the(world, "count(ALERTS)") == {"{}": 1000}
    assert world.lifecycle.alerts_without_series == 500
    for number in range(300):
        world.drop("temperature", room=str(number))
    world.tick()
    assert the(world, "count(ALERTS)") == {"{}": 1000}


def test_room_that_one_rule_leaves_is_anothers() -> None:
    world = World(rules_of(HOT))
    series, (track,) = AlertSeries(most=1), world.lifecycle._book.tracks
    world.put("temperature", 95, room="a")
    world.tick()
    other = RuleTrack(track.rule)
    other.open = track.open
    series.write(track, world.store, START + 100)
    series.write(other, world.store, START + 100)
    assert series.count == 1
    series.end(track, world.store, START + 101)
    series.write(other, world.store, START + 102)
    assert series.count == 1
