"""JSON Merge Patch: the examples of RFC 7396, and that a difference is one."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dozor.merge_patch import difference, patched

# RFC 7396, appendix A.
EXAMPLES: list[tuple[Any, Any, Any]] = [
    ({"a": "b"}, {"a": "c"}, {"a": "c"}),
    ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
    ({"a": "b"}, {"a": None}, {}),
    ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
    ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
    ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
    ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
    ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
    (["a", "b"], ["c", "d"], ["c", "d"]),
    ({"a": "b"}, ["c"], ["c"]),
    ({"a": "foo"}, None, None),
    ({"a": "foo"}, "bar", "bar"),
    ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
    ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
    ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
]

texts = st.text(max_size=4)
scalars = st.booleans() | st.integers(-3, 3) | st.floats(allow_nan=False, allow_infinity=False) | texts
arrays = st.lists(st.none() | scalars, max_size=3)
documents = st.recursive(
    st.dictionaries(texts, scalars | arrays, max_size=4),
    lambda inner: st.dictionaries(texts, scalars | arrays | inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.parametrize(("document", "patch", "result"), EXAMPLES)
def test_a_patch_does_what_the_standard_says(document: Any, patch: Any, result: Any) -> None:
    assert patched(document, patch) == result


@given(old=documents, new=documents)
def test_a_difference_makes_the_one_document_of_the_other(old: dict[str, Any], new: dict[str, Any]) -> None:
    assert patched(old, difference(old, new)) == new


@given(document=documents)
def test_a_document_differs_from_itself_in_nothing(document: dict[str, Any]) -> None:
    assert difference(document, document) == {}
