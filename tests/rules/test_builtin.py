"""Each default rule fires, ends, and keeps still where it would be a false alarm; driven over a real store."""

import re
import shutil
import subprocess
from importlib.resources import files
from pathlib import Path

import pytest
from tests.alerts.world import START, World, counter

from dozor.alerts import Lifecycle
from dozor.model.alert import AlertState, Severity
from dozor.rules import builtin_groups, load_rules
from dozor.rules.unittest import run_test_file

POOL = {"pool": "default", "worker": "0"}
NAMES = {
    "PoolUtilizationHigh", "PoolConnectionsLow", "SlowQueries", "RedisDisconnected", "RedisMemoryHigh",
    "RedisHitRateLow", "RedisLoadHigh", "HostMemoryHigh", "HostCpuHigh", "DiskSpaceLow", "TooManyActiveAlerts",
    "HttpErrorsHigh", "HttpRequestsSlow", "PoolTimeouts", "MonitoringStale", "DatabaseDown",
    "StoreUnavailable", "NotificationsFailing", "ConnectionBudgetExceeded",
    "RedisReplicationDown", "RedisPersistenceFailing", "RedisClusterDown", "RedisFailoverImpossible",
    "EventLoopBlocked",
}  # fmt: skip


@pytest.fixture
def world() -> World:
    return World()


def pool(world: World, size: float, used: float, overflow: float = 0.0, **labels: str) -> None:
    labels = {**POOL, **labels}
    capacity = size + overflow
    world.put("db_pool_size", size, **labels)
    world.put("db_pool_capacity", capacity, **labels)
    world.put("db_pool_checked_out", used, **labels)
    world.put("db_pool_available", capacity - used, **labels)
    world.put("db_pool_utilization", 100 * used / capacity, **labels)
    world.put("db_pool_overflow", max(0.0, used - size), **labels)


def redis(world: World, hits: float = 50.0, misses: float = 1.0, uptime: float = 86400.0) -> None:
    world.put("redis_connected", 1, redis="cache")
    world.put("redis_memory_usage", 50e6, redis="cache")
    world.put("redis_instance_info", 1, redis="cache", maxmemory_policy="noeviction")
    world.put("redis_keyspace_hits_total", counter(hits), redis="cache")
    world.put("redis_keyspace_misses_total", counter(misses), redis="cache")
    world.put("redis_operations_per_second", 100, redis="cache")
    world.put("redis_uptime_in_seconds", lambda elapsed: uptime + elapsed, redis="cache")


def requests(world: World, rate: float, errors: float, until: float = float("inf")) -> None:
    labels = {"method": "GET", "route": "/items", "worker": "0"}
    world.put("http_requests_total", counter(rate - errors, until=until), status="200", **labels)
    world.put("http_requests_total", counter(errors, until=until), status="500", **labels)


def durations(world: World, rate: float, slow: float, route: str = "/slow", until: float = float("inf")) -> None:
    labels = {"method": "GET", "route": route, "worker": "0"}
    for bound, per_second in (("1.0", rate - slow), ("5.0", rate - slow), ("10.0", rate), ("+Inf", rate)):
        world.put("http_request_duration_seconds_bucket", counter(per_second, until=until), le=bound, **labels)
    world.put("http_request_duration_seconds_count", counter(rate, until=until), **labels)


# The files


def test_they_are_there_by_their_names() -> None:
    assert {rule.name for group in builtin_groups() for rule in group.alerting} == NAMES


@pytest.mark.parametrize("rule", load_rules().rules, ids=lambda rule: rule.name)
def test_each_says_how_bad_it_is_what_is_the_case_and_what_to_do(rule) -> None:  # type: ignore[no-untyped-def]
    assert {"severity", "component"} <= rule.labels.keys()
    assert {"summary", "description"} <= rule.annotations.keys()
    assert rule.directives.resolve is not None
    description = rule.annotations["description"].text
    assert "irst look" in description
    yes_or_no = {"DatabaseDown", "RedisDisconnected", "RedisReplicationDown", "RedisPersistenceFailing"}
    yes_or_no |= {"RedisClusterDown", "RedisFailoverImpossible"}
    assert "$value" in description or rule.name in yes_or_no


@pytest.mark.parametrize("rule", load_rules(locale="ru").rules, ids=lambda rule: rule.name)
def test_each_says_the_same_in_russian(rule) -> None:  # type: ignore[no-untyped-def]
    (english,) = load_rules().named(rule.name)
    assert rule.annotations.keys() == english.annotations.keys()
    for name in ("summary", "description"):
        translated = rule.annotations[name].text
        assert re.search("[а-яё]{3}", translated)
        assert placeholders(translated) == placeholders(english.annotations[name].text)
    assert "Сначала" in rule.annotations["description"].text


def placeholders(template: str) -> set[str]:
    return set(re.findall(r"\$[\w.]+", template))


