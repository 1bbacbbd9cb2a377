"""The store against a model that keeps everything in plain lists, and its bounds."""

import gc
import math
import threading
import tracemalloc
from bisect import bisect_right
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.chaos import examples

from dozor.model.labels import Labels
from dozor.model.sample import Sample
from dozor.store import Columns, Matcher, MemoryStore, is_stale, milliseconds
from dozor.store.memory import SERIES_BYTES

KEYS = [("up", Labels(job=job)) for job in "abc"] + [("load", Labels(job="a", host=host)) for host in "xy"]
VALUES = st.sampled_from([0.0, -0.0, 1.0, 2.0, 3.5, 1e300, math.inf, math.nan, 70_000.0, 5e9])


def by_name(name: str) -> tuple[Matcher, ...]:
    return (Matcher("__name__", "=", name),)


def oldest_second(store: MemoryStore, name: str) -> float:
    selection = store.select(by_name(name), -1, 10_000_000)
    return min(window.time_slice()[0] for block in selection.blocks for window in block.windows()) / 1000


def sample(place: int, value: float) -> Sample:
    name, labels = KEYS[place]
    return Sample(name, labels, value)


class Model:
    """What a store should hold, without any cleverness."""

    def __init__(self) -> None:
        self.series: dict[tuple[str, Labels], list[tuple[int, float | None]]] = {}

    def append(self, at: int, key: tuple[str, Labels], value: float | None) -> None:
        points = self.series.setdefault(key, [])
        if not points or points[-1][0] < at:
            points.append((at, value))

    def window(self, key: tuple[str, Labels], start: int, end: int) -> list[tuple[int, float]]:
        return [(at, value) for at, value in self.series.get(key, []) if start < at <= end and value is not None]

    def latest(self, key: tuple[str, Labels], at: int, lookback: int) -> float | None:
        points = self.series.get(key, [])
        place = bisect_right([time for time, _ in points], at) - 1
        if place < 0 or points[place][0] <= at - lookback:
            return None
        return points[place][1]


@st.composite
def histories(draw: st.DrawFn) -> list[tuple[int, list[tuple[int, float]], list[int]]]:
    """Appends: milliseconds since the one before (0: at the same time), which series with what value, which end."""
    count = draw(st.integers(1, 12))
    keys = st.integers(0, len(KEYS) - 1)
    return [
        (
            draw(st.sampled_from([0, 1000, 1000, 1000, 1500, -1000])),
            draw(st.lists(st.tuples(keys, VALUES), max_size=6)),
            draw(st.lists(keys, max_size=2)),
        )
        for _ in range(count)
    ]


def same(one: float | None, other: float | None) -> bool:
    if one is None or other is None:
        return one is other
    return (math.isnan(one) and math.isnan(other)) or (
        one == other and math.copysign(1, one) == math.copysign(1, other)
    )


def check_against(store: MemoryStore, model: Model, start: int, end: int) -> None:
    found = {}
    for name in {name for name, _ in KEYS}:
        selection = store.select(by_name(name), start, end)
        for labels, bare, window in zip(selection.labels, selection.bare, selection.windows, strict=True):
            assert labels.without("__name__") == bare
            found[labels.metric_name, bare] = list(zip(window.time_slice(), window.value_slice(), strict=True))
        for block in selection.blocks:
            check_lost(block)
    for key in KEYS:
        wanted = model.window(key, start, end)
        got = found.get(key, [])
        assert [at for at, _ in got] == [at for at, _ in wanted]
        assert all(same(value, other) for (_, value), (_, other) in zip(got, wanted, strict=True))


def check_lost(block: Columns) -> None:
    wanted = [
        sum(one for one, next_one in pairwise(window.value_slice()) if next_one < one) for window in block.windows()
    ]
    got = block.lost_to_resets() or [0.0] * len(wanted)
    assert all(same(one, other) for one, other in zip(got, wanted, strict=True)), (got, wanted)
    assert block.at(0) == [window.value_slice()[0] for window in block.windows()] or not block.clean
    assert block.at(-1) == [window.value_slice()[-1] for window in block.windows()] or not block.clean
    assert (block.first_moment, block.last_moment) == (block.time_slice()[0], block.time_slice()[-1])


