"""Series that others send: what is refused at the door, and a real Prometheus that sends, is scraped, and goes away."""

import struct
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import httpx2
import pytest
from fastapi.testclient import TestClient
from tests.api.fake_backend import FakeBackend
from tests.cli.command import DOZOR, environment
from tests.patience import PATIENCE_SECONDS
from tests.promql.real_prometheus import MISSING, installed, running
from tests.serving import free_port, until_healthy

from dozor.api import create_app
from dozor.api.backend import Access
from dozor.store.remote_write import PACKED_LIMIT_BYTES, UNPACKED_LIMIT_BYTES
from dozor.store.wire import message, pack
from dozor.testing import FakeClock

HEADERS = {"Content-Type": "application/x-protobuf", "Content-Encoding": "snappy"}
PATHS = ("/api/v1/write", "/api/v1/monitoring/prometheus/api/v1/write")


def request(at: int) -> bytes:
    label = message((1, message((1, b"__name__"), (2, b"up"))))
    return pack(message((1, label + message((2, b"\x09" + struct.pack("<d", 1.0) + message((2, at)))))))


def client(backend: FakeBackend) -> TestClient:
    return TestClient(create_app(backend), base_url="http://localhost", client=("127.0.0.1", 4711))


@pytest.fixture
def backend(clock: FakeClock) -> FakeBackend:
    return FakeBackend(clock, Access(remote_write=True))


@pytest.mark.parametrize("path", PATHS)
def test_what_is_sent_is_kept(path: str, backend: FakeBackend, clock: FakeClock) -> None:
    answer = client(backend).post(path, content=request(round(clock.timestamp() * 1000)), headers=HEADERS)
    assert (answer.status_code, answer.content) == (204, b"")
    assert [labels.metric_name for labels in backend.store.series(())] == ["up"]


@pytest.mark.parametrize(
    ("body", "headers", "status", "said"),
    [
        (b"garbage", {}, 400, "not packed with snappy"),
        (pack(b"\xff"), {}, 400, "breaks off"),
        (pack(bytes(UNPACKED_LIMIT_BYTES + 1)), {}, 400, "would be longer than"),
        (bytes(PACKED_LIMIT_BYTES + 1), {}, 413, "at most 8388608 bytes"),
        (b"", {"Content-Encoding": "gzip"}, 415, "Content-Encoding snappy"),
        (b"", {"Content-Type": "application/json"}, 415, "Content-Type application/x-protobuf"),
        (b"", {"Content-Type": "application/x-protobuf;proto=io.prometheus.write.v2.Request"}, 415, "remote write 1.0"),
        (b"", {"X-Forwarded-For": "1.2.3.4"}, 403, "proxy"),
    ],
)
def test_what_cannot_be_kept_is_refused_for_good(
    body: bytes, headers: dict[str, str], status: int, said: str, backend: FakeBackend
) -> None:
    answer = client(backend).post(PATHS[0], content=body, headers=HEADERS | headers)
    assert answer.status_code == status
    assert answer.json()["status"] == "error"
    assert said in answer.json()["error"]


def test_it_is_off_until_asked_for_and_behind_the_key(clock: FakeClock) -> None:
    body = request(round(clock.timestamp() * 1000))
    off = client(FakeBackend(clock)).post(PATHS[0], content=body, headers=HEADERS)
    assert (off.status_code, "DOZOR_REMOTE_WRITE=1" in off.text) == (404, True)
    locked = client(FakeBackend(clock, Access(api_key="k", remote_write=True)))
    assert locked.post(PATHS[0], content=body, headers=HEADERS).status_code == 401
    assert locked.post(PATHS[0], content=body, headers=HEADERS | {"X-API-Key": "k"}).status_code == 204


def test_a_sender_is_asked_to_come_again_while_dozor_does_not_run(backend: FakeBackend) -> None:
    backend.running = False
    answer = client(backend).post(PATHS[0], content=request(0), headers=HEADERS)
    assert (answer.status_code, "Retry-After" in answer.headers) == (503, True)


@pytest.mark.skipif(not installed(), reason=MISSING)
def test_a_real_prometheus_sends_and_is_scraped(tmp_path: Path) -> None:
    port = free_port()
    configuration = (
        "global: {scrape_interval: 1s}\n"
        "scrape_configs: [{job_name: dozor, metrics_path: /api/v1/monitoring/metrics, static_configs: [{targets: "
        f"['127.0.0.1:{port}']}}]}}]\n"
        f"remote_write: [{{url: 'http://127.0.0.1:{port}/api/v1/write', queue_config: {{batch_send_deadline: 100ms}}}}]\n"
    )
    with running({"prometheus.yml": configuration}) as prometheus:
        scraped = f"prometheus=http://127.0.0.1:{prometheus.port}/metrics"
        command = [DOZOR, "serve", "--port", str(port), "--scrape", scraped]
        variables = {"DOZOR_REMOTE_WRITE": "1", "DOZOR_SCRAPE_INTERVAL": "1s"}
        with subprocess.Popen(command, cwd=tmp_path, env=environment(tmp_path, **variables)) as process:
            try:
                until_healthy(process, port)
                wait_for(lambda: value(port, 'up{job="dozor"}') == 1)
                wait_for(lambda: value(port, 'count({job="dozor",__name__=~"host_.*"}) > bool 1') == 1)
                wait_for(lambda: value(port, 'up{job="prometheus"}') == 1)
                wait_for(lambda: value(port, 'prometheus_build_info{job="prometheus"}') == 1)
            finally:
                process.kill()


def value(port: int, query: str) -> float | None:
    """What *query* gives, if that is one number."""
    answer = httpx2.get(
        f"http://127.0.0.1:{port}/api/v1/query", params={"query": query}, trust_env=False, timeout=PATIENCE_SECONDS
    ).json()
    found = answer["data"]["result"]
    return float(found[0]["value"][1]) if len(found) == 1 else None


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)
