"""Dozor in an application: the incidents that people are woken for, from the first sign to the last message."""

import threading
from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import pytest
from sqlalchemy import create_engine, text
from tests.patience import PATIENCE_SECONDS
from tests.system.conftest import API, Process, WebhookSink, eventually, timed

from dozor.demo.servers import EmbeddedServer

READS = (
    "/pool/status", "/pool/metrics", "/pool/statistics", "/pool/slow-queries",
    "/redis/status", "/redis/metrics", "/redis/info", "/redis/slow-log",
    "/alerts/active", "/alerts/history", "/alerts/statistics", "/alerts/rules",
    "/system/health", "/metrics/all", "/dashboard/overview",
)  # fmt: skip


@pytest.fixture
def app(
    shop: Callable[..., Process], own_valkey: EmbeddedServer, own_postgres: EmbeddedServer, webhook: WebhookSink,
    quick_rules: str,
) -> Iterator[Process]:  # fmt: skip
    process = shop(
        DATABASE_URL=own_postgres.async_url, REDIS_URL=own_valkey.url, DOZOR_WEBHOOK_URL=webhook.url,
        DOZOR_RULES=quick_rules, POOL_TIMEOUT="4",
    )  # fmt: skip
    eventually(lambda: process.get("/system/health")["status"], lambda status: status == "HEALTHY")
    yield process
    if process.killed:
        return
    assert process.stop() in {0, -15}
    assert "internal error" not in process.log


@pytest.fixture(scope="module")
def calm_app(
    shared_shop: Callable[..., Process], valkey_server: EmbeddedServer, shared_postgres_database: str
) -> Iterator[Process]:
    """For tests after which it is as before."""
    url = shared_postgres_database.replace("+psycopg:", "+asyncpg:")
    process = shared_shop(DATABASE_URL=url, REDIS_URL=valkey_server.url)
    eventually(lambda: process.get("/system/health")["status"], lambda status: status == "HEALTHY")
    yield process
    assert process.stop() in {0, -15}
    assert "internal error" not in process.log


def status(process: Process, what: str) -> str:
    found: str = process.get(f"/{what}/status")["status"]
    return found


def figures(process: Process) -> dict[str, Any]:
    pool: dict[str, Any] = process.get("/pool/status")["pools"][0]
    return pool


def test_every_reading_answers_with_true_values(
    calm_app: Process, valkey_server: EmbeddedServer, shared_postgres_database: str
) -> None:
    app = calm_app
    for path in READS:
        app.get(path)
    document = app.http.get("/openapi.json").json()
    actions = {f"{API}/alerts/{{alert_id}}/{action}" for action in ("acknowledge", "silence", "resolve")}
    assert {API + path for path in READS} | actions <= set(document["paths"])
    servers = app.get("/redis/info")["servers"]
    assert servers[0]["info"]["server"]["tcp_port"] == valkey_server.port
    pool = figures(app)
    assert (pool["db_pool_size"], pool["db_pool_capacity"], pool["db_pool_checked_out"]) == (5, 15, 0)
    engine = create_engine(shared_postgres_database)
    ours = "datname = current_database() AND application_name LIKE 'dozor%'"
    with engine.connect() as connection:
        asked = connection.scalar(text(f"SELECT count(*) FROM pg_stat_activity WHERE {ours}"))
    engine.dispose()
    assert asked is not None
    assert asked <= 1, "one connection of Dozor's own at most"
    assert app.http.get("/metrics").text.count("# TYPE") > 40
    assert "Dozor" in app.http.get(API + "/").text


