from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dozor.instruments.redis_fields import FIELDS, OWN
from dozor.instruments.redis_info import parse_info
from dozor.instruments.redis_labelled import LABELLED
from dozor.instruments.redis_metrics import SHOWN, InfoMetrics
from dozor.model.labels import Labels
from dozor.model.sample import Family, MetricType

RECORDED = Path(__file__).parents[3] / "shared/yardsticks/redis-info"
RECORDINGS = sorted(RECORDED.rglob("*.info.txt")) if RECORDED.exists() else []
UNITS = {"seconds": "second", "bytes": "byte", "percent": "percent", "milliseconds": "millisecond"}


def families(raw: bytes) -> dict[str, Family]:
    found = InfoMetrics(Labels(redis="cache")).families(parse_info(raw), 1_000_000.0)
    assert len({family.name for family in found}) == len(found)
    return {family.name: family for family in found}


def values(family: Family) -> Mapping[str, float]:
    return {str(each.labels.without("redis")): each.value for each in family.samples}


def test_fields_have_the_exporters_names_and_are_numbers() -> None:
    found = families(
        b"# Memory\r\nused_memory:3117256\r\nmaxmemory:0\r\nmem_fragmentation_ratio:4.84\r\nmem_allocator:jemalloc-5.3.0\r\n"
        b"# Persistence\r\nrdb_last_bgsave_status:err\r\naof_last_write_status:ok\r\nrdb_last_bgsave_time_sec:-1\r\n"
        b"# Stats\r\nlatest_fork_usec:250\r\ntotal_net_input_bytes:81\r\nmem_fragmentation_bytes:-1\r\n"
    )
    single = {name: family.samples[0].value for name, family in found.items()}
    assert single == {
        "redis_memory_used_bytes": 3117256.0,
        "redis_memory_max_bytes": 0.0,
        "redis_config_maxmemory": 0.0,
        "redis_mem_fragmentation_ratio": 4.84,
        "redis_rdb_last_bgsave_status": 0.0,
        "redis_aof_last_write_status": 1.0,
        "redis_latest_fork_seconds": 0.00025,
        "redis_net_input_bytes_total": 81.0,
        "redis_mem_fragmentation_bytes": -1.0,
    }
    assert found["redis_net_input_bytes_total"].type is MetricType.COUNTER
    assert found["redis_memory_used_bytes"].samples[0].labels == Labels(redis="cache")


def test_databases_are_told_apart() -> None:
    found = families(
        b"# Keyspace\ndb0:keys=118,expires=7,avg_ttl=1500,keys_with_volatile_items=3\ndb11:keys=2,expires=0\n"
    )
    assert values(found["redis_db_keys"]) == {'{db="db0"}': 118.0, '{db="db11"}': 2.0}
    assert values(found["redis_db_keys_expiring"]) == {'{db="db0"}': 7.0, '{db="db11"}': 0.0}
    assert values(found["redis_db_avg_ttl_seconds"]) == {'{db="db0"}': 1.5}
    assert "redis_db_keys_cached" not in found


def test_replication_seen_from_both_ends() -> None:
    primary = families(
        b"# Replication\nrole:master\nconnected_slaves:2\n"
        b"slave0:ip=10.0.0.2,port=7379,state=online,offset=4556468,lag=0\n"
        b"slave1:ip=10.0.0.3,port=8379,state=send_bulk,offset=0,lag=1\n"
    )
    assert values(primary["redis_connected_slaves"]) == {"{}": 2.0}
    assert values(primary["redis_connected_slave_lag_seconds"]) == {
        '{slave_ip="10.0.0.2", slave_port="7379", slave_state="online"}': 0.0,
        '{slave_ip="10.0.0.3", slave_port="8379", slave_state="send_bulk"}': 1.0,
    }
    assert "redis_master_link_up" not in primary
    replica = families(
        b"# Replication\nrole:slave\nmaster_host:10.0.0.1\nmaster_port:6379\nmaster_link_status:down\n"
        b"master_last_io_seconds_ago:-1\nmaster_sync_in_progress:0\nslave_repl_offset:153\nslave_read_only:1\n"
    )
    assert values(replica["redis_master_link_up"]) == {'{master_host="10.0.0.1", master_port="6379"}': 0.0}
    assert values(replica["redis_slave_info"]) == {'{master_host="10.0.0.1", master_port="6379", read_only="1"}': 1.0}
    assert "redis_master_last_io_seconds_ago" not in replica


