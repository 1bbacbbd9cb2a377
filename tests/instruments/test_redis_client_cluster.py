"""The application's own clients of a cluster, and of what sentinels watch: timed, and otherwise as they were."""

from collections.abc import Iterator
from typing import Any

import pytest
import redis
import redis.asyncio
from redis.asyncio.cluster import RedisCluster as AsyncRedisCluster
from redis.asyncio.sentinel import Sentinel as AsyncSentinel
from redis.cluster import RedisCluster
from redis.sentinel import Sentinel
from tests.instruments.test_redis_client_monitor import counts, watching
from tests.redis_groups import SERVICE, Cluster, Watched, lasting, launch_cluster, launch_sentinels

from dozor.demo.servers import EmbeddedServers
from dozor.instruments.redis_client_monitor import RedisClientMonitor

pytestmark = pytest.mark.anyio

KEYS = ("a", "b", "c")  # which two primaries share


@pytest.fixture(scope="module")
def cluster(embedded_servers: EmbeddedServers) -> Iterator[Cluster]:
    yield from lasting(lambda: launch_cluster(embedded_servers, primaries=2, replicas=0))


@pytest.fixture(scope="module")
def watched(embedded_servers: EmbeddedServers) -> Iterator[Watched]:
    yield from lasting(lambda: launch_sentinels(embedded_servers, sentinels=1))


def pools(monitor: RedisClientMonitor, name: str) -> dict[str, float]:
    """The metric of that name by node."""
    return {
        sample.labels.get("node"): sample.value
        for family in monitor.families()
        if family.name == f"redis_client_pool_{name}"
        for sample in family.samples
    }


class TestSyncCluster:
    @pytest.fixture
    def client(self, cluster: Cluster) -> Iterator[Any]:
        client = RedisCluster(host="127.0.0.1", port=cluster.nodes[0].port)
        yield client
        client.close()

    def test_commands_are_timed_and_detaching_leaves_nothing_behind(self, client: Any) -> None:
        before, kind = dict(vars(client)), type(client)
        with watching(client) as monitor:
            for key in KEYS:
                assert client.set(key, "v") is True
            with pytest.raises(redis.ResponseError, match="WRONGTYPE"):
                client.lpush("a", 1)
            assert counts(monitor) == {"SET": 3, "LPUSH": 1, "ResponseError": 1}
        assert (vars(client), type(client)) == (before, kind)
        client.get("a")
        assert counts(monitor)["SET"] == 3
        assert "GET" not in counts(monitor)

    def test_a_pipeline_is_one_call(self, client: Any) -> None:
        with watching(client) as monitor:
            pipe = client.pipeline()
            for key in KEYS:
                pipe.set(key, "v").get(key)
            assert pipe.execute() == [True, b"v"] * 3
            assert pipe.execute() == []
            with client.pipeline() as pipe:
                assert pipe.get("a").execute() == [b"v"]
            assert isinstance(pipe, redis.cluster.ClusterPipeline)
            assert counts(monitor) == {"PIPELINE": 2}

    def test_each_node_has_a_pool(self, client: Any, cluster: Cluster) -> None:
        with watching(client) as monitor:
            for key in KEYS:
                client.get(key)
            nodes = {f"127.0.0.1:{node.port}" for node in cluster.nodes}
            assert set(pools(monitor, "idle")) == nodes
            assert set(pools(monitor, "in_use").values()) == {0.0}
            assert monitor.figures()["redis_client_pool_idle"] == sum(pools(monitor, "idle").values()) >= 2
            assert set(monitor.pools()) == nodes


class TestAsyncCluster:
    @pytest.fixture
    async def client(self, cluster: Cluster) -> Any:
        client = AsyncRedisCluster(host="127.0.0.1", port=cluster.nodes[0].port)
        yield client
        await client.aclose()

    async def test_commands_are_timed_and_detaching_leaves_nothing_behind(self, client: Any) -> None:
        await client.initialize()
        before, kind = dict(vars(client)), type(client)
        with watching(client) as monitor:
            for key in KEYS:
                assert await client.set(key, "v") is True
            with pytest.raises(redis.ResponseError, match="WRONGTYPE"):
                await client.lpush("a", 1)
            assert counts(monitor) == {"SET": 3, "LPUSH": 1, "ResponseError": 1}
        assert (vars(client), type(client)) == (before, kind)
        await client.get("a")
        assert "GET" not in counts(monitor)

    async def test_a_pipeline_is_one_call(self, client: Any) -> None:
        with watching(client) as monitor:
            pipe = client.pipeline()
            for key in KEYS:
                pipe.set(key, "v").get(key)
            assert await pipe.execute() == [True, b"v"] * 3
            async with client.pipeline() as pipe:
                assert await pipe.get("a").execute() == [b"v"]
            assert isinstance(pipe, redis.asyncio.cluster.ClusterPipeline)
            assert counts(monitor) == {"PIPELINE": 2}

    async def test_each_node_has_a_pool(self, client: Any, cluster: Cluster) -> None:
        with watching(client) as monitor:
            assert monitor.figures() == {}, "it has not connected yet"
            for key in KEYS:
                await client.get(key)
            assert set(pools(monitor, "idle")) == {f"127.0.0.1:{node.port}" for node in cluster.nodes}
            assert monitor.figures()["redis_client_pool_idle"] >= 2
            assert monitor.figures()["redis_client_pool_in_use"] == 0


class TestSentinel:
    def test_a_synchronous_client_is_as_any_other(self, watched: Watched) -> None:
        client: Any = Sentinel(watched.hosts).master_for(SERVICE)  # type: ignore[no-untyped-call]
        before = dict(vars(client))
        with client, watching(client) as monitor:
            assert client.set("k", "v") is True
            assert client.pipeline().get("k").execute() == [b"v"]
            assert counts(monitor) == {"SET": 1, "PIPELINE": 1}
            assert monitor.figures()["redis_client_pool_idle"] == 1
            assert monitor.pools() == {}
        assert vars(client) == before

    async def test_an_asynchronous_client_is_as_any_other(self, watched: Watched) -> None:
        client: Any = AsyncSentinel(watched.hosts).master_for(SERVICE)  # type: ignore[no-untyped-call]
        before = dict(vars(client))
        with watching(client) as monitor:
            assert await client.set("k", "v") is True
            assert await client.pipeline().get("k").execute() == [b"v"]
            assert counts(monitor) == {"SET": 1, "PIPELINE": 1}
            assert monitor.figures()["redis_client_pool_idle"] == 1
        assert vars(client) == before
        await client.aclose()
        for sentinel in client.connection_pool.sentinel_manager.sentinels:
            await sentinel.aclose()
