"""alerts/…: lists, filters, pages, statistics, rules."""

import math
from typing import Any

import pytest
from fastapi.testclient import TestClient
from tests.api.fake_backend import AT, FakeBackend, a_rule, a_silence, an_alert

from dozor.model.alert import Acknowledgement, AlertSilence, Severity
from dozor.model.labels import Labels


def ids(answer: Any) -> Any:
    assert answer.status_code == 200, answer.text
    return [alert["id"] for alert in answer.json()["alerts"]]


def test_an_alert_is_shown_whole(api: TestClient, backend: FakeBackend) -> None:
    backend.add(
        an_alert(
            acknowledged=Acknowledgement(AT, "anna", "mine"),
            threshold="> 90",
            flaps=6,
            evidence={"holders": [{"who": "GET /"}]},
        )
    )
    [alert] = api.get("alerts/active").json()["alerts"]
    assert alert == {
        "id": "a1",
        "rule": "PoolUtilizationHigh",
        "severity": "CRITICAL",
        "component": "database",
        "state": "ACKNOWLEDGED",
        "inhibited_by": [],
        "silenced_by": [],
        "labels": {"alertname": "PoolUtilizationHigh", "component": "database", "pool": "default"},
        "annotations": {"summary": "96 % of the connections of pool default are in use"},
        "value": 96.0,
        "threshold": "> 90",
        "active_at": "2027-01-15T07:55:50Z",
        "fired_at": "2027-01-15T07:56:50Z",
        "resolved_at": None,
        "resolve_reason": None,
        "acknowledged": {"at": "2027-01-15T08:00:00Z", "by": "anna", "comment": "mine"},
        "silenced": None,
        "flapping": True,
        "flaps": 6,
        "no_data": False,
        "evidence": {"holders": [{"who": "GET /"}]},
    }


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_value_that_is_no_number_is_null(api: TestClient, backend: FakeBackend, value: Any) -> None:
    backend.add(an_alert(value=value))
    assert api.get("alerts/active").json()["alerts"][0]["value"] is None


def test_half_a_surrogate_pair_is_replaced_and_not_an_error(api: TestClient, backend: FakeBackend) -> None:
    backend.add(an_alert(annotations={"summary": "broken \ud800 text"}))
    assert api.get("alerts/active").json()["alerts"][0]["annotations"]["summary"] == "broken ? text"


def test_pending_alerts_are_shown_only_on_request(api: TestClient, backend: FakeBackend) -> None:
    backend.add(an_alert(), an_alert(id="p", fired_at=None))
    assert ids(api.get("alerts/active")) == ["a1"]
    assert ids(api.get("alerts/active?pending=true")) == ["a1", "p"]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("severity=CRITICAL", ["a1"]),
        ("severity=warning", ["w"]),
        ("rule=SlowQueries", ["w"]),
        ("component=redis", ["w"]),
        ("state=ACKNOWLEDGED", ["w"]),
        ("since=2027-01-15T07:58:00Z", ["w"]),
        ("since=2027-01-15T09:58:00+02:00", ["w"]),
        ("until=2027-01-15T07:58:00Z", ["a1"]),
        ("rule=nothing", []),
    ],
)
def test_filters(api: TestClient, backend: FakeBackend, query: str, found: Any) -> None:
    other = an_alert(
        id="w",
        rule="SlowQueries",
        severity=Severity.WARNING,
        component="redis",
        fired_at=AT - 10,
        acknowledged=Acknowledgement(AT),
    )
    backend.add(an_alert(), other)
    assert ids(api.get(f"alerts/active?{query}")) == found


@pytest.mark.parametrize("path", ["alerts/active", "alerts/history"])
@pytest.mark.parametrize(
    ("matchers", "found"),
    [
        (['pool="default"'], ["a1"]),
        (['pool=~"jobs|mail"'], ["w"]),
        (['severity="warning"'], ["w"]),
        (["component!=database"], ["w"]),
        (['pool=~".+"', "severity=critical"], ["a1"]),
        (['route=""'], ["a1", "w"]),
        (["alertname=Nothing"], []),
    ],
)
def test_matchers_filter_by_labels_severity_and_component(
    api: TestClient, backend: FakeBackend, path: str, matchers: list[str], found: list[str]
) -> None:
    other = an_alert(id="w", labels=Labels(pool="jobs"), severity=Severity.WARNING, component="business")
    backend.add(an_alert(), other)
    assert ids(api.get(path, params={"filter": matchers})) == found


