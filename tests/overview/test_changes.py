"""What has changed lately, in words."""

import pytest
from msgspec.structs import replace
from tests.api.fake_backend import AT, an_alert

from dozor.model.alert import Acknowledgement, Severity
from dozor.model.annotation import Annotation
from dozor.model.notification import NOTE, AuditEntry, Changes
from dozor.overview import Known, PoolReading, RedisReading
from dozor.overview.changes import KEPT, Change, ChangeKind, ChangeLog, TargetWatch, of_alert, of_changes


@pytest.mark.parametrize(("event", "by", "comment", "kind", "text"), [
    ("fired", None, None, "alert_fired",
     "PoolUtilizationHigh fires: 96 % of the connections of pool default are in use."),
    ("resolved", None, None, "alert_resolved", "PoolUtilizationHigh (pool=default) has ended after 3 min 20 s."),
    ("closed by hand", "anna", None, "alert_resolved", "anna closed PoolUtilizationHigh (pool=default) after 3 min 20 s."),
    ("acknowledged", "anna", None, "alert_acknowledged", "anna acknowledged PoolUtilizationHigh (pool=default)."),
    ("acknowledged", None, None, "alert_acknowledged", "Somebody acknowledged PoolUtilizationHigh (pool=default)."),
    ("no longer acknowledged", "anna", None, "alert_released", "Nobody has PoolUtilizationHigh (pool=default) any more: anna gave it back."),
    ("silenced", "anna", None, "alert_silenced", "PoolUtilizationHigh (pool=default) is silenced by anna."),
    ("silenced", None, None, "alert_silenced", "PoolUtilizationHigh (pool=default) is silenced."),
    ("silence ended", None, None, "alert_silence_ended", "PoolUtilizationHigh (pool=default) is silenced no longer."),
    ("escalated: it got worse", None, None, "alert_escalated", "PoolUtilizationHigh (pool=default) is critical now: it got worse."),
    ("flapping", None, None, "alert_flapping", "PoolUtilizationHigh (pool=default) is flapping: it fires and ends again and again."),
    (NOTE, "anna", "it was the backup", "alert_note", "anna wrote on PoolUtilizationHigh (pool=default): it was the backup"),
])  # fmt: skip
def test_what_happens_to_an_alert_is_put_into_words(
    event: str, by: str | None, comment: str | None, kind: str, text: str
) -> None:
    entry = AuditEntry("a1", AT + 10, event, by, comment)
    [change] = of_changes(Changes(alerts=(an_alert(),), audit=(entry,)), lambda _: None)
    assert (change.kind, change.text, change.subject, change.at, change.by) == (kind, text, "a1", AT + 10, by)
    assert change.severity is Severity.CRITICAL


def test_what_concerns_nobody_is_no_change() -> None:
    pending = an_alert(id="p", fired_at=None)
    audit = (
        AuditEntry("a1", AT, "inhibited"), AuditEntry("p", AT, "pending"), AuditEntry("p", AT, "silenced"),
        AuditEntry("s1", AT, "silence created"), AuditEntry("gone", AT, "resolved"),
    )  # fmt: skip
    assert of_changes(Changes(alerts=(an_alert(), pending), audit=audit), lambda _: None) == []


def test_a_note_on_an_alert_that_did_not_change_finds_it() -> None:
    [change] = of_changes(Changes(audit=(AuditEntry("a1", AT, NOTE, "anna", "x"),)), lambda _: an_alert())
    assert change.rule == "PoolUtilizationHigh"


def test_marks_are_changes_and_deploys_are_told_apart() -> None:
    marks = (Annotation("m1", AT, "Deployed 1.2.3", ("deploy",)), Annotation("m2", AT, "Load test", by="anna"))
    found = of_changes(Changes(annotations=marks), lambda _: None)
    assert [(one.kind, one.text, one.by) for one in found] == [
        (ChangeKind.DEPLOYED, "Deployed 1.2.3", None), (ChangeKind.ANNOTATED, "Load test", "anna"),
    ]  # fmt: skip


def test_what_was_before_the_start_follows_from_the_alerts_that_are_kept() -> None:
    ended = an_alert(acknowledged=Acknowledgement(AT - 100, "anna", None), resolved_at=AT)
    assert [(one.kind, one.at) for one in of_alert(ended)] == [
        (ChangeKind.ALERT_FIRED, AT - 190), (ChangeKind.ALERT_ACKNOWLEDGED, AT - 100), (ChangeKind.ALERT_RESOLVED, AT),
    ]  # fmt: skip
    assert of_alert(an_alert(fired_at=None)) == []


def test_the_log_is_bounded_tells_what_is_new_and_not_what_is_restored() -> None:
    told: list[Change] = []
    log = ChangeLog(told.extend)
    log.add([])
    first = Change(AT, ChangeKind.STARTED, "Dozor was started.")
    log.add([first])
    log.restore([Change(AT - 60, ChangeKind.DEPLOYED, "before"), first])
    assert told == [first]
    assert [one.text for one in log.since(AT - 100)] == ["Dozor was started.", "before"]
    log.add(Change(AT + number, ChangeKind.ANNOTATED, str(number)) for number in range(2 * KEPT))
    assert len(log.since(0)) == KEPT
    assert log.since(0)[0].text == str(2 * KEPT - 1)


def look_at(watch: TargetWatch, *, up: bool | None, uptime: float | None = None) -> list[str]:
    figures = {} if uptime is None else {"redis_uptime_in_seconds": uptime}
    hint = None if up else "Nothing listens there."
    known = Known(
        interval_seconds=1.0,
        pools=(PoolReading("main", {}, AT, up=up, failure=None if up else "refused"),),
        servers=(RedisReading("cache", figures, AT, connected=up, hint=hint),),
    )
    return [change.text for change in watch.look(known, AT)]


def test_targets_that_go_and_come_back_are_noticed_once() -> None:
    watch = TargetWatch()
    assert look_at(watch, up=None) == []
    assert look_at(watch, up=True) == []
    gone = ["Database main does not answer: refused.", "Redis cache does not answer: Nothing listens there."]
    assert look_at(watch, up=False) == gone
    assert look_at(watch, up=False) == []
    assert look_at(watch, up=None) == []
    assert look_at(watch, up=True) == ["Database main answers again.", "Redis cache answers again."]


def test_one_that_never_answered_is_told() -> None:
    assert len(look_at(TargetWatch(), up=False)) == 2


def test_a_server_that_was_started_anew_is_noticed_by_its_uptime() -> None:
    watch = TargetWatch()
    assert look_at(watch, up=True, uptime=1000) == []
    assert look_at(watch, up=True, uptime=1001) == []
    assert look_at(watch, up=True, uptime=3) == ["Redis cache was started anew 3 s ago."]
    assert look_at(watch, up=True, uptime=4) == []


def test_odd_annotations_of_rules_do_no_harm() -> None:
    silent = replace(an_alert(), annotations={})
    [change] = of_changes(Changes(alerts=(silent,), audit=(AuditEntry("a1", AT, "fired"),)), lambda _: None)
    assert change.text == "PoolUtilizationHigh (pool=default) fires."
