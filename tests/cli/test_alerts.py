"""`dozor alerts`, `ack`, `resolve`, `note`, `history`: what they ask, what they print, how they end."""

import json
from datetime import UTC, datetime

import pytest
from tests.cli.conftest import Asked, Dozor, Run, alert, listed, problem

OTHER = "0f6d000000000000"


def test_alerts_are_a_table_of_whole_lines_where_it_is_piped(dozor: Dozor, dozor_command: Run) -> None:
    owned = {"at": "2026-11-22T19:02:00Z", "by": "boris", "comment": None}
    long = "x" * 300
    dozor.answers["GET alerts/active"] = listed(
        alert(threshold="> 90"), alert(OTHER, state="ACKNOWLEDGED", acknowledged=owned, labels={"pool": long})
    )
    ended = dozor_command("alerts")
    head, first, second = ended.out.splitlines()
    assert head.split() == ["id", "state", "severity", "rule", "where", "since", "value", "about"]
    assert first.startswith("0f6c2f7e  FIRING        CRITICAL  PoolUtilizationHigh  pool=main")
    assert "96 (> 90)" in first
    assert "96 % of the connections of main are in use" in first
    assert f"pool={long}" in second
    assert "acknowledged by boris" in second
    assert (ended.status, ended.err) == (0, "")


def test_all_pages_are_listed(dozor: Dozor, dozor_command: Run) -> None:
    pages = {
        "": {"alerts": [alert()], "total": 2, "next_cursor": "more"},
        "more": {"alerts": [alert(OTHER)], "total": 2, "next_cursor": None},
    }
    dozor.answers["GET alerts/active"] = lambda parameters: pages[parameters.get("cursor", [""])[0]]
    ended = dozor_command("alerts", "--json", "--severity", "critical", "--match", 'pool="main"', "--match", "a=~b|c")
    answer = json.loads(ended.out)
    assert [one["id"] for one in answer["alerts"]] == ["0f6c2f7e5f0e4d0b", OTHER]
    assert answer["total"] == 2
    for asked in dozor.asked:
        assert asked.parameters["severity"] == ["critical"]
        assert asked.parameters["filter"] == ['pool="main"', "a=~b|c"]


def test_nothing_is_said_to_be_nothing(dozor: Dozor, dozor_command: Run) -> None:
    assert dozor_command("alerts").out == "No alerts.\n"
    assert dozor_command("alerts", "--rule", "X").out == "No alert matches.\n"
    assert dozor_command("history").out == "No alert fired.\n"


def test_what_strangers_put_into_labels_moves_no_cursor(dozor: Dozor, dozor_command: Run) -> None:
    dozor.answers["GET alerts/active"] = listed(alert(labels={"path": "\x1b[2J\u202eevil\nnext"}))
    out = dozor_command("alerts").out
    assert "path= [2J evil next" in out
    assert len(out.splitlines()) == 2


def test_one_alert_is_shown_with_its_timeline(dozor: Dozor, dozor_command: Run) -> None:
    dozor.answers["GET alerts/active"] = listed(alert())
    dozor.answers["GET alerts/0f6c2f7e5f0e4d0b"] = alert(
        timeline=[
            {"at": "2026-11-22T19:01:00Z", "event": "fired", "by": None, "comment": None},
            {"at": "2026-11-22T19:02:00Z", "event": "note", "by": "anna", "comment": "looking"},
        ]
    )
    lines = dozor_command("alerts", "0f6c").out.splitlines()
    assert len(lines) == 4
    assert lines[2].endswith(" fired")
    assert lines[3].endswith(" note (anna: looking)")


def test_an_alert_is_shown_while_its_timeline_is_not_known(dozor: Dozor, dozor_command: Run) -> None:
    dozor.answers["GET alerts/active"] = listed(alert())
    dozor.answers["GET alerts/0f6c2f7e5f0e4d0b"] = alert(timeline=None)
    shown = dozor_command("alerts", "0f6c")
    assert shown.status == 0
    assert "PoolUtilizationHigh" in shown.out
    assert shown.out.splitlines()[-1] == "What happened to it is not known now: the store does not answer."


