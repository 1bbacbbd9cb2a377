"""Silences by matchers: what they match, when they hold, what is told after them, and who did what."""

from collections.abc import Sequence

import pytest
from tests.alerts.world import World, rules_of

from dozor import containment
from dozor.alerts.silencing import ALERTS_ENDED, TIME_OVER
from dozor.errors import ActionForbidden, AlertNotFound, ConfigurationError, SilenceNotFound
from dozor.model.alert import AlertState
from dozor.model.notification import NOTE
from dozor.model.silence import Silence, SilenceState
from dozor.rules import Rule

HOT = Rule("Hot", "heat > 90", labels={"severity": "critical", "component": "system"}, annotations={
    "dozor_escalate_when": "heat > 99",
})  # fmt: skip


def world_of(*places: str, step: float = 5.0) -> World:
    world = World(rules_of(HOT), step=step)
    for place in places:
        world.put("heat", 95, place=place)
    world.run(30)
    return world


def silence(world: World, *matchers: str, seconds: float | None = 300.0, start: float | None = None) -> Silence:
    made, changes = world.lifecycle.create_silence(
        world.at,
        matchers=matchers,
        starts_at=None if start is None else world.at + start,
        ends_at=None if seconds is None else world.at + seconds,
        by="ann",
        comment="painting",
    )
    world.take(changes)
    return made


def states(world: World) -> dict[str, AlertState]:
    return {alert.labels["place"]: alert.state for alert in world.alerts()}


def in_place(world: World, place: str) -> str:
    (found,) = [alert for alert in world.alerts() if alert.labels["place"] == place]
    return found.id


# What a silence matches


@pytest.mark.parametrize(
    "matchers",
    [
        ['place="kitchen"'],
        ["place=kitchen"],
        ['place=~"kit.*|cellar"', 'alertname="Hot"'],
        ['place!="hall"', 'severity="critical"'],
        ['component="system"', 'place!~"ha.*"'],
    ],
)
def test_matchers_see_the_labels_the_severity_and_the_component(matchers: Sequence[str]) -> None:
    world = world_of("kitchen", "hall")
    assert [alert.labels["place"] for alert in world.lifecycle.matching(matchers)] == ["kitchen"]
    made = silence(world, *matchers)
    assert states(world) == {"kitchen": AlertState.SILENCED, "hall": AlertState.FIRING}
    assert [alert.labels["place"] for alert in world.lifecycle.silenced_alerts(made.id)] == ["kitchen"]


def test_a_preview_changes_nothing_and_may_leave_pending_alerts_out() -> None:
    world = World(rules_of(Rule("Slow", "heat > 90", for_="1h")))
    world.put("heat", 95, place="kitchen")
    world.run(10)
    assert len(world.lifecycle.matching(["alertname=Slow"])) == 1
    assert world.lifecycle.matching(["alertname=Slow"], pending=False) == []
    assert world.state("Slow") is AlertState.PENDING
    assert world.lifecycle.silences() == []


@pytest.mark.parametrize(
    ("matchers", "words"),
    [
        ([], "at least one matcher"),
        (["place"], "'place' is not a matcher"),
        (['place=~"("'], "place"),
        (['place!="x"', 'severity=~".*"'], "at least one matcher that does not match an empty value"),
    ],
)
def test_what_no_silence_may_match_is_refused(matchers: Sequence[str], words: str) -> None:
    world = world_of("kitchen")
    for ask in (world.lifecycle.matching, lambda texts: world.lifecycle.create_silence(world.at, matchers=texts)):
        with pytest.raises(ConfigurationError, match=words) as caught:
            ask(matchers)
        assert caught.value.key == "matchers"
    assert world.lifecycle.silences() == []


def test_matchers_are_kept_in_one_notation_and_once() -> None:
    made = silence(world_of("kitchen"), "place=kitchen", 'place = "kitchen"')
    assert made.matchers == ('place="kitchen"',)


