"""What is watched no longer, and what is said of what is watched, in a Dozor at work."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
import redis
from fastapi.testclient import TestClient
from sqlalchemy import create_engine
from tests.instruments.targets import Target, reply, serving, text
from tests.patience import PATIENCE_SECONDS
from tests.promql.real_prometheus import MISSING, installed, running

from dozor import Dozor, Rule
from dozor.demo.servers import EmbeddedServer
from dozor.errors import ConfigurationError
from dozor.instruments import database_statistics_monitor
from dozor.model.labels import Labels
from dozor.monitor import Monitor
from dozor.settings import Settings

API = "/api/v1/monitoring"


@pytest.fixture
def target() -> Iterator[Target]:
    with serving() as target:
        target.answer = text("temperature 95\n")
        yield target


def monitor_of(dozor: Dozor) -> Monitor:
    assert dozor._monitor is not None
    return dozor._monitor


def asking(monitor: Monitor) -> Callable[[str], Any]:
    """Gets JSON of a path below the API's; asks again where a busy machine's Dozor has no time to answer (503)."""
    client = TestClient(monitor.reception.application(), base_url="http://localhost", client=("127.0.0.1", 4711))

    def asked(path: str) -> Any:
        answer = waiting(
            lambda: (one := client.get(f"{API}/{path}")).status_code != HTTPStatus.SERVICE_UNAVAILABLE and one
        )
        return answer.json()

    return asked


def waiting(look: Callable[[], Any]) -> Any:
    """What *look* gives once it is something."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (found := look()):
        assert time.monotonic() < deadline, found
        time.sleep(0.05)
    return found


def settings(folder: Path, **fields: Any) -> Settings:
    return Settings(store_url=f"sqlite:///{folder}/own.db", **fields)


def test_what_is_scraped_no_longer_ends_with_its_alerts(target: Target, tmp_path: Path) -> None:
    hot = Rule(alert="Hot", expr="temperature > 90", labels={"severity": "warning"})
    given = settings(tmp_path, scrape_urls=f"shop={target.url}", scrape_interval_seconds=1.0)
    with Dozor(name="removal", settings=given, rules=[hot]) as dozor:
        ask = asking(monitor_of(dozor))
        waiting(lambda: ask("alerts/active")["total"])
        with pytest.raises(ConfigurationError, match="'stall' is not watched; watched: shop"):
            dozor.remove("stall")
        dozor.remove("shop")
        waiting(lambda: ask("alerts/active")["total"] == 0)
        assert [one["rule"] for one in ask("alerts/history")["alerts"]] == ["Hot"]
        assert ask('prometheus/api/v1/query?query={job="shop",alertname=""}')["data"]["result"] == []
        pools = {one["scrapePool"] for one in ask("prometheus/api/v1/targets")["data"]["activeTargets"]}
        assert pools - {"response_cache"} == {
            "runtime",
            "host",
            "dozor",
            "cost",
        }  # which another test may have imported
        asked = len(target.paths)
        time.sleep(1.2)  # longer than the interval
        assert len(target.paths) == asked


def test_what_is_scraped_is_a_target_with_its_own_figures(target: Target, tmp_path: Path) -> None:
    def slow(handler: Any) -> None:
        time.sleep(0.1)
        reply(503)(handler)

    target.answer = slow
    given = settings(tmp_path, scrape_urls=f"shop=http://me:secret@{target.address}/metrics")
    with Dozor(name="targets", settings=given) as dozor:
        ask = asking(monitor_of(dozor))
        (found,) = waiting(
            lambda: [
                one
                for one in ask("prometheus/api/v1/targets?scrapePool=shop")["data"]["activeTargets"]
                if one["health"] != "unknown"
            ]
        )
    assert found["lastScrapeDuration"] >= 0.1
    assert found["labels"] == {"job": "shop", "instance": target.address}
    assert found["scrapeUrl"] == f"http://{target.address}/metrics"
    assert (found["health"], found["scrapeInterval"], found["scrapeTimeout"]) == ("down", "5s", "5s")
    assert "status 503" in found["lastError"]


@pytest.mark.skipif(not installed(), reason=MISSING)
def test_a_rule_over_series_kept_elsewhere_is_explained_by_them(tmp_path: Path) -> None:
    far = Rule(alert="Far", expr="far_away > 90", labels={"severity": "warning"})
    with running() as prometheus:
        now = round(time.time()) * 1000
        prometheus.write([(Labels(__name__="far_away", job="a"), [(now - 1000, 42.0), (now, 42.0)])])
        given = settings(tmp_path, metrics_url=f"http://127.0.0.1:{prometheus.port}")
        with Dozor(name="far", settings=given, rules=[far]) as dozor:
            ask = asking(monitor_of(dozor))

            def explained() -> Any:
                (found,) = ask("alerts/rules/Far/explain")["rules"]
                return found if found["health"] == "ok" and found["series"] else None

            found = waiting(explained)
    assert found["missing"] == []
    assert [(one["value"], one["why"]) for one in found["series"]] == [(42.0, "42 is not > 90: 48 away")]


