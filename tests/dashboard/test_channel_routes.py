"""The page of channels: how each fares, the test, and what was given up."""

import pytest
from fastapi.testclient import TestClient
from tests.api.fake_backend import AT, FakeBackend, a_channel, a_letter
from tests.dashboard.reader import Page, page_of

from dozor.errors import DeliveryError
from dozor.notify import ChannelCondition


def test_every_channel_and_what_was_given_up_is_shown(client: TestClient, backend: FakeBackend) -> None:
    backend.channel_states = [
        a_channel("slack", state=ChannelCondition.OPEN, last_error="HTTP 503", retry_at=AT + 30, waiting=2),
        a_channel("mail", state=ChannelCondition.UNUSED, last_success_at=None),
    ]
    backend.letters = {7: a_letter(7), 8: a_letter(8, state="sent")}
    page = page_of(client, "/channel")
    for expected in ("slack.example", "Left alone", "for another 30 s", "HTTP 503", "Not used yet", "never",
                     "firing, 1 alert", "HTTP 403", "Send all 1 again"):  # fmt: skip
        assert expected in page.text, expected
    assert [form["action"] for form in page.all("form")] == [
        "./channel/slack/test",
        "./channel/mail/test",
        "./notification/7/retry",
        "./notification/retry",
    ]


def test_a_test_message_says_whether_it_arrived(client: TestClient, backend: FakeBackend) -> None:
    answer = client.post("/channel/webhook/test")
    assert (answer.status_code, answer.headers["location"]) == (303, "../../channel?done=tested")
    backend.unreachable = DeliveryError("webhook", "HTTP 404 Not Found")
    answer = client.post("/channel/webhook/test")
    page = Page(answer.text)
    assert answer.status_code == 502
    assert "did not arrive. webhook: HTTP 404 Not Found" in page.text
    assert "../../channel/webhook/test" in [form["action"] for form in page.all("form")]
    assert client.post("/channel/pager/test").status_code == 404


def test_dead_letters_are_sent_again_one_or_all(client: TestClient, backend: FakeBackend) -> None:
    backend.letters = {row: a_letter(row) for row in range(3)}
    answer = client.post("/notification/1/retry")
    assert (answer.status_code, answer.headers["location"]) == (303, "../../channel?done=retried")
    assert [row.state for row in backend.letters.values()] == ["dead", "pending", "dead"]
    answer = client.post("/notification/retry")
    assert (answer.status_code, answer.headers["location"]) == (303, "../channel?done=retried")
    assert {row.state for row in backend.letters.values()} == {"pending"}
    assert client.post("/notification/1/retry").status_code == 409
    assert client.post("/notification/9/retry").status_code == 404
    assert client.post("/notification/nine/retry").status_code == 422


@pytest.mark.parametrize("path", ["/channel/webhook/test", "/notification/1/retry", "/notification/retry"])
def test_a_form_on_another_site_does_nothing(client: TestClient, backend: FakeBackend, path: str) -> None:
    backend.letters[1] = a_letter(1)
    assert client.post(path, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
    assert backend.letters[1].state == "dead"


def test_without_the_store_the_channels_are_still_shown(client: TestClient, backend: FakeBackend) -> None:
    backend.store_answers = False
    said = page_of(client, "/channel").text
    assert "webhook.example" in said
    assert "store does not answer now" in said


def test_more_dead_letters_than_fit_are_counted(client: TestClient, backend: FakeBackend) -> None:
    backend.letters = {row: a_letter(row) for row in range(70)}
    assert "The 50 newest of 70." in page_of(client, "/channel").text
