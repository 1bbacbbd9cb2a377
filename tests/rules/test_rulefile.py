"""Rule files: what Prometheus accepts is accepted, and every mistake is one error that points at it."""

import textwrap
from contextlib import suppress
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.chaos import examples

from dozor.errors import RuleError
from dozor.model.alert import Severity
from dozor.rules import RecordingRule, load_rule_file, parse_rules
from dozor.rules.alerting import AlertingRule
from dozor.store.memory import MemoryStore

YARDSTICKS = Path(__file__).parents[3] / "shared" / "yardsticks"
needs_yardsticks = pytest.mark.skipif(not YARDSTICKS.is_dir(), reason="the yardsticks are not on this machine")

RULE = """
groups:
  - name: g
    interval: 30s
    limit: 7
    query_offset: 1m
    labels: {team: storage}
    rules:
      - alert: PoolBusy
        expr: db_pool_utilization > 95
        for: 1m30s
        labels: {severity: critical, component: database, tier: "{{ $labels.pool }}"}
        annotations:
          summary: Pool {{ $labels.pool }} is at {{ $value }}
          dozor_resolve: db_pool_utilization < 90
          dozor_resolve_for: 2m
          dozor_cooldown: 10m
          dozor_escalate: "5m: emergency"
          dozor_escalate_when: db_pool_utilization > 99
          dozor_inhibited_by: PoolTimeouts(pool, worker), RedisDisconnected()
      - record: pool:max
        expr: max(db_pool_utilization)
        labels: {kind: max}
"""


def test_a_rule_with_all_there_is() -> None:
    (group,) = parse_rules(RULE, "my.yml")
    alerting, recording = group.rules
    assert (group.name, group.interval_seconds) == ("g", 30.0)
    assert isinstance(alerting, AlertingRule)
    assert (alerting.name, alerting.for_seconds, alerting.limit, alerting.offset_seconds) == ("PoolBusy", 90.0, 7, 60.0)
    assert (alerting.severity, alerting.component) == (Severity.CRITICAL, "database")
    assert (alerting.file, alerting.line) == ("my.yml", 9)
    assert set(alerting.annotations) == {"summary"}
    assert alerting.fixed_labels == {"team": "storage", "component": "database"}
    assert (alerting.clear_seconds, alerting.cooldown_seconds) == (120.0, 600.0)
    assert alerting.escalation is not None
    assert (alerting.escalation.after_seconds, alerting.escalation.severity) == (300.0, Severity.EMERGENCY)
    assert [(each.rule, each.labels) for each in alerting.inhibited_by] == [
        ("PoolTimeouts", ("pool", "worker")),
        ("RedisDisconnected", ()),
    ]
    assert isinstance(recording, RecordingRule)
    assert recording.labels == {"team": "storage", "kind": "max"}


@pytest.mark.parametrize("text", ["", "null", "# nothing\n", "groups:\n", "groups: []\n", "groups: [{name: a}]"])
def test_an_empty_file_has_no_rules(text: str) -> None:
    assert [rule for group in parse_rules(text) for rule in group.rules] == []


def rule(lines: str) -> str:
    """A file of one rule, whose first line is line 4."""
    body = textwrap.indent(textwrap.dedent(lines).strip("\n"), "        ")
    return f"groups:\n  - name: g\n    rules:\n      - {body.lstrip()}\n"


ALERT = "alert: A\nexpr: up == 0\n"