@pytest.mark.parametrize("how", ["kill", "freeze"])
def test_a_redis_that_dies_or_hangs(app: Process, own_valkey: EmbeddedServer, webhook: WebhookSink, how: str) -> None:
    getattr(own_valkey, how)()
    with timed(2.5):  # the promise is 2 s; half a second is the reading's own
        eventually(lambda: status(app, "redis"), lambda found: found == "DISCONNECTED")
    for path in READS:
        with timed(1.0):
            app.get(path)
    (alert,) = eventually(
        lambda: app.alerts("RedisDisconnected"), lambda found: [a["state"] for a in found] == ["FIRING"]
    )
    assert alert["labels"]["redis"] == "default"
    assert app.http.get("/readyz").status_code == 503
    assert app.http.get("/health").status_code == 200
    eventually(lambda: webhook.told("RedisDisconnected"), lambda told: told == ["firing"])
    own_valkey.start() if how == "kill" else own_valkey.thaw()
    eventually(lambda: app.alerts("RedisDisconnected"), lambda found: found == [])
    eventually(lambda: webhook.told("RedisDisconnected"), lambda told: told == ["firing", "resolved"])
    eventually(lambda: status(app, "redis"), lambda found: found == "HEALTHY")
    assert app.http.get("/readyz").status_code == 200
    (kept,) = app.history("RedisDisconnected")
    assert (kept["id"], kept["state"]) == (alert["id"], "RESOLVED")


@pytest.mark.parametrize("how", ["kill", "freeze"])
def test_a_postgresql_that_dies_or_hangs(
    app: Process, own_postgres: EmbeddedServer, webhook: WebhookSink, how: str
) -> None:
    getattr(own_postgres, how)()
    with timed(3.5):
        eventually(lambda: status(app, "pool"), lambda found: found == "CRITICAL")
    eventually(lambda: app.alerts("DatabaseDown"), lambda found: [a["state"] for a in found] == ["FIRING"])
    eventually(lambda: webhook.told("DatabaseDown"), lambda told: told == ["firing"])
    own_postgres.start() if how == "kill" else own_postgres.thaw()
    eventually(lambda: webhook.told("DatabaseDown"), lambda told: told == ["firing", "resolved"])
    eventually(lambda: status(app, "pool"), lambda found: found == "HEALTHY")


def test_a_full_pool(app: Process, webhook: WebhookSink) -> None:
    def hold(seconds: float) -> None:
        httpx2.get(f"http://127.0.0.1:{app.port}/hold/{seconds}", timeout=2 * PATIENCE_SECONDS)

    holders = [threading.Thread(target=hold, args=(60,)) for _ in range(15)]
    for holder in holders:
        holder.start()
    eventually(lambda: figures(app)["db_pool_utilization"], lambda used: used == 100)
    (high,) = eventually(
        lambda: app.alerts("PoolUtilizationHigh"), lambda found: [a["state"] for a in found] == ["FIRING"]
    )
    assert high["severity"] == "CRITICAL"
    eventually(
        lambda: [alert["inhibited_by"] for alert in app.alerts("PoolConnectionsLow", pending=False)],
        lambda found: found == [["PoolUtilizationHigh"]],
    )
    assert app.http.get("/readyz").status_code == 503
    eventually(lambda: webhook.told("PoolUtilizationHigh"), lambda told: told == ["firing"])

    late = threading.Thread(target=hold, args=(0,))
    late.start()
    eventually(lambda: figures(app)["db_pool_waiting"], lambda waiting: waiting == 1)
    late.join()  # gave up after its four seconds: "QueuePool limit of size 5 overflow 10 reached"
    eventually(lambda: figures(app)["db_pool_timeouts_total"], lambda timeouts: timeouts == 1)
    eventually(lambda: app.alerts("PoolTimeouts"), lambda found: [a["state"] for a in found] == ["FIRING"])
    eventually(lambda: webhook.told("PoolTimeouts"), lambda told: told == ["firing"])

    app.http.post("/release")
    for holder in holders:
        holder.join()
    eventually(lambda: app.alerts("PoolUtilizationHigh"), lambda found: found == [])
    eventually(lambda: webhook.told("PoolUtilizationHigh"), lambda told: told == ["firing", "resolved"])
    assert webhook.told("PoolConnectionsLow") == [], "what is inhibited tells nobody"