def test_a_sentinel_tells_of_its_primaries() -> None:
    found = families(
        b"# Sentinel\nsentinel_masters:2\nsentinel_tilt:0\n"
        b"master0:name=main,status=ok,address=127.0.0.1:44891,slaves=1,sentinels=3\n"
        b"master1:name=queue,status=odown,address=127.0.0.1:6381,slaves=2,sentinels=3\n"
    )
    assert values(found["redis_sentinel_masters"]) == {"{}": 2.0}
    assert values(found["redis_sentinel_master_status"]) == {
        '{master_address="127.0.0.1:44891", master_name="main", master_status="ok"}': 1.0,
        '{master_address="127.0.0.1:6381", master_name="queue", master_status="odown"}': 0.0,
    }


def test_what_is_too_much_is_summed_up_and_said() -> None:
    databases = b"".join(b"db%d:keys=2,expires=1\n" % number for number in range(SHOWN + 3))
    errors = b"".join(b"errorstat_E%d:count=5\n" % number for number in range(SHOWN + 2))
    found = families(b"# Keyspace\n" + databases + b"# Errorstats\n" + errors)
    assert len(found["redis_db_keys"].samples) == SHOWN + 1
    assert values(found["redis_db_keys"])['{db="other"}'] == 6.0
    assert values(found["redis_errors_total"])['{err="other"}'] == 10.0
    assert values(found["dozor_redis_folded"]) == {'{kind="databases"}': 3.0, '{kind="errors"}': 2.0}


def test_what_has_not_changed_is_not_built_again() -> None:
    metrics = InfoMetrics(Labels(redis="cache"))
    raw = b"# Server\nrun_id:a\nuptime_in_seconds:%d\n# Memory\nused_memory:1\nused_memory_peak:%d\n"
    first = {family.name: family for family in metrics.families(parse_info(raw % (10, 5)), 1000.4)}
    second = {family.name: family for family in metrics.families(parse_info(raw % (11, 6)), 1001.1)}
    assert first["redis_memory_used_bytes"] is second["redis_memory_used_bytes"]
    assert second["redis_memory_used_peak_bytes"].samples[0].value == 6.0
    assert second["redis_start_time_seconds"].samples[0].value == 990.0


@pytest.mark.skipif(not RECORDINGS, reason="the recorded answers of real servers are not on this machine")
@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_recorded_servers_of_all_kinds_give_metrics(path: Path) -> None:
    found = families(path.read_bytes())
    assert "redis_start_time_seconds" in found
    if "sentinel" in path.name:
        assert found["redis_sentinel_master_status"].samples[0].value == 1.0
        return
    assert {"redis_memory_used_bytes", "redis_rdb_last_bgsave_status", "redis_db_keys"} <= found.keys()
    if "replica" in path.name:
        assert found["redis_master_link_up"].samples[0].value == 1.0
    if "primary" in path.name:
        assert found["redis_connected_slave_lag_seconds"].samples


KEYS = ("db0", "db1", "slave0", "master0", "master_host", "errorstat_ERR", "used_memory", "maxclients")
LINE = st.lists(st.sampled_from(["keys=1", "count=-3", "lag=²", "=", "offset=", "name=x", "\ud800"]), max_size=3)


@given(
    st.dictionaries(
        st.sampled_from(["keyspace", "replication", "sentinel", "errorstats", "clients"]),
        st.dictionaries(st.sampled_from(KEYS), LINE.map(",".join) | st.integers() | st.just(1.5), max_size=4),
        max_size=3,
    )
)
def test_no_answer_upsets_it(info: dict[str, dict[str, str | int | float]]) -> None:
    for family in InfoMetrics(Labels(redis="cache")).families(info, 0.0):
        assert all(isinstance(sample.value, float) for sample in family.samples)


def test_help_names_the_unit_and_no_name_is_given_twice() -> None:
    texts = [(each.unit, each.text) for each in FIELDS.values()]
    texts += [(unit, text) for _, unit, text in LABELLED.values()] + [*OWN.values()]
    assert [text for unit, text in texts if UNITS.get(unit, "") not in text] == []
    names = [each.name for each in FIELDS.values()]
    assert len({*names, *LABELLED, *OWN}) == len(names) + len(LABELLED) + len(OWN)
