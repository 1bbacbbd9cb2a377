"""Rule unit tests: the verdicts are promtool's, and a failure says what differs."""

import re
import shutil
import subprocess
import textwrap
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.chaos import examples

from dozor.alerts import Lifecycle
from dozor.rules.unittest import FileOutcome, run_test_file

YARDSTICKS = Path(__file__).parents[3] / "shared" / "yardsticks" / "promqltest" / "promtool"
needs_yardsticks = pytest.mark.skipif(not YARDSTICKS.is_dir(), reason="the yardsticks are not on this machine")
needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="promtool (Debian's package prometheus) is not installed"
)

RULES = """
groups:
  - name: alerts
    interval: 7m
    rules:
      - alert: Down
        expr: up == 0
        for: 5m
        labels: {severity: page}
        annotations:
          summary: "{{ $labels.instance }} is down ({{ $value }})"
          dozor_cooldown: 10m
      - alert: Hot
        expr: heat > 9
        keep_firing_for: 3m
        labels: {level: '{{ if gt $value 20.0 }}high{{ else }}low{{ end }}'}
        annotations: {where: "{{ $externalLabels.region }} {{ $externalURL }}"}
      - {alert: Always, expr: vector(1)}
  - name: records
    rules:
      - {record: "job:up:sum", expr: sum by (job) (up)}
      - {record: steps, expr: "count_over_time(up[10m:])"}
  - name: readers
    rules:
      - {record: seen, expr: 'sum(job:up:sum)'}
"""


def outcome(folder: Path, tests: str, rules: str = RULES) -> FileOutcome:
    (folder / "rules.yml").write_text(rules)
    path = folder / "tests.yml"
    path.write_text(textwrap.dedent(tests))
    return run_test_file(path, Lifecycle)


def promtool(folder: Path) -> tuple[bool, str]:
    """Whether promtool finds all in the folder's tests as expected, and what it says.

    The tests name their `interval`, since Debian's promtool, 2.42, knows no default for it.
    """
    command = ["promtool", "test", "rules", "tests.yml"]
    run = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=60)
    return run.returncode == 0, run.stderr


@needs_yardsticks
@pytest.mark.parametrize(
    ("file", "failing"),
    [
        # Of `unittest.yml` all but native histograms: three series, and the three expressions that read them.
        ("unittest.yml", 6),
        ("failing.yml", 4),
        ("rules_run.yml", 1),
        ("rules_run_fuzzy.yml", 2),
        ("rules_run_no_fuzzy.yml", 2),
        ("bad-promql.yml", 1),
        ("bad-rules-error-test.yml", 1),
        ("bad-rules-syntax-test.yml", None),
        ("bad-input-series.yml", None),
        ("rules_run_extrafields.yml", None),
        ("no-test-group-interval.yml", 0),
        ("at-modifier-test.yml", 0),
        ("negative-offset-test.yml", 0),
        ("long-period.yml", 0),
        ("start-time-test.yml", 0),
    ],
)
def test_promtools_own_files_get_promtools_verdicts(file: str, failing: int | None) -> None:
    found = run_test_file(YARDSTICKS / file, Lifecycle)
    assert (found.error is None) == (failing is not None)
    assert sum(len(one.failures) for one in found.outcomes) == (failing or 0)
    assert found.passed == (failing == 0)


def test_a_pattern_chooses_tests_by_their_name(tmp_path: Path) -> None:
    tests = "tests: [{name: right}, {name: wrong, promql_expr_test: [{expr: vector(1)}]}]"
    assert not outcome(tmp_path, tests).passed
    chosen = run_test_file(tmp_path / "tests.yml", Lifecycle, [re.compile("^ri")])
    assert (chosen.passed, [one.name for one in chosen.outcomes]) == (True, ["right"])


