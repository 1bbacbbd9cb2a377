"""Why a rule fires, or does not."""

import pytest
from tests.alerts.world import World, rules_of

from dozor.errors import RuleNotFound
from dozor.model.rule import RuleExplanation
from dozor.rules import Rule, RuleSet, parse_rules


def explained(world: World, rule: str = "Hot") -> RuleExplanation:
    (found,) = world.lifecycle.explain(rule, lambda _: world.store, world.at)
    return found


def whys(world: World) -> dict[str, str]:
    return {one.labels["room"]: one.why for one in explained(world).series}


def a_world(**fields: object) -> World:
    rule = Rule(**{"alert": "Hot", "expr": "temperature > 90", "for_": "1m", **fields})  # type: ignore[arg-type]
    return World(rules_of(rule), group_interval_seconds=0.0)


def test_what_does_not_fire_says_how_far_it_is_the_nearest_first() -> None:
    world = a_world()
    world.put("temperature", 42, room="a")
    world.put("temperature", 89.5, room="b")
    world.tick()
    found = explained(world)
    assert [(one.labels["room"], one.value, one.exceeds, one.distance, one.state) for one in found.series] == [
        ("b", 89.5, False, 0.5, "inactive"),
        ("a", 42.0, False, 48.0, "inactive"),
    ]
    assert found.series[1].why == "42 is not > 90: 48 away"
    assert found.why == "its condition holds for no series"
    assert found.state.threshold == "> 90"


def test_before_the_first_evaluation_and_without_series_it_says_so() -> None:
    world = a_world()
    assert explained(world).why == "it has not been evaluated yet"
    world.tick()
    assert (explained(world).why, explained(world).missing) == (
        "there is no series called temperature",
        ("temperature",),
    )


def test_what_waits_says_how_long_and_what_fires_when_it_began() -> None:
    world = a_world()
    world.put("temperature", 95, room="a")
    world.run(20)
    (one,) = explained(world).series
    assert (one.state, one.for_left_seconds, one.exceeds) == ("pending", 45.0, True)
    assert one.why == "the condition holds; it fires in 45s if that lasts"
    world.run(60)
    (one,) = explained(world).series
    assert (one.state, one.why) == ("firing", "it fires")
    assert explained(world).why == "1 firing, 0 pending"


def test_the_rest_of_an_expression_can_hold_it_back() -> None:
    world = a_world(expr="temperature > 90 and on(room) occupied == 1")
    world.put("temperature", 95, room="a")
    world.put("occupied", 0, room="a")
    world.tick()
    assert whys(world) == {"a": "95 is > 90, but the rest of the expression does not hold"}


@pytest.mark.parametrize("expr", ["90 < temperature", "(temperature) > 60 + 30", "90 < temperature < 200"])
def test_it_does_not_matter_how_the_comparison_is_written(expr: str) -> None:
    world = a_world(expr=expr)
    world.put("temperature", 42, room="a")
    world.tick()
    assert whys(world) == {"a": "42 is not > 90: 48 away"}


def test_an_expression_without_a_comparison_is_explained_by_its_alerts() -> None:
    world = a_world(expr="absent(temperature)", for_="10s")
    world.tick()
    (one,) = explained(world).series
    assert (one.state, one.value, one.exceeds) == ("pending", 1.0, None)
    world.put("temperature", 42, room="a")
    world.tick()
    assert explained(world).series == ()


def test_between_two_thresholds_and_on_the_way_to_its_end() -> None:
    world = a_world(annotations={"dozor_resolve": "temperature <= 80", "dozor_resolve_for": "30s"})
    world.put("temperature", 95, room="a")
    world.run(90)
    world.put("temperature", 85, room="a")
    world.tick()
    assert explained(world).resolve == "<= 80"
    assert whys(world) == {"a": "it fires; the value lies between its thresholds: it fires at > 90 and ends at <= 80"}
    world.put("temperature", 70, room="a")
    world.run(10)
    (one,) = explained(world).series
    assert one.clear_left_seconds == 25.0
    assert one.why == "it fires; its condition has ended, and it ends in 25s if that lasts"
    world.drop("temperature")
    world.tick()
    assert whys(world) == {"a": "it fires; there is no data for it any more, which does not end it"}


