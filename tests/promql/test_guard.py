"""What the parser must never see, and what it must."""

import contextlib
import time
from typing import Any

import promql_parser
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.chaos import examples

from dozor.errors import PromQLError, QueryLimitError
from dozor.promql import compile_query, guard


@pytest.mark.parametrize(
    "expression",
    [
        "(" * 30_000 + "1" + ")" * 30_000,
        "abs(" * 5000 + "x" + ")" * 5000,
        "x" + "+x" * 10_000,
        "-" * 30_000 + "x",
        "sum(" * 100 + "x" + ")" * 100,
        "x and " * 300 + "x",
        "x" * 40_000,
        "[" * 100,
        "{" * 100,
    ],
    ids=lambda expression: f"{expression[:8]}…{len(expression)}",
)
def test_excessive_expressions_are_refused_quickly(expression: str) -> None:
    """What would end the process with a segmentation fault, or take seconds, is one clear error."""
    began = time.thread_time()
    with pytest.raises(QueryLimitError):
        compile_query(expression)
    assert time.thread_time() - began < 2


@pytest.mark.parametrize("expression", ['foo{a="b}', "foo{a='b", "`", r'"\"'])
def test_unclosed_texts_are_told(expression: str) -> None:
    with pytest.raises(PromQLError, match="closing"):
        compile_query(expression)


@pytest.mark.parametrize(
    "expression",
    [
        'foo{a="((((((((("}' * 1,
        'foo{a="' + "(" * 200 + '"}',
        "foo # " + "(" * 200,
        "foo{a=`" + "+" * 1000 + "`}",
        r'foo{a="\"' + "(" * 200 + '"}',
    ],
)
def test_texts_and_comments_do_not_count(expression: str) -> None:
    guard.check(expression)
    compile_query(expression)


def test_times_before_1970_are_refused_before_the_parser_aborts() -> None:
    with pytest.raises(PromQLError, match="1970"):
        compile_query("foo @ -1")


def test_what_is_allowed_compiles() -> None:
    """The largest expressions within the bounds are compiled and evaluated without reaching Python's recursion limit."""
    compile_query("(" * guard.MAX_DEPTH + "1" + ")" * guard.MAX_DEPTH)
    compile_query("x" + "+x" * guard.MAX_OPERATORS)
    compile_query("abs(" * guard.MAX_DEPTH + "x" + ")" * guard.MAX_DEPTH)
    compile_query("-" * guard.MAX_OPERATORS + "x")


@given(st.text("ab(){}[]\"'`\\+-*/@ #\n5m:,=~!<>.", max_size=60))
@settings(max_examples=examples(400), deadline=None)
def test_any_text_compiles_or_raises_a_promql_error(text: str) -> None:
    with contextlib.suppress(PromQLError):
        compile_query(text)


def test_operators_are_known_by_their_text() -> None:
    """The bindings give operators no names but their text; the compiler relies on it."""
    parse: Any = promql_parser.parse
    assert str(parse("a atan2 b").op) == "atan2"
    assert str(parse("a >= b").op) == ">="
    assert str(parse("TOPK(1, b)").op).lower() == "topk"
