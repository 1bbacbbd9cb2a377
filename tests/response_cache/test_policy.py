import pytest
from hypothesis import given
from hypothesis import strategies as st

from dozor.response_cache import policy

header_values = st.text(st.characters(max_codepoint=255), max_size=60)
headers = st.dictionaries(
    st.sampled_from(["cache-control", "expires", "date", "vary", "etag", "if-none-match", "if-modified-since", "age"]),
    header_values,
)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, {}),
        ("", {}),
        ("max-age=60", {"max-age": "60"}),
        ('Max-Age="60" , no-cache', {"max-age": "60", "no-cache": None}),
        ('private="set-cookie, x-user", max-age=1', {"private": "set-cookie, x-user", "max-age": "1"}),
        ("max-age=60, max-age=5", {"max-age": "60"}),
        (",,=, ,", {}),
    ],
)
def test_directives(value: str | None, expected: dict[str, str | None]) -> None:
    assert policy.directives(value) == expected


@pytest.mark.parametrize(
    ("cache_control", "seconds"),
    [
        ("max-age=60", 60),
        ("max-age=60, s-maxage=5", 5),
        ("max-age=-1", 0),
        ("max-age=1.5", 0),
        ("max-age", 0),
        ("max-age=²", 0),
        ("public", 0),
        ("max-age=99999999999999999999", 2**31),
    ],
)
def test_freshness(cache_control: str, seconds: int) -> None:
    assert policy.freshness({"cache-control": cache_control}) == seconds


def test_a_response_with_a_validator_is_kept_beyond_its_freshness() -> None:
    assert policy.keep_seconds(60, 10, {}) == 50
    assert policy.keep_seconds(60, 10, {"etag": '"1"'}) == 110
    assert policy.keep_seconds(86_400, 0, {"etag": '"1"'}) == 86_400 + 3600
    assert policy.keep_seconds(2**31, 0, {}) == 30 * 86_400


def test_values_of_one_name_are_joined_and_names_compared_without_case() -> None:
    assert policy.joined([(b"Vary", b"a"), (b"vary", b"B")]) == {"vary": "a, B"}
    assert policy.vary_names({"vary": "B, a,,A"}) == ("a", "b")


@given(request=headers, response=headers)
def test_no_header_however_odd_makes_a_decision_fail(request: dict[str, str], response: dict[str, str]) -> None:
    policy.bypass_reason(request)
    policy.unstorable_reason(request, 200, response)
    policy.takes_default(request, 200, response)
    policy.asks_for_newer(request, 5, 10)
    policy.not_modified(request, response)
    assert policy.freshness(response) >= 0


@given(header_values, header_values)
def test_what_stands_between_quotes_is_one_argument(name: str, argument: str) -> None:
    assert policy.directives(f'x="{argument.replace(chr(34), "")}"')["x"] == argument.replace('"', "").strip('"')
