"""What was given as Redis: read from URLs and clients, which are not used."""

from typing import Any

import pytest
import redis
import redis.asyncio
from redis.asyncio.cluster import ClusterNode
from redis.asyncio.cluster import RedisCluster as AsyncRedisCluster
from redis.asyncio.sentinel import Sentinel as AsyncSentinel
from redis.sentinel import Sentinel

from dozor.errors import ConfigurationError
from dozor.instruments.redis_source import ClusterSource, SentinelSource, source_of
from dozor.instruments.redis_target import RedisTarget

SECRET = "s3cr3t-canary"


def login(target: RedisTarget) -> tuple[Any, Any]:
    return target.username, target.password


def test_one_server_is_one_server() -> None:
    for given in ("redis://h", redis.Redis(host="h"), redis.asyncio.Redis(host="h")):
        assert isinstance(source_of(given), RedisTarget)


def test_a_clusters_url() -> None:
    source = source_of(f"rediss+cluster://me:{SECRET}@one:7000,[::1]:7001?ssl_cert_reqs=none")
    assert isinstance(source, ClusterSource)
    assert [target.address for target in source.seeds] == ["one:7000", "[::1]:7001"]
    assert {(target.tls is not None, *login(target)) for target in source.seeds} == {(True, "me", SECRET)}
    assert SECRET not in repr(source)
    node = source.node("10.0.0.9", 7009)
    assert (node.address, node.tls is not None, *login(node)) == ("10.0.0.9:7009", True, "me", SECRET)


def test_an_asynchronous_clusters_client() -> None:
    client = AsyncRedisCluster(
        startup_nodes=[ClusterNode("one", 7000), ClusterNode("two", 7001)],
        username="me",
        password=SECRET,
        ssl=True,
        ssl_cert_reqs="none",
        address_remap=lambda place: ("outside", place[1]),
    )
    source = source_of(client)
    assert isinstance(source, ClusterSource)
    assert {target.address for target in source.seeds} == {"one:7000", "two:7001"}
    assert {(target.tls is not None, *login(target)) for target in source.seeds} == {(True, "me", SECRET)}
    assert source.node("10.0.0.1", 7002).address == "outside:7002"


def test_sentinels_have_their_own_login_and_tls() -> None:
    url = f"redis+sentinel://me:{SECRET}@one,two:26380/main?sentinel_username=s&sentinel_password={SECRET}2"
    source = source_of(url)
    assert isinstance(source, SentinelSource)
    assert (source.service, source.server.tls is not None, *login(source.server)) == ("main", False, "me", SECRET)
    assert [(one.address, *login(one)) for one in source.sentinels] == [
        ("one:26379", "s", f"{SECRET}2"),
        ("two:26380", "s", f"{SECRET}2"),
    ]
    assert SECRET not in repr(source)


@pytest.mark.parametrize("kind", [Sentinel, AsyncSentinel])
@pytest.mark.parametrize("find", ["master_for", "slave_for"])
def test_a_sentinels_client(kind: Any, find: str) -> None:
    sentinel = kind(
        [("one", 26379), ("two", 26379)],
        sentinel_kwargs={"password": f"{SECRET}2"},
        username="me",
        password=SECRET,
        ssl=True,
    )
    source = source_of(getattr(sentinel, find)("main"))
    assert isinstance(source, SentinelSource)
    assert (source.service, source.server.tls is not None, *login(source.server)) == ("main", True, "me", SECRET)
    assert [(one.address, one.tls is not None, login(one)[1]) for one in source.sentinels] == [
        ("one:26379", False, f"{SECRET}2"),
        ("two:26379", False, f"{SECRET}2"),
    ]


class RedisCluster:
    """Somebody's own, by that name."""


@pytest.mark.parametrize("given", [RedisCluster(), 42, None, object()])
def test_what_is_none_of_them_is_one_message(given: object) -> None:
    with pytest.raises(ConfigurationError, match="cannot watch"):
        source_of(given)
