"""The table is all of the state machine."""

import pytest
from msgspec.structs import replace

from dozor.alerts.transitions import CLOSED_BY_HAND, TABLE, Event, Happening, Phase, phase, step
from dozor.errors import ActionForbidden
from dozor.model.alert import Acknowledgement, Alert, AlertState, Severity
from dozor.model.labels import Labels

AT = 1000.0


def alert(where: Phase = Phase.FIRING, **more: object) -> Alert:
    times: dict[Phase, dict[str, float]] = {
        Phase.PENDING: {},
        Phase.FIRING: {"fired_at": 100.0},
        Phase.RESOLVED: {"fired_at": 100.0, "resolved_at": 200.0},
    }
    return Alert(
        id="a1", rule="R", labels=Labels(alertname="R"), severity=Severity.WARNING, component="system", annotations={},
        value=1.0, active_at=100.0, **{**times[where], **more},  # type: ignore[arg-type]
    )  # fmt: skip


@pytest.mark.parametrize("where", [Phase.PENDING, Phase.FIRING])
@pytest.mark.parametrize("event", list(Event))
def test_an_alert_that_has_not_ended_has_a_row_for_every_event(where: Phase, event: Event) -> None:
    only_firing = {Event.UNACKNOWLEDGED, Event.WORSENED, Event.FLAPPING}
    if where is Phase.PENDING and event in only_firing:
        assert not [row for row in TABLE if (row.phase, row.event) == (where, event)]
    else:
        assert [row for row in TABLE if (row.phase, row.event) == (where, event)]


@pytest.mark.parametrize("event", list(Event))
def test_a_resolved_alert_never_changes_again(event: Event) -> None:
    ended = alert(Phase.RESOLVED)
    happening = Happening(event, AT, names=("X",), severity=Severity.EMERGENCY)
    if event in (Event.ACKNOWLEDGE, Event.RELEASE, Event.SILENCE, Event.UNSILENCE, Event.RESOLVE):
        with pytest.raises(ActionForbidden, match=f"cannot {event.value} alert a1: it is RESOLVED"):
            step(ended, happening)
    else:
        assert step(ended, happening).alert is ended


@pytest.mark.parametrize("event", [Event.ACKNOWLEDGE, Event.RELEASE, Event.RESOLVE])
def test_a_pending_alert_cannot_be_acknowledged_or_closed(event: Event) -> None:
    with pytest.raises(ActionForbidden, match="it is PENDING"):
        step(alert(Phase.PENDING), Happening(event, AT))


def test_a_pending_alert_may_be_silenced_and_shows_it() -> None:
    after = step(alert(Phase.PENDING), Happening(Event.SILENCE, AT, until=AT + 60, by="ann")).alert
    assert after is not None
    assert after.state is AlertState.SILENCED
    assert phase(after) is Phase.PENDING


def test_the_condition_fires_once_it_has_held_for_long_enough() -> None:
    waiting = alert(Phase.PENDING)
    assert step(waiting, Happening(Event.BREACHED, 159.0, 60)).alert is waiting
    result = step(waiting, Happening(Event.BREACHED, 160.0, 60))
    assert result.alert is not None
    assert result.alert.fired_at == 160.0
    assert result.audit is not None
    assert result.audit.event == "fired"


@pytest.mark.parametrize("event", [Event.CLEAR, Event.BETWEEN, Event.NO_DATA])
def test_a_pending_alert_whose_condition_ceases_is_forgotten(event: Event) -> None:
    assert step(alert(Phase.PENDING), Happening(event, AT)).alert is None


def test_an_alert_ends_when_its_end_has_held_without_a_break() -> None:
    clearing = step(alert(), Happening(Event.CLEAR, 300.0, 60)).alert
    assert clearing is not None
    assert (clearing.clear_since, clearing.holds) == (300.0, False)
    assert step(clearing, Happening(Event.CLEAR, 359.0, 60)).alert is clearing
    back = step(clearing, Happening(Event.BETWEEN, 340.0, 60)).alert
    assert back is not None
    assert back.clear_since is None
    ended = step(clearing, Happening(Event.CLEAR, 360.0, 60)).alert
    assert ended is not None
    assert (ended.state, ended.resolved_at, ended.resolve_reason) == (AlertState.RESOLVED, 360.0, "the condition ended")


def test_a_series_that_vanished_ends_nothing() -> None:
    lost = step(alert(clear_since=150.0), Happening(Event.NO_DATA, AT)).alert
    assert lost is not None
    assert lost.no_data
    assert lost.clear_since is None
    assert lost.firing
    assert step(lost, Happening(Event.NO_DATA, AT)).alert is lost
    found = step(lost, Happening(Event.BREACHED, AT)).alert
    assert found is not None
    assert not found.no_data


def test_a_removed_target_ends_it_with_the_reason() -> None:
    ended = step(alert(), Happening(Event.TARGET_REMOVED, AT, comment="engine detached")).alert
    assert ended is not None
    assert ended.resolve_reason == "engine detached"


def test_closing_by_hand_says_so_and_who() -> None:
    result = step(alert(), Happening(Event.RESOLVE, AT, by="ann", comment="false alarm"))
    assert result.alert is not None
    assert result.alert.resolve_reason == CLOSED_BY_HAND
    assert result.audit is not None
    assert (result.audit.by, result.audit.comment) == ("ann", "false alarm")


def test_states_take_precedence() -> None:
    both = step(alert(), Happening(Event.ACKNOWLEDGE, AT, by="ann")).alert
    assert both is not None
    assert both.state is AlertState.ACKNOWLEDGED
    both = step(both, Happening(Event.SILENCE, AT)).alert
    assert both is not None
    assert both.state is AlertState.SILENCED
    other = step(both, Happening(Event.ACKNOWLEDGE, AT + 1, by="bob")).alert
    assert other is not None
    assert other.acknowledged is not None
    assert other.acknowledged.by == "bob"


def test_a_silence_ends_when_its_time_is_over_and_people_are_due() -> None:
    silenced = step(
        alert(told_severity=Severity.WARNING, told_at=500.0), Happening(Event.SILENCE, AT, until=AT + 60)
    ).alert
    assert silenced is not None
    assert step(silenced, Happening(Event.SILENCE_OVER, AT + 59)).alert is silenced
    after = step(silenced, Happening(Event.SILENCE_OVER, AT + 60)).alert
    assert after is not None
    assert (after.silenced, after.tell_again, after.told_at) == (None, True, 500.0)
    owned = step(replace(silenced, acknowledged=Acknowledgement(AT)), Happening(Event.SILENCE_OVER, AT + 60)).alert
    assert owned is not None
    assert not owned.tell_again


def test_nobody_is_late_who_could_not_know() -> None:
    late = Happening(Event.UNACKNOWLEDGED, AT, 300, severity=Severity.EMERGENCY)
    for quiet in (alert(inhibited_by=("X",)), step(alert(), Happening(Event.SILENCE, AT)).alert):
        assert quiet is not None
        assert step(quiet, late).alert is quiet
    risen = step(alert(), late).alert
    assert risen is not None
    assert risen.severity is Severity.EMERGENCY
    assert step(risen, late).alert is risen
