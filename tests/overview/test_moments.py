"""Moments as people write them, on a clock that may have been set."""

from hypothesis import given
from hypothesis import strategies as st

from dozor.overview.moments import undate
from dozor.testing import FakeClock


@given(st.floats(-86_400, 86_400), st.integers(0, 10_000_000))
def test_what_the_clock_shows_is_read_back(offset: float, later: int) -> None:
    clock = FakeClock()
    clock.set_wall(round(offset))
    timestamp = clock.timestamp() + later
    assert abs(undate(clock, clock.date(timestamp)) - timestamp) < 1e-3
