"""RE2's syntax, in linear time."""

import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.chaos import examples

from dozor.store.regex import Pattern, compile_anchored


@pytest.mark.parametrize(
    ("pattern", "matching", "other"),
    [
        ("a|bc", ["a", "bc"], ["", "ab", "abc"]),
        ("a*", ["", "aaa"], ["b", "aab"]),
        ("a+?b", ["ab", "aab"], ["b"]),
        ("a{2,3}", ["aa", "aaa"], ["a", "aaaa"]),
        ("a{2}", ["aa"], ["a"]),
        ("a{,2}", ["a{,2}"], ["aa"]),
        ("(?i)AbC", ["abc", "ABC"], ["abd"]),
        (".*(?i:DUC).*", ["production", "DuC"], ["dac"]),
        ("((?i)pro).*", ["PROd", "prod"], ["xpro"]),
        ("[^a-c]+", ["xyz"], ["xa", ""]),
        (r"[\d_\-]+", ["1_2-3"], ["a"]),
        (r"\d{3}\.\w+\s", ["123.ab\t"], ["123xab "]),
        ("[[:alpha:]]+", ["abC"], ["a1"]),
        (r"\pL+", ["éa"], ["1"]),
        (r"\Qa.b\E.", ["a.bc"], ["axbc"]),
        (r"\Qa+", ["a+"], ["aa"]),
        (r"foo\b.*", ["foo", "foo bar"], ["foobar"]),
        ("^a$", ["a"], ["b", "a\n"]),
        (".", ["\n", "x"], [""]),
        ("(?-s).", ["x"], ["\n"]),
        (r"\x41\x{1F600}\101", ["A😀A"], ["A"]),
        ("(a|b)*c", ["c", "ababc"], ["abab"]),
        ("(a*)*", ["", "aa"], ["b"]),
        ("5..", ["500"], ["50", "5000"]),
        ("api-.*", ["api-", "api-x"], ["xapi-"]),
        (".*-server", ["-server", "x-server"], ["server"]),
        (".*ser.*", ["ser", "aserb"], ["se"]),
        (".+", ["a"], [""]),
        (r"]", ["]"], ["["]),
        (r"[]a]", ["]", "a"], ["b"]),
    ],
)
def test_matches(pattern: str, matching: list[str], other: list[str]) -> None:
    compiled = Pattern(pattern)
    assert [text for text in matching if not compiled.matches(text)] == []
    assert [text for text in other if compiled.matches(text)] == []
    assert [text for text in matching if compiled.capture(text) is None] == []


@pytest.mark.parametrize(
    "pattern",
    [
        "(",
        ")",
        "a**",
        "*a",
        "[b-a]",
        "[a",
        r"\1",
        "(?=a)",
        "(?!a)",
        "(?<=a)",
        "a{1001}",
        "a{3,2}",
        r"\j",
        "(?P<1>a)",
        "(?P<a>x)(?P<a>y)",
        "[[:nope:]]",
        r"\p{Nope}",
        "(" * 200 + ")" * 200,
        "((a{1000}){1000}){1000}",
        "a" * 5000,
    ],
)
def test_malformed_and_excessive_patterns_are_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"regular expression"):
        Pattern(pattern)


def test_literals_are_listed() -> None:
    assert compile_anchored("a|b(c|d)").literals == frozenset(["a", "bc", "bd"])
    assert compile_anchored("a?").literals is None
    assert compile_anchored("(?i)a").literals is None


@pytest.mark.parametrize("pattern", ["(a+)+b", "(a|a)*b", "(.*)(.*)(.*)(.*)(.*)c", "(a?){500}a{500}b", "(x+x+)+y"])
def test_what_makes_backtracking_explode_takes_linear_time(pattern: str) -> None:
    compiled, text = Pattern(pattern), "a" * 5000
    began = time.thread_time()
    assert not compiled.matches(text)
    assert time.thread_time() - began < 20  # backtracking: longer than the universe; the bound is for slow machines


@pytest.mark.parametrize(
    ("pattern", "text", "template", "result"),
    [
        ("(.*)-(.*)", "a-b-c", "$1/$2", "a-b/c"),
        ("(.*?)-(.*)", "a-b-c", "${1}/${2}", "a/b-c"),
        ("(?P<host>.*):(?P<port>[0-9]+)", "db:5432", "$host", "db"),
        ("(a)|(b)", "b", "[$1][$2]", "[][b]"),
        ("(.*)", "x", "$1x", ""),
        ("(.*)", "x", "${1}x", "xx"),
        ("(.*)", "x", "$$1 $", "$1 $"),
        ("(.*)", "x", "$9$0", "x"),
    ],
)
def test_templates_expand_as_in_go(pattern: str, text: str, template: str, result: str) -> None:
    compiled = Pattern(pattern)
    captures = compiled.capture(text)
    assert captures is not None
    assert compiled.expand(template, text, captures) == result


PARTS = st.sampled_from(
    ["a", "b", ".", "[ab]", "[^a]", "(a|b)", "(ab)", "(a)?", "b*", "(a+)", "(?:ab)*?", "a{1,2}", "|"]
)


@given(st.lists(PARTS, max_size=5).map("".join), st.text("ab\n", max_size=8))
@settings(max_examples=examples(300))
def test_agrees_with_re_where_both_know_the_syntax(pattern: str, text: str) -> None:
    """Whether it matches, and what groups capture."""
    match = re.fullmatch(f"(?s:{pattern})", text)
    compiled = Pattern(pattern)
    assert compiled.matches(text) is (match is not None)
    captures = compiled.capture(text)
    if match is None:
        assert captures is None
    else:
        spans = [place for group in range(match.re.groups + 1) for place in match.span(group)]
        assert captures == tuple(spans)