def test_a_slow_query_is_kept_without_its_secrets_and_with_its_place(calm_app: Process) -> None:
    app = calm_app
    app.http.get("/sleep/1.2")
    (entry,) = eventually(lambda: app.get("/pool/slow-queries")["entries"], lambda found: len(found) == 1)
    assert entry["duration_ms"] >= 1200
    assert "hunter2" not in str(entry)
    assert "pg_sleep" in entry["statement"]
    assert "application.py" in entry["caller"]
    eventually(lambda: figures(app)["db_pool_slow_queries_total"], lambda total: total == 1)


def test_acting_on_an_alert_outlives_a_kill(
    app: Process, shop: Callable[..., Process], own_valkey: EmbeddedServer, own_postgres: EmbeddedServer,
    webhook: WebhookSink, quick_rules: str,
) -> None:  # fmt: skip
    own_valkey.stop()
    (alert,) = eventually(
        lambda: app.alerts("RedisDisconnected"), lambda found: [a["state"] for a in found] == ["FIRING"]
    )
    eventually(lambda: webhook.told("RedisDisconnected"), lambda told: told == ["firing"])
    acknowledged = app.http.post(f"{API}/alerts/{alert['id']}/acknowledge", json={"by": "ann", "comment": "mine"})
    assert (acknowledged.status_code, acknowledged.json()["state"]) == (200, "ACKNOWLEDGED")
    app.kill()
    again = shop(
        DATABASE_URL=own_postgres.async_url,
        REDIS_URL=own_valkey.url,
        DOZOR_WEBHOOK_URL=webhook.url,
        DOZOR_RULES=quick_rules,
    )
    (kept,) = eventually(lambda: again.alerts("RedisDisconnected"), lambda found: len(found) == 1)
    assert (kept["id"], kept["state"], kept["acknowledged"]["by"]) == (alert["id"], "ACKNOWLEDGED", "ann")
    own_valkey.start()
    # Killed before it could note that the first had arrived, it says so again, under the same id.
    eventually(lambda: webhook.told("RedisDisconnected", once=True), lambda told: told == ["firing", "resolved"])
    again.stop()


def test_wrong_requests_get_one_clear_problem_each(calm_app: Process) -> None:
    cases = [
        ("POST", "/alerts/nothing/acknowledge", {}, 404, "nothing"),
        ("POST", "/alerts/nothing/silence", {"duration": "-1h"}, 422, "duration"),
        ("POST", "/alerts/nothing/silence", {}, 422, "duration"),
        ("GET", "/alerts/history?limit=0", None, 422, "limit"),
        ("GET", "/alerts/history?severity=loud", None, 422, "severity"),
        ("GET", "/nowhere", None, 404, ""),
    ]
    for method, path, body, code, named in cases:
        response = calm_app.http.request(method, API + path, json=body)
        assert response.status_code == code, (path, response.text)
        assert named in response.text
        if path != "/nowhere":
            assert response.headers["content-type"] == "application/problem+json"
            assert response.json()["status"] == code


def test_the_application_keeps_what_is_its_own(calm_app: Process) -> None:
    app = calm_app
    assert app.http.get("/events").json() == ["started"]
    assert app.http.get("/").status_code == 404, "the application has no page at its root, and gets none"
    assert app.http.get("/docs").status_code == 200
    not_found = app.http.get("/nowhere")
    assert (not_found.status_code, not_found.json()) == (404, {"detail": "Not Found"})
    app.http.get("/fail")
    samples = eventually(
        lambda: {s["labels"]["route"]: s for s in requests(app)}, lambda found: {"/fail", "(unmatched)"} <= set(found)
    )
    assert samples["/fail"]["labels"]["status"] == "500"
    assert not any(route.startswith(API) for route in samples), "Dozor's own requests are not the application's"


def requests(app: Process) -> list[dict[str, Any]]:
    families = {family["name"]: family for family in app.get("/metrics/all")["metrics"]}
    samples: list[dict[str, Any]] = families["http_requests_total"]["samples"]
    return samples
