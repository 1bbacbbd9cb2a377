"""Lines for charts: no peak is lost, gaps stay gaps, the worst come first."""

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dozor.errors import PromQLError, QueryTimeout
from dozor.model.labels import Labels
from dozor.model.sample import Sample
from dozor.overview.chart import Chart, Grid, read_chart, worst
from dozor.store import MemoryStore

AT = 1_800_000_000.0


def store_of(**series: dict[float, float]) -> MemoryStore:
    """A store with the gauge `g` of each pool: values by seconds from AT on."""
    store = MemoryStore()
    times = sorted({at for values in series.values() for at in values})
    for at in times:
        store.append(
            AT + at, [Sample("g", Labels(pool=pool), values[at]) for pool, values in series.items() if at in values]
        )
    return store


def chart(store: MemoryStore, expr: str, grid: Grid, *, how: str = "max", most: int = 20, left: float = 10.0) -> Chart:
    return read_chart(store, expr, grid, key=worst(how), most=most, left=lambda: left, finest_seconds=1.0)


def over(seconds: float, points: int = 60) -> Grid:
    return Grid.over(AT, AT + seconds, points=points, finest_seconds=1.0)


@given(
    values=st.dictionaries(st.integers(0, 2000), st.floats(-1e9, 1e9), min_size=1, max_size=60),
    points=st.integers(20, 300),
)
def test_every_bucket_keeps_its_extremes_in_their_order(values: dict[float, float], points: int) -> None:
    grid = over(2000, points)
    [line] = chart(store_of(a=values), "g", grid).lines
    drawn = line.values(grid)
    assert len(drawn) == len(grid.times()) == 2 * grid.count <= points + 4
    assert (line.low, line.high, line.last) == (min(values.values()), max(values.values()), values[max(values)])
    buckets: dict[int, list[float]] = {}
    for at in sorted(values):
        buckets.setdefault(int((AT + at - grid.start) // grid.seconds), []).append(values[at])
    for place, found in buckets.items():
        pair = drawn[2 * place : 2 * place + 2]
        assert {*pair} == {min(found), max(found)}
        if found.index(min(found)) != found.index(max(found)):
            assert (pair[0] == min(found)) == (found.index(min(found)) < found.index(max(found)))


def test_the_times_are_evenly_apart_and_do_not_move_with_the_end() -> None:
    one, later = (Grid.over(AT + moved, AT + 900 + moved, points=600, finest_seconds=1.0) for moved in (0, 1.3))
    assert {round(b - a, 3) for a, b in pairwise(one.times())} == {one.seconds / 2}
    assert {round(at % one.seconds, 3) for at in one.times()} == {round(at % one.seconds, 3) for at in later.times()}


def test_a_gap_is_none_and_rare_samples_are_no_gap() -> None:
    store = store_of(
        often=dict.fromkeys([*range(100), *range(300, 400)], 1.0), rarely=dict.fromkeys(range(0, 400, 15), 2.0)
    )
    grid = over(400, 200)
    rarely, often = chart(store, "g", grid).lines
    assert None not in rarely.values(grid)[: 2 * int(390 // grid.seconds)]
    found = often.values(grid)
    assert found[2 * int(200 // grid.seconds)] is None
    assert found[2 * int(50 // grid.seconds)] == 1.0


@pytest.mark.parametrize(("how", "first"), [("max", "high"), ("min", "low"), ("last", "late")])
def test_the_worst_come_first_and_the_rest_is_counted(how: str, first: str) -> None:
    store = store_of(high={1: 90.0, 2: 5.0}, low={1: -3.0, 2: 4.0}, late={1: 6.0, 2: 7.0}, dull={1: 1.0, 2: 1.0})
    found = chart(store, "g", over(60), how=how, most=1)
    assert [line.labels["pool"] for line in found.lines] == [first]
    assert found.total == 4


def test_an_expression_is_evaluated_at_several_moments_of_each_bucket() -> None:
    store = store_of(a={at: float(at) for at in range(3600)}, b=dict.fromkeys(range(3600), 5.0))
    grid = over(3600, 100)
    [line] = chart(store, "max(g)", grid).lines
    assert line.high > 3590
    assert all(one < other for one, other in pairwise(value for value in line.values(grid) if value is not None))


def test_the_shortest_peak_of_a_selector_is_there() -> None:
    store = store_of(a={at: 1000.0 if at == 1801 else 1.0 for at in range(3600)})
    grid = over(3600, 20)
    for expr in ("g", ' g{pool="a"} '):
        [line] = chart(store, expr, grid).lines
        assert max(value for value in line.values(grid) if value is not None) == 1000.0


def test_values_that_are_no_numbers_are_left_out() -> None:
    store = store_of(a={0: math.inf, 1: 2.0, 2: math.nan}, b={0: math.nan})
    found = chart(store, "g", over(60))
    assert [(line.low, line.high) for line in found.lines] == [(2.0, 2.0)]


@pytest.mark.parametrize("expr", ["g[5m]", '"text"', "g +", "sum(g"])
def test_what_gives_no_lines_is_refused(expr: str) -> None:
    with pytest.raises(PromQLError):
        chart(MemoryStore(), expr, over(60))


@pytest.mark.parametrize("expr", ["g", "sum(g)"])
def test_it_ends_when_its_time_is_over(expr: str) -> None:
    store = store_of(a=dict.fromkeys(range(0, 36000, 10), 1.0))
    with pytest.raises(QueryTimeout):
        chart(store, expr, over(36000, 4000), left=-1.0)


def test_what_nobody_measures_has_no_lines() -> None:
    assert chart(MemoryStore(), "g", over(60)) == Chart((), 0)
