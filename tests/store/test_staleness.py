"""One NaN means that a series ended; all others are values."""

import math
import struct
from array import array

from dozor.store import STALE_NAN, is_stale


def test_the_marker_is_prometheus_own() -> None:
    assert struct.pack(">d", STALE_NAN).hex() == "7ff0000000000002"
    assert is_stale(STALE_NAN)


def test_other_values_are_no_marker() -> None:
    assert not any(is_stale(value) for value in (0.0, math.inf, math.nan, -math.nan, float("nan")))


def test_the_marker_survives_an_array() -> None:
    assert is_stale(array("d", [STALE_NAN])[0])
