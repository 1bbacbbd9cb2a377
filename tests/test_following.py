"""A cluster, and what sentinels watch, in a Dozor at work: nodes that come and go, and what people are told."""

from pathlib import Path
from typing import Any

import pytest
from redis.cluster import ClusterNode, RedisCluster
from tests.redis_groups import SERVICE, Cluster, launch_cluster, launch_node, launch_sentinels
from tests.test_monitor import asking, monitor_of, settings, waiting

from dozor import Dozor, Rule
from dozor.demo.servers import EmbeddedServers
from dozor.errors import ConfigurationError
from dozor.instruments import redis_group

DEAD = Rule(alert="NodeDead", expr="redis_connected == 0", labels={"severity": "warning"})
UP = Rule(alert="Up", expr="redis_uptime_in_seconds >= 0", labels={"severity": "info"})


def by_name(ask: Any) -> dict[str, Any]:
    return {server["name"]: server for server in ask("redis/status")["servers"]}


def texts(ask: Any, kind: str) -> list[str]:
    return [one["text"] for one in ask("dashboard/changes")["changes"] if one["kind"] == kind]


def test_a_cluster_through_a_failover_and_without_the_node_that_died(
    embedded_servers: EmbeddedServers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_group, "GONE_SECONDS", 0.0)
    cluster = launch_cluster(embedded_servers)
    first, *others = cluster.nodes
    dead = f"shop/127.0.0.1:{first.port}"
    client = RedisCluster(startup_nodes=[ClusterNode("127.0.0.1", others[0].port)])  # type: ignore[no-untyped-call]
    with client, Dozor(redis={"shop": client}, name="cluster", settings=settings(tmp_path), rules=[DEAD]) as dozor:
        ask = asking(monitor_of(dozor))
        servers = waiting(lambda: len(found := by_name(ask)) == 5 and all(one["status"] == "HEALTHY" for one in found.values()) and found)  # fmt: skip
        assert servers["shop"]["role"] == "cluster"
        assert servers["shop"]["redis_cluster_state"] == 1
        assert {one["role"] for one in servers.values() if one["part_of"] == "shop"} == {"primary", "replica"}
        assert dead in servers
        client.set("k", "v")
        assert ask("redis/clients")["clients"][0]["pools"]
        dead_id = cluster.said(first, "CLUSTER", "MYID")

        first.kill()
        waiting(lambda: texts(ask, "failover"))
        assert texts(ask, "failover") == [
            f"Redis shop failed over: 127.0.0.1:{others[-1].port} is primary now, in place of 127.0.0.1:{first.port}."
        ]
        (alert,) = [one for one in ask("alerts/active")["alerts"] if one["rule"] == "NodeDead"]
        assert alert["labels"]["redis"] == dead
        waiting(lambda: by_name(ask)["shop"]["status"] == "HEALTHY")
        assert (by_name(ask)[dead]["status"], by_name(ask)[dead]["role"]) == ("DISCONNECTED", "primary")
        assert ask("redis/status")["status"] == "CRITICAL", "one node that is away is not the whole"
        assert ask("readyz") == {"status": "ready", "reasons": []}, "the cluster is at work, whatever one node does"

        for node in others:
            cluster.said(node, "CLUSTER", "FORGET", dead_id)
        waiting(lambda: dead not in by_name(ask))
        (ended,) = [
            one for one in waiting(lambda: ask("alerts/history?state=resolved")["alerts"]) if one["rule"] == "NodeDead"
        ]
        assert ended["resolve_reason"] == f"Redis {dead} no longer belongs to shop"
        assert texts(ask, "node_removed") == [f"Redis {dead} no longer belongs to shop."]
        with pytest.raises(ConfigurationError, match="not watched; watched: shop"):
            dozor.remove(f"shop/127.0.0.1:{others[0].port}")
        dozor.remove("shop")
        waiting(lambda: not by_name(ask))
    cluster.remove()


def test_what_sentinels_watch_through_a_failover(embedded_servers: EmbeddedServers, tmp_path: Path) -> None:
    watched = launch_sentinels(embedded_servers)
    given = settings(tmp_path, redis_urls=f"shop={watched.url}")
    with Dozor(name="sentinel", settings=given, rules=[DEAD]) as dozor:
        ask = asking(monitor_of(dozor))
        servers = waiting(lambda: len(found := by_name(ask)) == 5 and all(one["status"] == "HEALTHY" for one in found.values()) and found)  # fmt: skip
        assert servers["shop"]["role"] == "service"
        assert [one["role"] for one in servers.values() if one["part_of"]].count("sentinel") == 2
        (group,) = ask("redis/topology")["groups"]
        assert (group["kind"], group["problems"]) == ("sentinel", [])
        watched.primary.kill()
        waiting(lambda: texts(ask, "failover"))
        waiting(lambda: by_name(ask)["shop"]["redis_connected"] == 1)
        down = {one["labels"]["redis"] for one in ask("alerts/history")["alerts"] if one["rule"] == "NodeDead"}
        assert down >= {f"shop/127.0.0.1:{watched.primary.port}"}
        (group,) = ask("redis/topology")["groups"]
        primary = next(node["address"] for node in group["nodes"] if node["role"] == "primary")
        assert primary == f"127.0.0.1:{watched.replica.port}"
        assert SERVICE not in by_name(ask)
    watched.remove()


def test_alerts_of_nodes_that_went_while_dozor_did_not_run_end(
    embedded_servers: EmbeddedServers, tmp_path: Path
) -> None:
    nodes = [launch_node(embedded_servers) for _ in range(2)]
    for node in nodes:
        Cluster([node]).said(node, "CLUSTER", "ADDSLOTSRANGE", "0", "16383")
    for node in nodes:
        name = f"shop/127.0.0.1:{node.port}"
        given = settings(tmp_path, redis_urls=f"shop=redis+cluster://127.0.0.1:{node.port}")
        with Dozor(name="restart", settings=given, rules=[UP]) as dozor:
            ask = asking(monitor_of(dozor))
            waiting(lambda name=name, ask=ask: [one["labels"]["redis"] for one in ask("alerts/active")["alerts"] if one["rule"] == "Up"] == [name])  # type: ignore[misc]  # fmt: skip
    with Dozor(name="restart", settings=given) as dozor:
        ask = asking(monitor_of(dozor))
        reasons = {one["resolve_reason"] for one in ask("alerts/history")["alerts"] if one["rule"] == "Up"}
        assert f"Redis shop/127.0.0.1:{nodes[0].port} no longer belongs to shop" in reasons
    for node in nodes:
        node.remove()
