"""The inventory of silences: those by matchers, and those of single alerts."""

import pytest
from tests.api.fake_backend import AT, a_silence, an_alert

from dozor.model.alert import AlertSilence, Severity
from dozor.model.silence import SilenceState
from dozor.overview import SilenceRecord, inventory, own_silence


def test_the_newest_silence_stands_first_whoever_has_it() -> None:
    by_matchers = [SilenceRecord(a_silence(created_at=AT - 30)), SilenceRecord(a_silence(id="s0", created_at=AT - 90))]
    alerts = [an_alert(silenced=AlertSilence(AT - 60, AT + 60, "boris")), an_alert(id="loud")]
    found = inventory(by_matchers, alerts)
    assert [record.silence.id for record in found] == ["s1", "alert-a1", "s0"]
    assert [record.alert_id for record in found] == [None, "a1", None]
    assert found[1].alerts == (alerts[0],)


@pytest.mark.parametrize("until", [None, AT + 60])
def test_the_own_silence_of_an_alert_is_a_silence_without_matchers(until: float | None) -> None:
    silence = own_silence(an_alert(silenced=AlertSilence(AT - 60, until, "boris", "known")))
    assert silence is not None
    assert (silence.id, silence.matchers, silence.by, silence.comment) == ("alert-a1", (), "boris", "known")
    assert (silence.starts_at, silence.ends_at, silence.state(AT)) == (AT - 60, until, SilenceState.ACTIVE)


def test_an_own_silence_that_was_taken_off_is_over() -> None:
    silence = own_silence(an_alert(silenced=AlertSilence(AT - 60)), ended_at=AT)
    assert silence is not None
    assert (silence.ended_at, silence.updated_at, silence.state(AT)) == (AT, AT, SilenceState.EXPIRED)
    assert own_silence(an_alert()) is None


def test_matchers_see_the_severity_in_force_and_the_component() -> None:
    labels = an_alert(severity=Severity.EMERGENCY, component="database").matching_labels
    assert labels == {
        "alertname": "PoolUtilizationHigh",
        "pool": "default",
        "component": "database",
        "severity": "emergency",
    }