class TestStandingConnection:
    """At an interval in which no second cycle comes: what is seen is seen by the end of the connection."""

    def test_the_death_of_a_server_is_told_before_the_next_cycle(
        self, own_valkey: EmbeddedServer, tmp_path: Path
    ) -> None:
        with self._watching(own_valkey, tmp_path) as ask:
            own_valkey.kill()
            (alert,) = waiting(lambda: ask("alerts/active")["alerts"])
            assert (alert["rule"], alert["state"]) == ("RedisGone", "FIRING")
            assert ask("redis/status")["status"] == "DISCONNECTED"

    def test_a_server_that_closes_its_connections_and_takes_them_again_alarms_nobody(
        self, own_valkey: EmbeddedServer, tmp_path: Path
    ) -> None:
        with self._watching(own_valkey, tmp_path) as ask, redis.Redis(port=own_valkey.port) as app:
            app.client_kill_filter(_type="normal", skipme=True)
            waiting(lambda: _early_collections(ask) == 1)
            waiting(lambda: [one for one in app.client_list() if one["name"] == "dozor"])
            assert ask("alerts/history")["alerts"] == []
            assert ask("redis/status")["status"] == "HEALTHY"

    @contextmanager
    def _watching(self, server: EmbeddedServer, folder: Path) -> Iterator[Callable[[str], Any]]:
        gone = Rule(alert="RedisGone", expr="redis_connected == 0", labels={"severity": "critical"})
        given = settings(folder, interval_seconds=30.0)
        with Dozor(redis=server.url, name="standing", settings=given, rules=[gone]) as dozor:
            ask = asking(monitor_of(dozor))
            waiting(lambda: ask("redis/status")["status"] == "HEALTHY")
            yield ask


def _early_collections(ask: Callable[[str], Any]) -> float:
    metrics = {metric["name"]: metric for metric in ask("metrics/all")["metrics"]}
    value: float = metrics["dozor_early_collections_total"]["samples"][0]["value"]
    return value


def test_another_version_of_the_application_is_marked_once(tmp_path: Path) -> None:
    for version, marks in (("1.0", 1), ("1.0", 1), ("1.1", 2)):
        with Dozor(name="shop", settings=settings(tmp_path, version=version)) as dozor:
            ask = asking(monitor_of(dozor))
            found = waiting(lambda: ask("annotations?tag=deploy")["annotations"])  # noqa: B023 - called at once
            assert found[0]["text"] == f"Version {version} of shop"
            assert len(found) == marks
            kinds = [one["kind"] for one in ask("dashboard/changes")["changes"]]
            assert (kinds.count("deployed"), kinds.count("started")) == (marks, 1)


def test_a_transaction_stands_under_the_pool_that_has_its_connection_and_there_only(
    postgres_database: str, tmp_path: Path
) -> None:
    reads, writes = create_engine(postgres_database), create_engine(postgres_database)
    other = create_engine(postgres_database)
    with Dozor(engine={"reads": reads, "writes": writes}, name="two", settings=settings(tmp_path)) as dozor:
        ask = asking(monitor_of(dozor))
        with reads.connect() as reading, writes.connect() as writing, other.connect() as elsewhere:
            reading.exec_driver_sql("SELECT 1, 1")
            writing.exec_driver_sql("SELECT 2, 2, 2")
            elsewhere.exec_driver_sql("SELECT 3, 3, 3, 3")

            def seen() -> Any:
                servers = ask("queries/activity")["servers"]
                return {one["pool"]: {entry["statement"] for entry in one["transactions"]} for one in servers}

            # The first look of one pool may come before the last statement, and that of the other one after it.
            wanted = {"reads": {"SELECT ?, ?", "SELECT ?, ?, ?, ?"}, "writes": {"SELECT ?, ?, ?"}}
            waiting(lambda: seen() == wanted)
            assert len(ask("queries/activity?pool=writes")["servers"][0]["transactions"]) == 3
    for engine in (reads, writes, other):
        engine.dispose()


def test_an_agent_shows_the_statements_of_a_server_and_says_what_it_lacks(
    postgres_database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_statistics_monitor, "EVERY_SECONDS", 0.2)
    engine = create_engine(postgres_database)
    given = settings(tmp_path, database_urls=f"main={postgres_database}")
    with Dozor(name="agent", settings=given) as dozor, engine.connect() as connection:
        ask = asking(monitor_of(dozor))
        missing = waiting(
            lambda: [one["missing"] for one in ask("queries/top")["sources"] if one["checked_at"] is not None]
        )
        assert "CREATE EXTENSION pg_stat_statements" in missing[0]
        connection.exec_driver_sql("CREATE EXTENSION pg_stat_statements")
        connection.commit()
        waiting(lambda: ask("queries/top")["sources"][0]["missing"] is None)

        def sent() -> Any:
            connection.exec_driver_sql("SELECT 'hunter2', 1, 2")
            connection.commit()
            return [one for one in ask("queries/top")["queries"] if one["statement"] == "SELECT $1, $2, $3"]

        [found] = waiting(sent)
        assert (found["source"], found["pool"], found["errors"]) == ("server", "main", None)
        assert "hunter2" not in str(ask("queries/top"))
        assert ask(f"queries/{found['fingerprint']}")["pools"][0]["windows"]["5m"]["calls"] >= 1
        names = {one["name"] for one in ask("pool/metrics")["metrics"]}
        assert {"pg_stat_database_deadlocks", "db_server_cache_hit_rate"} <= names
    engine.dispose()
