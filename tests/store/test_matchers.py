"""The four matchers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dozor.model.labels import Labels
from dozor.store import Matcher, MatchOperator
from dozor.store.index import LabelIndex


class Item:
    def __init__(self, labels: Labels) -> None:
        self.labels = labels


LABELS = st.dictionaries(st.sampled_from("abc"), st.sampled_from(["", "x", "y", "xy", "x|y"])).map(Labels)
MATCHERS = st.builds(
    Matcher,
    st.sampled_from("abc"),
    st.sampled_from(MatchOperator),
    st.sampled_from(["", "x", "y", "x|y", ".*", ".+", "x.*", "(?i:X)", "[xy]+", "x?"]),
)


@pytest.mark.parametrize(
    ("operator", "value", "label", "passes"),
    [
        ("=", "a", "a", True),
        ("=", "a", "ab", False),
        ("=", "", "", True),
        ("!=", "a", "", True),
        ("=~", "a", "ab", False),
        ("=~", "a|ab", "ab", True),
        ("=~", "", "", True),
        ("=~", ".*", "", True),
        ("=~", ".+", "", False),
        ("=~", "a.b", "a\nb", True),
        ("!~", "a.*", "abc", False),
        ("!~", "a", "", True),
    ],
)
def test_operators(operator: str, value: str, label: str, passes: bool) -> None:
    matcher = Matcher("l", operator, value)
    assert matcher.accepts(label) is passes
    assert matcher.matches_empty is matcher.accepts("")


def test_equal_matchers_are_one_key() -> None:
    assert {Matcher("a", "=~", "x.*"), Matcher("a", "=~", "x.*")} == {Matcher("a", "=~", "x.*")}
    assert Matcher("a", "=", "x") != Matcher("a", "!=", "x")


def test_a_malformed_expression_is_refused() -> None:
    with pytest.raises(ValueError, match="position"):
        Matcher("a", "=~", "(")


@given(st.lists(LABELS, unique=True, max_size=12), st.lists(MATCHERS, max_size=3))
def test_the_index_finds_what_a_look_at_every_series_finds(labels: list[Labels], matchers: list[Matcher]) -> None:
    """Absent labels are empty ones; the order is that of labels; removal takes things out again."""
    index: LabelIndex[Item] = LabelIndex()
    items = [Item(one) for one in labels]
    for item in items:
        index.add(item)

    def wanted(candidates: list[Item]) -> list[Labels]:
        return sorted(
            item.labels
            for item in candidates
            if all(matcher.accepts(item.labels.get(matcher.name)) for matcher in matchers)
        )

    key = tuple(matchers)
    assert index.find(key).labels == wanted(items)
    for item in items[::2]:
        index.remove(item)
    assert index.find(key).labels == wanted(items[1::2])
    assert index.label_names() == sorted({name for item in items[1::2] for name in item.labels})
