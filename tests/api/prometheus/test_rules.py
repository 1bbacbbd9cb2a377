"""rules and alerts as Prometheus shows its own."""

from typing import Any

import pytest
from fastapi.testclient import TestClient
from tests.api.fake_backend import AT, FakeBackend, a_rule, an_alert

from dozor.model.rule import GroupState, RecordingState

RECORDING = RecordingState("route:requests:rate5m", "shop", "up", {"team": "a"}, "err", "no data", AT, 2e-4, "shop.yml")


@pytest.fixture(autouse=True)
def groups(backend: FakeBackend) -> None:
    alert = an_alert()
    backend.add(alert, an_alert(id="p", rule="Later", fired_at=None, value=1.0))
    firing = a_rule("PoolUtilizationHigh", state="firing", alerts=(alert,), labels={"severity": "critical"})
    backend.groups = [
        GroupState("pool", "default.yml", None, 0, None, None, (firing, a_rule("Later", last_evaluation=None))),
        GroupState("shop", "shop.yml", 30.0, 5, AT, 3e-4, (RECORDING, a_rule("CheckoutSlow"))),
    ]


def chosen(api: TestClient, **wanted: Any) -> dict[str, list[str]]:
    groups = api.get("rules", params=wanted).json()["data"]["groups"]
    return {group["name"]: [rule["name"] for rule in group["rules"]] for group in groups}


def test_a_group_says_when_it_is_evaluated(api: TestClient) -> None:
    pool, shop = api.get("rules").json()["data"]["groups"]
    assert {key: value for key, value in shop.items() if key != "rules"} == {
        "name": "shop",
        "file": "shop.yml",
        "interval": 30.0,
        "limit": 5,
        "evaluationTime": 3e-4,
        "lastEvaluation": "2027-01-15T08:00:00.000Z",
    }
    assert (pool["interval"], pool["evaluationTime"], pool["lastEvaluation"]) == (1.0, 0, "0001-01-01T00:00:00Z")


def test_rules_say_what_they_are_and_how_they_stand(api: TestClient) -> None:
    (firing, later), (recording, _) = (group["rules"] for group in api.get("rules").json()["data"]["groups"])
    assert recording == {
        "name": "route:requests:rate5m",
        "query": "up",
        "labels": {"team": "a"},
        "health": "err",
        "lastError": "no data",
        "evaluationTime": 2e-4,
        "lastEvaluation": "2027-01-15T08:00:00.000Z",
        "type": "recording",
    }
    assert firing["alerts"] == [
        {
            "labels": {
                "alertname": "PoolUtilizationHigh",
                "component": "database",
                "pool": "default",
                "severity": "critical",
            },
            "annotations": {"summary": "96 % of the connections of pool default are in use"},
            "state": "firing",
            "activeAt": "2027-01-15T07:55:50.000Z",
            "value": "9.6e+01",
        }
    ]
    assert (firing["state"], firing["duration"], firing["keepFiringFor"], firing["type"]) == (
        "firing",
        60,
        0,
        "alerting",
    )
    assert (later["state"], later["alerts"], later["lastEvaluation"]) == ("inactive", [], "0001-01-01T00:00:00Z")


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({}, {"pool": ["PoolUtilizationHigh", "Later"], "shop": ["route:requests:rate5m", "CheckoutSlow"]}),
        ({"type": "alert"}, {"pool": ["PoolUtilizationHigh", "Later"], "shop": ["CheckoutSlow"]}),
        ({"type": "RECORD"}, {"shop": ["route:requests:rate5m"]}),
        ({"rule_name[]": ["Later", "CheckoutSlow"]}, {"pool": ["Later"], "shop": ["CheckoutSlow"]}),
        ({"rule_group[]": "shop", "type": "alert"}, {"shop": ["CheckoutSlow"]}),
        ({"file[]": "default.yml"}, {"pool": ["PoolUtilizationHigh", "Later"]}),
        ({"file[]": "nothing.yml"}, {}),
    ],
)
def test_rules_are_chosen(api: TestClient, wanted: dict[str, Any], found: dict[str, list[str]]) -> None:
    assert chosen(api, **wanted) == found


def test_alerts_may_be_left_out(api: TestClient) -> None:
    (pool,) = api.get("rules?exclude_alerts=true&rule_group[]=pool").json()["data"]["groups"]
    assert [rule["alerts"] for rule in pool["rules"]] == [[], []]


def test_alerts_are_those_that_have_not_ended(api: TestClient) -> None:
    found = api.get("alerts").json()["data"]["alerts"]
    assert [(alert["state"], alert["value"]) for alert in found] == [("firing", "9.6e+01"), ("pending", "1e+00")]
