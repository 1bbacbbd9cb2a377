"""What is added to a server's counts between two looks, whatever happens to the counts in between."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from dozor.instruments.query_tally import Tally
from dozor.instruments.statement_differences import (
    LONGEST_GAP_SECONDS,
    StatementDifferences,
    StatementReading,
    StatementTotals,
)

A, B = (1, 10, True), (2, 10, True)
FIRST = StatementReading(0.0, "server", "reset", complete=True, entries={A: StatementTotals(10, 1.0, 20, 0.4, 0.2)})


def added(*readings: StatementReading) -> dict[int, Tally]:
    differences = StatementDifferences()
    found = [differences.take(reading) for reading in readings]
    return {key[0]: tally for key, tally in found[-1]}


def later(*, seconds: float = 15.0, **changes: object) -> StatementReading:
    return replace(FIRST, at=FIRST.at + seconds, **changes)


def test_of_the_first_reading_nothing_is_known() -> None:
    assert added(FIRST) == {}


def test_what_was_called_in_between() -> None:
    found = added(
        FIRST, later(entries={A: StatementTotals(14, 3.0, 21, 0.9, 1.2), B: StatementTotals(1, 0.5, 0, 0.5, 0.25)})
    )
    assert (found[1].calls, found[1].seconds, found[1].rows, found[1].rows_known) == (4, 2.0, 1, 4)
    assert (found[1].most, found[1].deviation) == (0.9, 0.0)
    assert (found[2].calls, found[2].seconds, found[2].most) == (1, 0.5, 0.5)


def test_the_longest_is_not_known_where_there_was_a_longer_one_before() -> None:
    found = added(FIRST, later(entries={A: StatementTotals(11, 1.1, 20, 0.4, 0.21)}))
    assert found[1].most is None
    found[1].merge(Tally(calls=1, seconds=0.5, longest=0.5, bound=0.5))
    assert found[1].most == 0.5  # whatever the others took, it was less


def test_what_was_not_called_is_not_there() -> None:
    assert added(FIRST, later()) == {}


@pytest.mark.parametrize(
    ("reading", "calls"),
    [
        pytest.param(later(entries={A: StatementTotals(3, 0.3, 3, 0.1, 0.03)}), 3, id="thrown out, and back with fewer calls"),
        pytest.param(later(entries={A: StatementTotals(12, 0.3, 30, 0.1, 0.03)}), 12, id="back with more calls, in less time"),
        pytest.param(later(entries={A: StatementTotals(12, 9.9, 30, 9, 80, since=5.0)}), 12, id="back, and the server says so"),
        pytest.param(later(reset="other", entries={A: StatementTotals(12, 9.9, 30, 9, 80)}), 12, id="all reset"),
        pytest.param(later(server="other", entries={A: StatementTotals(99, 9.9, 99, 1, 1)}), None, id="another server"),
        pytest.param(later(seconds=LONGEST_GAP_SECONDS + 1, entries={A: StatementTotals(99, 9.9, 99, 1, 1)}), None, id="long away"),
    ],
)  # fmt: skip
def test_when_counts_begin_anew(reading: StatementReading, calls: int | None) -> None:
    found = added(FIRST, reading)
    assert (found[1].calls if found else None) == calls


def test_what_vanished_and_came_back_is_counted_from_its_return() -> None:
    found = added(FIRST, later(entries={}), later(seconds=30, entries={A: StatementTotals(2, 0.1, 2, 0.06, 0.006)}))
    assert found[1].calls == 2


def test_what_may_have_been_left_out_of_the_reading_before_is_not_taken_for_new() -> None:
    first = replace(FIRST, complete=False)
    old, new = StatementTotals(900, 9.0, 0, 1, 1, since=-100.0), StatementTotals(2, 0.1, 2, 0.06, 0.006, since=3.0)
    assert 2 not in added(first, later(entries={B: StatementTotals(900, 9.0, 0, 1, 1)}))
    assert 2 not in added(first, later(entries={B: old}))
    assert added(first, later(entries={B: new}))[2].calls == 2


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("call"), st.integers(0, 3), st.floats(0.001, 100)),
            st.tuples(st.sampled_from(["evict", "reset one"]), st.integers(0, 3), st.just(0.0)),
            st.tuples(st.sampled_from(["reset all", "read"]), st.just(0), st.just(0.0)),
        ),
        max_size=60,
    ),
    st.booleans(),
    st.booleans(),
)
def test_never_negative_and_never_more_than_was_called(
    steps: list[tuple[str, int, float]], says_since: bool, resets_are_told: bool
) -> None:
    """A server that counts, forgets and is reset; and what is read of it."""
    differences = StatementDifferences()
    at, reset = 0.0, 0
    entries: dict[tuple[int, int, bool], StatementTotals] = {}
    called: dict[int, int] = {}
    lost = False
    for step, number, seconds in [*steps, ("read", 0, 0.0)]:
        at += 0.25
        key = (number, 10, True)
        if step == "call":
            then = entries.get(key, StatementTotals(0, 0.0, 0, 0.0, 0.0, at if says_since else None))
            entries[key] = StatementTotals(
                then.calls + 1, then.seconds + seconds, then.rows + 1, max(then.longest, seconds),
                then.squares + seconds * seconds, then.since,
            )  # fmt: skip
            called[number] = called.get(number, 0) + 1
        elif step == "read":
            first = differences._before is None
            found = dict(differences.take(StatementReading(at, "server", reset, complete=True, entries=dict(entries))))
            for (one, _, _), tally in found.items():
                assert 0 < tally.calls <= called.get(one, 0)
                assert tally.seconds >= 0
                assert tally.rows == tally.calls
                assert tally.deviation is None or tally.deviation >= 0
                assert tally.most is None or tally.most >= tally.seconds / tally.calls * (1 - 1e-9)
            if not first and not lost:
                assert {one: tally.calls for (one, _, _), tally in found.items()} == called
            called, lost = {}, False
        elif step == "reset all":
            entries, reset, lost = {}, reset + resets_are_told, True
        else:
            lost = entries.pop(key, None) is not None or lost
