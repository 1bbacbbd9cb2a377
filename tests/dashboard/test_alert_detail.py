"""The page of one alert: what is known, what was seen, what happened, and the note."""

import pytest
from fastapi.testclient import TestClient
from tests.api.fake_backend import AT, FakeBackend, a_silence, an_alert
from tests.dashboard.reader import page_of

from dozor.model.labels import Labels
from dozor.model.notification import AuditEntry


def test_the_value_stands_beside_what_it_is_compared_with(client: TestClient, backend: FakeBackend) -> None:
    backend.add(an_alert(threshold="> 90"))
    assert "96 (fires when > 90)" in page_of(client, "/alert/a1").text


def test_flapping_and_silences_that_match_are_said(client: TestClient, backend: FakeBackend) -> None:
    backend.by_matchers["s1"] = a_silence()
    backend.add(an_alert(flaps=6, silenced_by=("s1", "gone")))
    for path, link in (("/", "./silence#s1"), ("/alert/a1", "../silence#s1")):
        page = page_of(client, path)
        assert "Flapping: it fired 6 times lately" in page.text
        assert "Silenced by a silence for another 1 h by anna: moving" in page.text
        assert link in [anchor["href"] for anchor in page.all("a")]


def test_what_happened_is_told_newest_first(client: TestClient, backend: FakeBackend) -> None:
    backend.add(an_alert())
    backend.audit = [
        AuditEntry("a1", AT - 250, "pending"),
        AuditEntry("a1", AT - 190, "fired"),
        AuditEntry("a1", AT - 60, "acknowledged", "anna", "mine"),
        AuditEntry("a1", AT - 30, "note", "boris", "it was the backup"),
        AuditEntry("other", AT, "fired"),
    ]
    said = page_of(client, "/alert/a1").text
    story = said[said.index("What happened") :]
    positions = [story.index(part) for part in ("it was the backup", "Acknowledged by anna: mine", "Fired", "Pending")]
    assert positions == sorted(positions)
    assert "noted by boris" in story


def test_without_the_store_all_but_the_timeline_is_shown(client: TestClient, backend: FakeBackend) -> None:
    backend.add(an_alert())
    backend.store_answers = False
    said = page_of(client, "/alert/a1").text
    assert "PoolUtilizationHigh" in said
    assert "store does not answer now" in said


def test_evidence_is_shown_as_tables_and_what_is_unknown_as_it_is(client: TestClient, backend: FakeBackend) -> None:
    backend.add(
        an_alert(
            evidence={
                "holders": [
                    {
                        "who": "GET /reports",
                        "held_seconds": 312.0,
                        "leaked": True,
                        "usually_taken_at": [{"lines": ["reports.py:31 in report"], "times": 4}],
                    },
                ],
                "slow_queries": [
                    {"statement": "SELECT 1", "duration_seconds": 2.5, "caller": "orders.py:88", "error": "Timeout"},
                    {"statement": "SELECT 2", "duration_seconds": None, "caller": None},
                ],
                "slow_commands": [{"command": "KEYS *", "duration_seconds": 0.04, "client": "127.0.0.1:4711"}],
                "routes": [{"method": "GET", "route": "/orders", "p95_seconds": 4.8, "requests_per_second": 2.0}],
                "weather": {"rain": True},
            }
        )
    )
    page = page_of(client, "/alert/a1")
    for expected in ("GET /reports", "leaked?", "5 min 12 s", "SELECT 1", "2.5 s", "orders.py:88", "failed: Timeout",
                     "usually", "reports.py:31", "KEYS *", "127.0.0.1:4711", "GET /orders", "4.8 s", '"rain": true'):  # fmt: skip
        assert expected in page.text, expected
    assert len(page.all("table")) == 4


def test_a_silence_for_all_that_are_like_it_is_one_step_away(client: TestClient, backend: FakeBackend) -> None:
    backend.add(an_alert(labels=Labels(alertname="PoolUtilizationHigh", pool='"main"', component="database")))
    [link] = [one["href"] for one in page_of(client, "/alert/a1").all("a") if "silence?" in one["href"]]
    page = page_of(client, link.removeprefix(".."))
    assert 'alertname="PoolUtilizationHigh"\npool="\\"main\\""' in page.text
    assert "This matches 1 alert now." in page.text


@pytest.mark.parametrize("alert_id", ["a1", "over"])
def test_a_note_is_written_and_shown(client: TestClient, backend: FakeBackend, alert_id: str) -> None:
    backend.add(an_alert())
    backend.ended["over"] = an_alert(id="over", resolved_at=AT)
    answer = client.post(f"/alert/{alert_id}/notes", data={"text": " the backup \n", "by": "anna"})
    assert (answer.status_code, answer.headers["location"]) == (303, f"../{alert_id}?done=note")
    assert backend.audit == [AuditEntry(alert_id, AT, "note", "anna", "the backup")]
    said = page_of(client, f"/alert/{alert_id}?done=note").text
    assert "Written down." in said
    assert "the backup" in said


def test_an_empty_note_is_refused(client: TestClient, backend: FakeBackend) -> None:
    backend.add(an_alert())
    assert client.post("/alert/a1/notes", data={"text": "  "}).status_code == 422
    assert client.post("/alert/nobody/notes", data={"text": "x"}).status_code == 404
    assert client.post("/alert/a1/notes", data={"text": "x"}, headers={"Origin": "null"}).status_code == 403
    assert backend.audit == []
