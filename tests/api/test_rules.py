"""alerts/rules beyond the list itself."""

from fastapi.testclient import TestClient
from tests.api.fake_backend import AT, FakeBackend, a_rule, an_alert

from dozor.errors import RuleError
from dozor.model.rule import RuleChanges, RuleExplanation, SeriesExplanation


def test_rules_are_read_again(api: TestClient, backend: FakeBackend) -> None:
    backend.reloaded = RuleChanges(17, added=("Gone",), removed=("Down",))
    answer = api.post("alerts/rules/reload")
    assert answer.status_code == 200
    assert answer.json() == {"rules": 17, "added": ["Gone"], "changed": [], "removed": ["Down"]}


def test_a_mistake_in_them_is_named_with_its_place(api: TestClient, backend: FakeBackend) -> None:
    backend.reloaded = RuleError("no such thing", file="rules.yml", line=7, key="groups[0].rules[0].expr")
    answer = api.post("alerts/rules/reload")
    assert answer.status_code == 422
    assert "mistake: rules.yml:7: groups[0].rules[0].expr: no such thing" in answer.json()["detail"]


def test_a_rule_is_explained(api: TestClient, backend: FakeBackend) -> None:
    alert = an_alert(inhibited_by=("HostDown",), silenced_by=("s1",))
    state = a_rule("PoolUtilizationHigh", threshold="> 90", labels={"severity": "critical"}, alerts=(alert,))
    firing = SeriesExplanation(alert.labels, 96.0, True, 6.0, "firing", alert, None, 25.0, AT + 60, None, "it fires")
    backend.explanations = [RuleExplanation(state, "1 firing, 0 pending", "<= 80", (), (firing,), 1)]
    (rule,) = api.get("alerts/rules/PoolUtilizationHigh/explain").json()["rules"]
    assert (rule["rule"], rule["threshold"], rule["resolve"], rule["why"]) == (
        "PoolUtilizationHigh",
        "> 90",
        "<= 80",
        "1 firing, 0 pending",
    )
    (one,) = rule["series"]
    assert (one["alert_id"], one["pending_since"], one["quiet_until"]) == (
        "a1",
        "2027-01-15T07:55:50Z",
        "2027-01-15T08:01:00Z",
    )
    assert (one["inhibited_by"], one["silenced_by"], one["clear_left_seconds"]) == (["HostDown"], ["s1"], 25.0)


def test_a_rule_that_is_not_there_is_a_404_that_guesses(api: TestClient) -> None:
    answer = api.get("alerts/rules/PoolUtilisationHigh/explain")
    assert answer.status_code == 404
    assert "did you mean PoolUtilizationHigh" in answer.json()["detail"]


def test_a_rule_is_listed_as_it_is_written(api: TestClient, backend: FakeBackend) -> None:
    backend.rules = [a_rule("R", keep_firing_seconds=60.0, labels={"team": "ops"}, file="rules.yml")]
    (rule,) = api.get("alerts/rules").json()["rules"]
    assert (rule["keep_firing_seconds"], rule["labels"], rule["file"]) == (60.0, {"team": "ops"}, "rules.yml")


def test_a_rules_name_may_hold_anything(api: TestClient, backend: FakeBackend) -> None:
    backend.explanations = [RuleExplanation(a_rule("a/b c?"), "quiet", None, (), (), 0)]
    assert api.get("alerts/rules/a%2Fb%20c%3F/explain").json()["rules"][0]["rule"] == "a/b c?"
