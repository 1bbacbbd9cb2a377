"""Checking rule files: every mistake, and what is probably not meant."""

import re
from pathlib import Path

import pytest

from dozor.rules.builtin import builtin_groups
from dozor.rules.check import Level, check_files
from dozor.rules.known_metrics import OWN

SOURCES = Path(__file__).parents[2] / "src" / "dozor"
BUILTIN = sorted((SOURCES / "rules" / "builtin").glob("*.yml"))
FINE = "labels: {severity: info}, annotations: {summary: s}"


def found(
    folder: Path, *rules: str, head: str = "name: g", live: set[str] | None = None
) -> list[tuple[str | None, str]]:
    """The kind of each finding about these rules, and its text."""
    path = folder / "my.yml"
    path.write_text(f"groups:\n- {head}\n  rules:\n" + "\n".join(f"  - {{{rule}}}" for rule in rules))
    return [(finding.check, finding.message) for finding in check_files([path], live=live).findings]


def test_the_default_rules_leave_nothing_to_be_said() -> None:
    checked = check_files(BUILTIN)
    assert checked.findings == ()
    assert checked.rules == sum(len(group.rules) for group in builtin_groups())


@pytest.mark.parametrize(
    ("rule", "check", "said"),
    [
        (f"alert: A, expr: htp_requests_total > 1, {FINE}", "unknown-metric", "did you mean http_requests_total?"),
        (
            f"alert: A, expr: shop_orders > 1, {FINE}",
            "unknown-metric",
            "Dozor itself has no metric named shop_orders; --url",
        ),
        (
            f"alert: A, expr: host_cpu_utilization > 120, {FINE}",
            "unreachable",
            "never holds: by the names of its metrics",
        ),
        (f"alert: A, expr: host_cpu_utilization > 0.9, {FINE}", "unreachable", "is in percent, from 0 to 100"),
        (f"alert: A, expr: 'increase(http_requests_total[1d]) > 9', {FINE}", "range", "expr looks back 1d"),
        (
            "alert: A, expr: up, labels: {severity: info, v: '{{ $value }}'}, annotations: {summary: s}",
            "value-in-label",
            "v",
        ),
        (
            "alert: A, expr: up, labels: {severity: info, v: '{{ .Value }}'}, annotations: {summary: s}",
            "value-in-label",
            "v",
        ),
        ("alert: A, expr: up, annotations: {summary: s}", "no-severity", "its alerts are warnings"),
        ("alert: A, expr: up, labels: {severity: info}", "no-summary", "its name and labels only"),
        (f"alert: A, expr: up, for: 5s, {FINE}", "short-for", "`for: 5s` is shorter than the group's interval of 10s"),
        (
            "alert: A, expr: up, labels: {severity: info}, annotations: {summary: s, dozor_resolve: nope == 0}",
            "unknown-metric",
            "nope",
        ),
    ],
)
def test_what_is_probably_not_meant_is_a_warning(rule: str, check: str, said: str, tmp_path: Path) -> None:
    ((kind, message),) = found(tmp_path, rule, head="name: g\n  interval: 10s")
    assert kind == check
    assert said in message


def test_a_value_got_by_a_query_may_be_in_a_label(tmp_path: Path) -> None:
    label = """'{{ with query "up" }}{{ . | first | value }}{{ end }}'"""
    assert not found(
        tmp_path, f"alert: A, expr: up, labels: {{severity: info, v: {label}}}, annotations: {{summary: s}}"
    )


def test_series_are_those_of_the_dozor_that_was_asked_and_those_that_the_files_record(tmp_path: Path) -> None:
    rules = (f"alert: A, expr: orders + made, {FINE}", "record: made, expr: up")
    assert not found(tmp_path, *rules, live={"orders"})
    ((_, message),) = found(tmp_path, *rules, live=set())
    assert message == "the Dozor that was asked has no series named orders"


def test_rules_that_stand_twice_are_told_once_each(tmp_path: Path) -> None:
    rule = f"alert: A, expr: up, {FINE}"
    other = "alert: A, expr: up, labels: {severity: critical}, annotations: {summary: s}"
    kinds = found(tmp_path, rule, other, rule, "record: r, expr: up", "record: r, expr: up")
    assert [kind for kind, _ in kinds] == ["duplicate", "duplicate"]
    assert "stands in line 4 already" in kinds[0][1]


def test_every_rule_that_is_wrong_is_told_with_its_line_and_key(tmp_path: Path) -> None:
    path, other = tmp_path / "a.yml", tmp_path / "b.yml"
    path.write_text(
        "groups:\n- name: g\n  rules:\n  - {alert: A, expr: 'up ='}\n  - {alert: B, expr: up, labels: {severity: x}}\n"
        f"  - {{alert: C, expr: up, {FINE}}}\n  - {{alert: D, expr: up, nope: 1}}\n"
    )
    other.write_text("groups: 5")
    checked = check_files([path, other, tmp_path / "none.yml"])
    errors = [(Path(str(error.file)).name, error.line, error.key) for error in checked.of(Level.ERROR)]
    assert errors == [
        ("a.yml", 4, "groups[0].rules[0].expr"),
        ("a.yml", 5, "groups[0].rules[1].labels.severity"),
        ("a.yml", 7, "groups[0].rules[3].nope"),
        ("b.yml", 1, "groups"),
        ("none.yml", None, None),
    ]
    assert all(str(tmp_path) not in error.message for error in checked.of(Level.ERROR))
    assert checked.rules == 1


def test_an_inhibitor_may_stand_in_another_file_and_must_exist(tmp_path: Path) -> None:
    one, two = tmp_path / "one.yml", tmp_path / "two.yml"
    quiet = "labels: {severity: info}, annotations: {summary: s, dozor_inhibited_by: B()}"
    one.write_text(f"groups: [{{name: g, rules: [{{alert: A, expr: up, {quiet}}}]}}]")
    two.write_text(f"groups: [{{name: g, rules: [{{alert: B, expr: up, {FINE}}}]}}]")
    assert not check_files([one, two]).findings
    (error,) = check_files([one]).of(Level.ERROR)
    assert error.message == "there is no rule 'B'"


def test_the_known_metrics_are_those_that_the_sources_make() -> None:
    families = re.compile(
        r'"((?:db|redis|http|host|process|python|dozor|pgbouncer|response_cache|event_loop)_[a-z_]+'
        r'(?:_total|_seconds|_bytes|_utilization|_depth|_up|_connections|_capacity|_lag|_clients))"'
    )
    parts = ("instruments", "response_cache", "notify", "scrape.py", "session.py")
    files = [
        file for part in parts for file in ([SOURCES / part] if part.endswith(".py") else (SOURCES / part).glob("*.py"))
    ]
    made = {name for file in files for name in families.findall(file.read_text())}
    assert len(made) > 60
    assert {name for name in made if name not in OWN and f"{name}_bucket" not in OWN} == set()
