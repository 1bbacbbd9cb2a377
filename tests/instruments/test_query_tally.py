"""What is kept of a statement in stretches of time, and which of them make a window and the one before it."""

from hypothesis import given
from hypothesis import strategies as st

from dozor.instruments.query_tally import WINDOWS, History, Tally, spans


def a_tally(*seconds: float) -> Tally:
    tally = Tally()
    tally.add(seconds, [1] * len(seconds), slow_seconds=1.0)
    return tally


def calls(history: History, window: float, now: float) -> tuple[int, int]:
    present, before = spans(window, now, since=-10_000.0)
    assert before is not None
    return history.read(present).calls, history.read(before).calls


def test_calls_move_from_a_window_to_the_one_before_and_out() -> None:
    history = History()
    history.add(a_tally(0.1, 0.2), 1000.0)
    assert calls(history, 300, 1000) == (2, 0)
    assert calls(history, 300, 1299) == (2, 0)
    assert calls(history, 300, 1331) == (0, 2)
    assert calls(history, 300, 1700) == (0, 0)
    assert calls(history, 3600, 4500) == (2, 0)
    assert calls(history, 3600, 4900) == (0, 2)
    assert history.total.calls == 2


@given(
    st.lists(st.tuples(st.floats(0, 200), st.integers(1, 5)), max_size=40),
    st.sampled_from([seconds for seconds in WINDOWS.values() if seconds]),
)
def test_a_window_has_all_calls_of_its_length_and_few_more(steps: list[tuple[float, int]], window: float) -> None:
    history, now, log = History(), 10_000.0, []
    for pause, count in steps:
        now += pause
        history.add(a_tally(*[0.01] * count), now)
        log += [now] * count
    slot = 30 if window <= 300 else 300
    present, before = calls(history, window, now)
    assert sum(now - at < window for at in log) <= present <= sum(now - at <= window + slot for at in log)
    assert present + before <= sum(now - at <= 2 * window + slot for at in log)
    assert present + before >= sum(now - at < 2 * window for at in log)


def test_the_window_before_is_unknown_while_it_was_not_all_watched() -> None:
    present, before = spans(60, now=1000, since=880)
    assert before is None
    assert present.seconds == 1000 - 930
    assert spans(60, now=1000, since=995)[0].seconds == 5
    assert spans(60, now=1000, since=870)[1] is not None


def test_packed_stretches_say_what_the_calls_were() -> None:
    history = History()
    history.add(a_tally(0.1, 2.0), 1000.0)
    failed = a_tally(0.5)
    failed.errors = failed.timeouts = 1
    history.add(failed, 1040.0)
    history.add(a_tally(0.1), 1100.0)
    found = history.read(spans(300, 1100.0, 0.0)[0])
    assert (found.calls, found.errors, found.timeouts, found.slow, found.rows) == (4, 1, 1, 1, 4)
    assert (found.longest, round(found.seconds, 9)) == (2.0, 2.7)
    median = found.sketch.quantile(0.5)
    assert median is not None
    assert 0.098 <= median <= 0.102


def test_what_is_too_old_is_forgotten_though_nothing_comes() -> None:
    history = History()
    history.add(a_tally(0.1), 1000.0)
    history.add(a_tally(0.1), 1040.0)
    history.forget(20_000.0)
    assert history._fine.read(0, 10**9).calls == history._coarse.read(0, 10**9).calls == 0
