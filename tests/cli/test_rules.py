"""`dozor rules check`, `test`, `backtest`: what they print, what they ask, how they end."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.cli.conftest import Dozor, Run

NAMES = "GET prometheus/api/v1/label/__name__/values"
RANGE = "GET prometheus/api/v1/query_range"
FINE = "groups: [{name: g, rules: [{alert: Hot, expr: heat > 5, for: 30s, labels: {severity: critical}, annotations: {summary: s}}]}]"


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    path = tmp_path / "rules.yml"
    path.write_text(FINE)
    return path


@pytest.fixture
def tests(rules: Path) -> Path:
    path = rules.with_name("tests.yml")
    path.write_text("""
rule_files: [rules.yml]
tests:
  - name: hot
    input_series: [{series: 'heat{room="1"}', values: 9x9}]
    alert_rule_test:
      - {alertname: Hot, eval_time: 1m, exp_alerts: [{exp_labels: {severity: critical, room: 2}, exp_annotations: {summary: s}}]}
  - {name: cold, promql_expr_test: [{expr: heat}]}
""")
    return path


def answered(data: Any) -> dict[str, Any]:
    """What Prometheus' API wraps an answer in."""
    return {"status": "success", "data": data}


def test_check_says_where_and_what_and_how_many(rules: Path, dozor_command: Run) -> None:
    ended = dozor_command("rules", "check", str(rules))
    warning, summary = ended.out.splitlines()
    assert warning.startswith(
        f"{rules}:1: warning: Hot: Dozor itself has no metric named heat; --url asks a live Dozor"
    )
    assert warning.endswith(" [unknown-metric]")
    assert summary == "1 file, 1 rule: 1 warning"
    assert (ended.status, ended.err) == (0, "")


@pytest.mark.parametrize(
    ("text", "flags", "status"),
    [
        (FINE, [], 0),
        (FINE, ["--strict"], 1),
        ("groups: [{name: g, rules: [{alert: A}]}]", [], 2),
        ("", ["--strict"], 0),
    ],
)
def test_check_ends_by_what_it_finds(text: str, flags: list[str], status: int, rules: Path, dozor_command: Run) -> None:
    rules.write_text(text)
    assert dozor_command("rules", "check", *flags, str(rules)).status == status


def test_check_asks_the_dozor_that_it_is_told_of(dozor: Dozor, rules: Path, dozor_command: Run) -> None:
    dozor.answers[NAMES] = answered(["heat"])
    ended = dozor_command("rules", "check", "--strict", "--url", dozor.url, str(rules))
    assert (ended.status, ended.out) == (0, "1 file, 1 rule: nothing to complain of\n")


def test_check_as_json(rules: Path, dozor_command: Run) -> None:
    rules.write_text("groups:\n- name: g\n  rules: [{alert: A, expr: up}, {alert: B, expr: 'up ='}]")
    answer = json.loads(dozor_command("rules", "check", "--json", str(rules)).out)
    (error,) = answer["errors"]
    assert (error["line"], error["key"], error["level"]) == (3, "groups[0].rules[1].expr", "error")
    assert [warning["check"] for warning in answer["warnings"]] == ["no-severity", "no-summary"]
    assert answer["rules"] == 1


def test_a_failed_test_is_shown_by_its_differences(tests: Path, dozor_command: Run) -> None:
    ended = dozor_command("rules", "test", str(tests))
    assert ended.out.splitlines() == [
        f"FAIL  {tests}: 2 tests, 2 checks",
        "  hot",
        "    Hot at 1m, line 7",
        '      differs: {alertname="Hot", room="1", severity="critical"}',
        "        label room:",
        '          expected "2"',
        '          got "1"',
    ]
    assert ended.status == 1


def test_tests_are_chosen_by_name_and_pass(tests: Path, dozor_command: Run) -> None:
    ended = dozor_command("rules", "test", "--run", "^co", str(tests))
    assert (ended.status, ended.out) == (0, f"ok    {tests}: 1 test, 1 check\n")
    assert dozor_command("rules", "test", "--run", "(", str(tests)).status == 2


def test_a_test_that_cannot_be_run_is_one_line(tests: Path, rules: Path, dozor_command: Run) -> None:
    rules.write_text("groups: [{name: g, rules: [{alert: A, expr: 'up ='}]}]")
    ended = dozor_command("rules", "test", str(tests))
    assert ended.status == 2
    assert f"{rules}:1: groups[0].rules[0].expr: " in ended.out


