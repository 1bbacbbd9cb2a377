"""alerts/…: lists, filters, pages, and what people do."""

import math
from typing import Any

import pytest
from fastapi.testclient import TestClient
from tests.api.fake_backend import AT, FakeBackend, a_rule, an_alert

from dozor.model.alert import Acknowledgement, Severity
from dozor.model.labels import Labels


def ids(answer: Any) -> Any:
    assert answer.status_code == 200, answer.text
    return [alert["id"] for alert in answer.json()["alerts"]]


def test_an_alert_is_shown_whole(api: TestClient, backend: FakeBackend) -> None:
    backend.add(an_alert(acknowledged=Acknowledgement(AT, "anna", "mine"), evidence={"holders": [{"who": "GET /"}]}))
    [alert] = api.get("alerts/active").json()["alerts"]
    assert alert == {
        "id": "a1",
        "rule": "PoolUtilizationHigh",
        "severity": "CRITICAL",
        "component": "database",
        "state": "ACKNOWLEDGED",
        "inhibited_by": [],
        "labels": {"alertname": "PoolUtilizationHigh", "component": "database", "pool": "default"},
        "annotations": {"summary": "96 % of the connections of pool default are in use"},
        "value": 96.0,
        "active_at": "2027-01-15T07:55:50Z",
        "fired_at": "2027-01-15T07:56:50Z",
        "resolved_at": None,
        "resolve_reason": None,
        "acknowledged": {"at": "2027-01-15T08:00:00Z", "by": "anna", "comment": "mine"},
        "silenced": None,
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


@pytest.mark.parametrize("path", ["alerts/history", "alerts/statistics"])
def test_a_store_that_does_not_answer_is_503_with_retry_after(api: TestClient, backend: FakeBackend, path: str) -> None:
    backend.store_answers = False
    answer = api.get(path)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")


def test_acknowledge_takes_an_empty_body_and_answers_with_the_alert(api: TestClient, backend: FakeBackend) -> None:
    backend.add(an_alert())
    answer = api.post("alerts/a1/acknowledge")
    assert answer.status_code == 200
    assert (answer.json()["state"], answer.json()["durable"]) == ("ACKNOWLEDGED", True)
    again = api.post("alerts/a1/acknowledge", json={"by": "boris", "comment": "I take over"})
    assert again.json()["acknowledged"]["by"] == "boris"


def test_an_action_that_is_not_committed_says_so(api: TestClient, backend: FakeBackend) -> None:
    backend.add(an_alert())
    backend.durable = False
    assert api.post("alerts/a1/acknowledge", json={}).json()["durable"] is False


@pytest.mark.parametrize(
    ("body", "until"),
    [
        ({"duration": "1h30m"}, "2027-01-15T09:30:00Z"),
        ({"duration": "90s"}, "2027-01-15T08:01:30Z"),
        ({"until": "2027-01-15T12:00:00+02:00"}, "2027-01-15T10:00:00Z"),
        ({"until_resolved": True}, None),
    ],
)
def test_silence(api: TestClient, backend: FakeBackend, body: Any, until: Any) -> None:
    backend.add(an_alert())
    answer = api.post("alerts/a1/silence", json={**body, "by": "anna"})
    assert answer.status_code == 200, answer.text
    assert answer.json()["state"] == "SILENCED"
    assert answer.json()["silenced"] == {"at": "2027-01-15T08:00:00Z", "until": until, "by": "anna", "comment": None}


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({}, "exactly one"),
        ({"duration": "1h", "until_resolved": True}, "exactly one"),
        ({"duration": "-1h"}, "not a duration"),
        ({"duration": "0"}, "longer than 0"),
        ({"duration": "0s"}, "longer than 0"),
        ({"duration": "soon"}, "not a duration"),
        ({"duration": ""}, "not a duration"),
        ({"duration": "1h "}, None),
        ({"duration": "101y"}, "100 years"),
        ({"duration": "9999y"}, "too long"),
        ({"duration": 3600}, "string"),
        ({"until": "2027-01-15T07:59:59Z"}, "future"),
        ({"until": "9999-12-31T23:59:59-12:00"}, "100 years"),
        ({"until": "2027-01-15T09:00:00"}, "offset from UTC"),
        ({"until": 1_900_000_000}, "offset from UTC"),
        ({"until": "1900000000"}, "offset from UTC"),
        ({"until_resolved": False}, "only be true"),
        ({"durations": "1h"}, "durations"),
        ({"duration": "1h", "by": "x" * 201}, "200"),
        ([], "object"),
    ],
)
def test_a_silence_that_makes_no_sense_is_422_with_one_clear_message(
    api: TestClient, backend: FakeBackend, body: Any, said: Any
) -> None:
    backend.add(an_alert())
    answer = api.post("alerts/a1/silence", json=body)
    if said is None:
        assert answer.status_code == 200
        return
    assert answer.status_code == 422, answer.text
    assert said in answer.json()["detail"]
    assert backend.alerts["a1"].silenced is None


def test_after_the_clock_was_set_a_silence_still_ends_when_people_were_told(
    api: TestClient, backend: FakeBackend
) -> None:
    backend.add(an_alert())
    backend.clock.set_wall(3600)
    answer = api.post("alerts/a1/silence", json={"until": "2027-01-15T10:00:00Z"})
    assert answer.json()["silenced"]["until"] == "2027-01-15T10:00:00Z"
    silenced = backend.alerts["a1"].silenced
    assert silenced
    assert silenced.until == AT + 3600


def test_resolve_closes_the_alert(api: TestClient, backend: FakeBackend) -> None:
    backend.add(an_alert())
    assert api.post("alerts/a1/resolve", json={"by": "anna"}).json()["state"] == "RESOLVED"
    assert ids(api.get("alerts/active")) == []
    assert ids(api.get("alerts/history")) == ["a1"]


@pytest.mark.parametrize("action", ["acknowledge", "silence", "resolve"])
def test_an_unknown_alert_is_404(api: TestClient, action: Any) -> None:
    answer = api.post(f"alerts/nobody/{action}", json={"duration": "1h"} if action == "silence" else {})
    assert answer.status_code == 404


@pytest.mark.parametrize("action", ["acknowledge", "silence", "resolve"])
def test_what_the_state_forbids_is_409(api: TestClient, backend: FakeBackend, action: Any) -> None:
    body = {"duration": "1h"} if action == "silence" else {}
    backend.add(an_alert(id="p", fired_at=None), an_alert())
    assert api.post(f"alerts/p/{action}", json=body).status_code == (200 if action == "silence" else 409)
    api.post("alerts/a1/resolve")
    assert api.post(f"alerts/a1/{action}", json=body).status_code == 409


@pytest.mark.parametrize("body", [b"{", b"\xff", b'{"by": }', b"null"])
def test_a_body_that_is_no_json_is_422(api: TestClient, backend: FakeBackend, body: Any) -> None:
    backend.add(an_alert())
    answer = api.post(
        "alerts/a1/acknowledge", content=body, headers={"Content-Type": "application/json; charset=utf-8"}
    )
    assert answer.status_code == 422


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
