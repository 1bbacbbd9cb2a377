"""A rule that remembers its last window says what one says that looks at every sample."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.chaos import examples

from dozor.errors import PromQLError
from dozor.model.labels import Labels
from dozor.model.sample import Sample
from dozor.promql import Query, compile_query
from dozor.promql.functions.rates import Changes
from dozor.promql.rolling import Lines, Pairs, Rolling, State, Totals
from dozor.promql.vector import Matrix
from dozor.store import Columns, Matcher, MemoryStore, held

EXPRESSIONS = [
    f"{function}(m[20s]{parameter})"
    for function, parameter in [
        ("changes", ""),
        ("resets", ""),
        ("deriv", ""),
        ("predict_linear", ", 60"),
        ("sum_over_time", ""),
        ("avg_over_time", ""),
        ("max_over_time", ""),
        ("rate", ""),
        ("increase", ""),
        ("delta", ""),
        ("irate", ""),
        ("last_over_time", ""),
    ]
]
KEYS = [Labels(i=str(place)) for place in range(3)]
USUAL = st.integers(0, 100).map(float) | st.floats(-1e6, 1e6).map(lambda value: round(value, 3))
ODD = st.sampled_from([math.nan, math.inf, -math.inf, -0.0, 1e300, 5e-324, 0.1, 2.0**60])
VALUES = USUAL | st.none()


def histories(values: st.SearchStrategy[float | None]) -> st.SearchStrategy[list[list[float | None]]]:
    """The values of three series, second by second; None: none was taken."""
    return st.lists(st.lists(values, min_size=3, max_size=3), min_size=40, max_size=80)


@pytest.fixture(autouse=True)
def _windows_are_small(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the windows of these tests were long ones."""
    for kind in (Pairs, Totals, Lines):
        monkeypatch.setattr(kind, "worthwhile", 4)


def evaluated(query: Query, store: MemoryStore, at: float) -> dict[Labels, float] | str:
    try:
        return {sample.labels: sample.value for sample in query.instant(store, at)}
    except PromQLError as error:
        return str(error)


def agree(one: float, other: float, size: float) -> bool:
    if not math.isfinite(one) or not math.isfinite(other) or size > 1e100:
        # Sums beyond the largest float, and lines through infinities, have no exact value to agree on.
        return size > 1e100 or one == other or (math.isnan(one) and math.isnan(other))
    return math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-9 * max(size, 1.0))


@given(
    histories(USUAL) | histories(VALUES) | histories(VALUES | ODD),
    st.sampled_from([1, 2]),
    st.sampled_from([2000, 2300, 2**20]),
)
@settings(max_examples=examples(25), deadline=None)
def test_what_is_remembered_changes_no_result(history: list[list[float | None]], every: int, budget: int) -> None:
    """Whatever comes, pauses or is thrown away between evaluations: rules that go on agree with ones that begin."""
    store = MemoryStore(max_bytes=3 * 2 * 2048 + budget, retention_seconds=60)
    going_on = [compile_query(expr) for expr in EXPRESSIONS]
    size = 0.0
    for second, values in enumerate(history):
        present = [(labels, value) for labels, value in zip(KEYS, values, strict=True) if value is not None]
        size = max([size, *(abs(value) for _, value in present if math.isfinite(value))])
        store.append(float(second), [Sample("m", labels, value) for labels, value in present])
        if second % 11 == 10:
            store.mark_stale(second + 0.5, [("m", KEYS[second % 3])])
        if second % every:
            continue
        for expr, query in zip(EXPRESSIONS, going_on, strict=True):
            found, wanted = evaluated(query, store, second), evaluated(compile_query(expr), store, second)
            assert isinstance(found, dict), found
            assert isinstance(wanted, dict), wanted
            assert found.keys() == wanted.keys(), expr
            for labels, value in found.items():
                assert agree(value, wanted[labels], size), (expr, second, labels, value, wanted[labels])


def filled(seconds: int) -> MemoryStore:
    store = MemoryStore(retention_seconds=1e9)
    for second in range(seconds):
        store.append(float(second), [Sample("m", labels, second % 7 * 0.1) for labels in KEYS])
    return store


def itself(state: State) -> State:
    return state


def block_at(store: MemoryStore, at: int, length: int) -> Columns:
    (block,) = store.select((Matcher("__name__", "=", "m"),), (at - length) * 1000, at * 1000).blocks
    return block


@pytest.mark.parametrize("kind", [Changes, Totals, Lines])
def test_the_third_look_at_a_moving_window_mends_what_is_known(
    kind: type[State], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Across chunks: of the window only what fell out of it and what came in is unpacked."""
    store = filled(2000)
    rolling = Rolling(kind)
    assert rolling(block_at(store, 1990, 1500), itself) is None  # seen once, it may be a single question
    state = rolling(block_at(store, 1995, 1500), itself)
    assert state is not None

    def unpacked(*_: object) -> None:
        pytest.fail("the whole window was unpacked")

    monkeypatch.setattr(held, "joined", unpacked)
    assert rolling(block_at(store, 1999, 1500), itself) is state


def test_a_window_that_jumps_is_looked_at_anew() -> None:
    store = filled(2000)
    rolling = Rolling(Totals)
    for at in (1000, 1001):
        known = rolling(block_at(store, at, 100), itself)
    assert known is not None
    assert rolling(block_at(store, 1900, 100), itself) is None
    assert rolling(block_at(store, 1000, 100), itself) is None


def test_series_that_are_gone_are_forgotten() -> None:
    store = filled(100)
    rolling = Rolling(Totals)
    rolling(block_at(store, 99, 50), itself)
    assert rolling.known == 1
    rolling.forget(Matrix([], [], 0, 0))
    assert rolling.known == 0
