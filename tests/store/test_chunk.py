"""Packing gives back the very bits."""

from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dozor.store.chunk import pack, pack_times

FLOATS = st.floats(width=64) | st.integers(-(2**60), 2**60).map(float) | st.sampled_from([0.0, -0.0, 1.0])


@given(st.lists(FLOATS, min_size=1, max_size=50))
def test_values_survive(values: list[float]) -> None:
    column = array("d", values)
    assert pack(range(len(values)), column).unpack().tobytes() == column.tobytes()


@given(st.lists(st.integers(0, 2**45), min_size=1, max_size=50, unique=True).map(sorted))
def test_times_survive(times: list[int]) -> None:
    assert list(pack_times(array("q", times))) == times


@pytest.mark.parametrize(
    ("values", "bytes_a_sample"),
    [
        ([7.5] * 100, 0.1),
        ([float(i % 200) for i in range(100)], 1),
        ([float(100_000 + i) for i in range(100)], 1),
        ([float(i * 300) for i in range(100)], 2),
        ([float(-i * 100_000) for i in range(100)], 4),
        ([i / 3 for i in range(100)], 8),
    ],
)
def test_sizes(values: list[float], bytes_a_sample: float) -> None:
    chunk = pack(range(len(values)), array("d", values))
    empty = pack(range(1), array("d", [1.0]))
    assert (chunk.size - empty.size + 8) / len(values) == pytest.approx(bytes_a_sample, abs=0.05)


def test_regular_times_are_a_range() -> None:
    assert pack_times(array("q", [1000, 2000, 3000])) == range(1000, 4000, 1000)
