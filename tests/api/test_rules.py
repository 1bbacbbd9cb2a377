"""alerts/rules beyond the list itself."""

from fastapi.testclient import TestClient
from tests.api.fake_backend import FakeBackend

from dozor.errors import RuleError
from dozor.model.rule import RuleChanges


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