@pytest.mark.parametrize(
    ("starts", "ends", "key"),
    [
        (None, -1.0, "ends_at"),
        (None, 0.0, "ends_at"),
        (600.0, 300.0, "ends_at"),
        (600.0, 600.0, "ends_at"),
        (float("nan"), None, "starts_at"),
        (None, float("inf"), "ends_at"),
    ],
)
def test_a_silence_ends_in_the_future_and_after_it_begins(starts: float | None, ends: float | None, key: str) -> None:
    world = world_of("kitchen")
    with pytest.raises(ConfigurationError) as caught:
        silence(world, "place=kitchen", start=starts, seconds=ends)
    assert caught.value.key == key


# When it holds


def test_a_silence_keeps_people_in_peace_and_its_end_tells_them_of_what_still_fires() -> None:
    world = world_of("kitchen")
    assert world.words == [("Hot", "firing")]
    made = silence(world, "place=kitchen")
    world.run(295)
    assert (world.words, world.state("Hot")) == ([("Hot", "firing")], AlertState.SILENCED)
    world.run(5)
    assert (world.words, world.state("Hot")) == ([("Hot", "firing")] * 2, AlertState.FIRING)
    assert world.lifecycle.get_silence(made.id).ended_at == made.ends_at


def test_what_is_owned_is_not_told_again_after_a_silence() -> None:
    world = world_of("kitchen")
    world.acknowledge("Hot")
    silence(world, "place=kitchen")
    world.run(400)
    assert (world.words, world.state("Hot")) == ([("Hot", "firing")], AlertState.ACKNOWLEDGED)


def test_an_alert_that_comes_during_a_silence_is_told_when_it_ends_or_never() -> None:
    world = world_of("kitchen")
    silence(world, 'place=~"hall|attic"', seconds=600)
    world.put("heat", 95, place="hall")
    world.put("heat", 95, place="attic")
    world.run(120)
    assert states(world)["hall"] is AlertState.SILENCED
    world.put("heat", 20, place="attic")
    world.run(600)
    told = [alert.labels["place"] for note in world.told for alert in note.alerts]
    assert told == ["kitchen", "hall"]


def test_the_end_of_what_was_told_is_told_in_a_silence() -> None:
    world = world_of("kitchen")
    silence(world, "place=kitchen")
    world.put("heat", 20, place="kitchen")
    world.run(100)
    assert world.words == [("Hot", "firing"), ("Hot", "resolved")]


def test_an_escalation_in_a_silence_is_told_after_it() -> None:
    world = world_of("kitchen")
    silence(world, "place=kitchen")
    world.put("heat", 100, place="kitchen")
    world.run(200)
    assert world.words == [("Hot", "firing")]
    world.run(200)
    assert world.words == [("Hot", "firing"), ("Hot", "escalated")]


def test_a_silence_of_a_severity_does_not_hold_for_what_has_risen_above_it() -> None:
    world = world_of("kitchen")
    silence(world, "severity=critical")
    world.run(60)
    world.put("heat", 100, place="kitchen")
    world.run(5)
    assert world.state("Hot") is AlertState.FIRING
    assert world.words == [("Hot", "firing"), ("Hot", "escalated")]


def test_a_maintenance_window_begins_when_it_was_to() -> None:
    world = world_of("kitchen")
    made = silence(world, "place=kitchen", start=60, seconds=120)
    assert made.state(world.at) is SilenceState.SCHEDULED
    world.run(55)
    assert world.state("Hot") is AlertState.FIRING
    world.run(5)
    assert world.state("Hot") is AlertState.SILENCED
    world.run(60)
    assert world.state("Hot") is AlertState.FIRING