@pytest.mark.parametrize("path", ["alerts/active", "alerts/history"])
def test_a_filter_that_is_no_matcher_is_422_and_says_how_to_write_one(api: TestClient, path: str) -> None:
    answer = api.get(path, params={"filter": "severity is critical"})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "filter"
    assert 'severity="critical"' in answer.json()["detail"]
    assert api.get(path, params={"filter": 'pool=~"("'}).status_code == 422
    assert api.get(path, params={"filter": ["a=b"] * 21}).status_code == 422
    assert api.get(path, params={"filter": "a=" + "b" * 1000}).status_code == 422


def test_an_alert_that_a_silence_matches_says_until_when(api: TestClient, backend: FakeBackend) -> None:
    own = an_alert(id="own", silenced=AlertSilence(AT, None, "boris"), silenced_by=("s1",))
    backend.by_matchers["s1"] = a_silence()
    backend.add(own, an_alert(silenced_by=("gone", "s1")), an_alert(id="b", silenced_by=("gone",)))
    shown = {alert["id"]: alert for alert in api.get("alerts/active").json()["alerts"]}
    assert shown["a1"]["state"] == "SILENCED"
    assert shown["a1"]["silenced_by"] == ["gone", "s1"]
    assert shown["a1"]["silenced"] == {
        "at": "2027-01-15T07:59:00Z",
        "until": "2027-01-15T09:00:00Z",
        "by": "anna",
        "comment": "moving",
    }
    assert shown["own"]["silenced"]["by"] == "boris"
    assert shown["b"]["silenced"] is None


def test_pages_of_active_alerts_hold_each_once_though_others_come_and_go(api: TestClient, backend: FakeBackend) -> None:
    backend.add(*(an_alert(id=f"a{index}", fired_at=AT - index) for index in range(7)))
    first = api.get("alerts/active?limit=3").json()
    assert (first["total"], [alert["id"] for alert in first["alerts"]]) == (7, ["a0", "a1", "a2"])
    backend.add(an_alert(id="newer", fired_at=AT))
    del backend.alerts["a2"]
    second = api.get("alerts/active", params={"limit": 3, "cursor": first["next_cursor"]}).json()
    assert [alert["id"] for alert in second["alerts"]] == ["a3", "a4", "a5"]
    last = api.get("alerts/active", params={"limit": 3, "cursor": second["next_cursor"]}).json()
    assert ([alert["id"] for alert in last["alerts"]], last["next_cursor"]) == (["a6"], None)


@pytest.mark.parametrize(
    "path", ["alerts/active", "alerts/history", "alerts/rules", "pool/slow-queries", "redis/slow-log"]
)
def test_a_wrong_limit_or_cursor_is_422(api: TestClient, path: str) -> None:
    for limit in ("0", "-1", "1001", "many", ""):
        assert api.get(f"{path}?limit={limit}").status_code == 422, limit
    for cursor in ("%00", "e30", "LTE4MDA", "x" * 501):
        assert api.get(f"{path}?cursor={cursor}").status_code == 422, cursor


@pytest.mark.parametrize("query", ["severity=BAD", "state=ASLEEP"])
def test_a_wrong_filter_is_422(api: TestClient, query: str) -> None:
    answer = api.get(f"alerts/active?{query}")
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == query.partition("=")[0]


@pytest.mark.parametrize("moment", ["yesterday", "2027-01-15T08:00:00", "2027-01-15", "1800000000", "08:00", ""])
@pytest.mark.parametrize("path", ["alerts/active", "alerts/history", "alerts/statistics"])
def test_a_moment_is_rfc_3339_and_anything_else_is_told_so(api: TestClient, path: str, moment: str) -> None:
    answer = api.get(path, params={"since": moment})
    assert answer.status_code == 422
    assert answer.json()["detail"] == "since: write a moment with its offset from UTC, such as 2026-11-22T19:00:00Z."


