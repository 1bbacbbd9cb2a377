"""`dozor silence`, `silences`, `unsilence`: what they ask, what they print, how they end."""

import json
from datetime import datetime, timedelta
from typing import Any

import pytest
from tests.cli.conftest import Dozor, Run, alert, listed, problem

ALERT = "0f6c2f7e5f0e4d0b"


def silence(silence_id: str = "77aa77aa77aa77aa", **fields: Any) -> dict[str, Any]:
    """A silence as the API shows it, but for *fields*."""
    return {
        "id": silence_id,
        "matchers": ['pool="main"'],
        "alert_id": None,
        "state": "ACTIVE",
        "starts_at": "2026-11-22T19:00:00Z",
        "ends_at": "2126-11-22T20:00:00Z",
        "until_resolved": False,
        "by": "anna",
        "comment": "upgrade",
        "created_at": "2026-11-22T19:00:00Z",
        "updated_at": "2026-11-22T19:00:00Z",
        "ended_at": None,
        "alerts": [],
        "matched": 2,
        **fields,
    }


def inventory(*silences: dict[str, Any]) -> dict[str, Any]:
    return {"silences": list(silences), "total": len(silences), "next_cursor": None}


@pytest.mark.parametrize(
    ("flags", "body", "until"),
    [
        (["--for", "1h30m"], {"duration": "1h30m"}, "2026-11-22T19:30:00Z"),
        (["--until", "2099-11-22T20:00:00Z"], {"until": "2099-11-22T20:00:00+00:00"}, "2099-11-22T20:00:00Z"),
        (["--until-resolved", "--comment", "known"], {"until_resolved": True, "comment": "known"}, None),
    ],
)
def test_one_alert_is_silenced(
    flags: list[str], body: dict[str, object], until: str | None, dozor: Dozor, dozor_command: Run
) -> None:
    dozor.answers["GET alerts/active"] = listed(alert())
    dozor.answers[f"POST alerts/{ALERT}/silence"] = alert(silenced={"until": until}, durable=True)
    ended = dozor_command("silence", "0f6c", *flags)
    assert (ended.status, ended.err) == (0, "")
    assert ended.out.startswith("Silenced PoolUtilizationHigh of pool=main (0f6c2f7e) until ")
    assert ("until it resolves." in ended.out) == (until is None)
    [sent] = dozor.sent("POST")
    assert sent.body == {**body, "by": "anna"}


def test_whatever_matches_is_silenced_now_or_later(dozor: Dozor, dozor_command: Run) -> None:
    dozor.answers["POST silences"] = silence(durable=True)
    ended = dozor_command("silence", "--match", 'pool="main"', "--match", "severity=~info|warning", "--for", "1h")
    assert ended.out.startswith("Silence 77aa77aa holds until 2126-11-22 ")
    assert ended.out.endswith("; it matches 2 alerts now.\n")
    dozor.answers["POST silences"] = silence(state="SCHEDULED", durable=True)
    ended = dozor_command(
        "silence", "--match", 'pool="main"', "--start", "2099-01-01T00:00:00Z", "--until", "2099-01-01T01:00:00Z"
    )
    assert ended.out.startswith("Silence 77aa77aa holds from 2026-11-22 ")
    first, second = (sent.body for sent in dozor.sent("POST"))
    assert first == {"matchers": ['pool="main"', "severity=~info|warning"], "duration": "1h", "by": "anna"}
    assert second == {
        "matchers": ['pool="main"'],
        "starts_at": "2099-01-01T00:00:00+00:00",
        "ends_at": "2099-01-01T01:00:00+00:00",
        "by": "anna",
    }


def test_a_time_of_day_is_the_next_one(dozor: Dozor, dozor_command: Run) -> None:
    dozor.answers["POST silences"] = silence(durable=True)
    now = datetime.now().astimezone()
    earlier = now - timedelta(minutes=2)
    dozor_command("silence", "--match", "a=b", "--until", f"{earlier:%H:%M}")
    [sent] = dozor.sent("POST")
    assert sent.body is not None
    until = datetime.fromisoformat(sent.body["ends_at"])
    assert timedelta(hours=22) < until - now < timedelta(hours=25)  # a change to summer time is within that
    assert (until.hour, until.minute) == (earlier.hour, earlier.minute)


def test_a_preview_silences_nothing(dozor: Dozor, dozor_command: Run) -> None:
    dozor.answers["POST silences/preview"] = {"alerts": [alert()], "total": 1}
    ended = dozor_command("silence", "--match", 'pool="main"', "--preview")
    assert ended.out.startswith("This matches 1 alert now; no silence was made.\n")
    assert "0f6c2f7e" in ended.out
    assert [(sent.path, sent.body) for sent in dozor.sent("POST")] == [
        ("silences/preview", {"matchers": ['pool="main"']})
    ]
    assert json.loads(dozor_command("silence", "--match", "a=b", "--preview", "--json").out)["total"] == 1