def test_until_resolved_lasts_until_what_it_matched_has_ended() -> None:
    world = world_of("kitchen")
    made = silence(world, 'place=~"kitchen|hall"', seconds=None)
    world.put("heat", 95, place="hall")
    world.run(3600)
    world.put("heat", 20, place="kitchen")
    world.run(60)
    assert states(world) == {"hall": AlertState.SILENCED}
    world.put("heat", 20, place="hall")
    world.run(5)
    ended = world.lifecycle.get_silence(made.id)
    assert ended.ended_at == world.at
    assert world.audit[-1].comment == ALERTS_ENDED
    world.put("heat", 95, place="kitchen")
    world.run(70)
    assert states(world) == {"kitchen": AlertState.FIRING}


def test_until_resolved_waits_for_its_first_alert() -> None:
    world = world_of("kitchen")
    made = silence(world, "place=hall", seconds=None)
    world.run(3600)
    assert world.lifecycle.get_silence(made.id).ended_at is None


def test_of_two_silences_the_last_to_end_tells() -> None:
    world = world_of("kitchen")
    silence(world, "place=kitchen", seconds=100)
    second = silence(world, "severity=critical", seconds=200)
    world.silence("Hot", 300)
    world.run(150)
    assert world.alert("Hot").silenced_by == (second.id,)
    world.run(100)
    assert (world.alert("Hot").silenced_by, world.state("Hot")) == ((), AlertState.SILENCED)
    assert world.words == [("Hot", "firing")]
    world.run(50)
    assert world.words == [("Hot", "firing")] * 2


# What people do with them


def test_a_silence_is_changed() -> None:
    world = world_of("kitchen", "hall")
    made = silence(world, "place=kitchen")
    world.run(10)
    changed, changes = world.lifecycle.update_silence(
        made.id, world.at, matchers=["place=hall"], starts_at=world.at - 99, ends_at=None, by="bob"
    )
    world.take(changes)
    assert states(world) == {"kitchen": AlertState.FIRING, "hall": AlertState.SILENCED}
    assert (changed.starts_at, changed.ends_at, changed.created_at) == (made.starts_at, None, made.created_at)
    assert (changed.updated_at, changed.by, changed.comment) == (world.at, "bob", "painting")
    assert changed.matched
    assert changes.silences == (changed,)


def test_other_matchers_begin_to_wait_anew() -> None:
    world = world_of("kitchen")
    made = silence(world, "place=kitchen", seconds=None)
    _, changes = world.lifecycle.update_silence(made.id, world.at, matchers=["place=hall"])
    world.take(changes)
    world.run(60)
    assert world.lifecycle.get_silence(made.id).state(world.at) is SilenceState.ACTIVE


def test_a_silence_is_put_off() -> None:
    world = world_of("kitchen")
    made = silence(world, "place=kitchen")
    changed, changes = world.lifecycle.update_silence(
        made.id, world.at, matchers=made.matchers, starts_at=world.at + 60, ends_at=world.at + 120
    )
    world.take(changes)
    assert changed.state(world.at) is SilenceState.SCHEDULED
    assert world.state("Hot") is AlertState.FIRING
    again, changes = world.lifecycle.update_silence(
        made.id, world.at, matchers=made.matchers, starts_at=world.at - 60, ends_at=world.at + 120
    )
    world.take(changes)
    assert again.starts_at == world.at
    assert world.state("Hot") is AlertState.SILENCED


def test_a_silence_is_ended_by_hand_and_then_stays_ended() -> None:
    world = world_of("kitchen")
    made = silence(world, "place=kitchen")
    world.run(60)
    ended, changes = world.lifecycle.end_silence(made.id, world.at, by="bob", comment="done early")
    world.take(changes)
    assert (ended.ended_at, ended.state(world.at)) == (world.at, SilenceState.EXPIRED)
    assert world.words == [("Hot", "firing")] * 2
    with pytest.raises(ActionForbidden, match=f"cannot end silence {made.id}: it is EXPIRED"):
        world.lifecycle.end_silence(made.id, world.at)
    with pytest.raises(ActionForbidden, match=f"cannot change silence {made.id}: it is EXPIRED"):
        world.lifecycle.update_silence(made.id, world.at, matchers=["a=b"])


