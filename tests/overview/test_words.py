"""How durations and figures are put for people."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dozor.overview.words import duration, figure


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (-1, "0 s"),
        (0, "0 ms"),
        (0.0421, "42.1 ms"),
        (1, "1 s"),
        (2.345, "2.35 s"),
        (59.4, "59 s"),
        (60, "1 min"),
        (190, "3 min 10 s"),
        (725, "12 min"),
        (3600, "1 h"),
        (7500, "2 h 5 min"),
        (100_800, "1 d 4 h"),
    ],
)
def test_a_duration_is_said_in_at_most_two_units(seconds: Any, said: Any) -> None:
    assert duration(seconds) == said


@pytest.mark.parametrize(
    ("value", "unit", "said"),
    [
        (math.nan, "", "no data"),
        (math.inf, "", "infinite"),
        (0, "", "0"),
        (12_345.6, "", "12,346"),
        (93.333, "percent", "93.3 %"),
        (1536, "bytes", "1.5 KiB"),
        (3 * 1024**3, "bytes", "3 GiB"),
        (0.25, "seconds", "250 ms"),
    ],
)
def test_a_figure_has_the_unit_that_people_use(value: Any, unit: Any, said: Any) -> None:
    assert figure(value, unit) == said


@given(st.floats(min_value=0, max_value=1e12), st.sampled_from(["", "bytes", "seconds", "percent"]))
def test_any_figure_can_be_said_briefly(value: Any, unit: Any) -> None:
    assert len(figure(value, unit)) < 25