def test_history_and_statistics_come_from_the_store(api: TestClient, backend: FakeBackend) -> None:
    backend.add(an_alert())
    assert ids(api.get("alerts/history?severity=critical&limit=1")) == ["a1"]
    statistics = api.get("alerts/statistics?since=2027-01-15T00:00:00Z").json()
    assert (statistics["total"], statistics["by_severity"]) == (1, {"CRITICAL": 1})
    assert statistics["since"] == "2027-01-15T00:00:00Z"
    assert statistics["acknowledged"] == 0
    assert statistics["by_day"] == [{"day": "2027-01-15", "total": 1, "by_severity": {"CRITICAL": 1}}]
    assert statistics["noisiest"] == [
        {"rule": "PoolUtilizationHigh", "count": 1, "firing_seconds": 190.0, "mean_time_to_resolve_seconds": None}
    ]


def test_facets_count_the_labels_of_what_the_filters_leave(api: TestClient, backend: FakeBackend) -> None:
    backend.add(an_alert(), an_alert(id="a2"), an_alert(id="w", labels=Labels(alertname="Slow", pool="jobs")))
    found = api.get("alerts/history/facets?values=1").json()
    assert (found["total"], found["counted"]) == (3, 3)
    facets = {one["label"]: (one["values"], one["others"]) for one in found["facets"]}
    assert facets["alertname"] == ([{"value": "PoolUtilizationHigh", "count": 2}], 1)
    assert facets["severity"] == ([{"value": "critical", "count": 3}], 0)
    left = api.get("alerts/history/facets", params={"filter": 'pool="jobs"', "severity": "critical"}).json()
    assert left["total"] == 1
    for wrong in ("values=0", "values=101", "filter=x", "since=now"):
        assert api.get(f"alerts/history/facets?{wrong}").status_code == 422, wrong


@pytest.mark.parametrize("path", ["alerts/history", "alerts/history/facets", "alerts/statistics"])
def test_a_store_that_does_not_answer_is_503_with_retry_after(api: TestClient, backend: FakeBackend, path: str) -> None:
    backend.store_answers = False
    answer = api.get(path)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")


def test_labels_may_hold_anything(api: TestClient, backend: FakeBackend) -> None:
    evil = '<script>"\\\n\u202e' + "x" * 10_000
    backend.add(an_alert(labels=Labels(evil=evil)))
    assert api.get("alerts/active").json()["alerts"][0]["labels"] == {"evil": evil}


def test_rules_are_listed_with_their_state_and_alerts(api: TestClient, backend: FakeBackend) -> None:
    backend.add(an_alert())
    backend.rules = [
        a_rule("PoolUtilizationHigh", state="firing", alerts=(an_alert(),)),
        a_rule("Broken", health="err", last_error="many-to-many", last_evaluation=None, severity=Severity.WARNING),
    ]
    found = api.get("alerts/rules").json()
    assert [(rule["rule"], rule["state"], rule["health"]) for rule in found["rules"]] == [
        ("PoolUtilizationHigh", "firing", "ok"),
        ("Broken", "inactive", "err"),
    ]
    assert found["rules"][0]["alerts"][0]["id"] == "a1"
    assert found["rules"][0]["last_evaluation"] == "2027-01-15T08:00:00Z"
    assert [rule["rule"] for rule in api.get("alerts/rules?severity=WARNING").json()["rules"]] == ["Broken"]


def test_rules_come_in_pages(api: TestClient, backend: FakeBackend) -> None:
    backend.rules = [a_rule(f"R{index}") for index in range(5)]
    first = api.get("alerts/rules?limit=3").json()
    rest = api.get("alerts/rules", params={"limit": 3, "cursor": first["next_cursor"]}).json()
    assert [rule["rule"] for rule in first["rules"] + rest["rules"]] == [f"R{index}" for index in range(5)]
    assert rest["next_cursor"] is None