def test_an_unknown_silence() -> None:
    world = world_of()
    with pytest.raises(SilenceNotFound, match="nothing"):
        world.lifecycle.get_silence("nothing")
    with pytest.raises(SilenceNotFound):
        world.lifecycle.end_silence("nothing", world.at)
    with pytest.raises(SilenceNotFound):
        world.lifecycle.update_silence("nothing", world.at, matchers=["a=b"])
    assert world.lifecycle.silenced_alerts("nothing") == []


def test_the_inventory_is_newest_first_and_forgets_a_day_after_the_end() -> None:
    world = world_of(step=600.0)
    first = silence(world, "a=b", seconds=3600)
    world.run(600)
    second = silence(world, "a=c", start=7200, seconds=999_999)
    assert [each.id for each in world.lifecycle.silences()] == [second.id, first.id]
    world.run(80_000)
    assert [each.id for each in world.lifecycle.silences()] == [second.id, first.id]
    world.run(20_000)
    assert [each.id for each in world.lifecycle.silences()] == [second.id]


def test_an_alerts_own_silence_is_lifted() -> None:
    world = world_of("kitchen")
    world.silence("Hot", None)
    world.run(60)
    alert_id = world.alert("Hot").id
    alert, changes = world.lifecycle.lift(alert_id, world.at, "bob", "quiet enough")
    world.take(changes)
    assert alert.state is AlertState.FIRING
    assert world.words == [("Hot", "firing")] * 2
    assert world.events(alert_id)[-1] == "silence ended"
    with pytest.raises(SilenceNotFound, match=f"alert-{alert_id}"):
        world.lifecycle.lift(alert_id, world.at)
    with pytest.raises(AlertNotFound):
        world.lifecycle.lift("nothing", world.at)
    world.resolve("Hot")
    with pytest.raises(ActionForbidden, match="cannot unsilence"):
        world.lifecycle.lift(alert_id, world.at)


def test_an_acknowledgement_taken_back_is_told_to_those_who_heard_of_it() -> None:
    world = world_of("kitchen")
    world.run(60)
    alert_id = world.alert("Hot").id
    with pytest.raises(ActionForbidden, match="cannot release"):
        world.lifecycle.release(alert_id, world.at)
    world.acknowledge("Hot")
    world.run(60)
    before = len(world.words)
    alert, changes = world.lifecycle.release(alert_id, world.at, "bob", "wrong one")
    world.take(changes)
    assert (alert.state, alert.acknowledged) == (AlertState.FIRING, None)
    assert world.words[before:] == [("Hot", "firing")]
    assert world.events(alert_id)[-1] == "no longer acknowledged"


# Who did what


def test_all_of_it_is_in_the_trail_of_the_silence_and_of_the_alert() -> None:
    world = world_of("kitchen")
    made = silence(world, "place=kitchen", seconds=300)
    world.run(10)
    _, changes = world.lifecycle.update_silence(
        made.id, world.at, matchers=made.matchers, ends_at=world.at + 60, by="bob", comment="shorter"
    )
    world.take(changes)
    world.run(60)
    trail = [(entry.event, entry.by, entry.comment) for entry in world.audit if entry.alert_id == made.id]
    assert trail == [
        ("silence created", "ann", "painting"),
        ("silence changed", "bob", "shorter"),
        ("silence ended", None, TIME_OVER),
    ]
    trail = [
        (entry.event, entry.by, entry.comment) for entry in world.audit if entry.alert_id == in_place(world, "kitchen")
    ]
    assert trail[2:] == [
        ("silenced", "ann", f"silence {made.id} of ann: painting"),
        ("silence ended", None, f"silence {made.id} of bob: shorter"),
    ]


