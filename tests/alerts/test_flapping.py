"""What fires again and again is told seldom, says so, and is told rightly in the end."""

from itertools import pairwise
from typing import Any

import pytest
from tests.alerts.world import World, rules_of

from dozor.alerts import FlappingPolicy
from dozor.model.alert import AlertState
from dozor.model.notification import Occasion
from dozor.rules import Rule

HOT = Rule("Hot", "heat > 90", labels={"severity": "critical"}, annotations={"dozor_escalate_when": "heat > 99"})


def flapping(period: float = 20.0, *rules: Rule, step: float = 5.0, **telling: Any) -> World:
    world = World(rules_of(*(rules or (HOT,))), step=step, **telling)
    world.put("heat", lambda elapsed: 95 if elapsed % period < period / 2 else 20, place="kitchen")
    return world


def fires(world: World) -> list[float]:
    return [note.created_at for note in world.told if note.occasion is Occasion.FIRING]


@pytest.mark.parametrize("period", [10.0, 20.0, 120.0, 300.0])
def test_an_hour_of_a_square_wave_is_a_few_messages(period: float) -> None:
    world = flapping(period)
    world.run(3600)
    assert len(world.kept) >= 3600 / period - 1
    flaps = [note for note in world.told if note.occasion is Occasion.FIRING and note.alerts[0].flaps]
    assert 3 <= len(flaps) <= 5
    times = [note.created_at for note in flaps]
    assert all(later - earlier >= 900 for earlier, later in pairwise(times))
    assert len(world.told) <= 14
    world.drop("heat")
    world.run(1000)
    for alert in world.kept.values():
        assert (alert.told_severity is not None) == alert.told_resolved


def test_without_the_policy_each_interval_has_its_message() -> None:
    world = flapping(120.0, flapping=FlappingPolicy(count=0))
    world.run(3600)
    assert len(world.told) >= 50
    assert not any(alert.flaps for alert in world.kept.values())


def test_the_message_says_how_often_it_fired() -> None:
    world = flapping(300.0)
    world.run(1000)
    assert world.told[-1].alerts[0].flaps == 4
    assert world.events(world.told[-1].alerts[0].id) == ["pending", "fired", "flapping"]


def test_three_times_is_not_flapping_nor_is_what_recurs_in_longer_time() -> None:
    world = flapping(700.0)
    world.run(7000)
    assert not any(alert.flaps for alert in world.kept.values())


def test_the_end_of_one_that_flaps_is_told_once_and_not_before_the_quiet_time_is_over() -> None:
    world = flapping(120.0)
    world.run(500)
    told = fires(world)[-1]
    world.put("heat", 20, place="kitchen")
    world.run(1200)
    ends = [note.created_at for note in world.told if note.occasion is Occasion.RESOLVED]
    assert ends[-1] == told + 900
    assert sum(alert.told_resolved for alert in world.kept.values()) == len(ends)


def test_one_that_stays_is_told_when_the_quiet_time_ends_together_with_the_end_of_the_last() -> None:
    world = flapping(120.0)
    world.run(500)
    told = fires(world)[-1]
    world.run(120)
    world.put("heat", 95, place="kitchen")
    world.run(told + 895 - world.at)
    assert world.state("Hot") is AlertState.FIRING
    assert fires(world)[-1] == told
    world.run(5)
    last = world.told[-1]
    assert (last.created_at, last.occasion) == (told + 900, Occasion.FIRING)
    assert [alert.state for alert in last.alerts] == [AlertState.FIRING, AlertState.RESOLVED]


def test_an_escalation_is_told_at_once() -> None:
    world = flapping(120.0)
    world.run(600)
    world.put("heat", 100, place="kitchen")
    world.run(10)
    assert world.words[-1] == ("Hot", "escalated")


def test_what_a_person_closed_is_told_at_once() -> None:
    world = flapping(120.0)
    world.run(485)
    assert world.alert("Hot").flaps
    world.run(60)
    world.put("heat", 95, place="kitchen")
    world.run(1000)
    world.resolve("Hot")
    world.run(60)
    assert world.told[-1].alerts[-1].resolve_reason == "closed by hand"


def test_one_that_has_fired_for_long_flaps_no_more() -> None:
    world = flapping(120.0)
    world.run(480)
    world.put("heat", 95, place="kitchen")
    world.run(600)
    alert_id = world.alert("Hot").id
    assert world.alert("Hot").flaps >= 4
    world.run(1300)
    assert (world.alert("Hot").id, world.alert("Hot").flaps) == (alert_id, 0)
    assert world.events(alert_id) == ["pending", "fired", "flapping", "no longer flapping"]


def test_each_identity_flaps_for_itself() -> None:
    world = flapping(120.0)
    world.put("heat", 95, place="hall")
    world.run(600)
    assert {alert.labels["place"] for alert in world.kept.values() if alert.flaps} == {"kitchen"}


@pytest.mark.parametrize("at", [490.0, 700.0, 1300.0])
def test_a_restart_changes_nothing(at: float) -> None:
    steady, restarted = flapping(120.0), flapping(120.0)
    steady.run(3600)
    restarted.run(at)
    restarted.restart()
    restarted.run(3600 - at)
    assert [(note.created_at, note.occasion) for note in restarted.told] == [
        (note.created_at, note.occasion) for note in steady.told
    ]


def test_a_cooldown_and_the_quiet_time_hold_both() -> None:
    warm = Rule("Hot", "heat > 90", annotations={"dozor_cooldown": "20m"})
    world = flapping(120.0, warm)
    world.run(3600)
    told = fires(world)
    assert all(later - earlier >= 1200 for earlier, later in pairwise(told))


def test_what_no_longer_counts_is_forgotten() -> None:
    world = flapping(20.0)
    world.run(600)
    world.drop("heat")
    world.run(4000)
    record = world.lifecycle._book.flaps
    assert (record._fired, record._heard) == ({}, {})
