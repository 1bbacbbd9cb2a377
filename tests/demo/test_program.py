"""The demo as a process: what it serves, and what it leaves behind."""

import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from tests.demo.program import Demo, running_demo
from tests.patience import PATIENCE_SECONDS, promised

from dozor.demo.servers import EmbeddedServers


@pytest.fixture
def demo(tmp_path: Path, embedded_servers: EmbeddedServers) -> Iterator[Demo]:
    with running_demo(tmp_path, embedded_servers, "error-burst") as demo:
        yield demo


def test_it_serves_and_ends_in_order_leaving_nothing(demo: Demo) -> None:
    assert demo.wait_for("/health").json() == {"status": "ok"}
    demo.wait_for("/")
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (requests := _requests(demo)):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert any(labels.get("route") == "/products" for labels in requests)
    names = {metric["name"] for metric in _metrics(demo)}
    assert {"db_pool_checkouts_total", "redis_connected", "event_loop_lag_seconds"} <= names

    process = demo.process
    family = psutil.Process(process.pid).children(recursive=True)
    assert {"postgres", "valkey-server"} <= {child.name() for child in family}
    process.send_signal(signal.SIGTERM)
    began = time.monotonic()
    output, _ = process.communicate(timeout=PATIENCE_SECONDS)
    assert time.monotonic() - began < promised(5)
    assert process.returncode == 0
    assert "Traceback" not in output
    assert f"Dozor: {demo.url}/" in output
    _, alive = psutil.wait_procs(family, timeout=PATIENCE_SECONDS)
    assert alive == []
    assert list(demo.folder.iterdir()) == []


def _metrics(demo: Demo) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = demo.wait_for("/api/v1/monitoring/metrics/all").json()["metrics"]
    return found


def _requests(demo: Demo) -> list[dict[str, str]]:
    return [
        sample["labels"]
        for metric in _metrics(demo)
        if metric["name"] == "http_requests_total"
        for sample in metric["samples"]
        if sample["labels"]["route"] == "/products"
    ]
