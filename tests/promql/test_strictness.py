"""Which expressions need not be evaluated where what they look at is not there."""

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from tests.chaos import examples
from tests.promql.expressions import T0, expressions

from dozor.errors import PromQLError
from dozor.model.labels import Labels
from dozor.model.sample import Sample
from dozor.promql import Dialect, Kind, VectorSample, compile_query
from dozor.promql.parsing import parse
from dozor.promql.strictness import is_strict
from dozor.rules import builtin_groups
from dozor.store import MemoryStore

DIALECT = Dialect(experimental=True)


@pytest.mark.parametrize(
    "expr",
    [
        "up",
        "up > 1",
        "1 > up",
        "-(rate(a_total[5m]))",
        'sum by (job) (increase(a_total{code=~"5.."}[1m])) / b >= 0.1',
        "a and b unless c or d",
        "max_over_time(a[5m:]) > scalar(b)",
        'label_replace(a, "b", "$1", "c", "(.+)")',
        "histogram_quantile(0.9, a_bucket)",
        "hour(a)",
    ],
)
def test_most_are(expr: str) -> None:
    assert is_strict(parse(expr))


@pytest.mark.parametrize(
    "expr",
    [
        "1",
        "time()",
        "vector(1)",
        "scalar(a)",
        "-scalar(a)",
        "scalar(a) + 1",
        "hour()",
        "absent(a)",
        "absent_over_time(a[5m])",
        "a or vector(0)",
        "vector(1) unless a",
        "count(absent(a)) > 0",
        "topk(2, a)",
        "double_exponential_smoothing(a[5m], 0.1, 0.1)",
        "a + fill(0) b",
    ],
)
def test_some_are_not(expr: str) -> None:
    assert not is_strict(parse(expr))


@given(expressions())
@settings(max_examples=examples(500), deadline=None)
def test_over_nothing_all_give_what_their_evaluation_gives(expr: str) -> None:
    try:
        query = compile_query(expr.replace("holt_winters", "double_exponential_smoothing"), dialect=DIALECT)
    except PromQLError:
        return
    if query.type is not Kind.MATRIX:
        store = MemoryStore()
        wanted = outcome(lambda: query.evaluate(store, T0).vector)
        assert outcome(lambda: query.instant(store, T0)) == wanted


def outcome(evaluate: Callable[[], list[VectorSample]]) -> str:
    try:
        return repr(evaluate())
    except PromQLError as error:
        return str(error)


def test_a_series_that_appears_is_seen_and_one_of_another_metric_is_not() -> None:
    store, query = MemoryStore(), compile_query("100 * used / size > 85")
    store.append(1, [Sample("other", Labels(), 1.0)])
    assert query.instant(store, 1) == []
    store.append(2, [Sample("used", Labels(), 90.0), Sample("size", Labels(), 100.0)])
    assert [sample.value for sample in query.instant(store, 2)] == [90.0]


def test_what_is_named_by_a_pattern_is_looked_for() -> None:
    store = MemoryStore()
    store.append(1, [Sample("used_bytes", Labels(), 90.0)])
    assert len(compile_query('{__name__=~"used_.*"}').instant(store, 1)) == 1
    assert len(compile_query('{__name__=~"used_.*"} or gone').instant(store, 1)) == 1


def test_one_half_that_is_there_is_evaluated_with_all_its_faults() -> None:
    store = MemoryStore()
    store.append(1, [Sample("there", Labels(job=job), 1.0) for job in "ab"])
    with pytest.raises(PromQLError, match="duplicate"):
        compile_query("gone and (there + on () there)").instant(store, 1)


def test_default_rules_over_what_is_not_watched_are_strict() -> None:
    named = {rule.name for group in builtin_groups() for rule in group.rules if rule.name.startswith("Redis")}
    strict = {rule.name for group in builtin_groups() for rule in group.rules if is_strict(parse(rule.expr))}
    assert named <= strict
