"""Rule files that are not in force: looked over, and tried on what has been."""

import pytest
from fastapi.testclient import TestClient
from tests.api.fake_backend import FakeBackend

from dozor.model.labels import Labels
from dozor.model.sample import Sample

FILE = """groups:
- name: mine
  rules:
  - alert: HalfFull
    expr: db_pool_utilization > 50
    for: 1m
    labels: {severity: warning}
    annotations: {summary: half full}
"""


@pytest.fixture
def filled(backend: FakeBackend) -> FakeBackend:
    """Ten minutes of a pool that was too full for three of them, and once for half a minute."""
    now = backend.clock.timestamp() // 5 * 5
    for second in range(-600, 1, 5):
        full = -500 <= second < -320 or -200 <= second < -170
        sample = Sample("db_pool_utilization", Labels(pool="main"), 90.0 if full else 10.0)
        backend.store.append(now + second, [sample])
    return backend


@pytest.mark.parametrize(
    ("text", "level", "line", "said"),
    [
        (FILE.replace("> 50", "> > 50"), "error", 5, "expr"),
        (FILE.replace("db_pool_utilization", "db_pool_utilisation"), "warning", 4, "did you mean db_pool_utilization?"),
        (FILE.replace("> 50", "> 150"), "warning", 4, "never holds"),
        ("groups: 7", "error", 1, "groups"),
        ("{", "error", None, ""),
    ],
)
def test_what_is_wrong_is_said_with_its_line(
    api: TestClient, filled: FakeBackend, text: str, level: str, line: int | None, said: str
) -> None:
    answer = api.post("alerts/rules/check", json={"text": text})
    assert answer.status_code == 200, answer.text
    found = answer.json()["findings"][0]
    assert found["level"] == level
    assert line is None or found["line"] == line
    assert said in f"{found['key']} {found['message']}"


def test_a_good_file_has_nothing_to_complain_of(api: TestClient, filled: FakeBackend) -> None:
    assert api.post("alerts/rules/check", json={"text": FILE}).json() == {"rules": 1, "findings": []}


def test_what_a_rule_would_have_done(api: TestClient, filled: FakeBackend) -> None:
    answer = api.post("alerts/rules/backtest", json={"text": FILE, "since": "10m"})
    assert answer.status_code == 200, answer.text
    (rule,) = answer.json()["rules"]
    assert (rule["rule"], rule["fired"], rule["false_starts"], rule["severity"]) == ("HalfFull", 1, 1, "WARNING")
    assert rule["firing_seconds"] == pytest.approx(120, abs=10)
    (alert,) = rule["alerts"]
    assert (alert["labels"]["pool"], alert["value"]) == ("main", 90)
    assert all(one.rule != "HalfFull" for one in filled.alerts.values()), "nothing of it is in force"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"text": FILE, "since": "10 minutes"}, "since"),
        ({"text": FILE, "since": "1s"}, "between 1m and 7d"),
        ({"text": "groups: []", "since": "10m"}, "no rule that alerts"),
        ({"text": FILE.replace("> 50", ">"), "since": "10m"}, "expr"),
        ({"text": FILE * 0, "since": "10m"}, "text"),
        ({"text": FILE, "until": "now"}, "until"),
    ],
)
def test_what_cannot_be_tried_is_refused_with_the_reason(
    api: TestClient, filled: FakeBackend, body: dict[str, str], said: str
) -> None:
    answer = api.post("alerts/rules/backtest", json=body)
    assert answer.status_code == 422
    assert said in answer.text
