"""The bucket of tokens."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dozor.notify.rate import TokenBucket
from dozor.testing import FakeClock


def test_a_burst_goes_at_once_and_what_follows_at_the_rate(clock: FakeClock) -> None:
    bucket = TokenBucket(clock, 2.0, 3)
    for _ in range(3):
        assert bucket.wait_seconds == 0
        bucket.take()
    assert bucket.wait_seconds == pytest.approx(0.5)
    clock.advance(0.25)
    assert bucket.wait_seconds == pytest.approx(0.25)
    clock.advance(0.25)
    assert bucket.wait_seconds == 0


def test_rest_fills_it_no_further_than_a_burst(clock: FakeClock) -> None:
    bucket = TokenBucket(clock, 10.0, 2)
    clock.advance(3600)
    bucket.take()
    bucket.take()
    assert bucket.wait_seconds == pytest.approx(0.1)


def test_one_that_did_not_wait_makes_the_next_wait_longer(clock: FakeClock) -> None:
    bucket = TokenBucket(clock, 1.0, 1)
    bucket.take()
    bucket.take()
    assert bucket.wait_seconds == pytest.approx(2)


def test_some_bear_anything(clock: FakeClock) -> None:
    bucket = TokenBucket(clock, math.inf, 1)
    for _ in range(1000):
        bucket.take()
    assert bucket.wait_seconds == 0


@given(
    st.floats(0.01, 100),
    st.integers(1, 50),
    st.lists(st.floats(0, 10), min_size=1, max_size=60),
)
def test_no_span_of_time_sees_more_than_a_burst_and_what_the_rate_allows(
    per_second: float, burst: int, pauses: list[float]
) -> None:
    clock = FakeClock(0.0)
    bucket = TokenBucket(clock, per_second, burst)
    taken: list[float] = []
    for pause in pauses:
        clock.advance(pause)
        while bucket.wait_seconds == 0 and len(taken) < 500:
            bucket.take()
            taken.append(clock.timestamp())
    for first, begun in enumerate(taken):
        for last in range(first, len(taken)):
            allowed = burst + (taken[last] - begun) * per_second
            assert last - first + 1 <= allowed + 1e-3


@given(st.floats(0.01, 100), st.integers(1, 50))
def test_waiting_as_long_as_it_says_is_enough(per_second: float, burst: int) -> None:
    clock = FakeClock(0.0)
    bucket = TokenBucket(clock, per_second, burst)
    for _ in range(burst + 3):
        clock.advance(bucket.wait_seconds)
        assert bucket.wait_seconds == 0
        bucket.take()