def test_a_note_is_an_entry_in_the_trail_of_an_alert_also_of_an_ended_one() -> None:
    world = world_of("kitchen")
    alert = world.alert("Hot")
    entry, changes = world.lifecycle.note(alert.id, world.at, by="ann", text="the fan was off")
    assert changes.audit == (entry,)
    assert (entry.event, entry.by, entry.comment) == (NOTE, "ann", "the fan was off")
    world.resolve("Hot")
    entry, _ = world.lifecycle.note(alert.id, world.at, text="it was the fuse")
    assert entry.alert_id == alert.id
    with pytest.raises(AlertNotFound):
        world.lifecycle.note("nothing", world.at, text="x")
    with pytest.raises(ConfigurationError, match="text"):
        world.lifecycle.note(alert.id, world.at, text="  ")


def test_what_people_did_is_an_update_at_once_that_calls_nobody_and_counts_for_nothing() -> None:
    world = world_of("kitchen", "hall")
    silence(world, "place=kitchen", seconds=20)
    assert world.updates == [("Hot", "silenced")]
    (update,) = [note for note in world.messages if note.occasion.update]
    assert [alert.labels["place"] for alert in update.alerts] == ["kitchen"]
    _, changes = world.lifecycle.acknowledge(in_place(world, "hall"), world.at, "ann")
    world.take(changes)
    assert world.updates == [("Hot", "silenced"), ("Hot", "acknowledged")]
    world.put("heat", 95, place="attic")
    world.run(35)  # 65 s after the first message: the updates in between have not put the next one off
    assert [len(note.alerts) for note in world.told] == [2, 2]


def test_what_nobody_heard_of_needs_no_update() -> None:
    world = World(rules_of(HOT, Rule("Slow", "heat > 90", for_="1h")))
    silence(world, "place=kitchen")
    world.put("heat", 95, place="kitchen")
    world.run(10)
    world.silence("Slow", None)
    assert world.messages == []


def test_the_end_of_a_silence_is_an_update_where_somebody_owns_the_alert() -> None:
    world = world_of("kitchen")
    world.acknowledge("Hot")
    silence(world, "place=kitchen", seconds=20)
    world.run(30)
    assert world.updates == [("Hot", "acknowledged"), ("Hot", "silenced"), ("Hot", "acknowledged")]


# Over a restart


def test_silences_outlive_a_restart() -> None:
    world = world_of("kitchen")
    silence(world, "place=kitchen", seconds=300)
    until = silence(world, 'place=~"kitchen|attic"', seconds=None)
    world.run(60)
    world.restart()
    assert len(world.lifecycle.silences()) == 2
    assert world.state("Hot") is AlertState.SILENCED
    world.run(600)
    assert world.words == [("Hot", "firing")]
    _, changes = world.lifecycle.end_silence(until.id, world.at)
    world.take(changes)
    assert world.words == [("Hot", "firing")] * 2


def test_a_silence_that_ran_out_while_dozor_was_away_is_ended_and_what_fires_is_told() -> None:
    world = world_of("kitchen")
    made = silence(world, "place=kitchen", seconds=300)
    world.restart(down_seconds=1000)
    world.run(5)
    assert world.words == [("Hot", "firing")] * 2
    ended = world.lifecycle.get_silence(made.id)
    assert (ended.ended_at, ended.updated_at) == (made.ends_at, world.at)
    assert world.events(made.id) == ["silence created", "silence ended"]


def test_what_was_silenced_while_the_database_was_away_stays_so() -> None:
    world = world_of("kitchen")
    made = silence(world, "place=kitchen")
    world.lifecycle.restore((), silences=[made])
    world.run(10)
    assert world.lifecycle.silences() == [world.lifecycle.get_silence(made.id)]
    assert world.state("Hot") is AlertState.SILENCED


def test_a_silence_that_cannot_be_read_any_more_keeps_nothing_else_from_people() -> None:
    world = world_of("kitchen")
    made = silence(world, "place=kitchen")
    bad = Silence("bad", ("place=~(",), world.at, None, world.at, world.at)
    world.kept_silences["bad"] = bad
    world.restart()
    assert [each.id for each in world.lifecycle.silences()] == [made.id]
    assert containment.counts()["alerts.silences"] >= 1