@pytest.mark.parametrize(
    ("arguments", "path", "body", "said"),
    [
        (
            ["ack", "0f6c"],
            "acknowledge",
            {"by": "anna"},
            "Acknowledged PoolUtilizationHigh of pool=main (0f6c2f7e) as anna.\n",
        ),
        (
            ["ack", "0f6c", "--by", "boris", "--comment", "mine"],
            "acknowledge",
            {"by": "boris", "comment": "mine"},
            "Acknowledged PoolUtilizationHigh of pool=main (0f6c2f7e) as boris.\n",
        ),
        (
            ["ack", "0f6c2f7e5f0e4d0b", "--by", ""],
            "acknowledge",
            {},
            "Acknowledged PoolUtilizationHigh of pool=main (0f6c2f7e).\n",
        ),
        (["resolve", "0f6c"], "resolve", {"by": "anna"}, "Resolved PoolUtilizationHigh of pool=main (0f6c2f7e).\n"),
        (
            ["note", "0f6c", "pool doubled"],
            "notes",
            {"by": "anna", "text": "pool doubled"},
            "Noted with PoolUtilizationHigh of pool=main (0f6c2f7e).\n",
        ),
    ],
)
def test_an_action_is_sent_and_said(
    arguments: list[str], path: str, body: dict[str, str], said: str, dozor: Dozor, dozor_command: Run
) -> None:
    dozor.answers["GET alerts/active"] = listed(alert(), alert(OTHER))
    dozor.answers[f"POST alerts/0f6c2f7e5f0e4d0b/{path}"] = alert(durable=True)
    ended = dozor_command(*arguments)
    assert (ended.status, ended.out, ended.err) == (0, said, "")
    [sent] = dozor.sent("POST")
    assert sent.body == body
    assert json.loads(dozor_command(*arguments, "--json").out)["durable"] is True


def test_an_action_that_only_memory_holds_says_so(dozor: Dozor, dozor_command: Run) -> None:
    dozor.answers["GET alerts/active"] = listed(alert())
    dozor.answers["POST alerts/0f6c2f7e5f0e4d0b/resolve"] = alert(durable=False)
    ended = dozor_command("resolve", "0f6c")
    assert ended.status == 0
    assert "Dozor's store does not answer" in ended.err


def test_an_id_that_several_alerts_begin_with_is_refused(dozor: Dozor, dozor_command: Run) -> None:
    dozor.answers["GET alerts/active"] = listed(alert(), alert(OTHER))
    ended = dozor_command("ack", "0f6")
    assert ended.status == 1
    assert ended.err == (
        "dozor: the ids of 2 alerts begin with '0f6': 0f6c2f7e5f0e4d0b, 0f6d000000000000; give more of it\n"
    )
    assert dozor.sent("POST") == []


def test_an_id_that_is_the_beginning_of_another_is_exact(dozor: Dozor, dozor_command: Run) -> None:
    dozor.answers["GET alerts/active"] = listed(alert("0f6c"), alert())
    dozor.answers["POST alerts/0f6c/acknowledge"] = alert("0f6c", durable=True)
    assert dozor_command("ack", "0f6c").status == 0


def test_an_alert_that_has_ended_is_found_and_refused_in_dozors_words(dozor: Dozor, dozor_command: Run) -> None:
    dozor.answers["GET alerts/history"] = listed(alert(state="RESOLVED", resolved_at="2026-11-22T19:10:00Z"))
    dozor.answers["POST alerts/0f6c2f7e5f0e4d0b/acknowledge"] = problem(409, "Cannot acknowledge it: it is RESOLVED.")
    ended = dozor_command("ack", "0f6c")
    assert (ended.status, ended.err) == (1, "dozor: Cannot acknowledge it: it is RESOLVED.\n")


