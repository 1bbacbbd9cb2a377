"""Counters and histograms under threads; children under a flood of label values."""

import os
import signal
import threading
from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from dozor.metrics import Children, Counter, Histogram
from dozor.model.labels import Labels


def in_threads(count: int, work: Callable[[], None], times: int = 5000) -> None:
    def repeat() -> None:
        for _ in range(times):
            work()

    threads = [threading.Thread(target=repeat) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_a_counter_loses_nothing_under_threads() -> None:
    counter = Counter()
    in_threads(8, counter.inc)
    assert counter.value == 40_000


def test_a_histogram_loses_nothing_while_it_is_being_read() -> None:
    histogram = Histogram([0.5])
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            histogram.snapshot()

    reader = threading.Thread(target=read)
    reader.start()
    in_threads(8, lambda: histogram.observe(0.25))
    done.set()
    reader.join()
    snapshot = histogram.snapshot()
    assert (snapshot.cumulative, snapshot.sum, snapshot.count) == ((40_000, 40_000), 10_000.0, 40_000)


@given(st.lists(st.floats(0, 100), max_size=50))
def test_buckets_are_cumulative_and_inclusive(values: list[float]) -> None:
    histogram = Histogram([1, 10])
    for value in values:
        histogram.observe(value)
    snapshot = histogram.snapshot()
    assert snapshot.cumulative == (sum(v <= 1 for v in values), sum(v <= 10 for v in values), len(values))
    assert snapshot.max_since_last == max(values, default=None)
    assert histogram.snapshot().max_since_last is None


def test_a_writer_nobody_reads_stays_bounded() -> None:
    histogram = Histogram([1])
    for _ in range(100_000):
        histogram.observe(0.1)
    assert len(histogram.pending) < 10_000
    assert histogram.snapshot().count == 100_000


def test_children_beyond_the_limit_share_one_and_are_counted() -> None:
    children = Children(["path"], Counter, base=Labels(worker="0"), limit=3)
    for number in range(10):
        children.get(f"/{number}").inc()
    values = {labels["path"]: counter.value for labels, counter in children.items()}
    assert values == {"/0": 1, "/1": 1, "/2": 1, "other": 7}
    assert children.folded.value == 7
    assert all(labels["worker"] == "0" for labels, _ in children.items())


def test_a_fork_while_the_locks_are_held_leaves_the_child_working() -> None:
    counter, histogram, children = Counter(), Histogram([1]), Children(["path"], Counter)
    with counter._lock, histogram._lock, children._lock:
        pid = os.fork()
        if pid == 0:
            signal.alarm(10)  # a lock that is never released ends the child by this
            counter.inc()
            histogram.observe(0.5)
            children.get("/").inc()
            os._exit(0 if (counter.value, histogram.snapshot().count) == (1, 1) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
