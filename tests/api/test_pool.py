"""pool/…: status with figures, metrics, statistics, slow statements."""

import math

from fastapi.testclient import TestClient
from msgspec.structs import replace
from tests.api.fake_backend import AT, POOL_FIGURES, FakeBackend, a_query

from dozor.instruments.connection_budget import ServerBudget
from dozor.instruments.pool_advice import PoolAdvice
from dozor.instruments.pool_endpoints import EndpointUse
from dozor.instruments.pool_holders import Holder, Waiter
from dozor.instruments.pool_leaks import Leak, Outcome
from dozor.instruments.pool_places import UsualPlace
from dozor.model.labels import Labels
from dozor.model.sample import Family, MetricType, Sample
from dozor.overview import PoolConnections, PoolReview


def test_a_pool_has_its_figures_by_metric_name(api: TestClient) -> None:
    answer = api.get("pool/status")
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json() == {
        "status": "HEALTHY",
        "reasons": [],
        "checked_at": "2027-01-15T08:00:00Z",
        "age_seconds": 0.0,
        "pools": [
            {
                **POOL_FIGURES,
                "name": "default",
                "status": "HEALTHY",
                "reasons": [],
                "checked_at": "2027-01-15T08:00:00Z",
                "age_seconds": 0.0,
                "worker": None,
            }
        ],
    }


def test_the_age_is_that_of_the_oldest_reading(api: TestClient, backend: FakeBackend) -> None:
    backend.pools += (replace(backend.pools[0], name="other", collected_at=AT - 4),)
    backend.clock.advance(1)
    assert api.get("pool/status").json()["age_seconds"] == 5.0


def test_an_unknown_figure_is_absent(api: TestClient, backend: FakeBackend) -> None:
    backend.pools = (replace(backend.pools[0], figures={"db_pool_size": 5.0, "db_pool_waiting": math.nan}),)
    [pool] = api.get("pool/status").json()["pools"]
    assert pool["db_pool_size"] == 5.0
    assert "db_pool_waiting" not in pool
    assert "db_pool_utilization" not in pool


def test_without_a_pool_the_status_is_null_and_says_how_to_add_one(api: TestClient, backend: FakeBackend) -> None:
    backend.pools = ()
    found = api.get("pool/status").json()
    assert (found["status"], found["pools"], found["checked_at"], found["age_seconds"]) == (None, [], None, None)
    assert "Dozor(engine=engine)" in found["reasons"][0]


def test_metrics_are_those_of_pools_and_queries(api: TestClient, backend: FakeBackend) -> None:
    backend.wait.observe(0.005)
    servers = {
        "db_up",
        "db_server_max_connections",
        "pg_stat_database_deadlocks",
        "pgbouncer_up",
        "dozor_pool_drift_total",
    }
    behind = [
        Family(name, MetricType.GAUGE, f"{name}.", "", (Sample(name, Labels(pool="default"), 1.0),)) for name in servers
    ]
    odd = Family("db_pool_odd", MetricType.GAUGE, "Odd.", "", (Sample("db_pool_odd", Labels(), math.nan),))
    backend.extra_families = [*behind, odd]
    metrics = {metric["name"]: metric for metric in api.get("pool/metrics").json()["metrics"]}
    assert servers <= metrics.keys()
    assert not any(name.startswith("redis_") for name in metrics)
    assert metrics["db_pool_odd"]["samples"] == []
    assert metrics["db_pool_checked_out"] == {
        "name": "db_pool_checked_out",
        "type": "gauge",
        "unit": "connections",
        "help": "db_pool_checked_out.",
        "samples": [{"labels": {"pool": "default"}, "value": 14.0}],
    }
    histogram = metrics["db_pool_wait_seconds"]["samples"]
    assert {sample["name"] for sample in histogram} == {
        "db_pool_wait_seconds_bucket",
        "db_pool_wait_seconds_sum",
        "db_pool_wait_seconds_count",
    }


def test_statistics_cover_three_windows_and_name_the_holders(api: TestClient, backend: FakeBackend) -> None:
    backend.holders = [Holder("GET /orders", 4.2, leaked=False)]
    [pool] = api.get("pool/statistics").json()["pools"]
    assert set(pool["windows"]) == {"since_start", "5m", "1h"}
    assert pool["windows"]["5m"]["wait_seconds"]["p95"] == 0.001
    assert pool["windows"]["5m"]["use_seconds"] == dict.fromkeys(("mean", "p50", "p95", "p99", "max")) | {"count": 0}
    assert pool["holders"] == [{"who": "GET /orders", "held_seconds": 4.2, "leaked": False}]


HOLDER = Holder(
    "GET /orders", 41.3, leaked=False, connection="5c09a1", backend_pid=4711, endpoint="GET /orders", task="Task-7",
    state="idle in transaction", state_seconds=40.0, statement="SELECT ?", statement_seconds=41.0,
    taken_at=("orders.py:12 in list_orders",), now_at=("orders.py:17 in list_orders",),
    usually_taken_at=(UsualPlace(("orders.py:12 in list_orders",), 3),),
)  # fmt: skip


