"""A cluster, and what sentinels watch, on real servers: who belongs together, and how that changes."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import psutil
import pytest
import redis
import redis.asyncio
from redis.asyncio.cluster import ClusterNode as AsyncClusterNode
from redis.asyncio.sentinel import Sentinel as AsyncSentinel
from redis.cluster import ClusterNode, RedisCluster
from redis.sentinel import Sentinel
from tests.patience import PATIENCE_SECONDS
from tests.redis_groups import SERVICE, Cluster, Watched, lasting, launch_cluster, launch_node, launch_sentinels, meet

from dozor.clock import Clock
from dozor.demo.servers import EmbeddedServer, EmbeddedServers
from dozor.errors import ConfigurationError
from dozor.instruments.redis_failure import RedisFailure
from dozor.instruments.redis_group import GONE_SECONDS, NodeChanges, RedisGroup
from dozor.instruments.redis_source import ClusterSource, SentinelSource, source_of
from dozor.instruments.redis_target import RedisTarget
from dozor.instruments.redis_turns import TurnKind
from dozor.instruments.redis_view import MOST_NODES, Node, Role, View
from dozor.testing import FakeClock

pytestmark = pytest.mark.anyio

SECRET = "s3cr3t-canary"


@pytest.fixture(scope="module")
def cluster(embedded_servers: EmbeddedServers) -> Iterator[Cluster]:
    yield from lasting(lambda: launch_cluster(embedded_servers))


@pytest.fixture(scope="module")
def watched(embedded_servers: EmbeddedServers) -> Iterator[Watched]:
    yield from lasting(lambda: launch_sentinels(embedded_servers))


@asynccontextmanager
async def watching(given: object, clock: Clock | None = None) -> AsyncIterator[tuple[RedisGroup, list[NodeChanges]]]:
    source = source_of(given)
    assert isinstance(source, ClusterSource | SentinelSource)
    group = RedisGroup("shop", source, clock or Clock(), interval=1.25)
    changes: list[NodeChanges] = []
    group.on_change = changes.append
    try:
        yield group, changes
    finally:
        await group.close()


async def look(group: RedisGroup) -> None:
    """One collection of the whole and of each node."""
    with contextlib.suppress(RedisFailure):
        await group.refresh()
    for monitor in group.nodes.values():
        with contextlib.suppress(RedisFailure):
            await monitor.refresh()


async def until(group: RedisGroup, condition: Any) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            await look(group)
            if condition():
                return
            await asyncio.sleep(0.05)


def names(servers: list[EmbeddedServer], between: str = "") -> set[str]:
    return {f"shop/{between}127.0.0.1:{server.port}" for server in servers}


def turns(changes: list[NodeChanges], kind: TurnKind) -> list[str]:
    return [turn.text for each in changes for turn in each.turns if turn.kind is kind]


class TestCluster:
    async def test_each_node_is_watched_and_the_cluster_as_a_whole(self, cluster: Cluster) -> None:
        async with watching(f"redis+cluster://127.0.0.1:{cluster.nodes[0].port}") as (group, changes):
            assert group.connected is None
            await look(group)
            assert set(group.nodes) == names(cluster.nodes)
            assert changes[0].first
            assert not changes[0].turns, "what is found at the start is no change"
            figures = group.figures()
            assert figures["redis_connected"] == figures["redis_cluster_state"] == 1
            assert (figures["redis_cluster_known_nodes"], figures["redis_cluster_size"]) == (4, 3)
            assert figures["redis_cluster_slots_ok"] == 16384
            assert {sample.labels["redis"] for one in group.families() for sample in one.samples} == {"shop"}
            assert {group.node_of(name).role.value: None for name in group.nodes} == {"primary": None, "replica": None}  # type: ignore[union-attr]
            for name, monitor in group.nodes.items():
                assert monitor.connected
                assert monitor.group == "shop"
                assert {sample.labels["redis"] for one in monitor.families() for sample in one.samples} == {name}
            replica = group.nodes[f"shop/127.0.0.1:{cluster.nodes[3].port}"]
            assert any(one.name == "redis_master_link_up" for one in replica.families())

    async def test_clients_lead_to_it_and_are_not_used(self, cluster: Cluster) -> None:
        first = cluster.nodes[0].port
        asynchronous = redis.asyncio.RedisCluster(startup_nodes=[AsyncClusterNode("127.0.0.1", first)])
        with RedisCluster(startup_nodes=[ClusterNode("127.0.0.1", first)]) as synchronous:  # type: ignore[no-untyped-call]
            for client in (synchronous, asynchronous):
                async with watching(client) as (group, _):
                    await look(group)
                    assert set(group.nodes) == names(cluster.nodes)
        assert not asynchronous.nodes_manager.nodes_cache, "the application's client has not even connected"

    async def test_what_is_asked_for_the_whole_is_no_load_of_the_node_asked(self, cluster: Cluster) -> None:
        asked = cluster.nodes[1]  # which has no replica, and so no other client
        async with watching(f"redis+cluster://localhost:{asked.port}") as (group, _):
            for _ in range(3):
                await look(group)
            figures = group.nodes[f"shop/127.0.0.1:{asked.port}"].figures()
            assert figures["redis_operations_per_second"] == 0

    async def test_a_user_of_the_cluster_and_what_it_may_not_ask(self, cluster: Cluster) -> None:
        for node in cluster.nodes:
            with redis.Redis(port=node.port) as client:
                client.execute_command("ACL", "SETUSER", "watcher", "on", f">{SECRET}", "+info", "+client|setname")
        async with watching(f"redis+cluster://watcher:{SECRET}@127.0.0.1:{cluster.nodes[0].port}") as (group, _):
            with pytest.raises(RedisFailure) as caught:
                await group.refresh()
            assert (caught.value.kind, group.connected, group.failure) == ("noview", True, "noview")
            assert SECRET not in f"{caught.value}{group.hint}{group!r}{source_of(cluster.url)!r}"
            for node in cluster.nodes:
                with redis.Redis(port=node.port) as client:
                    client.execute_command("ACL", "SETUSER", "watcher", "+cluster|nodes", "+cluster|info")
            await look(group)
            assert set(group.nodes) == names(cluster.nodes)
            assert all(monitor.connected for monitor in group.nodes.values())
            assert group.failure is None

    async def test_with_a_seed_that_is_gone_and_one_that_hangs_another_tells(
        self, cluster: Cluster, own_valkey: EmbeddedServer
    ) -> None:
        own_valkey.freeze()
        seeds = f"127.0.0.1:1,127.0.0.1:{own_valkey.port},127.0.0.1:{cluster.nodes[1].port}"
        async with watching(f"redis+cluster://{seeds}") as (group, _):
            await look(group)
            assert group.connected
            assert set(group.nodes) == names(cluster.nodes)
            connected = [one.raddr[1] for one in psutil.Process().net_connections("tcp") if one.status == "ESTABLISHED"]
            assert own_valkey.port not in connected, "who did not tell is not held on to"
            assert connected.count(cluster.nodes[1].port) == 2, "one for the node, one for the whole"

    async def test_what_is_wrong_has_its_own_kind(self, cluster: Cluster) -> None:
        port = cluster.nodes[0].port
        async with watching(f"redis+cluster://nobody:{SECRET}@127.0.0.1:{port}") as (group, _):
            with pytest.raises(RedisFailure) as caught:
                await group.refresh()
            assert (caught.value.kind, group.connected) == ("wrongpass", True)
            assert SECRET not in f"{caught.value}{group.hint}"

        async def talk_nonsense(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            await writer.drain()
            writer.close()

        async with await asyncio.start_server(talk_nonsense, "127.0.0.1", 0) as server:
            address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
            async with watching(f"redis+cluster://{address}") as (group, _):
                with pytest.raises(RedisFailure) as caught:
                    await group.refresh()
                assert caught.value.kind in {"garbage", "reset"}
                assert group.connected is False

    async def test_of_very_many_nodes_the_rest_is_named_and_not_watched(self) -> None:
        target = RedisTarget.of("redis://seed")
        nodes = tuple(Node(str(number), target.at(f"10.0.{number}.1", 7000), Role.PRIMARY) for number in range(130))
        async with watching("redis+cluster://seed") as (group, changes):
            await group._follow(View(nodes, well=True))
            assert len(group.nodes) == MOST_NODES
            assert group.unwatched == 130 - MOST_NODES
            await group._follow(View(nodes[::-1], well=True))
            assert len(changes) == 1, "in whatever order they are told of, the same ones are watched"

    async def test_nobody_answers(self) -> None:
        async with watching("redis+cluster://127.0.0.1:1,127.0.0.1:2") as (group, changes):
            with pytest.raises(RedisFailure) as caught:
                await group.refresh()
            assert caught.value.kind == "refused"
            assert group.connected is False
            assert group.figures() == {"redis_connected": 0.0}
            assert not changes

    async def test_a_server_that_is_no_node(self, own_valkey: EmbeddedServer) -> None:
        async with watching(f"redis+cluster://127.0.0.1:{own_valkey.port}") as (group, _):
            with pytest.raises(RedisFailure, match="is no node of a cluster: watch it with a redis:// URL"):
                await group.refresh()

    async def test_a_failover_and_a_node_that_leaves_and_one_that_joins(
        self, embedded_servers: EmbeddedServers
    ) -> None:
        cluster, clock = launch_cluster(embedded_servers), FakeClock()
        first, *others, replica = cluster.nodes
        async with watching(cluster.url, clock) as (group, changes):
            await look(group)
            former = f"shop/127.0.0.1:{first.port}"
            dead = group.node_of(former)
            assert dead is not None
            first.kill()
            await until(group, lambda: turns(changes, TurnKind.FAILOVER))
            assert turns(changes, TurnKind.FAILOVER) == [
                f"Redis shop failed over: 127.0.0.1:{replica.port} is primary now, in place of 127.0.0.1:{first.port}."
            ]
            await until(group, lambda: group.figures().get("redis_cluster_state") == 1)
            assert group.connected
            assert group.nodes[former].connected is False, "a node that is down is watched until it is forgotten"
            assert group.node_of(former).state == "fail"  # type: ignore[union-attr]

            joining = launch_node(embedded_servers)
            try:
                meet(joining, replica)
                await until(group, lambda: names([joining]) <= set(group.nodes))
                (name,) = names([joining])
                assert turns(changes, TurnKind.ADDED) == [f"Redis {name} belongs to shop now."]
            finally:
                joining.remove()

            for node in (*others, replica):
                cluster.said(node, "CLUSTER", "FORGET", dead.id)
            await look(group)
            clock.advance(GONE_SECONDS - 1)
            await look(group)
            assert former in group.nodes, "who is not spoken of for a moment is not gone"
            clock.advance(1)
            await until(group, lambda: former not in group.nodes)
            assert turns(changes, TurnKind.REMOVED) == [f"Redis {former} no longer belongs to shop."]
            assert changes[-1].removed[0].redis_name == former
        cluster.remove()

    async def test_a_cluster_that_does_not_serve_all_slots_says_so(self, embedded_servers: EmbeddedServers) -> None:
        alone = launch_node(embedded_servers)
        async with watching(f"redis+cluster://127.0.0.1:{alone.port}") as (group, _):
            await look(group)
            assert group.figures()["redis_cluster_state"] == 0
            assert set(group.nodes) == names([alone])
            # Row 1 of the faults: one that hangs costs no more than its time, and leaves nothing behind.
            alone.freeze()
            began = asyncio.get_running_loop().time()
            with pytest.raises(RedisFailure) as caught:
                await group.refresh()
            assert asyncio.get_running_loop().time() - began < PATIENCE_SECONDS
            assert (caught.value.kind, group.connected) == ("timeout", False)
            alone.thaw()
            await until(group, lambda: group.connected)
        alone.remove()


class TestSentinel:
    async def test_servers_and_sentinels_are_watched(self, watched: Watched) -> None:
        async with watching(f"redis+sentinel://127.0.0.1:{watched.sentinels[0].port}/{SERVICE}") as (group, changes):
            await look(group)
            assert set(group.nodes) == names([watched.primary, watched.replica]) | names(watched.sentinels, "sentinel/")
            assert group.connected
            assert group.figures() == {"redis_connected": 1.0}
            assert not turns(changes, TurnKind.ADDED)
            sentinel = group.nodes[f"shop/sentinel/127.0.0.1:{watched.sentinels[1].port}"]
            found = {one.name: one.samples[0].value for one in sentinel.families()}
            assert (found["redis_sentinel_masters"], found["redis_sentinel_master_slaves"]) == (1, 1)
            standing = ("ok_slaves", "ok_sentinels", "ckquorum_status")
            assert [found[f"redis_sentinel_master_{word}"] for word in standing] == [1, 2, 1]

    async def test_clients_lead_to_it(self, watched: Watched) -> None:
        for client in (
            Sentinel(watched.hosts).master_for(SERVICE),  # type: ignore[no-untyped-call]
            Sentinel(watched.hosts).slave_for(SERVICE),  # type: ignore[no-untyped-call]
            AsyncSentinel(watched.hosts).master_for(SERVICE),  # type: ignore[no-untyped-call]
            AsyncSentinel(watched.hosts).slave_for(SERVICE),  # type: ignore[no-untyped-call]
        ):
            async with watching(client) as (group, _):
                await look(group)
                assert names([watched.primary, watched.replica]) < set(group.nodes)

    async def test_sentinels_that_know_no_such_service(self, watched: Watched) -> None:
        async with watching(f"redis+sentinel://127.0.0.1:{watched.sentinels[0].port}/other") as (group, _):
            with pytest.raises(RedisFailure, match="knows no primary of the name given"):
                await group.refresh()
            assert (group.connected, group.failure) == (True, "noservice")

    async def test_a_server_that_is_no_sentinel(self, watched: Watched) -> None:
        async with watching(f"redis+sentinel://127.0.0.1:{watched.primary.port}/{SERVICE}") as (group, _):
            with pytest.raises(RedisFailure, match="is no sentinel"):
                await group.refresh()

    async def test_the_primary_dies_and_the_replica_takes_over(self, embedded_servers: EmbeddedServers) -> None:
        watched = launch_sentinels(embedded_servers)
        async with watching(watched.url) as (group, changes):
            await look(group)
            watched.primary.kill()
            await look(group)
            assert (group.connected, group.failure) == (False, None)
            assert str(watched.primary.port) in str(group.hint), "which server, and what is wrong"
            await until(group, lambda: group.connected)
            now, before = (f"127.0.0.1:{server.port}" for server in (watched.replica, watched.primary))
            said = f"Redis shop failed over: {now} is primary now, in place of {before}."
            assert turns(changes, TurnKind.FAILOVER) == [said]
            assert group.hint is None
            watched.sentinels[0].kill()
            await until(
                group, lambda: group.nodes[f"shop/sentinel/127.0.0.1:{watched.sentinels[0].port}"].connected is False
            )
            assert group.connected, "the other sentinel tells"
            assert group.failure is None
            watched.sentinels[1].kill()
            await until(group, lambda: group.failure == "refused")
            assert group.connected, "the primary answers all the same"
        watched.remove()


@pytest.mark.parametrize(
    "url",
    [
        f"redis+cluster://:{SECRET}@host:notaport",
        f"redis+sentinel://:{SECRET}@host",
        f"redis-sentinel://:{SECRET}@host/main",
        f"rediss+cluster://:{SECRET}@host?ssl_cert_reqs={SECRET}",
    ],
)
def test_a_wrong_url_is_one_message_without_its_secret(url: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        source_of(url)
    assert SECRET not in str(caught.value)
