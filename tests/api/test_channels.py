"""channels/… and notifications/…: who is told, and what became of what was to be told."""

from typing import Any

import pytest
from fastapi.testclient import TestClient
from tests.api.fake_backend import AT, FakeBackend, a_channel, a_letter

from dozor.errors import DeliveryError
from dozor.notify import ChannelCondition


def ids(answer: Any) -> list[int]:
    assert answer.status_code == 200, answer.text
    return [letter["id"] for letter in answer.json()["notifications"]]


def test_every_channel_says_how_it_fares(api: TestClient, backend: FakeBackend) -> None:
    backend.channel_states = [
        a_channel("slack", state=ChannelCondition.OPEN, failed=5, last_error="HTTP 503", retry_at=AT + 30)
    ]
    assert api.get("channels").json() == {
        "channels": [
            {
                "name": "slack",
                "kind": "slack",
                "target": "slack.example",
                "state": "OPEN",
                "waiting": 0,
                "sent": 3,
                "failed": 5,
                "dead": 0,
                "last_success_at": "2027-01-15T07:59:00Z",
                "last_failure_at": None,
                "last_error": "HTTP 503",
                "retry_at": "2027-01-15T08:00:30Z",
            }
        ],
        "generated_at": "2027-01-15T08:00:00Z",
    }


def test_a_test_message_arrives_or_says_why_not(api: TestClient, backend: FakeBackend) -> None:
    assert api.post("channels/webhook/test").json() == {"delivered": True, "seconds": 0.214}
    backend.unreachable = DeliveryError("webhook", "HTTP 404 Not Found", recoverable=False)
    answer = api.post("channels/webhook/test")
    assert answer.status_code == 502
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"] == "Webhook: HTTP 404 Not Found."


def test_a_channel_that_is_not_set_up_is_404_and_says_which_are(api: TestClient) -> None:
    answer = api.post("channels/pager/test")
    assert answer.status_code == 404
    assert "'pager'; there are: log, webhook" in answer.json()["detail"]


def test_a_notification_is_shown_with_its_alerts_and_its_last_error(api: TestClient, backend: FakeBackend) -> None:
    backend.letters[7] = a_letter(7)
    [letter] = api.get("notifications").json()["notifications"]
    alerts = letter.pop("alerts")
    assert [(alert["id"], alert["rule"]) for alert in alerts] == [("a1", "PoolUtilizationHigh")]
    assert letter == {
        "id": 7,
        "notification_id": "n7",
        "channel": "webhook",
        "state": "dead",
        "occasion": "firing",
        "group": "PoolUtilizationHigh",
        "omitted": 0,
        "attempts": 12,
        "created_at": "2027-01-15T07:58:20Z",
        "next_at": None,
        "settled_at": "2027-01-15T07:59:55Z",
        "last_error": "HTTP 403",
    }


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", [3, 2, 1]),
        ("?state=dead", [3, 1]),
        ("?state=SENT", [2]),
        ("?channel=slack", [3]),
        ("?state=pending", []),
        ("?limit=2", [3, 2]),
    ],
)
def test_filters(api: TestClient, backend: FakeBackend, query: str, found: list[int]) -> None:
    backend.letters = {1: a_letter(1), 2: a_letter(2, state="sent"), 3: a_letter(3, receiver="slack")}
    assert ids(api.get(f"notifications{query}")) == found


def test_pages(api: TestClient, backend: FakeBackend) -> None:
    backend.letters = {row: a_letter(row) for row in range(5)}
    first = api.get("notifications?limit=3").json()
    rest = api.get("notifications", params={"limit": 3, "cursor": first["next_cursor"]})
    assert (first["total"], ids(rest), rest.json()["next_cursor"]) == (5, [1, 0], None)


@pytest.mark.parametrize("query", ["limit=0", "state=lost", "cursor=x", "limit=many"])
def test_a_wrong_filter_limit_or_cursor_is_422(api: TestClient, query: str) -> None:
    assert api.get(f"notifications?{query}").status_code == 422


def test_a_dead_letter_is_sent_again(api: TestClient, backend: FakeBackend) -> None:
    backend.letters[7] = a_letter(7)
    answer = api.post("notifications/7/retry")
    assert answer.status_code == 200, answer.text
    assert (answer.json()["state"], answer.json()["next_at"]) == ("pending", "2027-01-15T08:00:00Z")
    assert api.post("notifications/7/retry").status_code == 409
    assert api.post("notifications/8/retry").status_code == 404
    for wrong in ("seven", "-1", str(2**63)):
        assert api.post(f"notifications/{wrong}/retry").status_code == 422


@pytest.mark.parametrize(("body", "count"), [({}, 2), (None, 2), ({"channel": "slack"}, 1), ({"channel": "log"}, 0)])
def test_all_dead_letters_are_sent_again(api: TestClient, backend: FakeBackend, body: Any, count: int) -> None:
    backend.letters = {1: a_letter(1), 2: a_letter(2, state="sent"), 3: a_letter(3, receiver="slack")}
    answer = api.post("notifications/retry", json=body) if body is not None else api.post("notifications/retry")
    assert answer.json() == {"retried": count}


@pytest.mark.parametrize("path", ["notifications", "notifications/1/retry", "notifications/retry"])
def test_a_store_that_does_not_answer_is_503(api: TestClient, backend: FakeBackend, path: str) -> None:
    backend.letters[1] = a_letter(1)
    backend.store_answers = False
    answer = api.get(path) if path == "notifications" else api.post(path)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