def check_latest(store: MemoryStore, model: Model, at: int, lookback: int) -> None:
    for name in {name for name, _ in KEYS}:
        labels, values = store.latest(by_name(name), at, lookback)
        found = {(one.metric_name, one.without("__name__")): value for one, value in zip(labels, values, strict=True)}
        for key in KEYS:
            if key[0] == name:
                assert same(found.get(key), model.latest(key, at, lookback)), (key, at)


@given(histories(), st.integers(-2000, 14_000), st.integers(0, 14_000))
@settings(max_examples=examples(150), deadline=None)
def test_what_is_appended_is_selected(history: list, start: int, length: int) -> None:  # type: ignore[type-arg]
    """Whatever the order of series, gaps, repeated times and ends, ranges and last values are those of the model."""
    store, model, now = MemoryStore(), Model(), 0
    for step, samples, ended in history:
        now += step
        store.append(now / 1000, [sample(place, value) for place, value in samples])
        for place, value in samples:
            model.append(now, KEYS[place], value)
        store.mark_stale(now / 1000 + 0.5, [KEYS[place] for place in ended])
        for place in ended:
            points = model.series.get(KEYS[place])
            if points and points[-1][1] is not None:
                model.append(now + 500, KEYS[place], None)
    check_against(store, model, start, start + length)
    check_latest(store, model, start + length, 5000)


