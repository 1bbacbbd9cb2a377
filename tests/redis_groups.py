"""A cluster, and a primary with its replica and sentinels, of real servers and quick to fail over."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

import pytest
import redis
from tests.patience import PATIENCE_SECONDS

from dozor.demo.server_guard import free_port
from dozor.demo.servers import EmbeddedServer, EmbeddedServers, ServersUnavailable

SERVICE = "main"
_SLOTS = 16384
# A node that has not answered for so long is taken to have failed; a replica stands for election at once.
_CLUSTER = ("--cluster-enabled", "yes", "--cluster-node-timeout", "600", "--cluster-replica-validity-factor", "0")


def until(condition: Callable[[], Any], what: str) -> None:
    """Wait for *condition*; what a server under way answers with an error is no yet."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        try:
            if condition():
                return
        except redis.RedisError:
            pass
        time.sleep(0.02)
    raise AssertionError(f"not in {PATIENCE_SECONDS:g} s: {what}")


@dataclass
class Cluster:
    """Nodes of one cluster: first the primaries, then as many replicas of the first of them as were wanted."""

    nodes: list[EmbeddedServer]

    @property
    def url(self) -> str:
        return "redis+cluster://" + ",".join(f"127.0.0.1:{node.port}" for node in self.nodes)

    def said(self, node: EmbeddedServer, *command: str) -> Any:
        with redis.Redis(port=node.port, decode_responses=True, socket_timeout=5) as client:
            return client.execute_command(*command)

    def remove(self) -> None:
        for node in self.nodes:
            node.remove()


def launch_node(servers: EmbeddedServers) -> EmbeddedServer:
    """One that knows no other. Its bus port is not port + 10000, which the kernel may have given to a connection."""
    return servers.launch("redis", [*_CLUSTER, "--cluster-port", str(free_port())])


def meet(met: EmbeddedServer, by: EmbeddedServer) -> None:
    """Have *by* make the acquaintance of *met*."""
    with redis.Redis(port=met.port, decode_responses=True) as client:
        bus = client.config_get("cluster-port")["cluster-port"]
    with redis.Redis(port=by.port, decode_responses=True) as client:
        client.execute_command("CLUSTER", "MEET", "127.0.0.1", str(met.port), bus)


def launch_cluster(servers: EmbeddedServers, *, primaries: int = 3, replicas: int = 1) -> Cluster:
    """A cluster at work, all of whose nodes know each other."""
    nodes = [launch_node(servers) for _ in range(primaries + replicas)]
    cluster = Cluster(nodes)
    first = nodes[0]
    share = -(-_SLOTS // primaries)
    for index, node in enumerate(nodes[:primaries]):
        cluster.said(node, "CLUSTER", "ADDSLOTSRANGE", str(index * share), str(min(_SLOTS, (index + 1) * share) - 1))
    for node in nodes[1:]:
        meet(node, first)
    for node in nodes:
        until(partial(_knows, node, len(nodes)), "all nodes know each other")
    with redis.Redis(port=first.port, decode_responses=True) as client:
        own_id = client.execute_command("CLUSTER", "MYID")
    for replica in nodes[primaries:]:
        until(partial(cluster.said, replica, "CLUSTER", "REPLICATE", own_id), "it replicates")
    for node in nodes:
        until(partial(_well, node, replicas), "the cluster is at work")
    return cluster


def _knows(node: EmbeddedServer, nodes: int) -> bool:
    with redis.Redis(port=node.port, decode_responses=True) as client:
        return int(client.cluster("info")["cluster_known_nodes"]) == nodes


def _well(node: EmbeddedServer, replicas: int) -> bool:
    with redis.Redis(port=node.port, decode_responses=True) as client:
        told = client.execute_command("CLUSTER NODES")
        return client.cluster("info")["cluster_state"] == "ok" and str(told).count("slave") >= replicas


@dataclass
class Watched:
    """What sentinels watch, and they themselves."""

    primary: EmbeddedServer
    replica: EmbeddedServer
    sentinels: list[EmbeddedServer] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"redis+sentinel://{','.join(f'127.0.0.1:{one.port}' for one in self.sentinels)}/{SERVICE}"

    @property
    def hosts(self) -> list[tuple[str, int]]:
        return [("127.0.0.1", one.port) for one in self.sentinels]

    def remove(self) -> None:
        for server in (*self.sentinels, self.primary, self.replica):
            server.remove()


def launch_sentinels(servers: EmbeddedServers, *, sentinels: int = 2) -> Watched:
    """A primary with a replica, watched by sentinels of which one is enough to fail over."""
    primary = servers.launch("redis")
    replica = servers.launch(
        "redis", ["--replicaof", "127.0.0.1", str(primary.port), "--repl-diskless-sync-delay", "0"]
    )
    found = Watched(primary, replica, [servers.launch("sentinel") for _ in range(sentinels)])
    for one in found.sentinels:
        with redis.Redis(port=one.port, decode_responses=True) as client:
            client.sentinel_monitor(SERVICE, "127.0.0.1", primary.port, 1)
            client.sentinel_set(SERVICE, "down-after-milliseconds", "500")
            client.sentinel_set(SERVICE, "failover-timeout", "2000")
    for one in found.sentinels:
        until(partial(_sees_all, one, sentinels), "the sentinels know the replica and each other")
    return found


def _sees_all(one: EmbeddedServer, sentinels: int) -> bool:
    with redis.Redis(port=one.port, decode_responses=True) as client:
        (said,) = client.sentinel_masters().values()
        return bool(said["num-slaves"] == 1 and said["num-other-sentinels"] == sentinels - 1)


Group = TypeVar("Group", Cluster, Watched)


def lasting(launch: Callable[[], Group]) -> Iterator[Group]:
    """What *launch* gives, for a fixture: removed after its last test, which is skipped where there are no real servers."""
    try:
        found = launch()
    except ServersUnavailable as error:
        pytest.skip(f"needs real servers: {error}")
    yield found
    found.remove()
