"""Sparklines and HTTP figures, read from a store."""

from typing import Any

from dozor.model.labels import Labels
from dozor.model.sample import Sample
from dozor.overview import Trends, http_figures
from dozor.overview.trends import MAX_SERIES, SPAN_SECONDS, STEP_SECONDS
from dozor.store import MemoryStore

AT = 1_800_000_000.0


def filled(values: Any, name: Any = "host_cpu_utilization", labels: Any = None, step: Any = STEP_SECONDS) -> Any:
    store = MemoryStore()
    for index, value in enumerate(values):
        store.append(AT - step * (len(values) - 1 - index), [Sample(name, labels or Labels(), value)])
    return store


def test_a_sparkline_has_a_point_for_each_step_and_none_before_anything_was_known() -> None:
    [line] = Trends(filled([10, 20, 30])).read(AT)
    assert (line.key, line.unit, line.last) == ("host_cpu", "percent", 30.0)
    assert len(line.points) == SPAN_SECONDS / STEP_SECONDS + 1
    assert [value for _, value in line.points[-4:]] == [None, 10.0, 20.0, 30.0]


def test_each_pool_has_a_line_of_its_own() -> None:
    store = MemoryStore()
    samples = [Sample("db_pool_utilization", Labels(pool=name), 50.0) for name in ("a", "b")]
    store.append(AT, samples)
    assert [line.labels["pool"] for line in Trends(store).read(AT)] == ["a", "b"]


def test_of_many_the_worst_now_are_shown_with_all_of_their_course() -> None:
    store = MemoryStore()

    def utilization(at: float, ill: float) -> None:
        store.append(at, [Sample("db_pool_utilization", Labels(pool=f"p{number:03}"), 1.0) for number in range(100)])
        store.append(at, [Sample("db_pool_utilization", Labels(pool="zz"), ill)])

    trends = Trends(store)
    utilization(AT - STEP_SECONDS, 0.0)
    assert len(trends.read(AT - STEP_SECONDS)) == MAX_SERIES
    utilization(AT, 99.0)
    found = trends.read(AT)
    assert len(found) == MAX_SERIES
    [ill] = [line for line in found if line.labels["pool"] == "zz"]
    assert [value for _, value in ill.points[-2:]] == [0.0, 99.0]


def test_nothing_known_draws_nothing() -> None:
    assert Trends(MemoryStore()).read(AT) == ()


def test_each_step_is_evaluated_once() -> None:
    store = filled([10, 20, 30])
    trends = Trends(store)
    first = trends.read(AT)
    assert trends.read(AT + STEP_SECONDS - 1) is first
    store.append(AT + STEP_SECONDS, [Sample("host_cpu_utilization", Labels(), 40.0)])
    [line] = trends.read(AT + STEP_SECONDS)
    assert [value for _, value in line.points[-5:]] == [None, 10.0, 20.0, 30.0, 40.0]
    assert line.points == Trends(store).read(AT + STEP_SECONDS)[0].points


def test_what_has_not_been_seen_for_the_whole_span_is_forgotten() -> None:
    trends = Trends(filled([10, 20, 30]))
    assert len(trends.read(AT)) == 1
    assert trends.read(AT + 3 * SPAN_SECONDS) == ()


def test_http_without_traffic_has_no_quantiles_and_no_errors() -> None:
    store = MemoryStore()
    for second in range(0, 120, 10):
        store.append(AT - 110 + second, [Sample("http_requests_total", Labels(status="200"), 5.0 * second)])
    figures = http_figures(store, AT)
    assert figures["errors_per_minute"] == 0.0
    assert round(figures["requests_per_second"], 1) == 5.0
    assert "p95_seconds" not in figures


def test_without_the_middleware_http_has_no_figures() -> None:
    assert http_figures(MemoryStore(), AT) == {}
