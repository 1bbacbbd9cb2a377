"""system/health, dashboard/overview, probes."""

import pytest
from fastapi.testclient import TestClient
from msgspec.structs import replace
from tests.api.fake_backend import FakeBackend, an_alert, busy


def test_health_names_five_components(api: TestClient) -> None:
    found = api.get("system/health").json()
    assert (found["status"], found["reasons"]) == ("HEALTHY", [])
    assert list(found["components"]) == ["database", "redis", "http", "host", "dozor"]
    assert found["components"]["redis"] == {"status": "HEALTHY", "reasons": []}


@pytest.mark.parametrize("path", ["system/health", "alerts/active"])
def test_a_judgement_says_how_old_it_is(api: TestClient, backend: FakeBackend, path: str) -> None:
    backend.changes["looked_at"] = backend.clock.timestamp() - 2
    found = api.get(path).json()
    assert (found["checked_at"], found["age_seconds"]) == ("2027-01-15T07:59:58Z", 2.0)
    backend.changes["looked_at"] = None
    assert api.get(path).json()["age_seconds"] is None


def test_health_is_200_however_bad_it_is(api: TestClient, backend: FakeBackend) -> None:
    backend.add(an_alert())
    answer = api.get("system/health")
    assert (answer.status_code, answer.json()["status"]) == (200, "CRITICAL")


def test_the_overview_holds_all_that_the_page_shows(api: TestClient, backend: FakeBackend) -> None:
    busy(backend).add(an_alert())
    found = api.get("dashboard/overview").json()
    assert found["status"] == "CRITICAL"
    assert [alert["id"] for alert in found["alerts"]] == ["a1"]
    assert found["pools"][0]["db_pool_checked_out"] == 14.0
    assert found["servers"][0]["redis_hit_rate"] == 97.4
    assert found["host"]["host_cpu_utilization"] == 31.2
    assert round(found["http"]["requests_per_second"]) == 40
    [line] = found["sparklines"]["host_cpu"]
    assert line["points"][-1][0] == backend.clock.timestamp()
    assert len(line["points"]) == 61


def test_after_the_clock_was_set_sparklines_are_dated_as_people_see_time(api: TestClient, backend: FakeBackend) -> None:
    busy(backend).clock.set_wall(7200)
    found = api.get("dashboard/overview").json()
    assert found["sparklines"]["host_cpu"][0]["points"][-1][0] == backend.clock.timestamp() + 7200
    assert found["generated_at"] == "2027-01-15T10:00:00Z"


@pytest.mark.parametrize("path", ["/health", "/livez"])
def test_a_live_process_answers_though_nothing_else_does(client: TestClient, backend: FakeBackend, path: str) -> None:
    backend.running = False
    assert client.get(path).json() == {"status": "ok"}


def test_ready(client: TestClient, backend: FakeBackend) -> None:
    assert client.get("/readyz").json() == {"status": "ready", "reasons": []}
    backend.add(an_alert(fired_at=None))
    assert client.get("/readyz").status_code == 200
    backend.add(an_alert())
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json() == {"status": "not ready", "reasons": ["PoolUtilizationHigh fires for pool default."]}


def test_readiness_needs_neither_dozors_thread_nor_its_store(client: TestClient, backend: FakeBackend) -> None:
    backend.running = backend.store_answers = False
    assert client.get("/readyz").status_code == 200
    backend.servers = (replace(backend.servers[0], connected=False),)
    assert client.get("/readyz").status_code == 503
