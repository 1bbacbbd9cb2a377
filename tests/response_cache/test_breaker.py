from dozor.response_cache.breaker import Breaker
from dozor.testing import FakeClock


def opened(clock: FakeClock) -> Breaker:
    breaker = Breaker(clock, failures=3, open_seconds=5)
    outcomes = []
    for _ in range(3):
        assert breaker.admits()
        outcomes.append(breaker.failed())
    assert outcomes == [False, False, True]
    return breaker


def test_failures_in_a_row_open_it_and_a_success_between_them_does_not(clock: FakeClock) -> None:
    breaker = Breaker(clock, failures=2)
    for _ in range(5):
        assert breaker.admits()
        breaker.failed()
        assert breaker.admits()
        assert not breaker.succeeded()
    assert not breaker.is_open


def test_it_turns_callers_away_until_its_time_is_over_and_then_lets_one_try(clock: FakeClock) -> None:
    breaker = opened(clock)
    clock.advance(4.9)
    assert not breaker.admits()
    clock.advance(0.1)
    assert breaker.admits()
    assert not breaker.admits()


def test_a_good_trial_closes_it_and_a_bad_one_keeps_it_open_for_another_time(clock: FakeClock) -> None:
    breaker = opened(clock)
    clock.advance(5)
    assert breaker.admits()
    assert not breaker.failed(), "it was open all along"
    assert not breaker.admits()
    clock.advance(5)
    assert breaker.admits()
    assert breaker.succeeded()
    assert not breaker.is_open


def test_a_trial_without_an_outcome_leaves_the_trial_to_the_next(clock: FakeClock) -> None:
    breaker = opened(clock)
    clock.advance(5)
    assert breaker.admits()
    breaker.abandoned()
    assert breaker.admits()


def test_a_late_failure_of_a_caller_admitted_before_changes_nothing(clock: FakeClock) -> None:
    breaker = opened(clock)
    clock.advance(4)
    breaker.failed()
    clock.advance(1)
    assert breaker.admits()