MISTAKES = [
    ("text", 1, None, "expected keys and values"),
    ("- a\n", 1, None, "expected keys and values"),
    ("group: []\n", 1, "group", "did you mean 'groups'?"),
    ("groups: {}\n", 1, "groups", "expected a list"),
    ("groups: []\ngroups: []\n", 2, None, "stands twice"),
    ("groups: [\n", 2, None, "not valid YAML"),
    ("a: \tb\n\tc: d", 2, None, "not valid YAML"),
    ("groups: []\n---\ngroups: []\n", 2, None, "second document"),
    ("groups: *a\n", 1, None, "stands for nothing"),
    ("groups: []\n? [a]\n: b\n", 2, None, "a key must be plain text"),
    ("groups:\n- 1\n", 2, "groups[0]", "expected keys and values"),
    ("groups:\n-\n", 2, "groups[0]", "found nothing"),
    ("groups:\n- rules: []\n", 2, "groups[0].name", "needs a name"),
    ("groups:\n- name: a\n- name: a\n", 3, "groups[1]", "stands above"),
    ("groups:\n- name: a\n  interval: soon\n", 3, "groups[0].interval", "'soon' is not a duration"),
    ("groups:\n- name: a\n  limit: -1\n", 3, "groups[0].limit", "whole number"),
    ("groups:\n- name: a\n  limit: 1.5\n", 3, "groups[0].limit", "whole number"),
    ("groups:\n- name: a\n  rules: {}\n", 3, "groups[0].rules", "expected a list"),
    (rule("expr: 1"), 4, "groups[0].rules[0]", "needs a name"),
    (rule("alert: A\nrecord: b\nexpr: 1"), 4, "groups[0].rules[0]", "not both"),
    (rule("alert: [A]\nexpr: 1"), 4, "groups[0].rules[0].alert", "expected text, found a list"),
    (rule("alert: A"), 4, "groups[0].rules[0].expr", "the expression is empty"),
    (rule("alert: A\nexpr: rate(up)"), 5, "groups[0].rules[0].expr", "expected type matrix"),
    (rule("alert: A\nexpr: up[5m]"), 5, "groups[0].rules[0].expr", "this is a matrix"),
    (rule("alert: A\nexpr: up ==="), 5, "groups[0].rules[0].expr", "invalid promql query"),
    (rule(ALERT + "for: 5x"), 6, "groups[0].rules[0].for", "'5x' is not a duration"),
    (rule(ALERT + "for: 1000y"), 6, "groups[0].rules[0].for", "too long"),
    (rule(ALERT + "fore: 5m"), 6, "groups[0].rules[0].fore", "did you mean 'for'?"),
    (rule(ALERT + "annotation: {}"), 6, "groups[0].rules[0].annotation", "did you mean 'annotations'?"),
    (rule(ALERT + "labels: {severity: dire}"), 6, "groups[0].rules[0].labels.severity", "unknown severity 'dire'"),
    (rule(ALERT + "labels: {component: x}"), 6, "groups[0].rules[0].labels.component", "unknown component 'x'"),
    (rule(ALERT + "labels: {__name__: x}"), 6, "groups[0].rules[0].labels.__name__", "cannot set the label"),
    (rule(ALERT + "labels: {a: [1]}"), 6, "groups[0].rules[0].labels.a", "expected text"),
    (rule(ALERT + "labels: {a: '{{ $x }}'}"), 6, "groups[0].rules[0].labels.a", "undefined variable '$x'"),
    (rule(ALERT + "annotations: {a: '{{ nope }}'}"), 6, "groups[0].rules[0].annotations.a", "'nope' is not defined"),
    (rule(ALERT + "annotations:\n  dozor_resolves: up"), 7, "groups[0].rules[0].annotations.dozor_resolves", "no such"),
    (rule(ALERT + "annotations:\n  dozor_resolve: up >"), 7, "groups[0].rules[0].annotations.dozor_resolve", "promql"),
    (rule(ALERT + "annotations:\n  dozor_resolve: ''"), 7, "groups[0].rules[0].annotations.dozor_resolve", "empty"),
    (rule(ALERT + "annotations:\n  dozor_resolve_for: 5m"), 7, None, "nothing without dozor_resolve"),
    (rule(ALERT + "annotations:\n  dozor_cooldown: long"), 7, None, "not a duration"),
    (rule(ALERT + "annotations:\n  dozor_escalate: 5m"), 7, None, "not a time and a severity"),
    (rule(ALERT + "annotations:\n  dozor_escalate: '5m: huge'"), 7, None, "unknown severity 'huge'"),
    (rule(ALERT + "annotations:\n  dozor_escalate: 'x: info'"), 7, None, "not a duration"),
    (rule(ALERT + "annotations:\n  dozor_inhibited_by: B"), 7, None, "cannot read 'B'"),
    (rule(ALERT + "annotations:\n  dozor_inhibited_by: B() C()"), 7, None, "a comma is missing"),
    (rule(ALERT + "annotations:\n  dozor_inhibited_by: B(),"), 7, None, "cannot read ''"),
    (rule(ALERT + "annotations:\n  dozor_inhibited_by: B(a b)"), 7, None, "not a label name"),
    (rule(ALERT + "annotations:\n  dozor_inhibited_by: A()"), 7, None, "cannot inhibit itself"),
    (rule(ALERT + "keep_firing_for: 5m\nannotations: {dozor_resolve: up == 1}"), 6, None, "contradicts dozor_resolve"),
    (rule("record: a\nexpr: 1\nfor: 5m"), 6, "groups[0].rules[0].for", "no meaning in a recording rule"),
    (rule("record: a\nexpr: 1\nkeep_firing_for: 5m"), 6, None, "no meaning in a recording rule"),
    (rule("record: a\nexpr: 1\nannotations: {a: b}"), 6, None, "no meaning in a recording rule"),
    (rule("record: 'a{b=\"c\"}'\nexpr: 1"), 4, "groups[0].rules[0].record", "cannot name a series"),
    (rule("record: a\nexpr: 1\nlabels: {__name__: b}"), 6, None, "cannot set the label"),
    ("[" * 40 + "]" * 40, 1, None, "levels deep"),
    ("a: &a [x, x, x, x, x, x, x, x]\n" + "".join(f"{k}: &{k} [{', '.join([f'*{p}'] * 8)}]\n" for p, k in zip("abcdefgh", "bcdefghi", strict=True)), None, None, "values"),
    ("a: \x00", None, None, "not valid YAML"),
    ("a: \ud800", None, None, "not valid YAML"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "line", "key", "message"), MISTAKES)
