"""When to try again."""

from datetime import UTC, datetime
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dozor.errors import DeliveryError
from dozor.notify.retry import LONGEST_WAIT_SECONDS, RetryPolicy, bounded, retry_after_seconds

NOW = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)
CEILING = RetryPolicy(uniform=lambda _, high: high)


def failure(*, recoverable: bool = True, retry_after: float | None = None) -> DeliveryError:
    return DeliveryError("webhook", "no", recoverable=recoverable, retry_after_seconds=retry_after)


@pytest.mark.parametrize(("attempts", "wait"), [(1, 2), (2, 4), (3, 8), (8, 256), (9, 300), (40, 300), (100_000, 300)])
def test_the_span_doubles_up_to_its_limit(attempts: int, wait: float) -> None:
    assert CEILING.next_attempt(failure(), attempts=attempts, created_at=0, at=100) == 100 + wait


@given(attempts=st.integers(1, 100))
def test_the_wait_is_somewhere_in_the_span(attempts: int) -> None:
    next_at = RetryPolicy().next_attempt(failure(), attempts=attempts, created_at=0, at=100)
    assert next_at is not None
    assert 100 <= next_at <= 100 + min(300, 2**attempts)


def test_a_receiver_that_asks_for_more_time_gets_it() -> None:
    policy = RetryPolicy(uniform=lambda low, _: low)
    assert policy.next_attempt(failure(retry_after=60), attempts=1, created_at=0, at=100) == 160


@pytest.mark.parametrize("asked", [-5.0, float("nan"), float("-inf")])
def test_nonsense_asked_for_changes_nothing(asked: float) -> None:
    assert CEILING.next_attempt(failure(retry_after=asked), attempts=1, created_at=0, at=100) == 102


def test_what_cannot_be_mended_is_not_tried_again() -> None:
    assert CEILING.next_attempt(failure(recoverable=False), attempts=1, created_at=0, at=1) is None


def test_a_notification_is_given_up_when_it_is_a_day_old() -> None:
    assert CEILING.next_attempt(failure(), attempts=1, created_at=0, at=86_398) == 86_400
    assert CEILING.next_attempt(failure(), attempts=1, created_at=0, at=86_399) is None


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("120", 120),
        ("0", 0),
        ("1.5", 1.5),
        ("-5", 0),
        ("999999999", LONGEST_WAIT_SECONDS),
        ("1e400", LONGEST_WAIT_SECONDS),
        ("nan", 0),
        (format_datetime(NOW.replace(minute=5), usegmt=True), 300),
        (format_datetime(NOW.replace(year=2030), usegmt=True), LONGEST_WAIT_SECONDS),
        (format_datetime(NOW.replace(year=2020), usegmt=True), 0),
        ("Sunday, 22-Nov-26 12:01:00 GMT", 60),
        ("Sun Nov 22 12:01:00 2026", 60),
        ("soon", None),
        ("", None),
        ("Sun, 99 Nov 2026 12:01:00 GMT", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(header: str | None, seconds: float | None) -> None:
    assert retry_after_seconds(header, NOW) == seconds


@given(st.text(max_size=40))
def test_no_header_is_too_odd(header: str) -> None:
    found = retry_after_seconds(header, NOW)
    assert found is None or 0 <= found <= LONGEST_WAIT_SECONDS


@given(st.floats())
def test_a_wait_is_bounded(seconds: float) -> None:
    assert 0 <= bounded(seconds) <= LONGEST_WAIT_SECONDS