def test_a_matcher_that_is_none_is_status_2(dozor: Dozor, dozor_command: Run) -> None:
    dozor.answers["POST silences"] = problem(422, "matchers: 'pool' is no matcher.")
    ended = dozor_command("silence", "--match", "pool", "--for", "1h")
    assert (ended.status, ended.err) == (2, "dozor: matchers: 'pool' is no matcher.\n")


def test_the_inventory_says_who_what_why_and_until_when(dozor: Dozor, dozor_command: Run) -> None:
    own = silence(
        f"alert-{ALERT}", matchers=[], alert_id=ALERT, ends_at=None, until_resolved=True, alerts=[alert()], comment=None
    )
    old = silence("11", state="EXPIRED", ended_at="2026-11-22T19:30:00Z", by=None)
    dozor.answers["GET silences"] = inventory(silence(), own, old)
    lines = dozor_command("silences", "--state", "active").out.splitlines()
    assert lines[1].startswith("77aa77aa")
    assert 'pool="main"' in lines[1]
    assert "anna  2        upgrade" in lines[1]
    assert "PoolUtilizationHigh of pool=main (0f6c2f7e)" in lines[2]
    assert "all it matches has resolved" in lines[2]
    assert lines[3].startswith("11 ")
    assert dozor.asked[0].parameters["state"] == ["active"]
    dozor.answers["GET silences"] = inventory()
    assert dozor_command("silences").out == "No silences.\n"
    assert json.loads(dozor_command("silences", "--json").out) == {"silences": [], "total": 0}


@pytest.mark.parametrize("given", ["77aa", "alert-0f6c", "0f6c"])
def test_a_silence_is_ended_by_its_id_or_by_that_of_its_alert(given: str, dozor: Dozor, dozor_command: Run) -> None:
    own = silence(f"alert-{ALERT}", matchers=[], alert_id=ALERT, alerts=[alert()])
    dozor.answers["GET silences"] = inventory(silence(), own, silence("77aaold", state="EXPIRED"))
    for one in ("77aa77aa77aa77aa", f"alert-{ALERT}"):
        dozor.answers[f"DELETE silences/{one}"] = silence(one, state="EXPIRED", durable=True)
    ended = dozor_command("unsilence", given, "--comment", "done early")
    assert ended.status == 0, ended.err
    assert ended.out.startswith("Ended silence ")
    [sent] = dozor.sent("DELETE")
    assert sent.path == ("silences/77aa77aa77aa77aa" if given == "77aa" else f"silences/alert-{ALERT}")
    assert sent.parameters == {"by": ["anna"], "comment": ["done early"]}


def test_a_silence_that_is_not_there_or_is_over_is_refused(dozor: Dozor, dozor_command: Run) -> None:
    dozor.answers["GET silences"] = inventory(silence("old", state="EXPIRED"))
    dozor.answers["DELETE silences/old"] = problem(409, "Cannot end silence old: it is EXPIRED.")
    assert dozor_command("unsilence", "nope").err.startswith("dozor: no silence's id begins with 'nope'; ")
    ended = dozor_command("unsilence", "old")
    assert (ended.status, ended.err) == (1, "dozor: Cannot end silence old: it is EXPIRED.\n")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "give the id of an alert, or --match"),
        (["x", "--match", "a=b", "--for", "1h"], "and not both"),
        (["x"], "give exactly one of --for, --until and --until-resolved; none was given"),
        (["x", "--for", "1h", "--until-resolved"], "not --for and --until-resolved together"),
        (["x", "--for", "soon"], "--for: 'soon' is not a duration"),
        (["x", "--for", "0"], "--for: it must be longer than 0"),
        (["x", "--until", "noon"], "--until: 'noon' is not a time; write it like 18:00"),
        (["x", "--until", "25:00"], "--until: '25:00' is not a time"),
        (["x", "--for", "1h", "--start", "18:00"], "--start: only a silence by --match can begin later"),
        (["--match", "a=b", "--for", "1h", "--start", "x"], "--start: 'x' is not a time"),
        (["x", "--preview"], "--preview: it goes with --match"),
    ],
)
def test_a_mistake_is_status_2_and_asks_nothing(
    arguments: list[str], said: str, dozor: Dozor, dozor_command: Run
) -> None:
    ended = dozor_command("silence", *arguments)
    assert (ended.status, ended.out) == (2, "")
    assert said in ended.err
    assert dozor.asked == []
