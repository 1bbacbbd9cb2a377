"""Inhibition by matchers has Alertmanager's semantics; it stands beside the inhibitors that rules name."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.alerts.world import World, rules_of

from dozor.alerts import InhibitRule
from dozor.alerts.book import AlertBook
from dozor.alerts.inhibition import Inhibition
from dozor.alerts.telling import Telling
from dozor.alerts.tracking import RuleTrack
from dozor.model.alert import Severity
from dozor.model.labels import Labels
from dozor.model.rule import Breach, Identity
from dozor.rules import Rule
from dozor.store.matchers import match_all, parse_matcher

CAUSE = Rule("Cause", "fire > 0", for_="60s", labels={"severity": "critical"})
EFFECT = Rule("Effect", "heat > 90", for_="10s")


def inhibit(source: Sequence[str], target: Sequence[str], *equal: str) -> InhibitRule:
    return InhibitRule(tuple(map(parse_matcher, source)), tuple(map(parse_matcher, target)), equal)


def world_of(*rules: InhibitRule) -> World:
    world = World(rules_of(EFFECT, CAUSE), inhibit=rules)
    world.put("heat", 95, place="kitchen")
    world.put("heat", 95, place="hall")
    world.put("fire", 1, place="kitchen")
    return world


def quiet(world: World, rule: str = "Effect") -> dict[str, tuple[str, ...]]:
    return {alert.labels["place"]: alert.inhibited_by for alert in world.alerts(rule)}


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (inhibit(["severity=critical"], ["severity=warning"], "place"), {"kitchen": ("Cause",), "hall": ()}),
        (inhibit(["severity=critical"], ["severity=warning"]), {"kitchen": ("Cause",), "hall": ("Cause",)}),
        (inhibit(["alertname=Cause"], ["place=hall"]), {"kitchen": (), "hall": ("Cause",)}),
        (inhibit(["alertname=Cause"], ["alertname=Effect"], "team"), {"kitchen": ("Cause",), "hall": ("Cause",)}),
        (inhibit(["alertname=Other"], ["alertname=Effect"]), {"kitchen": (), "hall": ()}),
    ],
)
def test_a_source_keeps_targets_quiet_whose_labels_are_equal_from_pending_on(
    rule: InhibitRule, expected: dict[str, tuple[str, ...]]
) -> None:
    world = world_of(rule)
    world.run(30)
    assert quiet(world) == expected
    assert sum(len(note.alerts) for note in world.told) == sum(not names for names in expected.values())


def test_people_are_told_when_the_source_ends_without_firing() -> None:
    world = world_of(inhibit(["alertname=Cause"], ["alertname=Effect"], "place"))
    world.run(30)
    world.drop("fire")
    world.run(60)
    assert [[alert.labels["place"] for alert in note.alerts] for note in world.told] == [["hall"], ["kitchen"]]
    assert world.events(world.told[-1].alerts[0].id) == ["pending", "inhibited", "fired", "no longer inhibited"]


def test_alerts_that_pass_both_sides_do_not_keep_each_other_quiet() -> None:
    world = world_of(inhibit(['alertname=~".+"'], ['alertname=~".+"']))
    world.run(90)
    assert quiet(world) == {"kitchen": (), "hall": ()}
    assert quiet(world, "Cause") == {"kitchen": ()}


def test_one_that_passes_both_sides_is_kept_quiet_by_one_that_passes_the_source_alone() -> None:
    # Cause passes the source only; Effect in the kitchen passes both sides, in the hall the target only.
    world = world_of(inhibit(['alertname=~"Cause|Effect"', "place=kitchen"], ["alertname=Effect"]))
    world.run(90)
    assert quiet(world) == {"kitchen": ("Cause",), "hall": ("Cause", "Effect")}
    world.drop("fire")
    world.run(60)
    assert quiet(world) == {"kitchen": (), "hall": ("Effect",)}


def test_an_escalation_changes_sides() -> None:
    risen = Rule("Effect", "heat > 90", annotations={"dozor_escalate_when": "heat > 99"})
    world = World(rules_of(risen, CAUSE), inhibit=[inhibit(["alertname=Cause"], ["severity=warning"])])
    world.put("heat", 95, place="hall")
    world.put("fire", 1, place="kitchen")
    world.run(60)
    assert world.told == []
    world.put("heat", 100, place="hall")
    world.run(10)
    assert quiet(world) == {"hall": ()}
    assert ("Effect", "escalated") in world.words


def test_it_stands_beside_the_inhibitors_that_a_rule_names() -> None:
    effect = Rule("Effect", "heat > 90", annotations={"dozor_inhibited_by": "Cause(place)"})
    world = World(
        rules_of(effect, CAUSE, Rule("Alarm", "alarm > 0")),
        inhibit=[inhibit(['alertname=~"Alarm|Cause"'], ["alertname=Effect"])],
    )
    world.put("heat", 95, place="kitchen")
    world.put("fire", 1, place="kitchen")
    world.put("alarm", 1)
    world.run(10)
    assert world.alert("Effect").inhibited_by == ("Cause", "Alarm")


def test_it_outlives_a_restart() -> None:
    world = world_of(inhibit(["alertname=Cause"], ["alertname=Effect"]))
    world.run(30)
    world.restart()
    world.run(60)
    assert quiet(world) == {"kitchen": ("Cause",), "hall": ("Cause",)}
    assert [note.group for note in world.told] == ["Cause"]


SIDES = st.lists(
    st.sampled_from(["alertname=A", "alertname=B", "place=x", "place!=y", 'severity=~"warning|info"', 'zone=""']),
    min_size=1,
    max_size=2,
)


@given(
    rules=st.lists(
        st.tuples(SIDES, SIDES, st.lists(st.sampled_from(["place", "zone", "team"]), max_size=2)), max_size=3
    ),
    alerts=st.sets(st.tuples(st.sampled_from("AB"), st.sampled_from(["", "x", "y"]), st.sampled_from(["", "n"]))),
)
def test_it_says_what_alertmanagers_definition_says(
    rules: list[tuple[list[str], list[str], list[str]]], alerts: set[tuple[str, str, str]]
) -> None:
    definitions = [inhibit(source, target, *equal) for source, target, equal in rules]
    book = AlertBook(Telling(), iter(map(str, range(100))).__next__)
    tracks = {name: RuleTrack(Rule(name, "up").compiled) for name in "AB"}
    book.keep_to(tracks.values())
    for name, place, zone in sorted(alerts):
        labels = Labels(alertname=name, place=place, zone=zone)
        assert book.begin(tracks[name], Breach(Identity(labels, Severity.WARNING, "business"), labels, 1.0), 1.0)
    Inhibition(book, definitions).apply(2.0)
    for _, tracked in book.open():
        seen = tracked.alert.matching_labels
        expected = {
            other.alert.rule
            for rule in definitions
            for _, other in book.open()
            if match_all(rule.target, seen)
            and match_all(rule.source, other.alert.matching_labels)
            and all(seen.get(name, "") == other.alert.matching_labels.get(name, "") for name in rule.equal)
            and not (match_all(rule.source, seen) and match_all(rule.target, other.alert.matching_labels))
        }
        assert set(tracked.alert.inhibited_by) == expected