def test_an_id_that_nothing_has_is_refused(dozor: Dozor, dozor_command: Run) -> None:
    for command in (["ack"], ["resolve"], ["silence", "--for", "1h"], ["alerts"]):
        ended = dozor_command(*command, "nope")
        assert ended.status == 1
        assert ended.err.startswith("dozor: no alert's id begins with 'nope'; ")


def test_history_asks_since_when_and_says_how_much_more_there_is(dozor: Dozor, dozor_command: Run) -> None:
    ended_alert = alert(state="RESOLVED", resolved_at="2026-11-22T19:11:30Z", resolve_reason="by hand")
    dozor.answers["GET alerts/history"] = {"alerts": [ended_alert], "total": 7, "next_cursor": "more"}
    before = datetime.now(UTC)
    ended = dozor_command("history", "--since", "24h", "--limit", "1", "--rule", "PoolUtilizationHigh")
    [asked] = dozor.asked
    since = datetime.fromisoformat(asked.parameters["since"][0])
    assert abs((before - since).total_seconds() - 86_400) < 60
    assert asked.parameters["rule"] == ["PoolUtilizationHigh"]
    line = ended.out.splitlines()[1]
    assert "10m 30s  RESOLVED  CRITICAL  PoolUtilizationHigh  pool=main  by hand" in line
    assert ended.err == "1 of 7; --limit shows more.\n"
    assert json.loads(dozor_command("history", "--limit", "1", "--json").out)["total"] == 7


def test_the_key_is_shown(dozor: Dozor, dozor_command: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOZOR_API_KEY", "k3y")
    dozor_command("alerts")
    assert dozor.asked == [Asked("GET", "alerts/active", {"limit": ["1000"]}, None, "Bearer k3y")]


@pytest.mark.parametrize(
    ("answer", "status", "said"),
    [
        (problem(401, "A key is needed."), 3, "does not let us in (401): set its key in DOZOR_API_KEY"),
        (problem(503, "The store did not answer within 1 s."), 3, "The store did not answer within 1 s."),
        (problem(422, "filter: 'pool=' is no matcher."), 2, "dozor: filter: 'pool=' is no matcher.\n"),
        (problem(500, "Dozor made a mistake here."), 1, "dozor: Dozor made a mistake here.\n"),
        ((404, {"detail": "Not Found"}), 3, "is not Dozor (status 404 for /api/v1/monitoring/alerts/active)"),
        ((500, {}), 3, "is not Dozor (status 500"),
    ],
)
def test_every_bad_answer_is_one_message_and_its_status(
    answer: tuple[int, dict[str, object]], status: int, said: str, dozor: Dozor, dozor_command: Run
) -> None:
    dozor.answers["GET alerts/active"] = answer
    ended = dozor_command("alerts")
    assert (ended.status, ended.out) == (status, "")
    assert said in ended.err


@pytest.mark.parametrize("command", [["alerts"], ["ack", "x"], ["silences"], ["history"], ["notify", "dead"]])
def test_where_nothing_answers_the_status_is_3(command: list[str], dozor_command: Run) -> None:
    ended = dozor_command(*command, "--url", "http://127.0.0.1:9")
    assert ended.status == 3
    assert ended.err.startswith("dozor: nothing answers at http://127.0.0.1:9 (")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["history", "--since", "yesterday"], "--since: 'yesterday' is neither a duration, such as 24h, nor a time"),
        (["history", "--limit", "0"], "--limit"),
        (["ack"], "Missing argument 'ID'"),
        (["note", "0f6c"], "Missing argument 'TEXT'"),
        (["alerts", "--url", "gopher://h"], "--url"),
    ],
)
def test_a_mistake_is_status_2_and_asks_nothing(
    arguments: list[str], said: str, dozor: Dozor, dozor_command: Run
) -> None:
    ended = dozor_command(*arguments)
    assert (ended.status, ended.out) == (2, "")
    assert said in ended.err
    assert dozor.asked == []