def test_every_mistake_is_one_error_with_file_line_and_key(
    text: str, line: int | None, key: str | None, message: str
) -> None:
    with pytest.raises(RuleError) as caught:
        parse_rules(text, "my.yml")
    error = caught.value
    assert message in str(error)
    assert error.file == "my.yml"
    if line is not None:
        assert error.line == line
        assert str(error).startswith(f"my.yml:{line}: ")
    if key is not None:
        assert error.key == key


def test_words_of_prometheus_files_are_known_severities() -> None:
    for word, severity in (("page", Severity.CRITICAL), ("none", Severity.INFO), ("Warning", Severity.WARNING)):
        (group,) = parse_rules(rule(ALERT + f"labels: {{severity: {word}}}"))
        assert group.alerting[0].severity is severity


def test_a_severity_that_is_a_template_is_read_when_it_fires() -> None:
    (group,) = parse_rules(rule(ALERT + "labels: {severity: '{{ $labels.level }}'}"))
    assert group.alerting[0].severity is Severity.WARNING


def test_merge_keys_and_aliases_work() -> None:
    text = """
groups:
  - name: g
    rules:
      - &first
        alert: First
        expr: up == 0
        for: 5m
      - <<: *first
        alert: Second
"""
    (group,) = parse_rules(text)
    assert [(each.name, each.for_seconds) for each in group.alerting] == [("First", 300.0), ("Second", 300.0)]


# Files


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(RuleError, match="cannot be read: No such file or directory"):
        load_rule_file(tmp_path / "missing.yml")
    with pytest.raises(RuleError, match="cannot be read"):
        load_rule_file(tmp_path)
    with pytest.raises(RuleError, match="cannot be read"):
        load_rule_file("a\0b")


def test_a_file_that_is_no_text_and_one_with_a_byte_order_mark(tmp_path: Path) -> None:
    binary, marked = tmp_path / "binary.yml", tmp_path / "marked.yml"
    binary.write_bytes(b"groups:\n- name: \xff\xfe\n")
    with pytest.raises(RuleError, match=r"binary\.yml:2: not UTF-8 text"):
        load_rule_file(binary)
    marked.write_bytes(b"\xef\xbb\xbf" + RULE.encode())
    assert len(load_rule_file(marked)[0].rules) == 2