@pytest.mark.parametrize(
    ("name", "threshold", "unit"),
    [
        ("PoolUtilizationHigh", "> 90", "percent"),
        ("PoolConnectionsLow", "< 2", None),
        ("SlowQueries", ">= 5", None),
        ("RedisDisconnected", "== 0", None),
        ("RedisMemoryHigh", "> 85", "percent"),
        ("RedisHitRateLow", "< 80", "percent"),
        ("RedisLoadHigh", "> 5000", None),
        ("HostMemoryHigh", "> 85", "percent"),
        ("HostCpuHigh", "> 80", "percent"),
        ("DiskSpaceLow", "> 90", "percent"),
        ("TooManyActiveAlerts", "> 10", None),
        ("HttpErrorsHigh", None, None),  # a number or a share, whichever is passed
        ("HttpRequestsSlow", "> 5", "seconds"),
        ("PoolTimeouts", "> 0", None),
        ("MonitoringStale", None, "seconds"),  # of the collector's own interval
        ("DatabaseDown", "== 0", None),
        ("StoreUnavailable", "> 30", "seconds"),
        ("EventLoopBlocked", None, "seconds"),  # often, or for long
        ("NotificationsFailing", None, None),  # given up, or failed again and again
    ],
)
def test_their_thresholds_and_units(name: str, threshold: str | None, unit: str | None) -> None:
    (rule,) = load_rules().named(name)
    assert rule.threshold == threshold
    assert (rule.annotations["unit"].text if "unit" in rule.annotations else None) == unit


