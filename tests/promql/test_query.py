"""What the rest of Dozor holds in its hands: `compile_query` and `Query`."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.chaos import examples

from dozor.errors import PromQLError, QueryLimitError
from dozor.model.labels import Labels
from dozor.model.sample import Sample
from dozor.promql import Dialect, Kind, Limits, VectorSample, compile_query
from dozor.promql.series import append_series, parse_series
from dozor.store import MemoryStore


def loaded(*series: str, interval: float = 1.0) -> MemoryStore:
    store = MemoryStore(retention_seconds=1e9)
    append_series(store, [parse_series(one) for one in series], interval)
    return store


def test_a_vector_has_labels_and_values() -> None:
    store = loaded('up{job="a"} 1', 'up{job="b"} 0')
    assert compile_query("up == 0").instant(store, 0) == [VectorSample(Labels(__name__="up", job="b"), 0.0)]
    assert compile_query("up * 2").instant(store, 0)[0].labels == Labels(job="a")


def test_a_scalar_is_one_sample_without_labels() -> None:
    query = compile_query("time() + 1")
    assert query.type is Kind.SCALAR
    assert query.instant(MemoryStore(), 41.5) == [VectorSample(Labels(), 42.5)]


def test_metric_names_are_those_that_are_named() -> None:
    query = compile_query('rate(a[5m]) / on() b or {__name__=~"d|e", __name__!="c"} unless max_over_time((f)[5m:])')
    assert query.metric_names() == {"a", "b", "d", "e", "f"}


def test_a_query_is_evaluated_again_as_series_come_and_go() -> None:
    """What nodes remember of the last evaluation is never mistaken for the present one."""
    store = MemoryStore()
    query = compile_query("sum by (pool) (used) / on(pool) sum by (pool) (capacity) > 0.5")
    a, b = Labels(pool="a"), Labels(pool="b")
    store.append(1, [Sample("used", a, 9.0), Sample("capacity", a, 10.0)])
    assert [one.labels for one in query.instant(store, 1)] == [a]
    store.append(2, [Sample("used", a, 1.0), Sample("capacity", a, 10.0), Sample("used", b, 6.0)])
    assert query.instant(store, 2) == []
    store.append(3, [Sample("capacity", b, 10.0), Sample("used", b, 6.0)])
    assert query.instant(store, 3) == [VectorSample(b, 0.6)]
    store.mark_stale(4, [("used", b)])
    assert query.instant(store, 4) == []
    assert query.instant(store, 3) == [VectorSample(b, 0.6)]


def test_a_range_query_gives_series_of_points() -> None:
    store = loaded('up{job="a"} 1+1x9', 'up{job="b"} _ _ _ 7 stale')
    series = compile_query("up").range(store, 0, 6, 2)
    assert series == [
        (Labels(__name__="up", job="a"), [(0.0, 1.0), (2.0, 3.0), (4.0, 5.0), (6.0, 7.0)]),
    ]
    assert compile_query("sum(up)").range(store, 3, 3, 1) == [(Labels(), [(3.0, 11.0)])]


def test_notes_come_with_the_whole_result() -> None:
    result = compile_query("quantile(2, rate(up[5s]))").evaluate(loaded("up 1 2 3"), 2)
    assert result.warnings == ("PromQL warning: quantile value should be between 0 and 1, got 2",)
    assert [info.split(":")[0] for info in result.infos] == ["PromQL info"]


def test_ranges_and_texts_are_results_of_their_own() -> None:
    store = loaded("up 1 2 3")
    assert compile_query("up[2s]").evaluate(store, 2).matrix == [(Labels(__name__="up"), [(1.0, 2.0), (2.0, 3.0)])]
    assert compile_query('"text"').evaluate(store, 2).text == "text"
    with pytest.raises(PromQLError, match="matrix"):
        compile_query("up[2s]").instant(store, 2)
    with pytest.raises(PromQLError, match="matrix"):
        compile_query("up[2s]").range(store, 0, 2, 1)


@pytest.mark.parametrize(
    ("expression", "says"),
    [
        ("", "no expression"),
        ("sum(", "unclosed"),
        ("nope(up)", "unknown function"),
        ("rate(up)", "expected type matrix"),
        ('up{a=~"("}', "regex"),
        ("histogram_avg(up)", "native histograms"),
        ("limit_ratio(0.5, up)", "experimental"),
        ("info(up)", "experimental"),
        ("up + fill(0) up", "experimental"),
        ('up{a="b" or c="d"}', "not PromQL"),
        ('label_replace(up, "", "", "a", "")', "label name"),
        ('label_replace(up, "a", "", "a", "(")', "regular expression"),
        ("up @ 1e12", "out of range"),
    ],
)
def test_wrong_expressions_are_told(expression: str, says: str) -> None:
    with pytest.raises(PromQLError, match=says):
        compile_query(expression)


def test_experimental_features_are_there_when_asked_for() -> None:
    store = loaded('up{job="a"} 1', 'up{job="b"} 1')
    dialect = Dialect(experimental=True)
    assert len(compile_query("limit_ratio(1, up)", dialect=dialect).instant(store, 0)) == 2
    assert compile_query("ts_of_last_over_time(up[1s])", dialect=dialect).instant(store, 0)[0].value == 0.0


def test_names_go_at_once_unless_asked_otherwise() -> None:
    store = loaded("a 1", "b 2")
    expression = 'label_replace(-{__name__=~"a|b"}, "was", "$1", "__name__", "(.*)")'
    with pytest.raises(PromQLError, match="same labelset"):
        compile_query(expression).instant(store, 0)
    delayed = compile_query(expression, dialect=Dialect(delayed_name_removal=True)).instant(store, 0)
    assert {one.labels for one in delayed} == {Labels(was="a"), Labels(was="b")}


@pytest.mark.parametrize(
    ("expression", "limits"),
    [
        ("max_over_time(vector(1)[1y:1ms])", Limits()),
        ("sum_over_time(up[1h])", Limits(max_samples=10)),
        ("max_over_time(max_over_time(up[1h:1s])[1h:1s])", Limits(max_samples=1000)),
        ("up", Limits(max_samples=0)),
        ("max_over_time(rate(up[10m])[1h:1s])", Limits(timeout_seconds=0.0)),
    ],
)
def test_a_query_can_never_stall_the_monitor(expression: str, limits: Limits) -> None:
    store = loaded("up 1x600")
    with pytest.raises(QueryLimitError):
        compile_query(expression).instant(store, 600, limits=limits)


def test_an_endless_range_query_is_stopped() -> None:
    with pytest.raises(QueryLimitError):
        compile_query("1").range(MemoryStore(), 0, 1e9, 0.001, limits=Limits(max_samples=10_000))
    with pytest.raises(PromQLError, match="step"):
        compile_query("1").range(MemoryStore(), 0, 1, 0)


OPERANDS = st.sampled_from(
    [
        "m",
        "m{a='1'}",
        "rate(m[5s])",
        "sum(m)",
        "sum by (a) (m)",
        "max_over_time(m[3s])",
        "time()",
        "2",
        "m offset 1s",
        "avg_over_time(m[4s:1s])",
        "m @ 3",
        "topk(1, m)",
        "-m",
        "absent(m)",
        "quantile(0.5, m)",
        "vector(1)",
        "n",
    ]
)
OPERATORS = st.sampled_from(["+", "-", "*", "/", "%", "^", "== bool", "> bool", "< bool", "<= bool"])
EXPRESSIONS = st.recursive(
    OPERANDS,
    lambda inner: st.builds(lambda left, sign, right: f"({left} {sign} {right})", inner, OPERATORS, inner),
    max_leaves=5,
)


@given(EXPRESSIONS)
@settings(max_examples=examples(200), deadline=None)
def test_every_step_of_a_range_query_is_an_instant_query(expression: str) -> None:
    """The two ways of fetching samples agree."""
    store = loaded('m{a="1"} 0+1x10', 'm{a="2"} 5 4 _ 1 stale _ 7 NaN 8', 'n{a="1"} _ _ 1x5')
    query = compile_query(expression)
    steps: dict[float, dict[Labels, float]] = {float(at): {} for at in range(0, 12, 2)}
    try:
        for labels, points in query.range(store, 0, 10, 2):
            for at, value in points:
                steps[at][labels] = value
    except PromQLError:
        return  # some step has no unique match
    for at, wanted in steps.items():
        found = {one.labels: one.value for one in query.instant(store, at)}
        assert found.keys() == wanted.keys()
        for labels, value in found.items():
            other = wanted[labels]
            assert value == other or (math.isnan(value) and math.isnan(other))