def test_outcomes_of_tests_as_json(tests: Path, dozor_command: Run) -> None:
    answer = json.loads(dozor_command("rules", "test", "--json", str(tests)).out)
    (file,) = answer["files"]
    assert (answer["passed"], file["passed"], [test["passed"] for test in file["tests"]]) == (
        False,
        False,
        [False, True],
    )
    (failure,) = file["tests"][0]["failures"]
    assert (failure["what"], failure["at_seconds"], failure["line"]) == ("Hot", 60.0, 7)


@pytest.fixture
def hot(dozor: Dozor) -> Dozor:
    """A Dozor whose `heat` was too much in the first half of whatever is asked, and that has had it from the start on."""

    def ranges(parameters: dict[str, list[str]]) -> dict[str, Any]:
        start, end, step = (float(parameters[name][0]) for name in ("start", "end", "step"))
        count = round((end - start) / step) + 1
        share = count if parameters["query"][0].startswith("count(") else count // 2
        values = [[start + place * step, "9"] for place in range(share)]
        return answered({"resultType": "matrix", "result": [{"metric": {"room": "1"}, "values": values}]})

    dozor.answers |= {NAMES: answered(["heat"]), RANGE: ranges}
    return dozor


def test_a_backtest_says_how_often_when_and_for_how_long(hot: Dozor, rules: Path, dozor_command: Run) -> None:
    ended = dozor_command("rules", "backtest", str(rules), "--since", "10m", "--step", "10s")
    lines = ended.out.splitlines()
    assert lines[0].endswith(", every 10s:")
    assert lines[1].split() == ["rule", "severity", "would", "have", "fired", "for", "false", "starts", "messages"]
    assert lines[2].split() == ["Hot", "CRITICAL", "once", "4m", "30s", "0", "2"]
    assert "room=1" in lines[5]
    assert (ended.status, ended.err) == (0, "")
    assert {asked.parameters["query"][0] for asked in hot.sent("GET") if "query" in asked.parameters} == {
        "heat > 5",
        'count({__name__="heat"})',
    }


def test_a_long_backtest_asks_for_a_part_at_a_time(hot: Dozor, rules: Path, dozor_command: Run) -> None:
    answer = json.loads(dozor_command("rules", "backtest", str(rules), "--since", "1h", "--step", "5s", "--json").out)
    asked = [one.parameters for one in hot.sent("GET") if one.parameters.get("query") == ["heat > 5"]]
    spans = [(float(one["start"][0]), float(one["end"][0])) for one in asked]
    assert len(spans) == 2
    assert spans[1][0] == spans[0][1] + 5
    (rule,) = answer["rules"]
    assert (rule["fired"], len(rule["alerts"]), rule["alerts"][0]["labels"]["room"]) == (2, 2, "1")
    assert answer["data_since"] == answer["since"]


def test_series_that_are_not_there_are_told(dozor: Dozor, rules: Path, dozor_command: Run) -> None:
    rules.write_text(
        "groups: [{name: g, rules: [{record: made, expr: up}, {alert: A, expr: made > 1}, {alert: B, expr: gone > 1}]}]"
    )
    dozor.answers |= {NAMES: answered([]), RANGE: answered({"resultType": "matrix", "result": []})}
    ended = dozor_command("rules", "backtest", str(rules))
    assert "There are no samples to look at." in ended.out
    assert ended.out.count("never") == 2
    assert "A reads made, which the file records" in ended.err
    assert "B reads gone, and Dozor has no such series" in ended.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--step", "0s"], "--step: it must be longer than 0"),
        (["--step", "soon"], "--step: 'soon' is not a duration"),
        (["--since", "yesterday"], "--since: 'yesterday' is neither a duration"),
        (["--since", "1s", "--step", "1h"], "--since: it must lie a step or more in the past"),
        (["--since", "30d", "--step", "1s"], "--step: 2592"),
        (["--rule", "Nope"], "--rule: "),
    ],
)
def test_a_backtest_that_makes_no_sense_asks_nobody(
    arguments: list[str], said: str, dozor: Dozor, rules: Path, dozor_command: Run
) -> None:
    ended = dozor_command("rules", "backtest", str(rules), *arguments)
    assert ended.status == 2
    assert ended.err.startswith(f"dozor: {said}")
    assert not dozor.asked


def test_what_dozor_cannot_evaluate_is_told_with_the_expression(dozor: Dozor, rules: Path, dozor_command: Run) -> None:
    refusal = {"status": "error", "errorType": "timeout", "error": "the query took longer than 4 s and was stopped"}
    dozor.answers |= {NAMES: answered(["heat"]), RANGE: (503, refusal)}
    ended = dozor_command("rules", "backtest", str(rules))
    assert ended.status == 1
    assert ended.err == "dozor: Dozor cannot evaluate `heat > 5`: the query took longer than 4 s and was stopped\n"
