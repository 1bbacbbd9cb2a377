"""URLs of several hosts: a cluster's, and sentinels'."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dozor.instruments.redis_url import SCHEMES, names_many, parse_many

SECRET = "s3cr3t-canary"


@pytest.mark.parametrize(
    ("url", "kind", "hosts", "service"),
    [
        ("redis+cluster://a", "cluster", [("a", 6379)], ""),
        ("redis+cluster://a:7000,b:7001/", "cluster", [("a", 7000), ("b", 7001)], ""),
        ("redis+cluster://a:7000, b:7001/0", "cluster", [("a", 7000), ("b", 7001)], ""),
        ("rediss+cluster://u:p@[::1]:7000,[fe80::1]", "cluster", [("::1", 7000), ("fe80::1", 6379)], ""),
        ("valkey+cluster://a:7000", "cluster", [("a", 7000)], ""),
        ("redis+sentinel://a/main", "sentinel", [("a", 26379)], "main"),
        ("redis+sentinel://a:1,b:2,c/main", "sentinel", [("a", 1), ("b", 2), ("c", 26379)], "main"),
        ("redis+sentinel://a/my.main-1/3", "sentinel", [("a", 26379)], "my.main-1"),
        ("redis+sentinel://a/main?db=3", "sentinel", [("a", 26379)], "main"),
        ("REDISS+SENTINEL://:p@a/main", "sentinel", [("a", 26379)], "main"),
        ("redis+sentinel://:p%2Fw,x@a/main", "sentinel", [("a", 26379)], "main"),
    ],
)
def test_what_is_named(url: str, kind: str, hosts: list[tuple[str, int]], service: str) -> None:
    found = parse_many(url)
    assert (found.kind, list(found.hosts), found.service) == (kind, hosts, service)
    assert names_many(url)
    assert found.tls == url.lower().startswith(("rediss", "valkeys"))


def test_servers_and_sentinels_have_logins_of_their_own() -> None:
    found = parse_many(
        f"redis+sentinel://user:{SECRET}@a/main?sentinel_username=s&sentinel_password=p%40w&ssl_cert_reqs=none"
    )
    assert found.login == f"user:{SECRET}@"
    assert found.sentinel_login == ("s", "p@w")
    assert found.query == "ssl_cert_reqs=none"
    assert SECRET not in repr(found)
    assert "p@w" not in repr(found)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("redis+sentinel://a:26379", "does not say which primary"),
        ("redis+sentinel://a:26379/", "does not say which primary"),
        ("redis+sentinel://a/ma in", "the service, after the hosts"),
        ("redis+sentinel://a/main/x", "the number of a database"),
        ("redis+sentinel://a/main?db=x", "the number of a database"),
        ("redis+sentinel://a/main?sentinel_username=u", "no sentinel_password"),
        ("redis+sentinel://a#main", "# has no meaning"),
        ("redis+cluster://a/1", "a cluster has no databases"),
        ("redis+cluster://a?db=1", "a cluster has no databases"),
        ("redis+cluster://a/main", "a cluster has no databases"),
        ("redis+cluster://a?sentinel_password=x", "a cluster has no sentinels"),
        ("redis+cluster://", "hosts in the URL cannot be read"),
        ("redis+cluster://a,,b", "hosts in the URL cannot be read"),
        ("redis+cluster://a:b", "hosts in the URL cannot be read"),
        ("redis+cluster://a:0", "0 is not a port"),
        ("redis+cluster://a:70000", "70000 is not a port"),
        ("redis-sentinel://a/main", "redis-sentinel:// is not known here"),
        ("sentinel://a", "sentinel:// is not known here"),
        ("redis+cluster", "this:// is not known here"),
    ],
)
def test_a_wrong_one_is_explained(url: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        parse_many(url)


@given(st.sampled_from(sorted(SCHEMES)), st.text(max_size=40))
def test_no_text_makes_it_stumble_or_say_a_secret(scheme: str, rest: str) -> None:
    said = ""
    try:
        found = parse_many(f"{scheme}://:{SECRET}@{rest}")
    except ValueError as error:
        said = str(error)
    else:
        assert found.hosts
        said = repr(found)
    assert SECRET not in said
