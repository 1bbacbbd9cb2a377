from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dozor.instruments.redis_info import Info, Rates, figures, instance, parse_info

RECORDED = Path(__file__).parents[3] / "shared/yardsticks/redis-info/recorded"
RECORDINGS = sorted(RECORDED.rglob("*.info.txt")) if RECORDED.exists() else []


def info(
    *, run: str = "a", commands: int = 0, hits: int = 0, misses: int = 0, uptime: int = 10_000, at_once: int = 7
) -> Info:
    text = (
        f"# Server\r\nrun_id:{run}\r\nuptime_in_seconds:{uptime}\r\n\r\n# Stats\r\ntotal_commands_processed:{commands}\r\n"
        f"instantaneous_ops_per_sec:{at_once}\r\nkeyspace_hits:{hits}\r\nkeyspace_misses:{misses}\r\n"
    )
    return parse_info(text.encode())


def test_numbers_are_typed_and_what_only_looks_like_one_stays_text() -> None:
    raw = (
        b"# Server\r\nredis_version:8.0\r\nredis_git_sha1:00000000\r\nrun_id:1234\r\nprocess_id:17\r\n\r\n"
        b"# Memory\r\nused_memory:3117256\r\nmem_fragmentation_ratio:4.84\r\nused_memory_peak_perc:99.15%\r\n"
        b"# Keyspace\r\ndb0:keys=118,expires=0,avg_ttl=0\r\n"
    )
    assert parse_info(raw) == {
        "server": {"redis_version": "8.0", "redis_git_sha1": "00000000", "run_id": "1234", "process_id": 17},
        "memory": {"used_memory": 3117256, "mem_fragmentation_ratio": 4.84, "used_memory_peak_perc": "99.15%"},
        "keyspace": {"db0": "keys=118,expires=0,avg_ttl=0"},
    }


@given(st.binary(max_size=2000))
def test_any_answer_is_read_and_what_comes_out_can_be_printed(raw: bytes) -> None:
    for section, values in parse_info(raw).items():
        assert section.isprintable()
        for key, value in values.items():
            assert key.isprintable()
            assert not isinstance(value, str) or value.isprintable()


@pytest.mark.skipif(not RECORDINGS, reason="the recorded answers of real servers are not on this machine")
@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_recorded_servers_are_understood(path: Path) -> None:
    answer = parse_info(path.read_bytes())
    labels = instance(answer)
    assert labels["version"] == path.parent.name
    assert labels["server"] == "redis"
    assert answer["server"]["uptime_in_seconds"] == figures(answer)["redis_uptime_in_seconds"]
    if "sentinel" in path.name:
        assert labels["mode"] == "sentinel"
    else:
        assert set(figures(answer)) >= {"redis_memory_usage", "redis_keyspace_hits_total", "redis_evicted_keys_total"}
        assert labels["role"] in {"master", "slave"}


def test_no_memory_limit_is_absent_and_not_zero() -> None:
    assert figures(parse_info(b"# Memory\nmaxmemory:0\n")) == {}
    assert figures(parse_info(b"# Memory\nmaxmemory:1024\n")) == {"redis_memory_limit": 1024.0}


def test_valkey_is_told_apart_by_its_own_version() -> None:
    labels = instance(
        parse_info(b"# Server\nredis_version:7.2.4\nserver_name:valkey\nvalkey_version:9.1.2\nserver_mode:standalone\n")
    )
    assert labels["server"] == "valkey"
    assert labels["version"] == "9.1.2"
    assert labels["mode"] == "standalone"


class TestRates:
    def test_operations_are_those_of_the_interval_without_our_own(self) -> None:
        rates = Rates()
        rates.update(info(commands=100), 0.0, 0)
        assert rates.update(info(commands=153), 2.0, 3)["redis_operations_per_second"] == 25.0

    def test_the_first_reading_takes_the_servers_word(self) -> None:
        assert Rates().update(info(commands=100, at_once=7), 0.0, 0) == {"redis_operations_per_second": 7.0}

    def test_an_idle_cache_has_no_hit_rate(self) -> None:
        rates = Rates()
        for second in range(10):
            assert "redis_hit_rate" not in rates.update(info(hits=50, misses=50, commands=second), second, 0)

    def test_lookups_before_the_first_reading_do_not_count(self) -> None:
        rates = Rates()
        rates.update(info(hits=1_000_000), 0.0, 0)
        assert rates.update(info(hits=1_000_001, misses=3), 1.0, 0)["redis_hit_rate"] == 25.0

    def test_lookups_older_than_the_window_do_not_count(self) -> None:
        rates = Rates()
        rates.update(info(), 0.0, 0)
        assert rates.update(info(misses=100), 10.0, 0)["redis_hit_rate"] == 0.0
        assert rates.update(info(hits=10, misses=100), 200.0, 0)["redis_hit_rate"] == pytest.approx(100 / 11)
        assert rates.update(info(hits=20, misses=100), 311.0, 0)["redis_hit_rate"] == 100.0

    def test_a_restart_counts_what_has_come_since(self) -> None:
        rates = Rates()
        rates.update(info(run="a", hits=10), 0.0, 0)
        rates.update(info(run="a", hits=11, misses=1), 1.0, 0)
        after = rates.update(info(run="b", hits=50, misses=0, commands=3, uptime=1), 2.0, 0)
        assert after["redis_hit_rate"] == pytest.approx(100 * 51 / 52)
        assert after["redis_operations_per_second"] == 7.0

    def test_another_server_at_the_address_does_not_bring_its_past(self) -> None:
        rates = Rates()
        rates.update(info(run="a", hits=0), 0.0, 0)
        rates.update(info(run="a", hits=1), 1.0, 0)
        assert rates.update(info(run="b", hits=0, misses=10**9), 2.0, 0)["redis_hit_rate"] == 100.0

    @given(st.lists(st.tuples(st.booleans(), st.integers(0, 50), st.integers(0, 50), st.floats(0.1, 400)), max_size=40))
    def test_resets_never_make_a_rate_negative_or_above_all(self, steps: list[tuple[bool, int, int, float]]) -> None:
        rates, at, commands, hits, misses = Rates(), 0.0, 0, 0, 0
        for reset, more_hits, more_misses, seconds in steps:
            if reset:
                commands = hits = misses = 0
            hits, misses, at = hits + more_hits, misses + more_misses, at + seconds
            commands += more_hits + more_misses + 2
            found = rates.update(info(commands=commands, hits=hits, misses=misses), at, 2)
            assert found["redis_operations_per_second"] >= 0
            assert 0 <= found.get("redis_hit_rate", 0) <= 100
