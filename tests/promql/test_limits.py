"""Queries of death: each ends soon, in bounded memory, with an error that says what to do."""

import asyncio
import threading
import time
import tracemalloc
from collections.abc import Callable

import pytest
from tests.patience import PATIENCE_SECONDS, promised

from dozor.errors import PromQLError, QueryLimitError, QueryTimeout
from dozor.model.labels import Labels
from dozor.model.sample import Sample
from dozor.promql import Limits, compile_query
from dozor.store import MemoryStore

SERIES = 10_000
SAMPLES = 60


@pytest.fixture(scope="module")
def store() -> MemoryStore:
    """10,000 series of a minute."""
    store = MemoryStore(max_bytes=2**28)
    labels = [Labels(job=f"job-{place % 50}", instance=f"instance-{place}") for place in range(SERIES)]
    for at in range(SAMPLES):
        store.append(at, [Sample("requests_total", one, float(at)) for one in labels])
    return store


def measured(call: Callable[[], object]) -> tuple[float, int]:
    """Seconds of processor time, and bytes at most, that *call* takes."""
    began = time.thread_time()
    call()
    taken = time.thread_time() - began
    tracemalloc.start()
    try:
        call()
        return taken, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "expression",
    [
        "max_over_time(requests_total[1y:1ms])",
        "max_over_time(vector(1)[1y:1ms])",
        "max_over_time(max_over_time(requests_total[1h:1s])[1h:1s])",
        "sum_over_time(sum(requests_total)[100y:1s])",
        "count_over_time(requests_total[100y]) + count_over_time(requests_total[99y])",
    ],
)
def test_a_query_that_asks_for_too_much_is_refused(store: MemoryStore, expression: str) -> None:
    query = compile_query(expression)

    def refused() -> None:
        with pytest.raises(QueryLimitError, match=r"more than 1000000 samples|longer than 1 s"):
            query.instant(store, SAMPLES - 1, limits=Limits(max_samples=1_000_000, timeout_seconds=1))

    taken, memory = measured(refused)
    assert taken < 5
    assert memory < 100 * 2**20


def test_a_query_over_10_000_series_is_answered(store: MemoryStore) -> None:
    query = compile_query("sum by (job) (rate(requests_total[1m]))")
    taken, memory = measured(lambda: query.instant(store, SAMPLES - 1))
    assert len(query.instant(store, SAMPLES - 1)) == 50
    assert taken < 5
    assert memory < 100 * 2**20


def test_a_query_that_takes_too_long_is_stopped(store: MemoryStore) -> None:
    query = compile_query("sum(rate(requests_total[1m]))")
    began = time.thread_time()
    with pytest.raises(QueryTimeout):
        query.range(store, 0, 1e6, 1, limits=Limits(max_samples=2**62, timeout_seconds=0.5))
    assert time.thread_time() - began < 5


@pytest.mark.parametrize(
    "pattern",
    [
        "(a+)+b",
        "(a|a)*b",
        "(.*a){20}",
        "(x+x+)+y",
        "a{0,1000}a{0,1000}b",
        "((a{0,30}){0,30}){0,30}",
        "(" * 500 + ")" * 500,
    ],
)
def test_a_regular_expression_takes_linear_time_or_is_refused(store: MemoryStore, pattern: str) -> None:
    began = time.thread_time()
    refusal = ""
    try:
        compile_query(f'requests_total{{instance!~"{pattern}"}}').instant(store, SAMPLES - 1)
    except PromQLError as error:
        refusal = str(error)
    assert not refusal or "regular expression" in refusal or "regex" in refusal
    assert time.thread_time() - began < 5


def test_5_000_rules_are_compiled_and_evaluated(store: MemoryStore) -> None:
    began = time.thread_time()
    queries = [
        compile_query(f'sum(rate(requests_total{{instance="instance-{place}"}}[1m])) > {place}')
        for place in range(5000)
    ]
    for query in queries:
        query.instant(store, SAMPLES - 1)
    assert time.thread_time() - began < 20


def test_a_query_in_another_thread_does_not_stall_a_loop(store: MemoryStore) -> None:
    """Appending, and a loop beside it, go on while the largest query runs."""
    query = compile_query("sum by (job) (rate(requests_total[1m])) + on () group_left () count(requests_total)")
    ended = threading.Event()

    def ask() -> None:
        while not ended.is_set():
            query.range(store, 30, 50, 5)

    async def watch() -> list[float]:
        lags: list[float] = []
        for _ in range(40):
            began = time.perf_counter()
            await asyncio.sleep(0.01)
            store.append(SAMPLES + len(lags), [Sample("other", Labels(), 1.0)])
            lags.append(time.perf_counter() - began - 0.01)
        return sorted(lags)

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    try:
        lags = asyncio.run(watch())
    finally:
        ended.set()
        thread.join(PATIENCE_SECONDS)
    assert lags[len(lags) // 2] < promised(0.05), "and the rest of a loaded machine's lag is not ours"
