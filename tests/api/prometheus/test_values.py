"""Numbers and moments as Go writes them."""

import json
import math
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dozor.api.prometheus.values import NEVER, encoded, exponential, moment, number, plain, result_data, rfc3339
from dozor.model.labels import Labels
from dozor.promql import Kind, Result
from dozor.store import Window


@pytest.mark.parametrize(
    ("value", "as_sample", "as_scalar", "as_alert"),
    [
        (0.0, "0", "0", "0e+00"),
        (-0.0, "-0", "-0", "-0e+00"),
        (96.0, "96", "96", "9.6e+01"),
        (0.1, "0.1", "0.1", "1e-01"),
        (-12.5, "-12.5", "-12.5", "-1.25e+01"),
        (1e15, "1000000000000000", "1000000000000000", "1e+15"),
        (1e16, "10000000000000000", "10000000000000000", "1e+16"),
        (123456789012345680000.0, "123456789012345680000", "123456789012345680000", "1.2345678901234568e+20"),
        (1e21, "1e+21", "1000000000000000000000", "1e+21"),
        (1e-5, "0.00001", "0.00001", "1e-05"),
        (1e-7, "1e-07", "0.0000001", "1e-07"),
        (-2.5e-9, "-2.5e-09", "-0.0000000025", "-2.5e-09"),
        (1e300, "1e+300", "1" + 300 * "0", "1e+300"),
        (math.nan, "NaN", "NaN", "NaN"),
        (math.inf, "+Inf", "+Inf", "+Inf"),
        (-math.inf, "-Inf", "-Inf", "-Inf"),
    ],
)
def test_a_number_is_written_as_go_writes_it(value: float, as_sample: str, as_scalar: str, as_alert: str) -> None:
    assert (number(value), plain(value), exponential(value)) == (as_sample, as_scalar, as_alert)


@given(st.floats(allow_nan=False))
def test_no_digit_is_lost(value: float) -> None:
    for written in (number(value), plain(value), exponential(value)):
        assert float(written) == value


@pytest.mark.parametrize(
    ("milliseconds", "written"),
    [(0, "0"), (1_800_000_000_000, "1800000000"), (1500, "1.500"), (1005, "1.005"), (-1500, "-1.500"), (-1, "-0.001")],
)
def test_a_moment_has_milliseconds_only_where_there_are_any(milliseconds: int, written: str) -> None:
    assert moment(milliseconds) == written
    assert round(float(written) * 1000) == milliseconds


def test_dates_are_those_of_go() -> None:
    assert rfc3339(datetime(2027, 1, 15, 8, 0, 0, 250_000, UTC)) == "2027-01-15T08:00:00.250Z"
    assert rfc3339(None) == NEVER


def test_what_utf8_cannot_carry_is_replaced() -> None:
    assert json.loads(encoded({"a\ud800": ["\udfff", 1]})) == {"a?": ["?", 1]}


def test_series_share_the_moments_that_they_share() -> None:
    window = Window([1000, 1250], [1.5, math.inf], 0, 0, 2)
    result = Result(Kind.MATRIX, series=[(Labels(__name__="a", b='"'), window), (Labels(), window)])
    written = json.loads(encoded(result_data(result, 2.0)))
    values = [[1, "1.5"], [1.25, "+Inf"]]
    assert written == {
        "resultType": "matrix",
        "result": [{"metric": {"__name__": "a", "b": '"'}, "values": values}, {"metric": {}, "values": values}],
    }
