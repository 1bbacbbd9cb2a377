"""The notation of series."""

import math

import pytest

from dozor.errors import PromQLError
from dozor.model.labels import Labels
from dozor.promql.series import append_series, parse_series, parse_values
from dozor.store import Matcher, MemoryStore, is_stale


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("", []),
        ("1 2.5 -3", [1, 2.5, -3]),
        ("5x3", [5, 5, 5, 5]),
        ("0+10x2", [0, 10, 20]),
        ("0-10x2", [0, -10, -20]),
        ("-2+4x1", [-2, 2]),
        ("_ 1 _x2 2", [None, 1, None, None, 2]),
        ("1e3 .5 1e-1+1x1", [1000, 0.5, 0.1, 1.1]),
        ("0x3", [0, 0, 0, 0]),
        ("Inf -Inf +Inf", [math.inf, -math.inf, math.inf]),
        ("1+0x0", [1]),
    ],
)
def test_values(text: str, values: list[float | None]) -> None:
    assert parse_values(text) == values


def test_nan_is_not_stale() -> None:
    nan, stale = parse_values("NaN stale")
    assert nan is not None
    assert stale is not None
    assert math.isnan(nan)
    assert not is_stale(nan)
    assert is_stale(stale)


@pytest.mark.parametrize("text", ["1+x3", "x3", "1x", "a", "{{count:1}}", "1x99999999", "0x600000 0x600000", "1,2"])
def test_malformed_values_are_refused(text: str) -> None:
    with pytest.raises(PromQLError):
        parse_values(text)


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("up 1", {"__name__": "up"}),
        ('up{a="b", c="d e"} 1', {"__name__": "up", "a": "b", "c": "d e"}),
        ('up {a="b"} 1', {"__name__": "up", "a": "b"}),
        ('{a="}"} 1', {"a": "}"}),
        ("{} 1", {}),
        ('{"odd name", "odd label"="x"} 1', {"__name__": "odd name", "odd label": "x"}),
        (r'up{a="\" 1"} 1', {"__name__": "up", "a": '" 1'}),
    ],
)
def test_metrics(text: str, labels: dict[str, str]) -> None:
    assert parse_series(text) == (Labels(labels), [1.0])


@pytest.mark.parametrize("text", ["up{a=~'b'} 1", "up[5m] 1", "sum(up) 1", "up{ 1"])
def test_other_expressions_are_no_series(text: str) -> None:
    with pytest.raises(PromQLError):
        parse_series(text)


def test_series_are_appended_an_interval_apart() -> None:
    store = MemoryStore()
    append_series(store, [parse_series('up{job="a"} 1 _ 3'), parse_series("load 7")], 15, start=100)
    (window,) = store.select((Matcher("__name__", "=", "up"),), 0, 1_000_000).windows
    assert list(window.time_slice()) == [100_000, 130_000]
    assert store.stats.samples == 3
