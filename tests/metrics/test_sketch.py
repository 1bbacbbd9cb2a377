"""The sketch of durations: what is promised of its quantiles, and that it can be added and packed."""

import math

from hypothesis import given
from hypothesis import strategies as st

from dozor.metrics.sketch import RELATIVE_ERROR, Sketch

SECONDS = st.floats(min_value=1e-6, max_value=3600, exclude_min=True)


def sketch_of(values: list[float]) -> Sketch:
    sketch = Sketch()
    sketch.add(values)
    return sketch


@given(st.lists(SECONDS, min_size=1), st.floats(0, 1))
def test_a_quantile_is_within_the_stated_error_of_the_exact_one(values: list[float], share: float) -> None:
    exact = sorted(values)[max(1, math.ceil(share * len(values))) - 1]
    found = sketch_of(values).quantile(share)
    assert found is not None
    assert abs(found - exact) <= exact * RELATIVE_ERROR * (1 + 1e-9)


@given(st.lists(SECONDS), st.lists(SECONDS), st.floats(0, 1))
def test_merged_or_packed_it_says_the_same_as_one_that_saw_all(
    one: list[float], other: list[float], share: float
) -> None:
    whole = sketch_of(one + other)
    merged = sketch_of(one)
    merged.merge(sketch_of(other))
    packed = Sketch(sketch_of(one).pack())
    packed.add_packed(sketch_of(other).pack())
    assert whole.quantile(share) == merged.quantile(share) == packed.quantile(share)
    assert whole.count == merged.count == packed.count == len(one) + len(other)


@given(st.floats(allow_nan=False, min_value=0, max_value=1e300))
def test_any_duration_is_taken_and_what_is_out_of_range_counts_as_its_end(value: float) -> None:
    found = sketch_of([value]).quantile(0.5)
    assert found is not None
    assert 0.97e-6 <= found <= 3800


def test_without_values_there_is_no_quantile() -> None:
    assert Sketch().quantile(0.5) is None
    assert Sketch().pack() == b""
