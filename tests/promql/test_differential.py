"""The same samples and the same expression: does Dozor say what the real Prometheus says?"""

import math
import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.chaos import SEED, examples
from tests.promql.expressions import SECONDS, T0, expressions, samples
from tests.promql.real_prometheus import MISSING, Prometheus, PrometheusError, installed, running

from dozor.errors import PromQLError
from dozor.model.labels import METRIC_NAME, Labels
from dozor.model.sample import Sample
from dozor.promql import Dialect, Query, Result, compile_query
from dozor.store import MemoryStore

pytestmark = pytest.mark.skipif(not installed(), reason=MISSING)

# holt_winters has another name since Prometheus 3, where it counts as experimental.
DIALECT: Final = Dialect(experimental=True)
# topk chooses among equals as it pleases.
_ANY_OF_EQUALS: Final = re.compile(r"^(topk|bottomk)\b")

MOMENTS: Final = st.integers(20, SECONDS + 400).map(lambda second: T0 + second + 0.5)

Series = dict[Labels, list[tuple[float, float]]]


@dataclass(frozen=True)
class Pair:
    """Both, with the same samples."""

    prometheus: Prometheus
    store: MemoryStore


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    series = samples(SEED)
    store = MemoryStore(max_bytes=2**30, retention_seconds=10 * SECONDS)
    moments: dict[int, list[Sample]] = defaultdict(list)
    for labels, points in series:
        for at, value in points:
            moments[at].append(Sample(labels.get(METRIC_NAME), labels.without(METRIC_NAME), value))
    for at in sorted(moments):
        store.append(at / 1000, moments[at])
    with running() as prometheus:
        prometheus.write(series)
        yield Pair(prometheus, store)


# Where a series begins, pauses and ends within the range, and what once differed.
@example(expression="rate(late_total[5m])", at=T0 + 500.5)
@example(expression="increase(late_total[10m])", at=T0 + 1050.5)
@example(expression="rate(late_total[5m])", at=T0 + 1500.5)
@example(expression="delta(gappy[10m])", at=T0 + 900.5)
@example(expression="clamp(odd, Inf, NaN)", at=T0 + 600.5)
@example(expression="clamp(odd, NaN, -Inf)", at=T0 + 600.5)
@example(expression='count_values without (job) ("job", flag)', at=T0 + 600.5)
@given(expression=expressions(), at=MOMENTS)
@settings(max_examples=examples(250), deadline=None)
def test_instant_queries_agree(pair: Pair, expression: str, at: float) -> None:
    theirs = _asked(pair.prometheus, "query", query=expression, time=at)
    found = _evaluated(lambda query: query.evaluate(pair.store, at), expression)
    if isinstance(found, str) or isinstance(theirs, str):
        assert isinstance(found, str) == isinstance(theirs, str), f"Dozor says {found}, Prometheus {theirs}"
        return
    _compare(expression, {one.labels: [(at, one.value)] for one in found.vector}, theirs)
    if expression.startswith("sort"):
        values = [one.value for one in found.vector if not math.isnan(one.value)]
        assert values == sorted(values, reverse=expression.startswith("sort_desc"))


@given(expressions(), MOMENTS, st.integers(0, 12), st.sampled_from([1, 7, 15, 60, 130]))
@settings(max_examples=examples(150), deadline=None)
def test_range_queries_agree(pair: Pair, expression: str, start: float, steps: int, step: int) -> None:
    end = start + steps * step
    theirs = _asked(pair.prometheus, "query_range", query=expression, start=start, end=end, step=step)
    found = _evaluated(lambda query: query.evaluate_range(pair.store, start, end, step), expression)
    if isinstance(found, str) or isinstance(theirs, str):
        assert isinstance(found, str) == isinstance(theirs, str), f"Dozor says {found}, Prometheus {theirs}"
        return
    _compare(expression, dict(found.matrix), theirs)


def _asked(prometheus: Prometheus, path: str, **parameters: object) -> Series | str:
    """What Prometheus answers, or why it does not."""
    try:
        return _series(prometheus.get(path, **parameters))
    except PrometheusError as error:
        return str(error)


def _evaluated(evaluate: Callable[[Query], Result], expression: str) -> Result | str:
    """What Dozor answers, or why it does not."""
    try:
        query = compile_query(expression.replace("holt_winters", "double_exponential_smoothing"), dialect=DIALECT)
        return evaluate(query)
    except PromQLError as error:
        return str(error)


def _series(data: Any) -> Series:
    result = data["result"]
    if data["resultType"] == "scalar":
        return {Labels(): [(result[0], float(result[1]))]}
    if data["resultType"] == "vector":
        return {Labels(one["metric"]): [(one["value"][0], float(one["value"][1]))] for one in result}
    return {Labels(one["metric"]): [(at, float(value)) for at, value in one["values"]] for one in result}


def _compare(expression: str, ours: Series, theirs: Series) -> None:
    if _ANY_OF_EQUALS.match(expression):
        ours, theirs = _without_labels(ours), _without_labels(theirs)
    assert ours.keys() == theirs.keys(), f"{expression}: Dozor has {ours}, Prometheus {theirs}"
    for labels, points in ours.items():
        others = theirs[labels]
        assert [at for at, _ in points] == [at for at, _ in others], (
            f"{labels}: Dozor has {points}, Prometheus {others}"
        )
        for (at, value), (_, other) in zip(points, others, strict=True):
            assert _close(value, other), f"{expression}: {labels} at {at}: Dozor says {value!r}, Prometheus {other!r}"


def _without_labels(series: Series) -> Series:
    """The values at each time, in order."""
    values = sorted(
        (point for points in series.values() for point in points),
        key=lambda point: (point[0], math.isnan(point[1]), point[1]),
    )
    return {Labels(): values}


def _close(one: float, other: float) -> bool:
    if math.isnan(one) or math.isnan(other):
        return math.isnan(one) and math.isnan(other)
    return one == other or math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-9)