EXPECTATIONS = {
    "an alert with all its labels and annotations": """
        - interval: 1m
          input_series: [{series: 'up{job="a", instance="x"}', values: "1 0x20"}]
          alert_rule_test:
            - {eval_time: 5m, alertname: Down}
            - eval_time: 6m
              alertname: Down
              exp_alerts:
                - exp_labels: {job: a, instance: x, severity: page}
                  exp_annotations: {summary: "x is down (0)", dozor_cooldown: 10m}
        """,
    "the state of the evaluation before": """
        - interval: 10s
          input_series: [{series: heat, values: "0x11 10x20"}]
          alert_rule_test:
            - {eval_time: 1m59s, alertname: Hot}
            - eval_time: 2m1s
              alertname: Hot
              exp_alerts: [{exp_labels: {level: low}, exp_annotations: {where: " "}}]
        """,
    "an alert that lasts beyond its condition": """
        - interval: 1m
          input_series: [{series: heat, values: "10 30 0 0 0 0"}]
          alert_rule_test:
            - eval_time: 1m
              alertname: Hot
              exp_alerts:
                - {exp_labels: {level: high}, exp_annotations: {where: " "}}
                - {exp_labels: {level: low}, exp_annotations: {where: " "}}
            - eval_time: 3m
              alertname: Hot
              exp_alerts:
                - {exp_labels: {level: low}, exp_annotations: {where: " "}}
                - {exp_labels: {level: high}, exp_annotations: {where: " "}}
            - eval_time: 4m
              alertname: Hot
              exp_alerts: [{exp_labels: {level: high}, exp_annotations: {where: " "}}]
            - {eval_time: 5m, alertname: Hot}
        """,
    "what lies outside": """
        - external_labels: {region: eu}
          external_url: https://p.example/x
          input_series: [{series: heat, values: 10}]
          alert_rule_test:
            - alertname: Hot
              exp_alerts: [{exp_labels: {level: low}, exp_annotations: {where: "eu https://p.example/x"}}]
        """,
    "alerts as series": """
        - interval: 1m
          input_series: [{series: 'up{instance="x"}', values: "0x20"}]
          promql_expr_test:
            - expr: ALERTS
              eval_time: 4m
              exp_samples:
                - {labels: 'ALERTS{alertname="Always", alertstate="firing"}', value: 1}
                - {labels: 'ALERTS{alertname="Down", alertstate="pending", instance="x", severity="page"}', value: 1}
            - expr: ALERTS_FOR_STATE{alertname="Down"}
              eval_time: 6m
              exp_samples: [{labels: 'ALERTS_FOR_STATE{alertname="Down", instance="x", severity="page"}', value: 0}]
        """,
    "samples after the last evaluation that nobody sees": """
        - interval: 30s
          input_series: [{series: up, values: "1 2 3 4 5"}]
          promql_expr_test:
            - {expr: up, eval_time: 90s, exp_samples: [{labels: up, value: 3}]}
            - {expr: up, eval_time: 1m, exp_samples: [{labels: up, value: 3}]}
        """,
    "recorded series and the order of groups": """
        - interval: 1m
          input_series: [{series: 'up{job="a"}', values: "1x9"}, {series: 'up{job="b"}', values: "1x3 stale"}]
          promql_expr_test:
            - expr: job:up:sum
              eval_time: 5m
              exp_samples: [{labels: 'job:up:sum{job="a"}', value: 1}]
            - {expr: seen, eval_time: 2m, exp_samples: [{labels: seen, value: 2}]}
            - {expr: 'steps{job="a"}', eval_time: 9m, exp_samples: [{labels: 'steps{job="a"}', value: 10}]}
        """,
    "a number, and no sample at all": """
        - promql_expr_test:
            - {expr: time() / 2, eval_time: 1m, exp_samples: [{value: 30}]}
            - {expr: nothing, eval_time: 1m}
            - {expr: "vector(1) / 0", exp_samples: [{value: .inf}]}
        """,
}


@pytest.mark.parametrize("tests", EXPECTATIONS.values(), ids=EXPECTATIONS)
def test_what_is_as_expected_passes_here_and_there(tests: str, tmp_path: Path) -> None:
    head = "rule_files: [rules.yml]\nevaluation_interval: 1m\ngroup_eval_order: [alerts, records, readers]\ntests:\n"
    found = outcome(tmp_path, head + textwrap.indent(textwrap.dedent(tests), "  "))
    assert [failure for one in found.outcomes for failure in one.failures] == []
    assert found.passed, found.error
    if shutil.which("promtool"):
        assert promtool(tmp_path)[0], promtool(tmp_path)[1]


PENDING = """{interval: 1m, input_series: [{series: up, values: "0x9"}], alert_rule_test: [
    {alertname: Down, eval_time: 3m, exp_alerts: [{exp_labels: {severity: page}}]}]}"""


@pytest.mark.parametrize(
    ("test", "said"),
    [
        ("{promql_expr_test: [{expr: vector(1)}]}", "unexpected: {} 1.0"),
        ("{promql_expr_test: [{expr: nope, exp_samples: [{labels: 'nope{a=\"b\"}', value: 2}]}]}", 'nope{a="b"} 2.0'),
        ("{promql_expr_test: [{expr: vector(1), exp_samples: [{value: 2}]}]}", "differs: {} expected 2.0, got 1.0"),
        ("{promql_expr_test: [{expr: vector(NaN), exp_samples: [{value: .nan}]}]}", "expected nan, got nan"),
        ("{promql_expr_test: [{expr: 'up[5m]'}]}", "this is a matrix"),
        ("{promql_expr_test: [{expr: 'up ='}]}", "up ="),
        ("{alert_rule_test: [{alertname: Nope, exp_alerts: [{}]}]}", "(no rule is named Nope)"),
        ("{alert_rule_test: [{alertname: Always}]}", 'unexpected: {alertname="Always"}'),
        (
            "{alert_rule_test: [{alertname: Always, exp_alerts: [{exp_annotations: {summary: x}}]}]}",
            '  annotation summary:\n    expected "x"\n    got nothing',
        ),
        (
            PENDING,
            'missing: {alertname="Down", severity="page"}\n(pending, fires at 5m if it holds: {alertname="Down"})',
        ),
    ],
)
def test_a_failure_says_what_differs(test: str, said: str, tmp_path: Path) -> None:
    found = outcome(tmp_path, f"rule_files: [rules.yml]\ntests: [{test}]")
    (failure,) = found.outcomes[0].failures
    assert said in "\n".join(failure.lines)
    assert not found.passed
    if shutil.which("promtool"):
        assert not promtool(tmp_path)[0]