@pytest.mark.parametrize(
    ("name", "seconds", "severity", "component", "clear", "inhibitors"),
    [
        ("PoolUtilizationHigh", 60, "CRITICAL", "database", 120, {"PoolTimeouts"}),
        ("PoolConnectionsLow", 30, "WARNING", "database", 120, {"PoolUtilizationHigh", "PoolTimeouts"}),
        ("SlowQueries", 0, "WARNING", "database", 300, {"PoolUtilizationHigh", "PoolTimeouts", "DatabaseDown"}),
        ("RedisDisconnected", 15, "CRITICAL", "redis", 30, set()),
        ("RedisMemoryHigh", 120, "WARNING", "redis", 300, {"RedisDisconnected"}),
        ("RedisHitRateLow", 60, "WARNING", "redis", 0, {"RedisDisconnected"}),
        ("RedisLoadHigh", 300, "INFO", "redis", 0, {"RedisDisconnected"}),
        ("HostMemoryHigh", 600, "WARNING", "system", 0, set()),
        ("HostCpuHigh", 60, "WARNING", "system", 0, set()),
        ("DiskSpaceLow", 300, "WARNING", "system", 0, set()),
        ("TooManyActiveAlerts", 120, "CRITICAL", "system", 0, set()),
        ("HttpErrorsHigh", 60, "CRITICAL", "business", 300, {"DatabaseDown"}),
        (
            "HttpRequestsSlow", 120, "WARNING", "business", 0,
            {"PoolUtilizationHigh", "RedisDisconnected", "PoolTimeouts", "DatabaseDown"},
        ),
        ("PoolTimeouts", 0, "CRITICAL", "database", 180, set()),
        ("MonitoringStale", 0, "WARNING", "system", 1, {"RedisDisconnected"}),
        ("DatabaseDown", 15, "CRITICAL", "database", 30, set()),
        ("StoreUnavailable", 0, "WARNING", "system", 30, set()),
        ("NotificationsFailing", 0, "WARNING", "system", 0, set()),
        ("EventLoopBlocked", 0, "WARNING", "business", 30, {"DatabaseDown", "RedisDisconnected"}),
    ],
)  # fmt: skip
def test_they_are_as_specified(
    name: str, seconds: float, severity: str, component: str, clear: float, inhibitors: set[str]
) -> None:
    (rule,) = load_rules().named(name)
    assert (rule.for_seconds, rule.clear_seconds) == (seconds, clear)
    assert (rule.severity, rule.component) == (Severity[severity], component)
    assert {inhibitor.rule for inhibitor in rule.inhibited_by} == inhibitors


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool (Debian's package prometheus) is not installed")
def test_prometheus_accepts_them() -> None:
    paths = [str(path) for path in files("dozor.rules.builtin").iterdir() if path.name.endswith(".yml")]
    found = subprocess.run(["promtool", "check", "rules", *paths], capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout + found.stderr


UNIT_TESTS = sorted((Path(__file__).parent / "builtin").glob("*.yml"))


@pytest.mark.parametrize("path", UNIT_TESTS, ids=lambda path: path.stem)
def test_they_pass_their_unit_tests(path: Path) -> None:
    found = run_test_file(path, Lifecycle)
    assert found.error is None
    assert [(one.name, one.failures) for one in found.outcomes if one.failures] == []
    assert found.outcomes


# Pools


def test_an_exhausted_pool_fires_after_a_minute_and_ends_two_minutes_after_it_has_room(world: World) -> None:
    pool(world, 10, 15, overflow=5)
    world.run(60)
    assert world.state("PoolUtilizationHigh") is AlertState.PENDING
    world.run(5)
    alert = world.alert("PoolUtilizationHigh")
    assert alert.state is AlertState.FIRING
    assert dict(alert.labels) == {**POOL, "alertname": "PoolUtilizationHigh", "component": "database"}
    assert "100 %" in alert.annotations["description"]
    pool(world, 10, 13, overflow=5)  # 87 %: neither
    world.run(600)
    assert not world.alert("PoolUtilizationHigh").holds
    pool(world, 10, 11, overflow=5)
    world.run(120)
    assert world.state("PoolUtilizationHigh") is AlertState.FIRING
    world.run(5)
    assert world.state("PoolUtilizationHigh") is None
    assert [word for word in world.words if word[0] == "PoolUtilizationHigh"] == [
        ("PoolUtilizationHigh", "firing"),
        ("PoolUtilizationHigh", "resolved"),
    ]


def test_an_exhausted_pool_inhibits_its_own_low_connections_and_no_others(world: World) -> None:
    pool(world, 10, 15, overflow=5)
    pool(world, 20, 19, pool="other")  # 95 %
    world.put("db_pool_available", 1, pool="third", worker="0")
    world.put("db_pool_capacity", 6, pool="third", worker="0")
    world.run(90)
    low = {alert.labels["pool"]: alert for alert in world.alerts("PoolConnectionsLow")}
    assert low["default"].inhibited_by == low["other"].inhibited_by == ("PoolUtilizationHigh",)
    assert low["third"].inhibited_by == ()
    assert all(alert.state is AlertState.FIRING for alert in low.values())
    quiet = {alert.id for alert in low.values() if alert.inhibited_by}
    assert not quiet & {alert.id for notification in world.told for alert in notification.alerts}


def test_a_single_sick_worker_is_not_averaged_away(world: World) -> None:
    for worker in range(8):
        pool(world, 10, 10 if worker == 3 else 0, worker=str(worker))
    world.run(90)
    assert [alert.labels["worker"] for alert in world.alerts("PoolUtilizationHigh")] == ["3"]


def test_a_pool_that_was_made_smaller_ends_low_connections(world: World) -> None:
    pool(world, 6, 5)
    world.run(60)
    assert "PoolConnectionsLow" in world.firing
    pool(world, 2, 0)
    world.run(130)
    assert "PoolConnectionsLow" not in world.firing


@pytest.mark.parametrize("capacity", [1, 2, 3, 4])
def test_a_small_pool_at_rest_is_no_alarm(world: World, capacity: float) -> None:
    pool(world, capacity, 0)
    world.run(600)
    assert not world.alerts()


def test_a_negative_overflow_is_no_alarm(world: World) -> None:
    pool(world, 5, 0)
    world.put("db_pool_overflow", -5, **POOL)
    world.run(600)
    assert not world.alerts()


def test_a_pool_without_a_limit_has_no_utilisation_and_is_no_alarm(world: World) -> None:
    world.put("db_pool_checked_out", 5000, **POOL)
    world.put("db_pool_timeouts_total", 0, **POOL)
    world.run(600)
    assert not world.alerts()


def test_pools_of_dozors_own_are_outside_the_pool_rules(world: World) -> None:
    pool(world, 5, 5, owner="dozor")
    world.put("db_pool_timeouts_total", counter(1), owner="dozor", **POOL)
    world.run(300)
    assert not world.alerts()


def test_one_timeout_fires_at_once_and_ends_when_there_was_none_for_five_minutes(world: World) -> None:
    world.put("db_pool_timeouts_total", lambda elapsed: 0.0 if elapsed < 60 else 1.0, **POOL)
    world.run(55)
    assert not world.alerts()
    world.run(5)
    alert = world.alert("PoolTimeouts")
    assert (alert.state, alert.severity) == (AlertState.FIRING, Severity.CRITICAL)
    world.run(280)
    assert world.state("PoolTimeouts") is AlertState.FIRING
    world.run(25)
    assert world.state("PoolTimeouts") is None


def test_ten_timeouts_in_two_minutes_are_an_emergency(world: World) -> None:
    world.put("db_pool_timeouts_total", lambda elapsed: 0.0 if elapsed < 30 else 9.0 if elapsed < 60 else 10.0, **POOL)
    world.run(55)
    assert world.alert("PoolTimeouts").severity is Severity.CRITICAL
    world.run(5)
    assert world.alert("PoolTimeouts").severity is Severity.EMERGENCY
    world.run(40)
    assert ("PoolTimeouts", "escalated") in world.words


def slow_queries(world: World, slow: float, total: float) -> None:
    world.put("db_pool_slow_queries_total", lambda elapsed: slow if elapsed >= 120 else 0.0, **POOL)
    for operation in ("select", "update"):
        world.put(
            "db_query_seconds_count", lambda elapsed: total / 2 if elapsed >= 120 else 0.0, operation=operation, **POOL
        )


@pytest.mark.parametrize(
    ("slow", "total", "fires"), [(5, 400, True), (4, 100, False), (5, 600, False), (60, 6000, True)]
)
def test_slow_queries_need_a_number_and_a_share(world: World, slow: float, total: float, fires: bool) -> None:
    slow_queries(world, slow, total)
    world.run(200)
    assert ("SlowQueries" in world.firing) is fires


def test_slow_queries_end_after_ten_minutes_without_one(world: World) -> None:
    slow_queries(world, 10, 20)
    world.run(120 + 590)
    assert "SlowQueries" in world.firing
    world.run(30)
    assert "SlowQueries" not in world.firing


# Redis


def test_a_lost_redis_fires_rises_to_an_emergency_and_ends(world: World) -> None:
    redis(world)
    world.run(60)
    world.series = {}
    world.put("redis_connected", 0, redis="cache")
    world.run(20)
    assert world.state("RedisDisconnected") is AlertState.FIRING
    world.run(295)
    assert world.alert("RedisDisconnected").severity is Severity.CRITICAL
    world.run(65)
    assert world.alert("RedisDisconnected").severity is Severity.EMERGENCY
    redis(world)
    world.run(70)
    assert world.state("RedisDisconnected") is None
    assert world.words == [
        ("RedisDisconnected", "firing"),
        ("RedisDisconnected", "escalated"),
        ("RedisDisconnected", "resolved"),
    ]
    assert world.ever_fired() == {"RedisDisconnected"}


def test_an_acknowledged_loss_does_not_escalate(world: World) -> None:
    world.put("redis_connected", 0, redis="cache")
    world.run(20)
    world.acknowledge("RedisDisconnected")
    world.run(900)
    assert world.alert("RedisDisconnected").severity is Severity.CRITICAL
    assert ("RedisDisconnected", "escalated") not in world.words


def test_redis_memory_near_its_limit_fires(world: World) -> None:
    redis(world)
    world.put("redis_memory_usage", 90e6, redis="cache")
    world.put("redis_memory_limit", 100e6, redis="cache")
    world.run(130)
    assert "90 %" in world.alert("RedisMemoryHigh").annotations["description"]
    world.put("redis_memory_usage", 79e6, redis="cache")
    world.run(310)
    assert not world.alerts()


def replica(world: World, *, link_up: int, syncing: int = 0) -> None:
    redis(world)
    world.put("redis_up", 1, redis="cache")
    world.put("redis_master_link_up", link_up, redis="cache", master_host="10.0.0.1", master_port="6379")
    world.put("redis_master_sync_in_progress", syncing, redis="cache", master_host="10.0.0.1", master_port="6379")


def test_a_replica_that_lost_its_primary_fires_and_ends_when_it_has_it_again(world: World) -> None:
    replica(world, link_up=1)
    world.run(60)
    replica(world, link_up=0)
    world.run(115)
    assert "RedisReplicationDown" not in world.firing
    world.run(10)
    assert world.firing == {"RedisReplicationDown"}
    replica(world, link_up=1)
    world.run(70)
    assert not world.alerts()


def test_a_replica_that_copies_everything_is_on_its_way(world: World) -> None:
    replica(world, link_up=0, syncing=1)
    world.run(900)
    assert world.ever_fired() == set()


def test_a_replica_that_was_promoted_has_no_primary_to_lose(world: World) -> None:
    replica(world, link_up=0)
    world.run(130)
    assert world.firing == {"RedisReplicationDown"}
    world.series = {}
    redis(world)
    world.put("redis_up", 1, redis="cache")
    world.run(400)
    assert not world.alerts()


def test_a_cluster_that_does_not_serve_all_keys_is_one_alert(world: World) -> None:
    for name in ("shop", "shop/10.0.0.1:7000", "shop/10.0.0.2:7000"):
        world.put("redis_connected", 1, redis=name)
        world.put("redis_cluster_state", 0, redis=name)
    world.run(10)
    assert not world.firing
    world.run(10)
    (alert,) = world.alerts()
    assert (alert.rule, alert.labels["redis"]) == ("RedisClusterDown", "shop")
    world.put("redis_cluster_state", 1, redis="shop")
    world.run(40)
    assert not world.alerts()


def test_a_node_on_the_wrong_side_of_a_partition_is_no_cluster_that_is_down(world: World) -> None:
    world.put("redis_cluster_state", 1, redis="shop")
    world.put("redis_cluster_state", 0, redis="shop/10.0.0.1:7000")
    world.run(300)
    assert world.ever_fired() == set()


def test_a_cluster_of_which_no_node_answers_is_told_once(world: World) -> None:
    world.put("redis_connected", 0, redis="shop")
    world.put("redis_cluster_state", 0, redis="shop")
    world.run(60)
    assert [word for word in world.words if word[1] == "firing"] == [("RedisDisconnected", "firing")]


def test_too_few_sentinels_fire_until_there_are_enough(world: World) -> None:
    labels = {"redis": "shop/sentinel/10.0.0.1:26379", "master_name": "main"}
    world.put("redis_sentinel_master_ckquorum_status", 0, master_address="10.0.0.1:6379", **labels)
    world.run(50)
    assert not world.firing
    world.run(20)
    assert world.firing == {"RedisFailoverImpossible"}
    world.put("redis_sentinel_master_ckquorum_status", 1, master_address="10.0.0.1:6379", **labels)
    world.run(40)
    assert not world.alerts()


def test_a_redis_that_cannot_save_fires_until_it_can(world: World) -> None:
    redis(world)
    world.put("redis_rdb_last_bgsave_status", 0, redis="cache")
    world.put("redis_aof_last_write_status", 1, redis="cache")
    world.run(70)
    assert world.firing == {"RedisPersistenceFailing"}
    world.put("redis_rdb_last_bgsave_status", 1, redis="cache")
    world.run(10)
    assert not world.alerts()
    world.put("redis_aof_last_write_status", 0, redis="cache")
    world.run(50)
    world.put("redis_aof_last_write_status", 1, redis="cache")
    world.run(60)
    assert world.words.count(("RedisPersistenceFailing", "firing")) == 1, "a hiccup is over before it is told"


def test_lifting_the_limit_ends_high_memory(world: World) -> None:
    redis(world)
    world.put("redis_memory_usage", 90e6, redis="cache")
    world.put("redis_memory_limit", 100e6, redis="cache")
    world.run(130)
    world.drop("redis_memory_limit")
    world.run(310)
    assert not world.alerts()


@pytest.mark.parametrize("policy", ["allkeys-lru", "allkeys-lfu", "allkeys-random"])
def test_a_full_cache_that_evicts_is_no_alarm(world: World, policy: str) -> None:
    redis(world)
    world.drop("redis_instance_info")
    world.put("redis_instance_info", 1, redis="cache", maxmemory_policy=policy)
    world.put("redis_memory_usage", 100e6, redis="cache")
    world.put("redis_memory_limit", 100e6, redis="cache")
    world.run(600)
    assert not world.alerts()


def test_redis_without_a_limit_is_no_alarm(world: World) -> None:
    redis(world)
    world.put("redis_memory_usage", 64e9, redis="cache")
    world.run(600)
    assert not world.alerts()


def test_a_low_hit_rate_fires_and_ends(world: World) -> None:
    redis(world, hits=5, misses=5)
    world.run(600)
    assert "50 %" in world.alert("RedisHitRateLow").annotations["description"]
    base_hits, base_misses = 5 * 600, 5 * 600
    world.put("redis_keyspace_hits_total", lambda elapsed: base_hits + 100 * (elapsed - 600), redis="cache")
    world.put("redis_keyspace_misses_total", base_misses, redis="cache")
    world.run(900)
    assert not world.alerts()


def test_ten_minutes_without_a_lookup_end_a_low_hit_rate(world: World) -> None:
    redis(world, hits=5, misses=5)
    world.run(600)
    for name in ("hits", "misses"):
        world.put(f"redis_keyspace_{name}_total", 3000, redis="cache")
    world.run(580)
    assert world.firing == {"RedisHitRateLow"}
    world.run(30)
    assert not world.firing


def test_an_idle_cache_is_no_alarm(world: World) -> None:
    redis(world, hits=0, misses=0)
    world.run(1200)
    assert not world.alerts()


def test_few_lookups_are_no_alarm(world: World) -> None:
    redis(world, hits=0, misses=1)
    world.run(1200)
    assert not world.alerts()


def test_a_restart_of_redis_is_no_alarm(world: World) -> None:
    """The counters fall to nothing and the cache is cold for its first quarter of an hour."""
    redis(world, hits=100, misses=1)
    world.run(900)
    redis(world)
    world.put("redis_keyspace_hits_total", lambda elapsed: 2 * (elapsed - 900), redis="cache")
    world.put("redis_keyspace_misses_total", lambda elapsed: 20 * (elapsed - 900), redis="cache")
    world.put("redis_uptime_in_seconds", lambda elapsed: elapsed - 900, redis="cache")
    world.run(890)
    assert not world.alerts()


def test_config_resetstat_is_no_alarm(world: World) -> None:
    redis(world, hits=100, misses=10)
    world.run(900)
    world.put("redis_keyspace_hits_total", lambda elapsed: 100 * (elapsed - 900), redis="cache")
    world.put("redis_keyspace_misses_total", lambda elapsed: 10 * (elapsed - 900), redis="cache")
    world.run(900)
    assert not world.alerts()


def test_a_busy_redis_is_information(world: World) -> None:
    redis(world)
    world.put("redis_operations_per_second", 6000, redis="cache")
    world.run(310)
    alert = world.alert("RedisLoadHigh")
    assert (alert.state, alert.severity) == (AlertState.FIRING, Severity.INFO)
    world.put("redis_operations_per_second", 3000, redis="cache")
    world.run(300)
    assert not world.alerts()


# Host


@pytest.mark.parametrize(
    ("rule", "metric", "labels", "high", "between", "low", "seconds"),
    [
        ("HostMemoryHigh", "host_memory_utilization", {}, 86, 82, 79, 605),
        ("DiskSpaceLow", "host_disk_utilization", {"mountpoint": "/"}, 91, 88, 84, 305),
    ],
)
def test_the_host_runs_out(
    world: World,
    rule: str,
    metric: str,
    labels: dict[str, str],
    high: float,
    between: float,
    low: float,
    seconds: float,
) -> None:
    world.put(metric, high, **labels)
    world.run(seconds - 5)
    assert world.state(rule) is AlertState.PENDING
    world.run(5)
    assert world.state(rule) is AlertState.FIRING
    world.put(metric, between, **labels)
    world.run(600)
    assert world.state(rule) is AlertState.FIRING
    world.put(metric, low, **labels)
    world.run(5)
    assert world.state(rule) is None


def test_busy_processors_fire_by_their_average(world: World) -> None:
    world.put("host_cpu_utilization", lambda elapsed: 100 if elapsed % 10 else 70)
    world.run(620)
    assert "85 %" in world.alert("HostCpuHigh").annotations["description"]
    world.put("host_cpu_utilization", 20)
    world.run(300)
    assert not world.alerts()


def test_a_busy_start_is_no_alarm(world: World) -> None:
    world.put("host_cpu_utilization", lambda elapsed: 100 if elapsed < 240 else 10)
    world.run(1200)
    assert not world.alerts()


# HTTP


@pytest.mark.parametrize(
    ("rate", "errors", "fires"),
    [(2.5, 2.5, True), (1.0, 1.0, False), (100, 1.8, True), (100, 1.5, False), (10, 0.6, True), (10, 0.4, False)],
)
def test_errors_fire_by_number_or_by_share(world: World, rate: float, errors: float, fires: bool) -> None:
    requests(world, rate, errors)
    world.run(180)
    assert ("HttpErrorsHigh" in world.firing) is fires


def test_errors_end_below_half_of_both_thresholds(world: World) -> None:
    requests(world, 10, 5, until=300)
    world.run(200)
    assert world.firing == {"HttpErrorsHigh"}
    labels = {"method": "GET", "route": "/items", "worker": "0", "status": "200"}
    world.put("http_requests_total", counter(10), **labels)
    world.run(100 + 60 + 290)
    assert world.firing == {"HttpErrorsHigh"}
    world.run(30)
    assert not world.firing


def test_ten_minutes_without_traffic_end_errors(world: World) -> None:
    requests(world, 10, 5, until=300)
    world.run(300)
    assert world.firing == {"HttpErrorsHigh"}
    world.run(590)
    assert world.firing == {"HttpErrorsHigh"}
    world.run(20)
    assert not world.firing


def test_requests_that_are_few_and_succeed_end_errors(world: World) -> None:
    """A request every two minutes: most minutes have none, and so no share of errors."""
    requests(world, 10, 5, until=300)
    world.run(300)
    labels = {"method": "GET", "route": "/items", "worker": "0", "status": "200"}
    world.put("http_requests_total", lambda elapsed: 1500 + elapsed // 120, **labels)
    world.run(620)
    assert not world.firing


def test_scanners_that_meet_404_are_no_alarm(world: World) -> None:
    world.put("http_requests_total", counter(500), method="GET", route="unmatched", status="404", worker="0")
    world.run(600)
    assert not world.alerts()


def test_a_slow_route_fires_and_ends(world: World) -> None:
    durations(world, 1, 0.5)
    durations(world, 1, 0.0, route="/quick")
    world.run(240)
    alert = world.alert("HttpRequestsSlow")
    assert alert.state is AlertState.FIRING
    assert alert.labels["route"] == "/slow"
    assert alert.annotations["summary"] == "/slow answers slowly"


def test_few_slow_requests_are_no_alarm(world: World) -> None:
    durations(world, 0.05, 0.05)
    world.run(900)
    assert not world.alerts()


def test_ten_minutes_without_requests_end_a_slow_route(world: World) -> None:
    durations(world, 1, 0.5, until=240)
    world.run(240)
    assert world.firing == {"HttpRequestsSlow"}
    world.run(590)
    assert world.firing == {"HttpRequestsSlow"}
    world.run(20)
    assert not world.firing


# A restart


@pytest.mark.parametrize("rule", ["HostCpuHigh", "RedisHitRateLow", "RedisLoadHigh", "HttpRequestsSlow"])
def test_the_first_good_moment_after_a_restart_is_no_end(world: World, rule: str) -> None:
    """What is judged over minutes is not known to be over after seconds."""
    redis(world, hits=5, misses=5)
    world.put("redis_operations_per_second", 6000, redis="cache")
    world.put("host_cpu_utilization", 100)
    durations(world, 1, 0.5)
    world.run(700)
    assert rule in world.firing
    world.restart(down_seconds=5)
    began = world.at - START
    quiet = began + 60.0  # a minute in which all is well, then on as before
    world.put("host_cpu_utilization", lambda elapsed: 10 if elapsed < quiet else 100)
    world.put("redis_operations_per_second", lambda elapsed: 10 if elapsed < quiet else 6000, redis="cache")
    world.put("redis_keyspace_misses_total", lambda elapsed: 3500 + 5 * max(0.0, elapsed - quiet), redis="cache")
    for bound in ("1.0", "5.0", "10.0", "+Inf"):
        late = 60.0 if bound in ("1.0", "5.0") else float("inf")
        labels = {"method": "GET", "route": "/slow", "worker": "0", "le": bound}
        world.put("http_request_duration_seconds_bucket", counter(1, start=began, until=began + late), **labels)
    world.put("http_request_duration_seconds_count", counter(1, start=began), method="GET", route="/slow", worker="0")
    world.run(900)
    assert (rule, "resolved") not in world.words


# Dozor itself


def test_many_alerts_are_an_alert(world: World) -> None:
    for index in range(12):
        world.put("host_disk_utilization", 95, mountpoint=f"/{index}")
    world.run(305)
    assert "TooManyActiveAlerts" not in world.firing
    world.run(140)
    assert "12 alerts" in world.alert("TooManyActiveAlerts").annotations["description"]
    for index in range(7):
        world.put("host_disk_utilization", 10, mountpoint=f"/{index}")
    world.run(10)
    assert "TooManyActiveAlerts" not in world.firing


def test_alerts_that_are_owned_silenced_or_inhibited_do_not_count_as_many(world: World) -> None:
    world.put("db_up", 0, pool="default")
    for index in range(12):
        world.put("host_disk_utilization", 95, mountpoint=f"/{index}")
    for index in range(12):
        world.put("db_pool_slow_queries_total", counter(1), pool="default", worker=str(index))
        world.put("db_query_seconds_count", counter(1), pool="default", worker=str(index), operation="select")
    world.run(305)
    for index, alert in enumerate(world.alerts("DiskSpaceLow")):
        action = world.lifecycle.acknowledge if index % 2 else world.lifecycle.silence
        _, changes = action(alert.id, world.at)
        world.take(changes)
    world.run(300)
    assert len(world.alerts("SlowQueries")) == 12
    assert world.firing == {"DiskSpaceLow", "SlowQueries", "DatabaseDown"}


def test_no_alerts_end_too_many(world: World) -> None:
    for index in range(12):
        world.put("host_disk_utilization", 95, mountpoint=f"/{index}")
    world.run(450)
    for index in range(12):
        world.put("host_disk_utilization", 10, mountpoint=f"/{index}")
    world.run(15)
    assert not world.firing


def test_a_collector_that_fails_is_told_of_and_two_good_cycles_end_it() -> None:
    world = World(step=1.0)
    world.put("dozor_collector_interval_seconds", 1, collector="host")
    world.put("dozor_collector_age_seconds", lambda elapsed: elapsed, collector="host")
    world.run(60)
    assert not world.alerts()
    world.run(1)
    assert world.alert("MonitoringStale").labels["collector"] == "host"
    world.put("dozor_collector_age_seconds", 0.01, collector="host")
    world.run(1)
    assert world.firing
    world.run(1)
    assert not world.firing


def test_a_slow_collector_has_three_intervals(world: World) -> None:
    world.put("dozor_collector_interval_seconds", 30, collector="host")
    world.put("dozor_collector_age_seconds", lambda elapsed: elapsed, collector="host")
    world.run(90)
    assert not world.alerts()
    world.run(5)
    assert world.firing == {"MonitoringStale"}


def test_a_lost_redis_explains_why_it_cannot_be_seen(world: World) -> None:
    world.put("redis_connected", 0, redis="cache")
    for collector in ("redis:cache", "redis:other", "host"):
        world.put("dozor_collector_interval_seconds", 1, collector=collector)
        world.put("dozor_collector_age_seconds", lambda elapsed: elapsed, collector=collector)
    world.run(90)
    inhibited = {alert.labels["collector"]: alert.inhibited_by for alert in world.alerts("MonitoringStale")}
    assert inhibited == {"redis:cache": ("RedisDisconnected",), "redis:other": (), "host": ()}
    assert not any(alert.no_data for alert in world.alerts())


def test_a_lost_database_fires_and_keeps_its_consequences_quiet(world: World) -> None:
    world.put("db_up", 0, pool="default")
    requests(world, 10, 5)
    world.run(120)
    assert world.alert("HttpErrorsHigh").inhibited_by == ("DatabaseDown",)
    assert {group for group, _ in world.words} == {"DatabaseDown"}
    world.put("db_up", 1, pool="default")
    world.run(40)
    assert world.state("DatabaseDown") is None
    assert ("HttpErrorsHigh", "firing") in world.words


def budget(world: World, planned: float, available: float) -> None:
    world.put("db_connection_budget_planned", planned, server="db:5432")
    world.put("db_connection_budget_available", available, server="db:5432")


def test_a_plan_that_the_server_has_no_room_for_fires_after_a_quarter_of_an_hour_and_ends(world: World) -> None:
    budget(world, 120, 97)
    world.run(14 * 60)
    assert "ConnectionBudgetExceeded" not in world.firing
    world.run(2 * 60)
    assert "ConnectionBudgetExceeded" in world.firing
    budget(world, 60, 97)
    world.run(6 * 60)
    assert "ConnectionBudgetExceeded" not in world.firing


def test_a_plan_that_just_fits_is_no_alarm(world: World) -> None:
    budget(world, 97, 97)
    world.run(20 * 60)
    assert "ConnectionBudgetExceeded" not in world.firing


def test_a_clock_that_jumps_is_no_alarm() -> None:
    """Samples are timed by monotonic time; what jumps is a gap in which nothing was evaluated."""
    world = World(step=1.0)
    pool(world, 10, 2)
    redis(world)
    world.put("host_cpu_utilization", 5)
    requests(world, 10, 0)
    world.run(120)
    world.at += 3600
    world.run(120)
    assert not world.alerts()


# What Dozor knows, kept and told


def test_a_store_that_does_not_answer_fires_after_half_a_minute_and_ends_when_it_does(world: World) -> None:
    world.put("dozor_store_unavailable_seconds", lambda elapsed: max(0.0, elapsed - 10) if elapsed < 100 else 0.0)
    world.run(39)
    assert world.state("StoreUnavailable") is None
    world.run(3)
    assert world.state("StoreUnavailable") is AlertState.FIRING
    world.run(60)
    assert world.state("StoreUnavailable") is AlertState.FIRING
    world.run(30)
    assert world.state("StoreUnavailable") is None


def deliveries(world: World, receiver: str, result: str, rate: float, until: float) -> None:
    world.put("dozor_notifications_total", counter(rate, until=until), receiver=receiver, result=result)


def test_a_channel_that_fails_again_and_again_fires_until_it_takes_a_message(world: World) -> None:
    deliveries(world, "slack", "failed", 0.1, until=60)
    deliveries(world, "slack", "dead", 0, until=0)
    deliveries(world, "log", "failed", 0, until=0)
    world.put("dozor_receiver_up", lambda elapsed: 1.0 if elapsed > 600 else 0.0, receiver="slack")
    world.put("dozor_receiver_up", 1, receiver="log")
    world.run(60)
    assert world.alert("NotificationsFailing").labels["receiver"] == "slack"
    world.run(500)
    assert world.state("NotificationsFailing") is AlertState.FIRING
    world.run(60)
    assert world.state("NotificationsFailing") is None


def test_a_message_that_was_given_up_fires_at_once_and_one_that_came_late_does_not(world: World) -> None:
    deliveries(world, "slack", "failed", 0.02, until=150)
    deliveries(world, "pagerduty", "dead", 0.1, until=10)
    world.put("dozor_receiver_up", 1, receiver="slack")
    world.put("dozor_receiver_up", 1, receiver="pagerduty")
    world.run(200)
    assert world.alert("NotificationsFailing").labels["receiver"] == "pagerduty"
    world.run(900)
    assert world.state("NotificationsFailing") is None


# The process


def stalls(world: World, times: float, seconds: float) -> None:
    """So many *times* an hour, of so many *seconds* altogether."""
    world.put("event_loop_watched_seconds", lambda elapsed: 600 + elapsed, worker="0")
    world.put("event_loop_stalls_total", counter(times / 3600), worker="0")
    world.put("event_loop_stall_seconds_total", counter(seconds / 3600), worker="0")


def test_a_loop_that_is_blocked_again_and_again_fires_and_ends_when_it_is_not(world: World) -> None:
    stalls(world, 600, 600)  # ten a minute, of a second each
    world.run(60)
    alert = world.alert("EventLoopBlocked")
    assert alert.state is AlertState.FIRING
    assert dict(alert.labels) == {"alertname": "EventLoopBlocked", "component": "business", "worker": "0"}
    assert "10s" in alert.annotations["description"]
    stalls(world, 600, 120)  # and still two seconds of each minute
    world.run(600)
    assert not world.alert("EventLoopBlocked").holds
    stalls(world, 0, 0)
    world.run(90)
    assert world.state("EventLoopBlocked") is AlertState.FIRING
    world.run(60)
    assert world.state("EventLoopBlocked") is None


def test_a_blocked_loop_is_told_of_by_the_database_that_is_gone(world: World) -> None:
    world.put("db_up", 0, pool="default")
    world.run(30)
    stalls(world, 600, 600)
    world.run(60)
    assert world.alert("EventLoopBlocked").inhibited_by == ("DatabaseDown",)
    assert {word for word, _ in world.words} == {"DatabaseDown"}