def test_who_keeps_it_quiet_is_named() -> None:
    world = World(
        rules_of(
            Rule("Hot", "temperature > 90", annotations={"dozor_inhibited_by": "Fire()"}), Rule("Fire", "smoke > 0")
        )
    )
    world.put("temperature", 95, room="a")
    world.run(10)
    (alert,) = world.alerts("Hot")
    world.lifecycle.silence(alert.id, world.at, until=world.at + 60)
    world.lifecycle.acknowledge(alert.id, world.at, by="anna")
    world.lifecycle.create_silence(world.at, matchers=['room="a"'])
    (by_matchers,) = world.lifecycle.silences()
    world.put("smoke", 1)
    world.tick()
    (one,) = explained(world).series
    assert (
        one.why
        == f"it fires; it is silenced for 55s more; silenced by {by_matchers.id}; kept quiet by Fire; anna has it"
    )


def test_what_was_closed_by_hand_says_when_it_may_come_back() -> None:
    world = a_world(for_=0)
    world.put("temperature", 95, room="a")
    world.run(10)
    world.lifecycle.resolve(world.alerts()[0].id, world.at)
    world.tick()
    (one,) = explained(world).series
    assert (one.state, one.closed_until) == ("closed", world.at + 295)
    assert one.why == "it was closed by hand; it comes back in 4m55s if its condition still holds"


def test_in_a_cooldown_it_says_when_people_hear_of_it() -> None:
    world = a_world(for_=0)
    world.put("temperature", 95, room="a")
    world.run(10)
    world.put("temperature", 20, room="a")
    world.tick()
    (one,) = explained(world).series
    assert one.quiet_until == world.at + 300
    world.put("temperature", 95, room="a")
    world.tick()
    assert whys(world) == {"a": "it fires; it ended so lately that people are told in 4m55s"}


def test_a_rule_that_cannot_be_evaluated_says_why() -> None:
    world = a_world(expr="temperature > on(room) limit")
    for shelf in "12":
        world.put("limit", 90, room="a", shelf=shelf)
    world.put("temperature", 95, room="a")
    world.tick()
    assert explained(world).why.startswith("it cannot be evaluated: ")


def test_a_series_of_a_rule_that_cannot_be_evaluated_is_not_said_to_be_in_order() -> None:
    text = "groups: [{name: a, limit: 1, rules: [{alert: Hot, expr: temperature > 90}]}]"
    world = World(RuleSet(parse_rules(text)))
    for room in "ab":
        world.put("temperature", 95, room=room)
    world.tick()
    assert set(whys(world).values()) == {"nobody knows: the rule cannot be evaluated"}
    (complaint,) = world.lifecycle.complaints()
    assert complaint.startswith("The rule Hot cannot be evaluated, so its alerts stay as they are: the group allows 1 ")
    world.drop("temperature", room="b")
    world.tick()
    assert world.lifecycle.complaints() == []


def test_a_ratio_without_traffic_is_no_number() -> None:
    world = a_world(expr="errors / requests > 0.05")
    world.put("errors", 0, room="a")
    world.put("requests", 0, room="a")
    world.tick()
    assert whys(world)["a"].startswith("its value is no number now")
    assert explained(world).series[0].distance is None


def test_of_many_series_the_nearest_are_shown() -> None:
    world = a_world()
    for number in range(150):
        world.put("temperature", number / 2, room=f"{number:03}")
    world.tick()
    found = explained(world)
    assert (len(found.series), found.total, found.series[0].labels["room"]) == (100, 150, "149")


def test_a_name_that_is_almost_right_is_guessed() -> None:
    with pytest.raises(RuleNotFound, match="did you mean Hot"):
        explained(a_world(), "Hott")


def test_a_metric_that_is_missing_is_no_reason_where_the_expression_gives_something_all_the_same() -> None:
    world = a_world(expr="(sum(temperature) or vector(0)) > 90")
    world.tick()
    found = explained(world)
    assert (found.why, found.missing) == ("its condition holds for no series", ("temperature",))