@pytest.mark.parametrize(
    ("tests", "said"),
    [
        ("test: []", "tests.yml:1: test: unknown key 'test'; did you mean 'tests'?"),
        ("tests: [{interval: 5x}]", "tests.yml:1: tests[0].interval: '5x' is not a duration"),
        ("group_eval_order: [a, a]", "group_eval_order[1]: the group 'a' stands twice"),
        ("fuzzy_compare: perhaps", "fuzzy_compare: expected true or false"),
        ("tests:\n- input_series: [{series: 'up{', values: 1}]", "tests.yml:2: tests[0].input_series[0].series: "),
        ("tests:\n- alert_rule_test: [{eval_time: 1m}]", "a test of an alert needs the alert's name"),
        ("tests:\n- start_timestamp: yesterday", "neither Unix seconds nor a time"),
        ("tests: [{promql_expr_test: [{expr: a, exp_samples: [{value: x}]}]}]", "exp_samples[0].value: "),
        ("rule_files: [rules.yml]\ntests: [{}]", "rules.yml:1: nope: unknown key 'nope'"),
        ("tests: [{promql_expr_test: [{expr: a, eval_time: 100y}]}]", "a longer evaluation_interval needs fewer"),
    ],
)
def test_a_file_that_cannot_be_read_is_one_message(tests: str, said: str, tmp_path: Path) -> None:
    found = outcome(tmp_path, tests, rules="nope: 1")
    assert said in (found.error or "")
    assert not found.passed


def test_a_pattern_that_matches_no_rule_file_is_told(tmp_path: Path) -> None:
    found = outcome(tmp_path, "rule_files: [none*.yml, 'ru[l]es.yml']\ntests: [{}]")
    assert (found.passed, found.missing) == (True, ("none*.yml",))


def test_the_example_of_the_guide_passes(tmp_path: Path) -> None:
    guide = (Path(__file__).parents[2] / "docs" / "guides" / "rules.md").read_text()
    rules, tests = re.findall(r"```yaml\n(.*?)```", guide, re.DOTALL)
    found = outcome(tmp_path, tests.replace("shop.yml", "rules.yml"), rules)
    assert (found.passed, found.outcomes[0].checks) == (True, 1)


# A series ends by a marker: how many evaluations still see the sample before a gap of exactly the lookback is what 2.42 and
# Prometheus since 3.0 disagree about.
VALUES = st.lists(st.sampled_from(["0", "1", "_", "stale"]), min_size=1, max_size=13).map(
    lambda row: " ".join([*row, "stale"])
)
SCENARIOS = st.lists(
    st.tuples(
        VALUES.filter(lambda row: "_ _ _ _ _" not in row),
        st.sampled_from(["0s", "1m", "2m", "3m30s"]),
        st.sampled_from(["0s", "1m", "2m30s"]),
    ),
    min_size=3,
    max_size=8,
)


@needs_promtool
@settings(max_examples=examples(3), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(scenarios=SCENARIOS, interval=st.sampled_from(["30s", "1m", "90s"]))
def test_alerts_fire_at_the_same_evaluations_as_in_prometheus(
    scenarios: list[tuple[str, str, str]], interval: str, tmp_path: Path
) -> None:
    rules, tests = [], []
    for number, (values, hold, keep) in enumerate(scenarios):
        rules.append(f"  - {{alert: A{number}, expr: x{number} == 1, for: {hold}, keep_firing_for: {keep}}}")
        checks = "\n".join(f"    - {{alertname: A{number}, eval_time: {minute}m}}" for minute in range(15))
        series = f'[{{series: x{number}, values: "{values}"}}]'
        tests.append(
            f"  - name: t{number}\n    interval: 1m\n    input_series: {series}\n    alert_rule_test:\n{checks}"
        )
    head = f"rule_files: [rules.yml]\nevaluation_interval: {interval}\ntests:\n"
    found = outcome(tmp_path, head + "\n".join(tests), "groups:\n- name: g\n  rules:\n" + "\n".join(rules))
    ours = {(one.name, failure.at) for one in found.outcomes for failure in one.failures}
    said = re.findall(r"name: (t\d+),\s+alertname: A\d+, time: (\S+),", promtool(tmp_path)[1])
    assert found.error is None
    assert ours == {(name, 60.0 * int(time.rstrip("ms") or 0)) for name, time in said}
