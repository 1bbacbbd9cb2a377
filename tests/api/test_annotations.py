"""annotations and dashboard/changes."""

from datetime import timedelta

import pytest
from fastapi.testclient import TestClient
from tests.api.fake_backend import FakeBackend

from dozor.overview import Change, ChangeKind


def test_a_mark_is_set_and_found(api: TestClient, backend: FakeBackend) -> None:
    made = api.post("annotations", json={"text": " Deployed 1.2.3 ", "tags": ["deploy"], "by": "ci"})
    assert made.status_code == 201
    assert made.json() == {
        "id": "m0", "at": "2027-01-15T08:00:00Z", "text": "Deployed 1.2.3", "tags": ["deploy"], "by": "ci", "durable": True
    }  # fmt: skip
    before = (backend.clock.now() - timedelta(hours=3)).isoformat()
    api.post("annotations", json={"text": "Load test", "at": before})
    found = api.get("annotations").json()
    assert [one["text"] for one in found["annotations"]] == ["Deployed 1.2.3", "Load test"]
    assert [one["id"] for one in api.get("annotations", params={"tag": "deploy"}).json()["annotations"]] == ["m0"]
    assert [one["id"] for one in api.get("annotations", params={"until": before}).json()["annotations"]] == ["m1"]


def test_marks_come_in_pages(api: TestClient) -> None:
    for number in range(5):
        api.post("annotations", json={"text": str(number)})
    seen, cursor = [], None
    while True:
        page = api.get("annotations", params={"limit": 2, **({"cursor": cursor} if cursor else {})}).json()
        seen += [one["text"] for one in page["annotations"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == ["4", "3", "2", "1", "0"]


@pytest.mark.parametrize(("body", "field"), [
    ({}, "text"),
    ({"text": " "}, "text"),
    ({"text": "x" * 501}, "text"),
    ({"text": "x", "tags": ["y" * 51]}, "tags"),
    ({"text": "x", "tags": ["y"] * 11}, "tags"),
    ({"text": "x", "at": 1795375740}, "at"),
    ({"text": "x", "who": "me"}, "who"),
])  # fmt: skip
def test_what_makes_no_sense_is_refused(api: TestClient, body: dict[str, object], field: str) -> None:
    answer = api.post("annotations", json=body)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"].startswith(field)


def test_a_cursor_that_is_none_is_refused(api: TestClient) -> None:
    assert api.get("annotations", params={"cursor": "x"}).status_code == 422


def test_what_changed_lately_is_told_newest_first(api: TestClient, backend: FakeBackend) -> None:
    at = backend.clock.timestamp()
    ages = (7200, 60, 10)
    backend.changed.add(Change(at - age, ChangeKind.RULES_RELOADED, f"{age} s ago.") for age in ages)
    found = api.get("dashboard/changes").json()
    assert [one["text"] for one in found["changes"]] == ["10 s ago.", "60 s ago."]
    assert (found["total"], found["since"]) == (2, "2027-01-15T07:00:00Z")
    assert found["changes"][0]["kind"] == "rules_reloaded"
    everything = api.get("dashboard/changes", params={"since": "2027-01-15T00:00:00Z", "limit": 1}).json()
    assert (len(everything["changes"]), everything["total"]) == (1, 3)
