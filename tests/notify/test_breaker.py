"""The breaker."""

import pytest

from dozor.notify.breaker import Breaker, BreakerPolicy
from dozor.testing import FakeClock


def failed(breaker: Breaker, times: int) -> None:
    for _ in range(times):
        breaker.failed(None)


def test_it_opens_after_five_failures_in_a_row(clock: FakeClock) -> None:
    breaker = Breaker(clock)
    failed(breaker, 4)
    breaker.succeeded()
    failed(breaker, 4)
    assert (breaker.wait_seconds, breaker.retry_at) == (0, None)
    failed(breaker, 1)
    assert breaker.wait_seconds == 30
    assert breaker.retry_at == clock.timestamp() + 30
    assert breaker.is_open


def test_a_probe_that_fails_doubles_the_span_up_to_five_minutes(clock: FakeClock) -> None:
    breaker = Breaker(clock)
    failed(breaker, 5)
    spans = []
    for _ in range(6):
        spans.append(breaker.wait_seconds)
        clock.advance(breaker.wait_seconds)
        assert breaker.wait_seconds == 0, "one probe may go"
        assert breaker.is_open, "and until it succeeds that is all"
        breaker.failed(None)
    assert spans == [30, 60, 120, 240, 300, 300]


def test_a_probe_that_succeeds_closes_it_and_all_is_forgotten(clock: FakeClock) -> None:
    breaker = Breaker(clock)
    failed(breaker, 6)
    breaker.succeeded()
    assert not breaker.is_open
    assert breaker.wait_seconds == 0
    failed(breaker, 5)
    assert breaker.wait_seconds == 30


@pytest.mark.parametrize(("asked", "rest"), [(7, 7), (0, 0), (-5, 0), (1e9, 3600), (float("nan"), 0), (None, 0)])
def test_the_wait_that_is_asked_for_is_kept_from_the_first_failure_on(
    clock: FakeClock, asked: float | None, rest: float
) -> None:
    breaker = Breaker(clock)
    breaker.failed(asked)
    assert breaker.wait_seconds == rest
    assert not breaker.is_open


def test_the_wait_that_is_asked_for_is_the_least(clock: FakeClock) -> None:
    breaker = Breaker(clock, BreakerPolicy(failures=1, first_seconds=10))
    breaker.failed(60)
    assert breaker.wait_seconds == 60
    clock.advance(60)
    breaker.failed(5)
    assert breaker.wait_seconds == 20


def test_an_attempt_meanwhile_does_not_shorten_the_wait_that_was_asked_for(clock: FakeClock) -> None:
    breaker = Breaker(clock)
    breaker.failed(600.0)
    clock.advance(10)
    breaker.failed(None)
    assert breaker.wait_seconds == 590.0
