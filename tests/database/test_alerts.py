"""Alerts kept, found, paged through and counted: one suite for every database."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.chaos import examples
from tests.database import records
from tests.database.records import START, make_alert, make_notification, to

from dozor.database import Database, HistoryFilter
from dozor.model.alert import Acknowledgement, Alert, AlertSilence, AlertState, Severity
from dozor.model.notification import AuditEntry, Changes


def commit(store: Database, *alerts: Alert) -> None:
    store.commit(Changes(alerts=alerts), ())


def same(left: Alert | None, right: Alert) -> bool:
    """Equal, where NaN equals itself."""
    return left is not None and repr(left) == repr(right)


@settings(max_examples=examples(40), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(alert=records.alerts)
def test_any_alert_comes_back_as_it_was(store: Database, alert: Alert) -> None:
    commit(store, alert)
    assert same(store.get(alert.id), alert)


def test_an_alert_replaces_the_one_of_its_id(store: Database) -> None:
    alert = make_alert()
    commit(store, alert)
    commit(store, replace(alert, severity=Severity.EMERGENCY, value=99.0))
    found = store.get(alert.id)
    assert found is not None
    assert (found.severity, found.value) == (Severity.EMERGENCY, 99.0)
    assert store.history(HistoryFilter()).total == 1


def test_text_that_no_database_can_hold_is_repaired_and_kept(store: Database) -> None:
    alert = make_alert(
        rule="Nul\0", component="\ud800", annotations={"summary": "lone \udfff"}, evidence={"\ud800": [1]}
    )
    commit(store, alert)
    found = store.get(alert.id)
    assert found is not None
    assert found.rule == "Nul\ufffd"
    assert found.annotations["summary"].startswith("lone ")
    assert [each.id for each in store.history(HistoryFilter(rule="Nul\0")).items] == [alert.id]


@pytest.mark.parametrize("alert_id", ["\0", "\ud800", "x" * 5000])
def test_an_id_that_no_database_can_hold_is_nobodys(store: Database, alert_id: str) -> None:
    assert store.get(alert_id) is None
    assert store.audit(alert_id) == []


def test_evidence_that_is_no_json_is_kept_as_text(store: Database) -> None:
    alert = make_alert(evidence={"error": ValueError("boom"), 3: frozenset({1})})
    commit(store, alert)
    found = store.get(alert.id)
    assert found is not None
    assert found.evidence == {"error": "boom", "3": [1]}


def test_dropped_alerts_are_gone(store: Database) -> None:
    pending = [make_alert(fired_at=None) for _ in range(3)]
    commit(store, *pending)
    store.commit(Changes(dropped=(pending[0].id, pending[1].id, "never-there")), ())
    assert [alert.id for alert in store.load_recent(START)] == [pending[2].id]


def test_a_restart_finds_open_alerts_and_the_lately_ended(store: Database) -> None:
    pending = make_alert(fired_at=None, active_at=START)
    firing = make_alert(active_at=START + 1)
    ended = make_alert(active_at=START + 2, resolved_at=START + 50)
    long_ended = make_alert(resolved_at=START + 10)
    commit(store, firing, ended, long_ended, pending)
    assert [alert.id for alert in store.load_recent(START + 50)] == [pending.id, firing.id, ended.id]


def test_unknown_ids_have_no_alert(store: Database) -> None:
    assert store.get("nobody") is None


def test_history_holds_what_fired_newest_first(store: Database) -> None:
    first, second = make_alert(fired_at=START), make_alert(fired_at=START + 1)
    commit(store, first, second, make_alert(fired_at=None))
    page = store.history(HistoryFilter())
    assert [alert.id for alert in page.items] == [second.id, first.id]
    assert (page.total, page.next_cursor) == (2, None)


def test_pages_meet_without_gap_or_overlap_even_when_times_are_equal(store: Database) -> None:
    alerts = [make_alert(fired_at=START + number // 3) for number in range(10)]
    commit(store, *alerts)
    seen: list[str] = []
    cursor: str | None = None
    while True:
        page = store.history(HistoryFilter(limit=3, cursor=cursor))
        assert page.total == 10
        seen += [alert.id for alert in page.items]
        if page.next_cursor is None:
            break
        cursor = page.next_cursor
        commit(store, make_alert(fired_at=START + 100))  # newer ones do not shift the pages
        store.commit(Changes(dropped=tuple(a.id for a in store.history(HistoryFilter(since=START + 100)).items)), ())
    assert seen == [alert.id for alert in sorted(alerts, key=lambda each: (each.fired_at, each.id), reverse=True)]


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (HistoryFilter(severity=Severity.WARNING), {"slow"}),
        (HistoryFilter(rule="RedisDisconnected"), {"redis"}),
        (HistoryFilter(component="redis"), {"redis"}),
        (HistoryFilter(state=AlertState.FIRING), {"slow"}),
        (HistoryFilter(state=AlertState.RESOLVED), {"redis"}),
        (HistoryFilter(state=AlertState.SILENCED), {"pool"}),
        (HistoryFilter(since=START + 1), {"slow", "redis"}),
        (HistoryFilter(until=START + 1), {"slow", "pool"}),
        (HistoryFilter(since=START + 1, until=START + 1), {"slow"}),
        (HistoryFilter(severity=Severity.CRITICAL, component="database"), {"pool"}),
        (HistoryFilter(severity=Severity.INFO), set()),
    ],
)
def test_history_is_filtered(store: Database, wanted: HistoryFilter, expected: set[str]) -> None:
    commit(
        store,
        make_alert(id="pool", fired_at=START, silenced=AlertSilence(START)),
        make_alert(id="slow", fired_at=START + 1, rule="SlowQueries", severity=Severity.WARNING),
        make_alert(id="redis", fired_at=START + 2, resolved_at=START + 9, rule="RedisDisconnected", component="redis"),
    )
    page = store.history(wanted)
    assert {alert.id for alert in page.items} == expected
    assert page.total == len(expected)


@settings(max_examples=examples(25), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cursor=st.text(max_size=40) | st.sampled_from(["W10", "WzEsMl0", "WyJ4IiwieSJd", "!!", "é"]))
def test_a_cursor_nobody_gave_out_is_refused(store: Database, cursor: str) -> None:
    with pytest.raises(ValueError, match="not a cursor"):
        store.history(HistoryFilter(cursor=cursor))


def test_statistics_are_means_and_counts_in_the_window(store: Database) -> None:
    commit(
        store,
        make_alert(fired_at=START - 1000, resolved_at=START, rule="Old"),
        make_alert(fired_at=START, acknowledged=Acknowledgement(START + 30), resolved_at=START + 100),
        make_alert(fired_at=START + 10, acknowledged=Acknowledgement(START + 20)),
        make_alert(fired_at=START + 20, rule="SlowQueries", severity=Severity.WARNING, resolved_at=START + 320),
        make_alert(fired_at=None),
    )
    found = store.statistics(START)
    assert found.total == 3
    assert found.active == 1
    assert found.by_severity == {
        Severity.INFO: 0,
        Severity.WARNING: 1,
        Severity.CRITICAL: 2,
        Severity.EMERGENCY: 0,
    }
    assert found.by_rule == {"PoolUtilizationHigh": 2, "SlowQueries": 1}
    assert list(found.by_rule) == ["PoolUtilizationHigh", "SlowQueries"], "the noisiest first"
    assert found.mean_time_to_acknowledge_seconds == 20
    assert found.mean_time_to_resolve_seconds == 200
    assert found.since == START
    assert store.statistics().since == START - 1000
    assert store.statistics().total == 4


def test_statistics_of_nothing_have_no_means(store: Database) -> None:
    found = store.statistics()
    assert (found.total, found.active, found.by_rule) == (0, 0, {})
    assert found.mean_time_to_acknowledge_seconds is None
    assert found.mean_time_to_resolve_seconds is None
    assert found.since is None


def test_a_takeover_does_not_move_the_time_to_acknowledge(store: Database) -> None:
    alert = make_alert(acknowledged=Acknowledgement(START + 5, by="ann"))
    commit(store, alert)
    commit(store, replace(alert, acknowledged=Acknowledgement(START + 500, by="bob")))
    commit(store, replace(alert, acknowledged=None, resolved_at=START + 600))
    assert store.statistics().mean_time_to_acknowledge_seconds == 5


def test_an_acknowledgement_that_was_taken_back_is_not_counted_but_the_next_one_is(store: Database) -> None:
    alert = make_alert(acknowledged=Acknowledgement(START + 5, by="ann"))
    commit(store, alert)
    commit(store, replace(alert, acknowledged=None))
    found = store.statistics()
    assert (found.acknowledged, found.mean_time_to_acknowledge_seconds) == (0, None)
    commit(store, replace(alert, acknowledged=Acknowledgement(START + 90, by="bob")))
    commit(store, replace(alert, acknowledged=Acknowledgement(START + 90, by="bob"), resolved_at=START + 600))
    found = store.statistics()
    assert (found.acknowledged, found.mean_time_to_acknowledge_seconds) == (1, 90)


def test_audit_keeps_order_and_a_repeated_commit_adds_nothing(store: Database) -> None:
    alert = make_alert()
    entries = (
        AuditEntry(alert.id, START, "fired"),
        AuditEntry(alert.id, START, "told"),
        AuditEntry(alert.id, START + 5, "acknowledged", by="ann\0", comment="mine \ud800"),
    )
    changes = Changes(alerts=(alert,), audit=entries, notifications=(make_notification(alerts=(alert,)),))
    store.commit(changes, to(("log", "webhook"), *changes.notifications))
    store.commit(changes, to(("log", "webhook"), *changes.notifications))
    assert [entry.event for entry in store.audit(alert.id)] == ["fired", "told", "acknowledged"]
    assert store.audit(alert.id)[2].by == "ann\ufffd"
    assert store.total_fired() == 1
    assert store.outbox_depth() == 2


class TestRetention:
    """What is deleted, and what never is."""

    def test_old_alerts_go_but_the_newest_stay_and_so_do_open_ones(self, store: Database) -> None:
        still_open = make_alert(fired_at=START)
        old = [make_alert(fired_at=START + n, resolved_at=START + n + 1) for n in range(1, 6)]
        commit(store, still_open, *old)
        deleted = store.retention(START + 1000, keep_seconds=100, keep_at_least=2)
        assert deleted == 3
        kept = [alert.id for alert in store.history(HistoryFilter()).items]
        assert kept == [old[4].id, old[3].id, still_open.id]

    def test_young_alerts_stay_up_to_the_count(self, store: Database) -> None:
        commit(store, *[make_alert(fired_at=START + n, resolved_at=START + n + 1) for n in range(6)])
        assert store.retention(START + 10, keep_seconds=1000, keep_at_least=1, keep_at_most=4) == 2
        assert store.history(HistoryFilter()).total == 4

    def test_nothing_goes_below_what_is_kept_at_least(self, store: Database) -> None:
        commit(store, make_alert(resolved_at=START + 1))
        assert store.retention(START + 1e9) == 0

    def test_the_total_survives(self, store: Database) -> None:
        commit(store, *[make_alert(fired_at=START + n, resolved_at=START + n + 1) for n in range(6)])
        store.retention(START + 1000, keep_seconds=1, keep_at_least=4)
        store.retention(START + 1000, keep_seconds=1, keep_at_least=1)
        assert store.history(HistoryFilter()).total == 1
        assert store.total_fired() == 6

    def test_the_audit_trail_goes_with_its_alert(self, store: Database) -> None:
        gone, kept = make_alert(resolved_at=START + 1), make_alert(fired_at=START + 5, resolved_at=START + 6)
        entries = (AuditEntry(gone.id, START, "fired"), AuditEntry(kept.id, START + 5, "fired"))
        store.commit(Changes(alerts=(gone, kept), audit=entries), ())
        store.retention(START + 1000, keep_seconds=1, keep_at_least=1)
        assert store.audit(gone.id) == []
        assert len(store.audit(kept.id)) == 1
