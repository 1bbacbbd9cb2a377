"""Whatever the headers: the decisions never fail, and never hand one client's answer to another."""

import time

from hypothesis import given
from hypothesis import strategies as st

from dozor.response_cache.entries import Found, StoredResponse
from dozor.response_cache.rfc9111 import judge, plan

values = st.one_of(
    st.text(st.characters(max_codepoint=255), max_size=40),
    st.lists(
        st.sampled_from(
            ["max-age=60", "s-maxage=60", "no-cache", "no-store", "private", "public", "max-age=0", "must-revalidate"]
        )
    ).map(", ".join),
)
names = st.sampled_from(["cache-control", "expires", "date", "vary", "etag", "age", "set-cookie", "last-modified"])
response_headers = st.lists(st.tuples(names, values), max_size=6)
request_headers = st.dictionaries(
    st.sampled_from(["authorization", "cookie", "cache-control", "accept-language", "if-none-match"]), values
)
URL = "http://shop/products"


@given(request_headers, response_headers, st.sampled_from([None, 60]), st.sampled_from([200, 204, 206, 304, 404, 500]))
def test_what_is_kept_may_be_kept(
    request: dict[str, str], response: list[tuple[str, str]], default_ttl: int | None, status: int
) -> None:
    raw = [(name.encode(), value.encode("latin-1")) for name, value in response]
    judged = judge(URL, request, status, raw, default_ttl=default_ttl)
    if isinstance(judged, str):
        return
    said = ", ".join(value for name, value in response if name == "cache-control")
    assert "no-store" not in said
    assert "set-cookie" not in dict(response)
    assert status not in {206, 304, 500}
    assert judged.fresh_seconds > 0
    if "authorization" in request:
        assert "public" in said or "s-maxage" in said or "must-revalidate" in said

    found = Found(judged)
    assert plan(URL, request, found).reason in {"", "stale", "request"}
    stranger = plan(URL, {"authorization": "Bearer x"}, found)
    if stranger.use is not None:
        assert "public" in said or "s-maxage" in said or "must-revalidate" in said


def kept(**headers: str) -> StoredResponse:
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    judged = judge(URL, {}, 200, raw, default_ttl=None)
    assert isinstance(judged, StoredResponse)
    return judged


def test_the_age_that_a_response_came_with_counts() -> None:
    response = kept(cache_control="max-age=60", age="50")
    assert response.age(time.time()) in {50, 51}
    assert plan(URL, {}, Found(response)).use is response
    assert plan(URL, {}, Found(kept(cache_control="max-age=60", age="60"))).reason == "stale"


def test_hop_by_hop_headers_are_not_kept() -> None:
    response = kept(cache_control="max-age=60", connection="close", transfer_encoding="chunked", x_own="1")
    assert dict(response.headers) == {b"cache-control": b"max-age=60", b"x-own": b"1"}


def test_fields_named_as_private_are_not_kept() -> None:
    response = kept(cache_control='max-age=60, private="x-user"', x_user="me")
    assert b"x-user" not in dict(response.headers)
