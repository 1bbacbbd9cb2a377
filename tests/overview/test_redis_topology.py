from pathlib import Path

import pytest

from dozor.instruments.redis_info import parse_info
from dozor.overview.redis_topology import Topology, topology

RECORDED = Path(__file__).parents[3] / "shared/yardsticks/redis-info/recorded"
RECORDINGS = sorted(RECORDED.rglob("*.info.txt")) if RECORDED.exists() else []


def of(raw: bytes, **more: object) -> Topology:
    return topology(parse_info(raw), **more)  # type: ignore[arg-type]


def test_a_replica_that_has_lost_its_primary() -> None:
    found = of(
        b"# Replication\nrole:slave\nmaster_host:10.0.0.1\nmaster_port:6379\nmaster_link_status:down\n"
        b"master_last_io_seconds_ago:-1\nmaster_sync_in_progress:0\n"
    )
    assert found.role == "replica"
    assert found.primary == ("10.0.0.1:6379", False, None, False)
    assert found.problems == (
        "It is not connected: the link to its primary 10.0.0.1:6379 is down, so what it serves is old.",
    )


def test_a_primary_whose_replicas_lag() -> None:
    found = of(
        b"# Replication\nrole:master\nmaster_repl_offset:5000\n"
        b"slave0:ip=10.0.0.2,port=6379,state=online,offset=1000,lag=45\n"
        b"slave1:ip=10.0.0.3,port=6379,state=wait_bgsave,offset=0,lag=0\n"
        b"slave2:ip=10.0.0.4,port=6379,state=online,offset=5000,lag=0\n"
    )
    assert found.problems == (
        "Replica 10.0.0.2:6379 has not been heard of for 45 s, 3.91 KiB behind.",
        "Replica 10.0.0.3:6379 is not in step (wait_bgsave).",
    )


def test_what_cannot_be_saved() -> None:
    problems = of(
        b"# Persistence\nrdb_last_bgsave_status:err\naof_last_write_status:err\naof_last_bgrewrite_status:err\n"
    ).problems
    assert len(problems) == 3


def test_a_cluster_with_holes() -> None:
    cluster = {
        "cluster_state": "fail",
        "cluster_slots_assigned": 16000,
        "cluster_slots_fail": 5,
        "cluster_slots_pfail": 0,
    }
    assert of(b"# Server\nredis_mode:cluster\n", cluster=cluster).problems == (
        "The cluster does not serve all keys: 16000 of 16384 slots are assigned.",
        "5 slots are on nodes that have failed.",
    )


def test_a_sentinel() -> None:
    found = of(
        b"# Server\nredis_mode:sentinel\n# Sentinel\nsentinel_tilt:0\n"
        b"master0:name=main,status=odown,address=10.0.0.1:6379,slaves=1,sentinels=1\n",
        primaries=[{"name": "main", "quorum": "2"}],
    )
    assert found.role == "sentinel"
    assert found.sentinel == (("main", "10.0.0.1:6379", "odown", 1, 1, 2),)
    assert found.problems == (
        "Primary main at 10.0.0.1:6379 is odown.",
        "Primary main has 1 sentinels, and 2 must agree on a failover.",
    )


@pytest.mark.skipif(not RECORDINGS, reason="the recorded answers of real servers are not on this machine")
@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_recorded_servers_in_health_have_no_problems(path: Path) -> None:
    found = of(path.read_bytes())
    role = path.name.split(".")[0]
    assert found.role == {"replica": "replica", "sentinel": "sentinel"}.get(role, "primary")
    assert found.problems == ()