def test_holders_and_waiters_are_listed_with_their_lines(api: TestClient, backend: FakeBackend) -> None:
    waiter = Waiter("GET /slow", 2.5, endpoint="GET /slow", thread="AnyIO worker thread", now_at=("slow.py:3 in slow",))
    figures = {"db_pool_checked_out": 2.0, "db_pool_capacity": 15.0}
    backend.connections = [
        PoolConnections("default", figures, [HOLDER, HOLDER], [waiter]),
        PoolConnections("other", {}),
    ]
    default, other = api.get("pool/holders?limit=1").json()["pools"]
    assert (default["name"], default["checked_out"], default["capacity"]) == ("default", 2.0, 15.0)
    assert (default["holders_total"], default["waiters_total"], len(default["holders"])) == (2, 1, 1)
    assert default["holders"][0] == {
        **{name: getattr(HOLDER, name) for name in HOLDER.__struct_fields__},
        "taken_at": ["orders.py:12 in list_orders"],
        "usually_taken_at": [{"lines": ["orders.py:12 in list_orders"], "times": 3}],
        "now_at": ["orders.py:17 in list_orders"],
    }
    assert default["waiters"] == [
        {
            "who": "GET /slow",
            "waited_seconds": 2.5,
            "endpoint": "GET /slow",
            "task": None,
            "thread": "AnyIO worker thread",
            "now_at": ["slow.py:3 in slow"],
        }
    ]
    assert (other["holders"], other["capacity"]) == ([], None)
    assert [pool["name"] for pool in api.get("pool/holders?pool=other").json()["pools"]] == ["other"]


def test_leaks_come_newest_first_with_what_became_of_them(api: TestClient, backend: FakeBackend) -> None:
    leaks = [Leak(AT - 5, Outcome.COLLECTED, HOLDER), Leak(AT - 90, Outcome.RETURNED, HOLDER)]
    figures = {"db_pool_garbage_collected_total": 1.0}
    backend.connections = [
        PoolConnections("default", figures, leaks=leaks),
        PoolConnections("other", {}, leaks=[Leak(AT - 20, Outcome.HELD, HOLDER)]),
    ]
    found = api.get("pool/leaks?limit=2").json()
    assert [(entry["pool"], entry["outcome"]) for entry in found["entries"]] == [
        ("default", "garbage collected"),
        ("other", "held"),
    ]
    assert (found["total"], found["garbage_collected_total"]) == (3, 1)
    assert found["entries"][0]["holder"]["taken_at"] == ["orders.py:12 in list_orders"]
    assert api.get("pool/leaks?limit=0").status_code == 422


def test_advice_shows_its_working_and_the_budget(api: TestClient, backend: FakeBackend) -> None:
    advice = PoolAdvice(3600.0, 10.0, 0.2, 2.0, 3, 6, 0.001, 3, 5, ("10 x 0.2 = 2",))
    use = EndpointUse("GET /orders", held_seconds=7.0, waits=2, wait_seconds=0.4, longest_wait_seconds=0.3, timeouts=1)
    backend.reviews = [PoolReview("default", advice, [use], statements_per_checkout=3.5)]
    backend.server_budgets = [ServerBudget("db:5432", 120, 97, 0, "8 workers x 15 = 120")]
    answer = api.get("pool/advice").json()
    [pool] = answer["pools"]
    assert (pool["pool_size"], pool["max_overflow"], pool["working"]) == (3, 5, ["10 x 0.2 = 2"])
    assert (pool["statements_per_checkout"], pool["endpoints"][0]["timeouts"]) == (3.5, 1)
    assert answer["budget"] == [
        {
            "server": "db:5432",
            "planned": 120,
            "available": 97,
            "others": 0,
            "exceeded": True,
            "working": "8 workers x 15 = 120",
        }
    ]


def test_slow_statements_come_newest_first_in_pages_that_do_not_shift(api: TestClient, backend: FakeBackend) -> None:
    backend.queries = [a_query(f"SELECT {index}", at=AT - index) for index in range(5)]
    first = api.get("pool/slow-queries?limit=2").json()
    assert first["total"] == 5
    assert first["entries"][0] == {
        "statement": "SELECT 0",
        "duration_ms": 2000.0,
        "at": "2027-01-15T08:00:00Z",
        "pool": "default",
        "operation": "SELECT",
        "caller": "orders.py:88 in list_orders",
        "failed": False,
        "error": None,
        "endpoint": "GET /orders",
        "fingerprint": "8c1f2a90b7de4431",
    }
    backend.queries.insert(0, a_query("SELECT newer"))
    second = api.get("pool/slow-queries", params={"limit": 2, "cursor": first["next_cursor"]}).json()
    last = api.get("pool/slow-queries", params={"limit": 2, "cursor": second["next_cursor"]}).json()
    seen = [entry["statement"] for page in (first, second, last) for entry in page["entries"]]
    assert seen == [f"SELECT {index}" for index in range(5)]
    assert last["next_cursor"] is None


def test_slow_statements_of_one_pool(api: TestClient, backend: FakeBackend) -> None:
    backend.queries = [a_query(f"SELECT {index}", pool="other" if index % 2 else "default") for index in range(6)]
    first = api.get("pool/slow-queries?pool=other&limit=2").json()
    assert [entry["statement"] for entry in first["entries"]] == ["SELECT 1", "SELECT 3"]
    assert first["total"] == 3
    backend.queries.insert(0, a_query("SELECT newer"))
    last = api.get("pool/slow-queries", params={"pool": "other", "cursor": first["next_cursor"]}).json()
    assert [entry["statement"] for entry in last["entries"]] == ["SELECT 5"]
    assert api.get("pool/slow-queries?pool=none").json() == {"entries": [], "total": 0, "next_cursor": None}
