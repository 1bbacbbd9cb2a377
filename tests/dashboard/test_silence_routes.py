"""The page of silences: the inventory, the preview, making and ending one."""

from typing import Any

import pytest
from fastapi.testclient import TestClient
from tests.api.fake_backend import AT, FakeBackend, a_silence, an_alert
from tests.dashboard.reader import Page, page_of

from dozor.api import PREFIX
from dozor.model.alert import AlertSilence
from dozor.model.labels import Labels

MINE = {"matchers": 'pool="default"', "duration": "1h"}


def test_the_inventory_says_who_what_why_until_when_and_how_much(client: TestClient, backend: FakeBackend) -> None:
    backend.by_matchers = {
        "s1": a_silence(),
        "s2": a_silence(id="s2", matchers=("team=a",), starts_at=AT + 7200, ends_at=None, by=None, comment="window"),
        "s3": a_silence(id="s3", matchers=("team=b",), ended_at=AT - 120),
    }
    backend.add(an_alert(silenced=AlertSilence(AT - 5, AT + 600, "boris", "known")))
    page = page_of(client, "/silence")
    for expected in ('pool="default"', "Active", "in 1 h", "made by anna", "moving", "Scheduled", "in 2 h", "window",
                     "when it has resolved", "Over in the last day", "2 min ago", "PoolUtilizationHigh", "known"):  # fmt: skip
        assert expected in page.text, expected
    ends = [form["action"] for form in page.all("form") if form["action"].endswith("/end")]
    assert sorted(ends) == ["silence/alert-a1/end", "silence/s1/end", "silence/s2/end"]


def test_nothing_silenced_is_said(client: TestClient) -> None:
    page = page_of(client, "/silence")
    assert "Nothing is silenced." in page.text
    assert "This matches" not in page.text


def test_a_preview_shows_what_would_be_silenced_and_keeps_the_form(client: TestClient, backend: FakeBackend) -> None:
    backend.add(an_alert(), an_alert(id="other", labels=Labels(pool="jobs")))
    answer = client.get("/silence", params={**MINE, "duration": "4h", "by": "anna", "starts": "2027-01-15T10:00"})
    page = Page(answer.text)
    assert "This matches 1 alert now." in page.text
    assert {"name": "by", "maxlength": "200", "autocomplete": "name", "value": "anna"} in page.all("input")
    assert [option["value"] for option in page.all("option") if "selected" in option] == ["4h"]
    assert "2027-01-15T10:00" in [field.get("value") for field in page.all("input")]
    assert backend.by_matchers == {}


@pytest.mark.parametrize("text", ["pool is main", 'pool=~"("', 'pool=~".*"'])
def test_a_preview_of_what_are_no_matchers_says_why(client: TestClient, text: str) -> None:
    page = page_of(client, f"/silence?matchers={text}")
    assert {"class": "said", "role": "alert"} in page.all("div")


@pytest.mark.parametrize("base", ["/", f"{PREFIX}/"])
def test_a_silence_is_made_and_ended(client: TestClient, backend: FakeBackend, base: str) -> None:
    form = {"matchers": 'pool="default"\r\n\r\n severity=critical \r\n', "duration": "1h", "by": "anna", "comment": "x"}
    answer = client.post(f"{base}silence", data=form)
    assert (answer.status_code, answer.headers["location"]) == (303, "silence?done=made")
    made = backend.by_matchers["s1"]
    assert made.matchers == ('pool="default"', "severity=critical")
    assert (made.starts_at, made.ends_at, made.by, made.comment) == (AT, AT + 3600, "anna", "x")
    answer = client.post(f"{base}silence/s1/end")
    assert (answer.status_code, answer.headers["location"]) == (303, "../../silence?done=ended")
    assert backend.by_matchers["s1"].ended_at == AT
    assert "people are told" in page_of(client, f"{base}silence?done=ended").text


@pytest.mark.parametrize(
    ("fields", "starts_at", "ends_at"),
    [
        ({"starts": "2027-01-15T10:00"}, AT + 7200, AT + 10_800),
        ({"starts": "2027-01-15T10:00", "duration": "until_resolved"}, AT + 7200, None),
        ({"starts": "2027-01-15T06:00"}, AT, AT + 3600),
        ({"starts": " "}, AT, AT + 3600),
    ],
)
def test_a_silence_may_begin_later(
    client: TestClient, backend: FakeBackend, fields: Any, starts_at: float, ends_at: float | None
) -> None:
    assert client.post("/silence", data={**MINE, **fields}).status_code == 303
    made = backend.by_matchers["s1"]
    assert (made.starts_at, made.ends_at) == (starts_at, ends_at)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"matchers": "pool is main"}, "is not a matcher"),
        ({"matchers": ""}, "every alert"),
        ({"duration": "soon"}, "not a duration"),
        ({"duration": "0s"}, "longer than 0"),
        ({"duration": "101y"}, "100 years"),
        ({"starts": "tomorrow"}, "in UTC"),
    ],
)
def test_what_is_wrong_is_said_above_the_form_which_keeps_what_was_written(
    client: TestClient, backend: FakeBackend, fields: Any, said: str
) -> None:
    answer = client.post("/silence", data={**MINE, "comment": "kept", **fields})
    page = Page(answer.text)
    assert answer.status_code == 422
    assert said in page.text
    assert "kept" in [field.get("value") for field in page.all("input")]
    assert backend.by_matchers == {}


def test_what_cannot_be_ended_is_a_page_that_says_why(client: TestClient, backend: FakeBackend) -> None:
    backend.by_matchers["s1"] = a_silence(ended_at=AT - 1)
    for name, status in (("s1", 409), ("nobody", 404), ("alert-a1", 404)):
        answer = client.post(f"/silence/{name}/end")
        assert answer.status_code == status
        assert Page(answer.text).all("a")[0]["href"] == "../../"


@pytest.mark.parametrize("path", ["/silence", "/silence/s1/end"])
def test_a_form_on_another_site_does_nothing(client: TestClient, backend: FakeBackend, path: str) -> None:
    backend.by_matchers["s1"] = kept = a_silence()
    assert client.post(path, data=MINE, headers={"Origin": "https://attacker.example"}).status_code == 403
    assert backend.by_matchers == {"s1": kept}


def test_very_many_silences_make_no_endless_page(client: TestClient, backend: FakeBackend) -> None:
    backend.by_matchers = {f"s{row}": a_silence(id=f"s{row}", matchers=("a=b",)) for row in range(1000)}
    answer = client.get("/silence")
    assert "and 800 more" in answer.text
    assert len(answer.content) < 600_000
