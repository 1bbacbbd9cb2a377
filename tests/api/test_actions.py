"""alerts/{alert_id}/…: one alert, its notes and timeline, and what people do about it."""

from typing import Any

import pytest
from fastapi.testclient import TestClient
from tests.api.fake_backend import AT, FakeBackend, an_alert


def test_one_alert_is_shown_with_what_happened_to_it(api: TestClient, backend: FakeBackend) -> None:
    backend.add(an_alert(evidence={"holders": [{"who": "GET /"}]}))
    api.post("alerts/a1/acknowledge", json={"by": "anna", "comment": "mine"})
    backend.clock.advance(60)
    api.post("alerts/a1/notes", json={"text": "raised the limit"})
    shown = api.get("alerts/a1").json()
    assert (shown["id"], shown["evidence"]) == ("a1", {"holders": [{"who": "GET /"}]})
    assert shown["timeline"] == [
        {"at": "2027-01-15T08:00:00Z", "event": "acknowledged", "by": "anna", "comment": "mine"},
        {"at": "2027-01-15T08:01:00Z", "event": "note", "by": None, "comment": "raised the limit"},
    ]


def test_a_note_is_written_beside_any_alert_that_is_known(api: TestClient, backend: FakeBackend) -> None:
    backend.add(an_alert(id="p", fired_at=None))
    backend.ended["over"] = an_alert(id="over", resolved_at=AT)
    for alert_id in ("p", "over"):
        answer = api.post(f"alerts/{alert_id}/notes", json={"text": "  it was the backup ", "by": "anna"})
        assert answer.status_code == 201, answer.text
        note = {"at": "2027-01-15T08:00:00Z", "by": "anna", "text": "it was the backup"}
        assert answer.json() == {**note, "durable": True}
        assert api.get(f"alerts/{alert_id}/notes").json() == {"notes": [note]}


def test_notes_are_what_people_wrote_and_nothing_else(api: TestClient, backend: FakeBackend) -> None:
    backend.add(an_alert())
    api.post("alerts/a1/acknowledge", json={"by": "anna"})
    assert api.get("alerts/a1/notes").json() == {"notes": []}


def test_a_text_that_is_too_long_is_measured_in_characters(api: TestClient) -> None:
    for path, body in (("alerts/a1/notes", {"text": "x" * 4001}), ("annotations", {"text": "x" * 501})):
        assert "should have at most" in (detail := api.post(path, json=body).json()["detail"])
        assert detail.endswith("characters."), detail


@pytest.mark.parametrize("body", [{}, {"text": ""}, {"text": " \n "}, {"text": "x" * 4001}, {"text": "x", "at": "now"}])
def test_a_note_that_says_nothing_or_too_much_is_422(api: TestClient, backend: FakeBackend, body: Any) -> None:
    backend.add(an_alert())
    assert api.post("alerts/a1/notes", json=body).status_code == 422
    assert backend.audit == []


@pytest.mark.parametrize("path", ["alerts/nobody", "alerts/nobody/notes"])
def test_what_is_not_known_is_404(api: TestClient, path: str) -> None:
    assert api.get(path).status_code == 404
    assert api.post("alerts/nobody/notes", json={"text": "x"}).status_code == 404


def test_while_the_store_does_not_answer_what_is_known_is_shown_without_timeline(
    api: TestClient, backend: FakeBackend
) -> None:
    backend.add(an_alert())
    backend.store_answers = False
    answer = api.get("alerts/a1")
    assert (answer.status_code, answer.json()["state"], answer.json()["timeline"]) == (200, "FIRING", None)
    answer = api.get("alerts/a1/notes")
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
    assert list(backend.alerts) == []
    assert list(backend.ended) == ["a1"]


def test_an_acknowledgement_can_be_taken_back(api: TestClient, backend: FakeBackend) -> None:
    backend.add(an_alert())
    assert api.delete("alerts/a1/acknowledge").status_code == 409
    api.post("alerts/a1/acknowledge", json={"by": "anna"})
    answer = api.delete("alerts/a1/acknowledge", params={"by": "anna", "comment": "wrong one"})
    assert (answer.status_code, answer.json()["state"], answer.json()["acknowledged"]) == (200, "FIRING", None)
    assert api.delete("alerts/nobody/acknowledge").status_code == 404


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
