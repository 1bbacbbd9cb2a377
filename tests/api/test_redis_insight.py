"""redis/…: commands, slow commands, latency, memory, keys, topology, clients."""

import pytest
from fastapi.testclient import TestClient
from msgspec.structs import replace
from tests.api.fake_backend import AT, FakeBackend

from dozor.instruments.redis_client_monitor import SlowCall
from dozor.instruments.redis_commands import CommandCost, CommandWindow
from dozor.instruments.redis_info import parse_info
from dozor.instruments.redis_surveyed import LatencyEvent, Surveyed
from dozor.instruments.redis_target import RedisTarget
from dozor.instruments.redis_view import Node, Role
from dozor.instruments.slowlog import SlowCommand
from dozor.overview import RedisClientDetails, RedisDetails, RedisWhole

INFO = parse_info(
    b"# Server\r\nredis_version:7.2.4\r\nredis_mode:standalone\r\n# Memory\r\nused_memory:1000\r\nused_memory_dataset:700\r\n"
    b"mem_clients_normal:100\r\nused_memory_startup:150\r\nmaxmemory:1100\r\nmaxmemory_policy:noeviction\r\n"
    b"# Replication\r\nrole:master\r\nconnected_slaves:1\r\nmaster_repl_offset:500\r\n"
    b"slave0:ip=10.0.0.2,port=6379,state=online,offset=380,lag=1\r\n"
    b"# Persistence\r\nrdb_last_bgsave_status:err\r\n# Keyspace\r\ndb0:keys=10,expires=4,avg_ttl=2500\r\n"
)
CALL = SlowCall(AT, "KEYS", 0.05, "GET /sessions", "shop.py:212 in count_sessions")


@pytest.fixture
def server(backend: FakeBackend) -> RedisDetails:
    keys = SlowCommand(17, AT, 0.04, "KEYS", 1, "127.0.0.1:4711", "shop", "KEYS ?")
    found = RedisDetails(
        "cache",
        INFO,
        {"slowlog": True},
        figures={"redis_hit_rate": 97.4},
        windows={"5m": CommandWindow(300.0, (CommandCost("KEYS", 3, 0.3, 1, 0.065536, 0.131072), CommandCost("GET", 100, 0.1, 0, None, None)))},
        surveyed=Surveyed(
            1.0,
            latency_events=(LatencyEvent("command", AT, 0.25, 0.4, ((AT - 9, 0.4), (AT, 0.25))),),
            settings={"slowlog-log-slower-than": 10_000, "latency-monitor-threshold": 100},
        ),
        slow_log=(keys, replace(keys, id=16, at=AT - 5, duration_seconds=0.06), replace(keys, id=15, client_name="")),
        key_rates={"evicted_keys": 0.0, "expired_keys": 1.5},
        slow_calls=(CALL, replace(CALL, duration_seconds=0.07)),
    )  # fmt: skip
    backend.details = [found]
    return found


def test_slow_commands_are_those_that_are_alike_with_who_sent_them(api: TestClient, server: RedisDetails) -> None:
    found = api.get("redis/slow-commands").json()
    named, unnamed = found["commands"]
    assert (named["command"], named["shape"], named["client"], named["calls"]) == ("KEYS", "KEYS ?", "shop", 2)
    assert (named["total_ms"], named["mean_ms"], named["max_ms"]) == (100.0, 50.0, 60.0)
    assert named["last_at"] == "2027-01-15T08:00:00Z"
    assert named["callers"] == [
        {
            "endpoint": "GET /sessions",
            "caller": "shop.py:212 in count_sessions",
            "calls": 2,
            "total_ms": 120.0,
            "max_ms": 70.0,
            "last_at": "2027-01-15T08:00:00Z",
        }
    ]
    assert (unnamed["client"], unnamed["fingerprint"]) == ("127.0.0.1", named["fingerprint"])
    assert (found["total"], found["slower_than_ms"]) == (2, {server.name: 10.0})
    assert len(api.get("redis/slow-commands?limit=1").json()["commands"]) == 1
    assert api.get("redis/slow-commands?limit=0").status_code == 422


def test_commands_by_window(api: TestClient, server: RedisDetails) -> None:
    (found,) = api.get("redis/commands").json()["servers"]
    keys, get = found["commands"]
    assert (found["name"], found["window"], found["seconds"]) == (server.name, "5m", 300.0)
    assert keys == {
        "command": "KEYS",
        "calls": 3,
        "calls_per_second": 0.01,
        "total_seconds": 0.3,
        "mean_seconds": pytest.approx(0.1),
        "p50_seconds": 0.065536,
        "p99_seconds": 0.131072,
        "share": 0.75,
        "errors": 1,
    }
    assert get["p99_seconds"] is None
    (nothing_yet,) = api.get("redis/commands?window=1h").json()["servers"]
    assert (nothing_yet["seconds"], nothing_yet["commands"]) == (None, [])
    assert api.get("redis/commands?window=2d").status_code == 422


