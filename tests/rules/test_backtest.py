"""Backtests: what is told is what would have happened, had the rules been in force."""

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.chaos import examples

from dozor.alerts import Lifecycle
from dozor.model.alert import Alert
from dozor.model.labels import Labels
from dozor.model.sample import Sample
from dozor.promql import compile_query
from dozor.rules import parse_rules
from dozor.rules.backtest import Matrix, RuleOutcome, Span, backtest, choose, mentioned, recorded_names
from dozor.rules.unittest import Groups
from dozor.store.memory import MemoryStore

BEGIN = 1_800_000_000.0


class Stored:
    """A source over a store in memory, that keeps what it was asked."""

    def __init__(self, store: MemoryStore) -> None:
        self.store = store
        self.asked: list[tuple[str, float, float]] = []

    def evaluate(self, expr: str, start: float, end: float, step: float) -> Matrix:
        self.asked.append((expr, start, end))
        return compile_query(expr).range(self.store, start, end, step)


def filled(step: float = 15.0, **series: Sequence[float]) -> MemoryStore:
    """A store with a sample of each series at every *step* from the beginning."""
    store = MemoryStore()
    for place in range(max(map(len, series.values()))):
        samples = [Sample(name, Labels(), values[place]) for name, values in series.items() if place < len(values)]
        store.append(BEGIN + place * step, samples)
    return store


def run(rules: str, source: Stored, steps: int, step: float = 15.0, names: Sequence[str] = ()) -> list[RuleOutcome]:
    groups = choose(parse_rules(rules), names)
    return backtest(groups, Span(BEGIN, BEGIN + steps * step, step), source, Lifecycle)


def test_how_often_when_and_for_how_long() -> None:
    rules = "groups: [{name: g, rules: [{alert: A, expr: x > 5, for: 30s, labels: {severity: critical}}]}]"
    values = [0, 9, 9, 9, 9, 0, 9, 0, 0, 9, 9, 9, 9, 9]
    (outcome,) = run(rules, Stored(filled(x=values)), len(values) - 1)
    first, second = outcome.fired
    assert (first.active_at, first.fired_at, first.resolved_at) == (BEGIN + 15, BEGIN + 45, BEGIN + 75)
    assert (second.fired_at, second.resolved_at) == (BEGIN + 165, None)
    assert outcome.false_starts == 1
    assert outcome.firing_seconds(BEGIN + 195) == 30 + 30
    assert outcome.messages >= 2


def test_one_that_is_still_pending_is_no_false_start() -> None:
    rules = "groups: [{name: g, rules: [{alert: A, expr: x > 5, for: 5m}]}]"
    (outcome,) = run(rules, Stored(filled(x=[9, 9, 9])), 2)
    assert (outcome.fired, outcome.false_starts) == ((), 0)


def test_the_end_is_decided_by_dozors_own_annotations() -> None:
    rules = """
groups:
  - name: g
    query_offset: 30s
    rules: [{alert: A, expr: x > 5, annotations: {dozor_resolve: x < 2, dozor_resolve_for: 30s}}]
"""
    source = Stored(filled(x=[9, 4, 4, 4, 1, 1, 1, 1, 1, 1]))
    (outcome,) = run(rules, source, 9)
    assert [(alert.fired_at, alert.resolved_at) for alert in outcome.fired] == [(BEGIN + 30, BEGIN + 120)]
    assert source.asked == [("x > 5", BEGIN - 30, BEGIN + 105), ("x < 2", BEGIN - 30, BEGIN + 105)]


def test_rules_of_one_name_are_told_apart() -> None:
    rules = (
        "groups: [{name: g, rules: [{alert: A, expr: x > 5}, {alert: A, expr: x > 8, labels: {severity: critical}}]}]"
    )
    one, two = run(rules, Stored(filled(x=[6, 6, 9, 6, 9])), 4)
    assert (len(one.fired), len(two.fired)) == (1, 2)


def test_the_default_rules_that_inhibit_a_rule_are_lived_through_with_it() -> None:
    rules = (
        "groups: [{name: g, rules: [{alert: A, expr: x > 5, annotations: {dozor_inhibited_by: RedisDisconnected()}}]}]"
    )
    quiet = filled(x=[9] * 10, redis_connected=[0] * 10)
    (outcome,) = run(rules, Stored(quiet), 9)
    assert outcome.fired[0].inhibited_by == ("RedisDisconnected",)
    assert outcome.messages == 0


def test_only_the_rules_that_were_asked_for() -> None:
    rules = "groups: [{name: g, rules: [{alert: A, expr: x > 5}, {alert: B, expr: x > 5}, {record: y, expr: x}]}]"
    source = Stored(filled(x=[9]))
    assert [outcome.rule.name for outcome in run(rules, source, 0, names=["B"])] == ["B"]
    assert len(source.asked) == 1
    (group,) = parse_rules(rules)
    assert recorded_names([group]) == {"y"}
    assert mentioned(group.alerting[0]) == {"x"}


@settings(max_examples=examples(25))
@given(
    values=st.lists(st.sampled_from([0.0, 4.0, 9.0]), min_size=1, max_size=30),
    hold=st.sampled_from([0, 15, 40]),
    keep=st.sampled_from([0, 20]),
)
def test_a_backtest_tells_what_the_rule_did_when_it_was_in_force(values: list[float], hold: int, keep: int) -> None:
    rules = f"groups: [{{name: g, rules: [{{alert: A, expr: x > 5, for: {hold}s, keep_firing_for: {keep}s}}]}}]"
    life, store, lived = Lifecycle(Groups(tuple(parse_rules(rules)))), MemoryStore(), dict[str, Alert]()
    for place, value in enumerate(values):
        store.append(BEGIN + place * 15, [Sample("x", Labels(), value)])
        lived |= {alert.id: alert for alert in life.evaluate(store, BEGIN + place * 15).alerts}
    (outcome,) = run(rules, Stored(filled(x=values)), len(values) - 1)
    times = [(alert.active_at, alert.fired_at, alert.resolved_at) for alert in outcome.fired]
    assert times == [
        (one.active_at, one.fired_at, one.resolved_at) for one in lived.values() if one.fired_at is not None
    ]


@pytest.mark.parametrize(("step", "count"), [(15.0, 4), (0.1, 451)])
def test_moments_do_not_drift(step: float, count: int) -> None:
    moments = Span(BEGIN, BEGIN + 45, step).moments
    assert len(moments) == count
    assert abs(moments[-1] - (BEGIN + 45)) < 1e-6
