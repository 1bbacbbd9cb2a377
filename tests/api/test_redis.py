"""redis/…: status with figures, metrics, INFO, slow commands."""

from fastapi.testclient import TestClient
from msgspec.structs import replace
from tests.api.fake_backend import AT, REDIS_FIGURES, FakeBackend, a_command


def test_a_server_has_its_figures_by_metric_name(api: TestClient) -> None:
    found = api.get("redis/status").json()
    assert found["status"] == "HEALTHY"
    assert found["servers"][0] == {
        **REDIS_FIGURES,
        "name": "cache",
        "status": "HEALTHY",
        "reasons": [],
        "checked_at": "2027-01-15T08:00:00Z",
        "age_seconds": 0.0,
        "role": None,
        "part_of": None,
    }


def test_a_disconnected_server_keeps_its_last_answer_s_time(api: TestClient, backend: FakeBackend) -> None:
    backend.servers = (
        replace(backend.servers[0], connected=False, collected_at=AT - 30, figures={"redis_connected": 0.0}),
    )
    found = api.get("redis/status").json()
    assert (found["status"], found["age_seconds"]) == ("DISCONNECTED", 30.0)
    assert found["servers"][0]["redis_connected"] == 0.0


def test_metrics_are_those_of_redis(api: TestClient) -> None:
    names = {metric["name"] for metric in api.get("redis/metrics").json()["metrics"]}
    assert names == set(REDIS_FIGURES)


def test_info_by_section_with_what_is_allowed(api: TestClient) -> None:
    assert api.get("redis/info").json() == {
        "servers": [
            {
                "name": "cache",
                "info": {"server": {"redis_version": "7.2.4"}},
                "capabilities": {"slowlog": True, "config|get": False},
                "missing": [
                    (
                        "CONFIG GET is forbidden, so Dozor does not know from when on a command is slow, and whether latency events are "
                        "recorded: allow it with ACL SETUSER NAME +config|get"
                    )
                ],
                "checked_at": "2027-01-15T08:00:00Z",
                "age_seconds": 0.0,
            }
        ]
    }


def test_the_slow_log_says_how_old_it_is(api: TestClient, backend: FakeBackend) -> None:
    backend.servers += (replace(backend.servers[0], name="other", collected_at=AT - 4),)
    found = api.get("redis/slow-log").json()
    assert (found["checked_at"], found["age_seconds"]) == ("2027-01-15T07:59:56Z", 4.0)
    backend.servers = ()
    found = api.get("redis/slow-log").json()
    assert (found["checked_at"], found["age_seconds"]) == (None, None)


def test_the_slow_log_names_the_server_and_hides_arguments(api: TestClient, backend: FakeBackend) -> None:
    backend.commands = [a_command("KEYS"), a_command("GET", client_name="", client="")]
    first, second = api.get("redis/slow-log").json()["entries"]
    assert first == {
        "command": "KEYS",
        "shape": "KEYS",
        "fingerprint": "07024694590eb875",
        "arguments": 1,
        "duration_ms": 41.7,
        "at": "2027-01-15T08:00:00Z",
        "redis": "cache",
        "id": 17,
        "client": "shop",
    }
    assert second["client"] is None