def test_latency_events_in_words_or_why_there_are_none(
    api: TestClient, backend: FakeBackend, server: RedisDetails
) -> None:
    (found,) = api.get("redis/latency").json()["servers"]
    assert (found["threshold_ms"], found["hint"]) == (100, None)
    assert found["events"] == [
        {
            "event": "command",
            "last_at": "2027-01-15T08:00:00Z",
            "last_ms": 250.0,
            "max_ms": 400.0,
            "text": "A command was slow: see redis/slow-commands.",
            "history": [[AT - 9, 400.0], [AT, 250.0]],
        }
    ]
    backend.details = [replace(server, surveyed=Surveyed(1.0, settings={"latency-monitor-threshold": 0}))]
    assert "CONFIG SET latency-monitor-threshold" in api.get("redis/latency").json()["servers"][0]["hint"]
    backend.details = [replace(server, surveyed=Surveyed(), capabilities={"latency|latest": False})]
    assert "+latency|latest" in api.get("redis/latency").json()["servers"][0]["hint"]


def test_memory_adds_up_and_says_what_to_do(api: TestClient, server: RedisDetails) -> None:
    (found,) = api.get("redis/memory").json()["servers"]
    assert found["name"] == server.name
    assert {part["part"]: part["bytes"] for part in found["parts"]} == {
        "dataset": 700,
        "startup": 150,
        "client buffers": 100,
        "overhead": 50,
    }
    assert sum(part["bytes"] for part in found["parts"]) == found["used_bytes"]
    assert found["advice"][0]["working"] == "1,000 B / 1.07 KiB = 90.9 % of maxmemory, policy noeviction"


def test_keys_without_a_scan(api: TestClient, server: RedisDetails) -> None:
    (found,) = api.get("redis/keyspace").json()["servers"]
    assert found["name"] == server.name
    assert found["databases"] == [{"database": "db0", "keys": 10, "expiring": 4, "average_ttl_seconds": 2.5}]
    assert (found["keys"], found["expired_per_second"], found["hit_rate"], found["sizes"]) == (10, 1.5, 97.4, [])


def test_topology_with_what_is_wrong(api: TestClient, server: RedisDetails) -> None:
    (found,) = api.get("redis/topology").json()["servers"]
    assert (found["name"], found["role"], found["mode"], found["version"]) == (
        server.name, "primary", "standalone", "7.2.4"
    )  # fmt: skip
    assert found["replicas"] == [{"address": "10.0.0.2:6379", "state": "online", "lag_seconds": 1, "behind_bytes": 120}]
    assert found["persistence"] == {"rdb_last_bgsave_status": "err"}
    assert [problem[:29] for problem in found["problems"]] == ["The last dump to disk failed:"]


POOL = {"redis_client_pool_in_use": 3.0}


def test_the_applications_client(api: TestClient, backend: FakeBackend) -> None:
    backend.clients = [RedisClientDetails("cache", POOL, {}, (CALL,))]
    (found,) = api.get("redis/clients").json()["clients"]
    assert found["pool"] == {"redis_client_pool_in_use": 3.0}
    assert found["slow_calls"][0] == {
        "command": "KEYS",
        "duration_ms": 50.0,
        "at": "2027-01-15T08:00:00Z",
        "endpoint": "GET /sessions",
        "caller": "shop.py:212 in count_sessions",
    }
    assert found["pools"] == {}
    backend.clients = [RedisClientDetails("shop", POOL, {"10.0.0.1:7000": POOL}, ())]
    (found,) = api.get("redis/clients").json()["clients"]
    assert found["pools"] == {"10.0.0.1:7000": POOL}
    backend.clients = []
    assert api.get("redis/clients").json() == {"clients": []}


def test_wholes_with_their_nodes_and_what_is_wrong(api: TestClient, backend: FakeBackend) -> None:
    one, two, three = (RedisTarget.of(f"redis://10.0.0.{number}:7000") for number in (1, 2, 3))
    backend.details = []
    backend.wholes = [
        RedisWhole(
            "shop",
            "cluster",
            (
                ("shop/10.0.0.1:7000", Node("a", one, Role.PRIMARY, slots=16000)),
                ("shop/10.0.0.2:7000", Node("b", two, Role.REPLICA, primary="a")),
                ("shop/10.0.0.3:7000", Node("c", three, Role.PRIMARY, "fail", slots=384)),
            ),
            {"cluster_state": "fail", "cluster_slots_assigned": 16384, "cluster_slots_fail": 384},
            AT,
            None,
        )
    ]
    (found,) = api.get("redis/topology").json()["groups"]
    assert (found["name"], found["kind"], found["collected_at"]) == ("shop", "cluster", "2027-01-15T08:00:00Z")
    assert [(node["role"], node["state"], node["primary"], node["slots"]) for node in found["nodes"]] == [
        ("primary", "ok", None, 16000),
        ("replica", "ok", "10.0.0.1:7000", None),
        ("primary", "fail", None, 384),
    ]
    assert found["problems"] == [
        "The cluster does not serve all keys: 16384 of 16384 slots are assigned.",
        "384 slots are on nodes that have failed.",
        "Primary shop/10.0.0.3:7000 is fail in the eyes of the others.",
    ]


@pytest.mark.parametrize("path", ["commands", "latency", "memory", "keyspace", "topology"])
def test_a_server_that_was_never_reached_is_listed_and_empty(api: TestClient, backend: FakeBackend, path: str) -> None:
    backend.details = [RedisDetails("cache", {}, {})]
    (found,) = api.get(f"redis/{path}").json()["servers"]
    assert found["name"] == "cache"
