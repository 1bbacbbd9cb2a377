"""`dozor notify channels`, `dead`, `retry`."""

import json
from typing import Any

import pytest
from tests.cli.conftest import Dozor, Run, problem

LETTER: dict[str, Any] = {
    "id": 17,
    "channel": "slack",
    "state": "dead",
    "group": "PoolTimeouts",
    "occasion": "firing",
    "alerts": [],
    "omitted": 0,
    "attempts": 1,
    "created_at": "2026-11-22T19:01:00Z",
    "last_error": "slack answered 404: no_service",
}
CHANNEL: dict[str, Any] = {
    "name": "slack",
    "kind": "slack",
    "target": "https://hooks.slack.com/…",
    "state": "FAILING",
    "waiting": 3,
    "sent": 12,
    "failed": 2,
    "dead": 1,
    "last_success_at": "2026-11-22T19:00:00Z",
    "last_failure_at": "2026-11-22T19:05:00Z",
    "last_error": "slack answered 500",
    "retry_at": None,
}


def test_channels_are_listed_with_how_they_fare(dozor: Dozor, dozor_command: Run) -> None:
    unused = {**CHANNEL, "name": "log", "kind": "log", "target": "", "state": "UNUSED", "last_success_at": None}
    dozor.answers["GET channels"] = {"channels": [CHANNEL, unused]}
    lines = dozor_command("notify", "channels").out.splitlines()
    assert lines[1].split()[:7] == ["slack", "slack", "FAILING", "3", "12", "2", "1"]
    assert "slack answered 500" in lines[1]
    assert "never" in lines[2]
    assert json.loads(dozor_command("notify", "channels", "--json").out)["channels"][0] == CHANNEL


def test_dead_letters_are_listed(dozor: Dozor, dozor_command: Run) -> None:
    dozor.answers["GET notifications"] = {"notifications": [LETTER], "total": 1, "next_cursor": None}
    line = dozor_command("notify", "dead", "--channel", "slack").out.splitlines()[1]
    assert line.startswith("17  slack")
    assert "PoolTimeouts firing" in line
    assert "no_service" in line
    assert dozor.asked[0].parameters == {"state": ["dead"], "channel": ["slack"], "limit": ["100"]}
    dozor.answers["GET notifications"] = {"notifications": [], "total": 0, "next_cursor": None}
    assert dozor_command("notify", "dead").out.startswith("No dead letters")


def test_dead_letters_are_sent_again(dozor: Dozor, dozor_command: Run) -> None:
    dozor.answers["POST notifications/17/retry"] = {**LETTER, "state": "pending"}
    dozor.answers["POST notifications/retry"] = {"retried": 1}
    assert dozor_command("notify", "retry", "17").out == "Notification 17 will be sent to slack again.\n"
    assert dozor_command("notify", "retry", "--all").out == "1 dead letter will be sent again.\n"
    assert dozor_command("notify", "retry", "--all", "--channel", "slack", "--json").status == 0
    assert [sent.body for sent in dozor.sent("POST")] == [{}, {}, {"channel": "slack"}]


def test_what_is_not_dead_is_refused(dozor: Dozor, dozor_command: Run) -> None:
    dozor.answers["POST notifications/4/retry"] = problem(404, "No notification has the id 4.")
    assert dozor_command("notify", "retry", "4").status == 1
    assert dozor_command("notify", "retry", "../x").status == 1
    assert len(dozor.asked) == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "give the id of a notification, or --all"),
        (["4", "--all"], "and not both"),
        (["4", "--channel", "slack"], "--channel: it goes with --all"),
    ],
)
def test_a_mistake_is_status_2(arguments: list[str], said: str, dozor: Dozor, dozor_command: Run) -> None:
    ended = dozor_command("notify", "retry", *arguments)
    assert ended.status == 2
    assert said in ended.err
