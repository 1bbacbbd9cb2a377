"""The small parts of a page."""

from typing import Any

import pytest

from dozor.dashboard.html import el
from dozor.dashboard.parts import ago, bar, number, reasons, shape, sparkline, status_mark, table
from dozor.model.labels import Labels
from dozor.overview import Sparkline, Status
from dozor.testing import FakeClock


def line(*values: float | None, unit: str = "percent") -> Any:
    return Sparkline("k", "CPU", unit, Labels(), tuple((float(at), value) for at, value in enumerate(values)))


@pytest.mark.parametrize("status", [*Status, None])
def test_each_status_has_a_word_and_a_shape_of_its_own(status: Any) -> None:
    mark = status_mark(status)
    assert ("Not watched" if status is None else status.value.capitalize()) in mark
    assert "<svg" in mark
    drawn = {str(shape("none" if one is None else one.value.lower())) for one in [*Status, None]}
    assert len(drawn) == len(Status) + 1


def test_a_sparkline_has_a_gap_where_nothing_is_known() -> None:
    drawn = sparkline(line(10.0, 20.0, None, 30.0, 40.0))
    assert drawn.count('class="course"') == 2
    assert 'aria-label="CPU, last 15 minutes: from 10 % to 40 %, now 40 %"' in drawn


def test_one_point_is_no_line() -> None:
    assert "svg" not in sparkline(line(None, 10.0))
    assert "svg" not in sparkline(None)


def test_a_sparkline_stays_in_its_box() -> None:
    drawn = sparkline(line(-5.0, 250.0, 0.0))
    numbers = [
        float(part)
        for path in drawn.split(' d="')[1:]
        for part in path.split('"')[0].replace("M", " ").replace("L", " ").replace("z", " ").split()
    ]
    assert min(numbers) >= 0
    assert max(numbers) <= 120


def test_a_bar_is_filled_to_its_share_and_no_further() -> None:
    assert 'width="93.3"' in bar(0.933, "healthy", "14 of 15")
    assert 'width="100"' in bar(7.0, "healthy", "too much")
    assert 'aria-label="14 of 15"' in bar(0.933, "healthy", "14 of 15")
    assert "unlimited" in bar(None, "healthy", "")


def test_what_is_unknown_is_no_zero() -> None:
    assert "unknown" in number(None)
    assert "unknown" in number(float("nan"))
    assert number(0) == "<span>0</span>"


def test_a_time_says_how_long_ago_and_on_pointing_when(clock: FakeClock) -> None:
    drawn = ago(clock, clock.timestamp() - 90, clock.timestamp())
    assert "1 min 30 s ago" in drawn
    assert 'title="2027-01-15 07:58:30 UTC"' in drawn
    assert "never" in ago(clock, None, 0)


def test_reasons_are_few_and_the_rest_is_counted() -> None:
    drawn = str(reasons([f"reason {index}" for index in range(6)], limit=4))
    assert drawn.count("reason ") == 4
    assert "and 2 more" in drawn
    assert reasons([]) is None


def test_a_table_names_its_columns_for_screen_readers_and_phones() -> None:
    drawn = table("Pools", [("Pool", ""), ("Idle", "num")], [[el("b", "a"), el("i", "1")]])
    assert '<th scope="row"><b>a</b></th><td class="num" data-label="Idle"><i>1</i></td>' in drawn
    assert '<caption class="hidden">Pools</caption>' in drawn
