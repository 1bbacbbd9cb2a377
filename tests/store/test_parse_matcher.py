import pytest
from hypothesis import given
from hypothesis import strategies as st

from dozor.store import Matcher, MatchOperator, match_all, parse_matcher


@pytest.mark.parametrize(
    ("text", "matcher"),
    [
        ('pool="main"', Matcher("pool", "=", "main")),
        ("pool=main", Matcher("pool", "=", "main")),
        (' pool != "main" ', Matcher("pool", "!=", "main")),
        ('pool=~"main|jobs"', Matcher("pool", "=~", "main|jobs")),
        (r'path!~"/api\\d+"', Matcher("path", "!~", r"/api\d+")),
        (r'query="say \"hi\"\n"', Matcher("query", "=", 'say "hi"\n')),
        ("pool=", Matcher("pool", "=", "")),
    ],
)
def test_matchers_as_alertmanager_writes_them(text: str, matcher: Matcher) -> None:
    assert parse_matcher(text) == matcher


@pytest.mark.parametrize("text", ["", "pool", '="main"', 'pool="main', 'pool="a" b', 'pool=="a"', "a=b,c=d", '{a="b"}'])
def test_what_is_no_matcher_is_said_to_be_none(text: str) -> None:
    with pytest.raises(ValueError, match="is not a matcher; write it like"):
        parse_matcher(text)


def test_a_bad_pattern_is_named() -> None:
    with pytest.raises(ValueError, match=r'pool=~"\("'):
        parse_matcher('pool=~"("')


@given(st.from_regex(r"[a-z_][a-z0-9_]*", fullmatch=True), st.sampled_from(["=", "!="]), st.text())
def test_what_is_written_is_read_back(name: str, operator: str, value: str) -> None:
    matcher = Matcher(name, MatchOperator(operator), value)
    assert parse_matcher(str(matcher)) == matcher


def test_all_must_match_and_an_absent_label_is_empty() -> None:
    labels = {"pool": "main"}
    assert match_all([parse_matcher("pool=main"), parse_matcher("worker=")], labels)
    assert not match_all([parse_matcher("pool=main"), parse_matcher("worker=1")], labels)
