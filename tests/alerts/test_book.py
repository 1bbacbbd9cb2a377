"""Alerts that began while the database could not be read, and those that were kept: one of the two goes on."""

from tests.alerts.world import World, rules_of

from dozor.model.alert import Alert, AlertState
from dozor.rules import Rule

HOT = Rule("Hot", "heat > 90", for_="10s", labels={"severity": "critical"})


def hot() -> World:
    world = World(rules_of(HOT), reminder_interval_seconds=300)
    world.put("heat", 95, place="kitchen")
    return world


def away(world: World) -> dict[str, Alert]:
    """A new process that cannot read what was kept; the answer is that."""
    kept, world.kept = world.kept, {}
    world.restart()
    return kept


def back(world: World, kept: dict[str, Alert]) -> None:
    """What was kept can be read again."""
    world.lifecycle.restore(kept.values(), total_fired=1)
    world.kept = kept | world.kept


def test_what_people_did_while_the_database_was_away_holds_when_it_is_back() -> None:
    world = hot()
    world.run(20)
    first = world.alert("Hot")
    kept = away(world)
    world.run(20)
    world.acknowledge("Hot", "eve")
    world.silence("Hot", 3600, "eve")
    said = world.words
    back(world, kept)
    world.run(1200)
    alert = world.alert("Hot")
    assert alert.id == first.id
    assert alert.acknowledged is not None
    assert alert.acknowledged.by == "eve"
    assert alert.silenced is not None
    assert alert.silenced.by == "eve"
    assert world.words == said
    assert world.events(first.id)[-2:] == ["acknowledged", "silenced"]


def test_what_people_did_before_the_database_was_away_still_holds() -> None:
    world = hot()
    world.run(20)
    world.acknowledge("Hot", "eve")
    kept = away(world)
    world.run(20)
    said = world.words
    back(world, kept)
    world.run(1200)
    assert world.state("Hot") is AlertState.ACKNOWLEDGED
    assert world.words == said


def test_what_fired_while_the_database_was_away_does_not_go_back_to_pending() -> None:
    world = hot()
    world.run(5)
    first = world.alert("Hot")
    kept = away(world)
    world.run(20)
    world.acknowledge("Hot", "eve")
    second = world.alert("Hot")
    back(world, kept)
    world.tick()
    assert world.alert("Hot").id == second.id
    assert world.state("Hot") is AlertState.ACKNOWLEDGED
    assert first.id not in world.kept
    world.run(120)
    assert world.words == [("Hot", "firing")]