# Others' rules

# Prometheus refuses this one only where it is told to accept no more than the old label names.
ONLY_BAD_FOR_LEGACY_NAMES = "legacy_validation_annotation.bad.yaml"


@needs_yardsticks
@pytest.mark.parametrize("path", sorted((YARDSTICKS / "promqltest/rulefmt").glob("*.yaml")), ids=lambda path: path.name)
def test_prometheus_own_good_and_bad_rule_files(path: Path) -> None:
    if ".bad." not in path.name or path.name == ONLY_BAD_FOR_LEGACY_NAMES:
        assert load_rule_file(path)
    else:
        with pytest.raises(RuleError) as caught:
            load_rule_file(path)
        assert caught.value.file == str(path)
        assert caught.value.line


@needs_yardsticks
@pytest.mark.parametrize(
    ("name", "good"),
    [
        ("rules.yml", True), ("rules_duplicates.yml", True), ("at-modifier.yml", True), ("negative-offset.yml", True),
        ("bad-rules-error.yml", True), ("prometheus-config.rules.good.yml", True), ("prometheus-rules.lint.yml", True),
        ("rules-bad.yml", False), ("bad-rules-syntax.yml", False), ("rules_extrafields.yml", False),
    ],
)  # fmt: skip
def test_promtools_rule_files(name: str, good: bool) -> None:
    path = YARDSTICKS / "promqltest/promtool" / name
    if good:
        load_rule_file(path)
    else:
        with pytest.raises(RuleError):
            load_rule_file(path)


@needs_yardsticks
def test_every_rule_of_the_public_corpora_loads_and_evaluates() -> None:
    store, count = MemoryStore(), 0
    for path in sorted((YARDSTICKS / "alert-rules").rglob("*.yaml")):
        text = path.read_text()
        if "\nspec:\n" in text:  # wrapped as a Kubernetes object
            text = textwrap.dedent(text.partition("\nspec:\n")[2])
        for group in parse_rules(text, str(path)):
            for each in group.rules:
                count += 1
                if isinstance(each, AlertingRule):
                    assert each.evaluate(store, 1000.0, watched=True).error is None
                else:
                    each.evaluate(store, 1000.0)
    assert count > 1300


# Anything at all

scalars = st.one_of(
    st.text(max_size=20),
    st.sampled_from(["up == 0", "5m", "{{ $labels.x }}", "{{ nope", "critical", "A(b)", "rate(", "1", ""]),
    st.integers(), st.floats(), st.booleans(), st.none(),
)  # fmt: skip
keys = st.one_of(
    st.sampled_from([
        "groups", "name", "rules", "alert", "record", "expr", "for", "keep_firing_for", "labels", "annotations", "limit",
        "interval", "severity", "component", "dozor_resolve", "dozor_escalate", "dozor_inhibited_by", "dozor_x",
    ]),
    st.text(max_size=5),
)  # fmt: skip
trees = st.recursive(scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=6))
rule_trees = st.fixed_dictionaries(
    {"alert": scalars, "expr": st.one_of(scalars, st.just("up == 0"))},
    optional={"for": scalars, "labels": trees, "annotations": trees, "record": scalars, "keep_firing_for": scalars},
)
file_trees = st.fixed_dictionaries(
    {
        "groups": st.lists(
            st.fixed_dictionaries({"name": scalars, "rules": st.lists(rule_trees, max_size=3)}), max_size=2
        )
    }
)


@settings(deadline=None, max_examples=examples(120))
@given(st.one_of(file_trees, trees))
def test_no_tree_brings_about_any_other_error(tree: object) -> None:
    with suppress(RuleError):
        parse_rules(yaml.safe_dump(tree, allow_unicode=True), "my.yml")


@settings(deadline=None, max_examples=examples(120))
@given(st.one_of(st.text(), st.text(alphabet="{}[]:-&*<!|>'\"%@` \n\tab#?,~")))
def test_no_text_brings_about_any_other_error(text: str) -> None:
    with suppress(RuleError):
        parse_rules(text)
