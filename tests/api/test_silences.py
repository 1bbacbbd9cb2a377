"""silences/…: made, listed, changed, ended, and tried out beforehand."""

from typing import Any

import pytest
from fastapi.testclient import TestClient
from tests.api.fake_backend import AT, FakeBackend, a_silence, an_alert

from dozor.model.alert import AlertSilence, Severity
from dozor.model.labels import Labels

POOL = 'pool="default"'


def ids(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [silence["id"] for silence in answer.json()["silences"]]


def test_a_silence_is_made_and_shown_with_what_it_keeps_quiet(api: TestClient, backend: FakeBackend) -> None:
    backend.add(an_alert(), an_alert(id="other", labels=Labels(pool="jobs")))
    answer = api.post("silences", json={"matchers": [POOL], "duration": "2h", "by": "anna", "comment": "moving"})
    assert answer.status_code == 201, answer.text
    made = {
        "id": "s1",
        "matchers": [POOL],
        "alert_id": None,
        "state": "ACTIVE",
        "starts_at": "2027-01-15T08:00:00Z",
        "ends_at": "2027-01-15T10:00:00Z",
        "until_resolved": False,
        "by": "anna",
        "comment": "moving",
        "created_at": "2027-01-15T08:00:00Z",
        "updated_at": "2027-01-15T08:00:00Z",
        "ended_at": None,
        "alerts": [
            {
                "id": "a1",
                "rule": "PoolUtilizationHigh",
                "severity": "CRITICAL",
                "state": "FIRING",
                "labels": {"alertname": "PoolUtilizationHigh", "component": "database", "pool": "default"},
            }
        ],
        "matched": 1,
    }
    assert answer.json() == {**made, "durable": True}
    assert api.get("silences").json() == {"silences": [made], "total": 1, "next_cursor": None}
    event = {"at": "2027-01-15T08:00:00Z", "event": "silence created", "by": "anna", "comment": "moving"}
    assert api.get("silences/s1").json() == {**made, "timeline": [event]}


@pytest.mark.parametrize(
    ("body", "starts_at", "ends_at"),
    [
        ({"duration": "1h"}, "08:00", "09:00"),
        ({"ends_at": "2027-01-15T09:30:00Z"}, "08:00", "09:30"),
        ({"until_resolved": True}, "08:00", None),
        ({"starts_at": "2027-01-15T10:00:00Z", "duration": "1h"}, "10:00", "11:00"),
        ({"starts_at": "2027-01-15T12:00:00+02:00", "ends_at": "2027-01-15T13:00:00+02:00"}, "10:00", "11:00"),
        ({"starts_at": "2027-01-15T07:00:00Z", "duration": "1h"}, "08:00", "09:00"),
    ],
)
def test_when_it_begins_and_ends(
    api: TestClient, backend: FakeBackend, body: Any, starts_at: str, ends_at: str | None
) -> None:
    made = api.post("silences", json={"matchers": [POOL], **body}).json()
    assert made["starts_at"] == f"2027-01-15T{starts_at}:00Z"
    assert made["ends_at"] == (ends_at and f"2027-01-15T{ends_at}:00Z")
    assert made["until_resolved"] is (ends_at is None)
    assert made["state"] == ("SCHEDULED" if starts_at == "10:00" else "ACTIVE")


@pytest.mark.parametrize(
    ("body", "field", "said"),
    [
        ({"matchers": [POOL]}, "duration", "exactly one of duration, ends_at and until_resolved; none was given"),
        ({"matchers": [POOL], "duration": "1h", "until_resolved": True}, "duration", "not duration and until_resolved"),
        ({"matchers": [POOL], "duration": "soon"}, "duration", "not a duration"),
        ({"matchers": [POOL], "ends_at": "2027-01-15T07:00:00Z"}, "ends_at", "must lie in the future"),
        (
            {"matchers": [POOL], "starts_at": "2027-01-15T10:00:00Z", "ends_at": "2027-01-15T09:00:00Z"},
            "ends_at",
            "after starts_at",
        ),
        ({"matchers": [POOL], "starts_at": "tomorrow", "duration": "1h"}, "starts_at", "offset from UTC"),
        ({"matchers": [], "duration": "1h"}, "matchers", "at least 1"),
        ({"matchers": ["pool is default"], "duration": "1h"}, "matchers", "is not a matcher"),
        ({"matchers": ['pool=~"("'], "duration": "1h"}, "matchers", "pool"),
        ({"matchers": ['pool=~".*"'], "duration": "1h"}, "matchers", "every alert"),
        ({"matchers": POOL, "duration": "1h"}, "matchers", "array"),
        ({"matchers": ["a=b"] * 51, "duration": "1h"}, "matchers", "at most 50"),
        ({"duration": "1h"}, "matchers", "required"),
        ({"matchers": [POOL], "until": "2027-01-15T09:00:00Z"}, "until", "not permitted"),
    ],
)
def test_a_silence_that_makes_no_sense_is_422_and_names_the_field(
    api: TestClient, backend: FakeBackend, body: Any, field: str, said: str
) -> None:
    backend.by_matchers["s1"] = kept = a_silence()
    for answer in (api.post("silences", json=body), api.put("silences/s1", json=body)):
        assert answer.status_code == 422, answer.text
        assert answer.json()["errors"][0]["field"].split(".")[0] == field
        assert said in answer.json()["detail"]
    assert backend.by_matchers == {"s1": kept}


def test_a_preview_shows_what_would_match_and_makes_nothing(api: TestClient, backend: FakeBackend) -> None:
    backend.add(an_alert(id="w", severity=Severity.WARNING), an_alert(), an_alert(id="o", labels=Labels(pool="jobs")))
    answer = api.post("silences/preview", json={"matchers": [POOL]})
    assert answer.status_code == 200, answer.text
    assert [alert["id"] for alert in answer.json()["alerts"]] == ["a1", "w"]
    assert answer.json()["total"] == 2
    assert backend.by_matchers == {}
    assert api.post("silences/preview", json={"matchers": ["pool"]}).status_code == 422


def test_a_preview_of_very_many_is_counted_and_shortened(api: TestClient, backend: FakeBackend) -> None:
    backend.add(*(an_alert(id=f"a{index}") for index in range(250)))
    preview = api.post("silences/preview", json={"matchers": [POOL]}).json()
    assert (len(preview["alerts"]), preview["total"]) == (100, 250)
    made = api.post("silences", json={"matchers": [POOL], "duration": "1h"}).json()
    assert (len(made["alerts"]), made["matched"]) == (100, 250)


def test_a_silence_is_changed_as_a_whole_and_keeps_its_start(api: TestClient, backend: FakeBackend) -> None:
    backend.by_matchers["s1"] = a_silence()
    answer = api.put("silences/s1", json={"matchers": ["alertname=X"], "duration": "4h", "by": "boris"})
    assert answer.status_code == 200, answer.text
    changed = answer.json()
    assert (changed["matchers"], changed["by"], changed["comment"]) == (["alertname=X"], "boris", "moving")
    assert (changed["starts_at"], changed["ends_at"]) == ("2027-01-15T07:59:00Z", "2027-01-15T12:00:00Z")


def test_a_silence_that_is_still_to_come_counts_its_duration_from_its_start(
    api: TestClient, backend: FakeBackend
) -> None:
    backend.by_matchers["s1"] = a_silence(starts_at=AT + 7200, ends_at=AT + 9000)
    changed = api.put("silences/s1", json={"matchers": [POOL], "duration": "1h"}).json()
    assert (changed["starts_at"], changed["ends_at"]) == ("2027-01-15T10:00:00Z", "2027-01-15T11:00:00Z")


def test_a_silence_is_ended_and_stays_listed(api: TestClient, backend: FakeBackend) -> None:
    backend.by_matchers["s1"] = a_silence()
    backend.durable = False
    answer = api.delete("silences/s1", params={"by": "boris", "comment": "done"})
    assert answer.status_code == 200
    assert (answer.json()["state"], answer.json()["ended_at"]) == ("EXPIRED", "2027-01-15T08:00:00Z")
    assert answer.json()["durable"] is False
    assert ids(api.get("silences?state=expired")) == ["s1"]
    assert ids(api.get("silences?state=ACTIVE")) == []
    assert api.get("silences/s1").json()["timeline"][-1]["comment"] == "done"


def test_while_the_store_does_not_answer_a_silence_is_shown_without_timeline(
    api: TestClient, backend: FakeBackend
) -> None:
    backend.by_matchers["s1"] = a_silence()
    backend.store_answers = False
    answer = api.get("silences/s1")
    assert (answer.status_code, answer.json()["state"], answer.json()["timeline"]) == (200, "ACTIVE", None)


def test_what_has_expired_can_be_neither_changed_nor_ended(api: TestClient, backend: FakeBackend) -> None:
    backend.by_matchers["s1"] = a_silence(ends_at=AT - 1)
    assert api.put("silences/s1", json={"matchers": [POOL], "duration": "1h"}).status_code == 409
    assert api.delete("silences/s1").status_code == 409


def test_what_is_not_known_is_404(api: TestClient, backend: FakeBackend) -> None:
    body = {"matchers": [POOL], "duration": "1h"}
    for name in ("s1", "alert-a1"):
        for answer in (
            api.get(f"silences/{name}"),
            api.put(f"silences/{name}", json=body),
            api.delete(f"silences/{name}"),
        ):
            assert answer.status_code == 404, answer.text
            assert name in answer.json()["detail"]


def test_the_own_silence_of_an_alert_is_listed_and_can_be_ended(api: TestClient, backend: FakeBackend) -> None:
    backend.add(an_alert(silenced=AlertSilence(AT - 10, None, "anna", "known")))
    [own] = api.get("silences").json()["silences"]
    assert (own["id"], own["alert_id"], own["matchers"]) == ("alert-a1", "a1", [])
    assert (own["state"], own["until_resolved"], own["by"]) == ("ACTIVE", True, "anna")
    assert ([alert["id"] for alert in own["alerts"]], own["matched"]) == (["a1"], 1)
    refused = api.put("silences/alert-a1", json={"matchers": [POOL], "duration": "1h"})
    assert refused.status_code == 409
    assert "alerts/a1/silence" in refused.json()["detail"]
    ended = api.delete("silences/alert-a1").json()
    assert (ended["state"], ended["alert_id"]) == ("EXPIRED", "a1")
    assert backend.alerts["a1"].silenced is None
    assert ids(api.get("silences")) == []


def test_pages_of_silences_hold_each_once_though_others_come(api: TestClient, backend: FakeBackend) -> None:
    for index in range(5):
        backend.by_matchers[f"s{index}"] = a_silence(id=f"s{index}", created_at=AT - index)
    first = api.get("silences?limit=2").json()
    backend.by_matchers["newer"] = a_silence(id="newer", created_at=AT + 1)
    second = api.get("silences", params={"limit": 2, "cursor": first["next_cursor"]}).json()
    last = api.get("silences", params={"limit": 2, "cursor": second["next_cursor"]}).json()
    shown = [silence["id"] for page in (first, second, last) for silence in page["silences"]]
    assert shown == ["s0", "s1", "s2", "s3", "s4"]
    assert (first["total"], last["next_cursor"]) == (5, None)


@pytest.mark.parametrize("query", ["limit=0", "state=ASLEEP", "cursor=e30", "cursor=%00"])
def test_a_wrong_filter_limit_or_cursor_is_422(api: TestClient, query: str) -> None:
    assert api.get(f"silences?{query}").status_code == 422


def test_while_dozor_does_not_run_nothing_is_known(api: TestClient, backend: FakeBackend) -> None:
    backend.running = False
    assert api.get("silences").status_code == 503
