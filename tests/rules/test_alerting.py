"""What a rule says of a store, and which alert belongs to which series."""

import pytest

from dozor.errors import PromQLError
from dozor.model.alert import Severity
from dozor.model.labels import Labels
from dozor.model.sample import Sample
from dozor.rules import Rule, parse_rules
from dozor.rules.recording import RecordingRule
from dozor.store.memory import MemoryStore

AT = 1_800_000_000.0


def store_of(*samples: tuple[str, float, dict[str, str]]) -> MemoryStore:
    store = MemoryStore()
    store.append(AT, [Sample(name, Labels(labels), value) for name, value, labels in samples])
    return store


def test_identity_is_the_series_and_the_rules_labels_without_severity() -> None:
    rule = Rule("Hot", "heat > 1", labels={"severity": "info", "room": "{{ $labels.place }}-{{ $value }}"}).compiled
    evaluation = rule.evaluate(store_of(("heat", 5, {"place": "a", "component": "odd"})), AT, watched=False)
    (breach,) = evaluation.breaches.values()
    assert dict(breach.identity.labels) == {"alertname": "Hot", "place": "a", "component": "odd", "room": "a-5"}
    assert (breach.identity.severity, breach.identity.component) == (Severity.INFO, "business")
    assert (breach.value, breach.series.metric_name) == (5.0, "heat")


def test_resolve_and_escalation_are_matched_by_labels_whatever_the_metric() -> None:
    rule = Rule("Hot", "heat > 9", annotations={
        "dozor_resolve": "sum by (place) (cold) > 1", "dozor_escalate_when": "heat > 90",
    }).compiled  # fmt: skip
    store = store_of(("cold", 5, {"place": "a", "shelf": "1"}), ("heat", 95, {"place": "b"}))
    seen = rule.evaluate(store, AT, watched=True)
    assert seen.clear == frozenset([Labels(alertname="Hot", place="a")])
    assert seen.worse == {Labels(alertname="Hot", place="b")}
    assert rule.evaluate(MemoryStore(), AT, watched=False).breaches == {}


def test_a_rule_without_a_resolve_condition_says_so() -> None:
    assert Rule("Hot", "heat > 9").compiled.evaluate(MemoryStore(), AT, watched=True).clear is None


def test_a_number_is_an_alert_without_labels() -> None:
    (breach,) = Rule("Always", "1").compiled.evaluate(MemoryStore(), AT, watched=False).breaches.values()
    assert dict(breach.identity.labels) == {"alertname": "Always"}


def test_series_that_the_rules_labels_make_equal_are_an_error() -> None:
    rule = Rule("Hot", "heat > 1", labels={"place": "here"}).compiled
    evaluation = rule.evaluate(store_of(("heat", 5, {"place": "a"}), ("heat", 6, {"place": "b"})), AT, watched=False)
    assert evaluation.error is not None
    assert "same labels" in evaluation.error
    assert not evaluation.breaches


def test_a_groups_limit_is_an_error() -> None:
    text = "groups: [{name: g, limit: 1, rules: [{alert: Hot, expr: heat > 1}, {record: warm, expr: heat}]}]"
    alerting, recording = parse_rules(text)[0].rules
    store = store_of(("heat", 5, {"place": "a"}), ("heat", 6, {"place": "b"}))
    assert not isinstance(alerting, RecordingRule)
    assert "allows 1" in (alerting.evaluate(store, AT, watched=False).error or "")
    assert isinstance(recording, RecordingRule)
    with pytest.raises(PromQLError, match="allows 1"):
        recording.evaluate(store, AT)


def test_a_groups_query_offset_looks_back() -> None:
    text = "groups: [{name: g, query_offset: 1m, rules: [{alert: Hot, expr: heat > 1}]}]"
    (rule,) = parse_rules(text)[0].alerting
    store = store_of(("heat", 5, {"place": "a"}))
    assert not rule.evaluate(store, AT + 59, watched=False).breaches
    assert rule.evaluate(store, AT + 60, watched=False).breaches


def test_annotations_may_query() -> None:
    rule = Rule(
        "Hot", "heat > 1", annotations={"also": "{{ with query `cold` }}{{ . | first | value }}{{ end }}"}
    ).compiled
    store = store_of(("heat", 5, {"place": "a"}), ("cold", 3, {}))
    (breach,) = rule.evaluate(store, AT, watched=False).breaches.values()
    assert rule.describe(breach, store, AT) == {"also": "3"}
    broken = Rule("Hot", "heat > 1", annotations={"also": "{{ query `cold[` }}"}).compiled
    assert broken.describe(breach, store, AT)["also"].startswith("<error expanding template: ")


def test_a_recorded_series_may_not_double() -> None:
    text = "groups: [{name: g, rules: [{record: warm, expr: heat, labels: {place: here}}]}]"
    (rule,) = parse_rules(text)[0].rules
    assert isinstance(rule, RecordingRule)
    store = store_of(("heat", 5, {"place": "a"}), ("heat", 6, {"place": "b"}))
    with pytest.raises(PromQLError, match="same labels"):
        rule.evaluate(store, AT)
