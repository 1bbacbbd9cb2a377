"""`dozor explain`."""

import json

from tests.cli.conftest import Dozor, Run, problem

RULE = {
    "rule": "PoolUtilizationHigh",
    "group": "pool",
    "file": "builtin/pool.yml",
    "expr": "db_pool_utilization\n  > 90",
    "for_seconds": 60.0,
    "keep_firing_seconds": 0.0,
    "severity": "CRITICAL",
    "threshold": "> 90",
    "resolve": "<= 80",
    "last_evaluation": "2026-11-22T19:00:00Z",
    "evaluation_seconds": 0.00012,
    "why": "0 firing, 1 pending",
    "series": [
        {
            "labels": {"alertname": "PoolUtilizationHigh", "pool": "main"},
            "state": "pending",
            "value": 96.0,
            "pending_since": "2026-11-22T18:59:30Z",
            "why": "the condition holds; it fires in 30s if that lasts",
        },
        {
            "labels": {"alertname": "PoolUtilizationHigh", "pool": "other\x1b[2J"},
            "state": "inactive",
            "value": None,
            "pending_since": None,
            "why": "its condition does not hold",
        },
    ],
    "series_total": 7,
}


def test_it_says_what_is_looked_at_and_what_is_waited_for(dozor: Dozor, dozor_command: Run) -> None:
    dozor.answers["GET alerts/rules/PoolUtilizationHigh/explain"] = {"rules": [RULE]}
    ended = dozor_command("explain", "PoolUtilizationHigh")
    head, where, evaluated, columns, pending, inactive = ended.out.splitlines()
    assert head == "PoolUtilizationHigh (CRITICAL, pool of builtin/pool.yml): 0 firing, 1 pending"
    assert where == "Fires where db_pool_utilization > 90 (for 1m, ends at <= 80)."
    assert evaluated.endswith("in 0.12 ms.")
    assert columns.split()[:4] == ["state", "where", "value", "threshold"]
    assert pending.split()[:4] == ["PENDING", "pool=main", "96", ">"]
    assert pending.endswith("it fires in 30s if that lasts")
    assert "\x1b" not in inactive
    assert "2 of 7 series" in ended.err
    assert ended.status == 0


def test_json_is_the_answer_as_it_is(dozor: Dozor, dozor_command: Run) -> None:
    dozor.answers["GET alerts/rules/A%2Fb/explain"] = {"rules": [RULE, RULE]}
    assert json.loads(dozor_command("explain", "A/b", "--json").out) == {"rules": [RULE, RULE]}


def test_a_rule_that_is_not_there_is_status_1(dozor: Dozor, dozor_command: Run) -> None:
    dozor.answers["GET alerts/rules/Poll/explain"] = problem(404, "no rule is called 'Poll'; did you mean Pool?")
    ended = dozor_command("explain", "Poll")
    assert (ended.status, ended.out) == (1, "")
    assert "did you mean Pool" in ended.err
