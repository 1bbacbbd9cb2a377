"""Time that is shown and time that is measured."""

from datetime import UTC, datetime

from dozor.clock import Clock
from dozor.testing import FakeClock


def test_a_real_clock_agrees_with_the_time_of_day() -> None:
    clock = Clock()
    assert abs(clock.now().timestamp() - clock.timestamp()) < 0.5
    assert clock.monotonic() <= clock.monotonic()


def test_setting_the_clock_moves_dates_and_no_duration() -> None:
    clock = FakeClock(1_000_000.0)
    clock.advance(10)
    clock.set_wall(3600)
    assert clock.timestamp() == 1_000_010.0
    assert clock.offset() == 3600
    assert clock.date(1_000_010.0) == datetime.fromtimestamp(1_003_610, UTC) == clock.now()


def test_drift_below_a_second_is_not_shown() -> None:
    clock = FakeClock(1_000_000.0)
    clock.set_wall(0.4)
    assert clock.date(1_000_000.0) == datetime.fromtimestamp(1_000_000, UTC)