@pytest.mark.parametrize("interval", [1.0, 7.3])
def test_long_histories_cross_chunks(interval: float) -> None:
    """Ranges that reach behind the open head are those of the model, for every way in which values are packed."""
    store, model = MemoryStore(retention_seconds=1e9), Model()
    for step in range(3000):
        at = milliseconds(step * interval)
        samples = [
            sample(0, 1.0),
            sample(1, float(step * 100 % 70_001)),
            sample(2, step / 7),
        ]
        if step % 500 > 20:
            samples.append(sample(3, float(-step)))
        store.append(at / 1000, samples)
        for name, labels, value in samples:
            model.append(at, (name, labels), value)
        if step % 500 == 499:
            store.mark_stale(at / 1000 + 0.1, [KEYS[3]])
            model.append(at + 100, KEYS[3], None)
    end = milliseconds(3000 * interval)
    for start in range(-1000, end, end // 17):
        check_against(store, model, start, start + end // 3)
        check_against(store, model, start, end)
        check_latest(store, model, start, 5000)


@given(st.lists(st.tuples(VALUES, VALUES), min_size=1, max_size=40), st.integers(1, 12))
@settings(max_examples=examples(60), deadline=None)
def test_resets_are_known_as_they_come(history: list[tuple[float, float]], length: int) -> None:
    """What is remembered of a counter's falls is what there is to see, whenever it was last looked at."""
    store = MemoryStore()
    for second, values in enumerate(history):
        store.append(second, [sample(place, value) for place, value in enumerate(values)])
        for block in store.select(by_name("up"), (second - length) * 1000, second * 1000).blocks:
            check_lost(block)


@pytest.mark.parametrize("falls_every", [2, 3, 7, 400])
def test_resets_are_known_across_chunks(falls_every: int) -> None:
    """Also of what falls so often that not all of it is remembered, and where a longer range is asked for later."""
    store = MemoryStore(retention_seconds=1e9)
    for second in range(2000):
        store.append(second, [sample(0, float(second % falls_every)), sample(1, float(-second))])
        if second % 37 == 0:
            for length in (300, 700, 1500):
                for block in store.select(by_name("up"), (second - length) * 1000, second * 1000).blocks:
                    check_lost(block)


def test_a_second_append_at_the_same_time_is_dropped_and_counted() -> None:
    store = MemoryStore()
    store.append(10.0, [Sample("up", Labels(), 1.0)])
    store.append(10.0, [Sample("up", Labels(), 2.0)])
    store.append(9.0, [Sample("up", Labels(), 3.0)])
    assert store.latest(by_name("up"), 10_000, 300_000)[1] == [1.0]
    assert store.stats.dropped_samples == 2
    assert store.stats.samples == 1


def test_an_ended_series_is_not_marked_twice() -> None:
    store = MemoryStore()
    store.append(1.0, [Sample("up", Labels(), 1.0)])
    store.mark_stale(2.0, [("up", Labels()), ("unknown", Labels())])
    store.mark_stale(3.0, [("up", Labels())])
    assert store.stats.samples == 2
    selection = store.select(by_name("up"), 0, 10_000, markers=True)
    assert [is_stale(value) for value in selection.windows[0].value_slice()] == [False, True]


def test_an_end_is_seen_in_the_past_too() -> None:
    """Also where the series ended once more since."""
    store = MemoryStore()
    for second in (1, 3):
        store.append(second, [Sample("up", Labels(), 1.0)])
        store.mark_stale(second + 1, [("up", Labels())])
    found = [len(store.latest(by_name("up"), at * 1000, 300_000)[1]) for at in range(1, 5)]
    assert found == [1, 0, 1, 0]


def test_lists_of_labels_keep_their_identity_while_the_series_stay() -> None:
    store = MemoryStore()
    store.append(1.0, [Sample("up", Labels(job="a"), 1.0), Sample("load", Labels(), 1.0)])
    labels, _ = store.latest(by_name("up"), 1000, 300_000)
    store.append(2.0, [Sample("up", Labels(job="a"), 1.0), Sample("other", Labels(), 1.0)])
    assert store.latest(by_name("up"), 2000, 300_000)[0] is labels
    assert store.select(by_name("up"), 0, 2000).labels is labels
    store.append(3.0, [Sample("up", Labels(job="b"), 1.0)])
    assert store.latest(by_name("up"), 3000, 300_000)[0] is not labels


def test_windows_do_not_change_when_the_store_goes_on() -> None:
    store = MemoryStore()
    for second in range(100):
        store.append(second, [Sample("up", Labels(), float(second))])
    (block,) = store.select(by_name("up"), 0, 99_000).blocks
    (window,) = block.windows()
    before = (list(window.time_slice()), list(window.value_slice()))
    for second in range(100, 3000):
        store.append(second, [Sample("up", Labels(), 0.0)])
    assert (list(window.time_slice()), list(window.value_slice())) == before
    assert block.lost_to_resets() is None


def test_the_oldest_samples_go_when_the_budget_is_spent() -> None:
    keys = [("m", Labels(i=str(i))) for i in range(20)]
    store = MemoryStore(max_bytes=20 * SERIES_BYTES + 200_000, retention_seconds=1e9)
    for second in range(6000):
        store.append(second, [Sample(name, labels, second * 1.1) for name, labels in keys])
        assert store.stats.bytes <= store.stats.max_bytes
    stats = store.stats
    assert stats.evicted_samples > 0
    assert stats.samples + stats.evicted_samples == 20 * 6000
    assert oldest_second(store, "m") > 0
    assert len(store.latest(by_name("m"), 5_999_000, 300_000)[1]) == 20


def test_heads_shrink_when_there_is_nothing_else_to_evict() -> None:
    keys = [("m", Labels(i=str(i))) for i in range(30)]
    store = MemoryStore(max_bytes=60 * SERIES_BYTES + 10_000)
    for second in range(500):
        store.append(second, [Sample(name, labels, second * 1.1) for name, labels in keys])
        assert store.stats.bytes <= store.stats.max_bytes
    assert len(store.latest(by_name("m"), 499_000, 300_000)[1]) == 30


def test_what_was_refused_is_kept_once_there_is_room() -> None:
    store = MemoryStore(max_series=2, retention_seconds=60)
    alone, together = [sample(0, 1.0)], [sample(1, 1.0), sample(2, 1.0)]
    store.append(0, alone)
    for at in (0, 1, 2):
        store.append(at, together)
    assert store.series(by_name("up")) == [Labels(__name__="up", job=job) for job in "ab"]
    store.append(100, together)  # the first one has not been seen for a minute: it goes after this
    store.append(101, together)
    assert store.series(by_name("up")) == [Labels(__name__="up", job=job) for job in "bc"]


def test_series_that_were_removed_and_come_back_as_they_were_are_found() -> None:
    store = MemoryStore(retention_seconds=60)
    samples = [sample(place, 1.0) for place in range(3)]
    store.append(0, samples)
    store.append(1, samples)
    store.append(100, [sample(3, 1.0)])
    assert store.series(by_name("up")) == []
    store.append(101, samples)
    assert [window.time_slice()[0] for window in store.select(by_name("up"), 0, 200_000).windows] == [101_000] * 3


def test_what_comes_in_another_order_each_time_is_not_remembered_without_bounds() -> None:
    store = MemoryStore(max_series=50)
    samples = [Sample("up", Labels(host=str(number)), 1.0) for number in range(50)]
    for at in range(50):
        store.append(at, [*samples[at:], *samples[:at]])
    assert store.stats.samples == 50 * 50
    assert store._in_runs == sum(len(run.names) for run in store._runs.values()) <= 4 * 50


def test_series_beyond_the_limit_are_refused_and_counted() -> None:
    store = MemoryStore(max_series=3)
    for second in range(5):
        store.append(second, [Sample("m", Labels(i=str(i)), 1.0) for i in range(10)])
    assert store.stats.series == 3
    assert store.stats.dropped_series == 3  # at most max_series are told apart
    assert store.stats.samples == 15


def test_what_is_older_than_the_retention_goes_with_its_series() -> None:
    store = MemoryStore(retention_seconds=600)
    store.append(0.0, [Sample("gone", Labels(), 1.0)])
    for second in range(0, 2000, 5):
        store.append(second, [Sample("up", Labels(), 1.0)])
    assert store.series(by_name("gone")) == []
    assert store.label_values("__name__") == ["up"]
    assert 1995 - 600 - 61 <= oldest_second(store, "up") <= 1995 - 600
    store.append(2000.0, [Sample("gone", Labels(), 2.0)])
    assert store.latest(by_name("gone"), 2_000_000, 300_000)[1] == [2.0]


def test_bytes_told_are_close_to_bytes_taken() -> None:
    """The budget means something: what the store says it takes is what it takes, within a third."""
    keys = [(f"metric_{i % 10}", Labels(i=str(i))) for i in range(200)]
    gc.collect()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        store = MemoryStore()
        for second in range(1200):
            store.append(1e9 + second, [Sample(name, labels, second * 1.37) for name, labels in keys])
        gc.collect()
        taken = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert 0.66 < taken / store.stats.bytes < 1.5


def test_constant_and_whole_values_take_little() -> None:
    """Whole numbers that stay within two bytes cost about two bytes a sample, constants and shared times next to none."""
    keys = [("m", Labels(i=str(i))) for i in range(100)]
    store = MemoryStore()
    for second in range(3600):
        store.append(
            second + (second % 7) / 1000,
            [Sample(name, labels, 5.0 if place % 2 else float(second)) for place, (name, labels) in enumerate(keys)],
        )
    samples = store.stats.bytes - 100 * SERIES_BYTES
    assert samples / store.stats.samples < 5  # the open heads, at 8 bytes a sample, included


def test_one_thread_appends_while_another_selects() -> None:
    """A reader sees whole samples in order, whatever the writer is doing."""
    store, stop = MemoryStore(max_bytes=400_000), threading.Event()
    failures: list[str] = []

    def read() -> None:
        while not stop.is_set():
            selection = store.select(by_name("m"), 0, 10**9)
            for window in selection.windows:
                times, values = list(window.time_slice()), list(window.value_slice())
                if times != sorted(set(times)) or [time / 1000 for time in times] != values:
                    failures.append(f"{times[:3]} {values[:3]}")
            for block in selection.blocks:
                block.lost_to_resets()
            store.latest(by_name("m"), 10**9, 10**9)

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for second in range(2500):
            store.append(second, [Sample("m", Labels(i=str(i)), float(second)) for i in range(second % 40)])
    finally:
        stop.set()
        reader.join()
    assert failures == []
