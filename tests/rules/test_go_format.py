"""Go's way of writing values."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dozor.rules.go_format import go_float, go_print, go_printf


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"), (-0.0, "-0"), (1.0, "1"), (-2.5, "-2.5"), (100.0, "100"), (123456.0, "123456"), (1e6, "1e+06"),
        (1234567.0, "1.234567e+06"), (999999.5, "999999.5"), (0.0001, "0.0001"), (0.00001, "1e-05"), (1e21, "1e+21"),
        (1e100, "1e+100"), (5e-324, "5e-324"), (math.inf, "+Inf"), (-math.inf, "-Inf"), (math.nan, "NaN"), (0.1, "0.1"),
    ],
)  # fmt: skip
def test_numbers(value: float, text: str) -> None:
    assert go_float(value) == text


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_reads_back_as_itself(value: float) -> None:
    assert float(go_float(value)) == value


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "<no value>"),
        (True, "true"),
        (3, "3"),
        ({"b": 1, "a": "x"}, "map[a:x b:1]"),
        ([1, "a"], "[1 a]"),
        ("t", "t"),
    ],
)
def test_values(value: object, text: str) -> None:
    assert go_print(value) == text


@pytest.mark.parametrize(
    ("form", "values", "text"),
    [
        ("%f|%.1f|%e|%g|%G", [1.5] * 5, "1.500000|1.5|1.500000e+00|1.5|1.5"),
        ("%6.2f|%-8.1f|%08.3f|% d|%+.1f", [1.5, 1.5, 1.5, 7, 1.5], "  1.50|1.5     |0001.500| 7|+1.5"),
        ("%f %d", [math.inf, 3], "+Inf 3"),
        ("%b %o %X %c %U", [5, 8, 255, 97, 97], "101 10 FF a U+0061"),
        ("%.2s|%5s|%-5s|%q|%x", ["abc", "a", "a", 'a"', "hi"], 'ab|    a|a    |"a\\""|6869'),
        ("%T %T %T %T %T %T", [1, 1.0, "a", True, None, {}], "int float64 string bool <nil> map[string]string"),
        ("%s %s", [True, {"a": 1}], "%!s(bool=true) map[a:1]"),
        ("%", [], "%!(NOVERB)"),
        ("%z", [1], "%!z(int=1)"),
    ],
)
def test_printf(form: str, values: list[object], text: str) -> None:
    assert go_printf(form, values) == text
