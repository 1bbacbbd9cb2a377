"""The demo as a process: what it serves, and what it leaves behind."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import psutil
import pytest
from tests.patience import PATIENCE_SECONDS, promised
from tests.serving import free_port

from dozor.demo.servers import EmbeddedServers, ServersUnavailable

_COMMAND = "import sys; from dozor.demo import run; raise SystemExit(run(int(sys.argv[1]), sys.argv[2]))"


@pytest.fixture
def demo(tmp_path: Path, embedded_servers: EmbeddedServers) -> Iterator[tuple[subprocess.Popen[str], str, Path]]:
    """A demo, its address, and the folder that it has for temporary files."""
    try:
        embedded_servers.launch("postgres").remove()
    except ServersUnavailable as error:
        pytest.skip(f"needs real servers: {error}")
    port = free_port()
    # Not below tmp_path: the servers may run as another user, who must be able to enter.
    with tempfile.TemporaryDirectory(prefix="dozor-test-") as folder:
        Path(folder).chmod(0o755)
        environment = {key: value for key, value in os.environ.items() if not key.startswith("DOZOR_")}
        process = subprocess.Popen(
            [sys.executable, "-c", _COMMAND, str(port), "error-burst"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=tmp_path,
            env={**environment, "TMPDIR": folder, "HOME": str(tmp_path)},
        )
        yield process, f"http://127.0.0.1:{port}", Path(folder)
        process.kill()
        process.communicate()


def answer(url: str) -> httpx2.Response | None:
    try:
        return httpx2.get(url, timeout=5, trust_env=False)
    except httpx2.TransportError:
        return None


def wait_for(url: str, process: subprocess.Popen[str]) -> httpx2.Response:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (found := answer(url)) is None or found.status_code != 200:
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline, f"no answer from {url}"
        time.sleep(0.05)
    return found


def test_it_serves_and_ends_in_order_leaving_nothing(demo: tuple[subprocess.Popen[str], str, Path]) -> None:
    process, url, folder = demo
    assert wait_for(f"{url}/health", process).json() == {"status": "ok"}
    wait_for(f"{url}/", process)
    monitoring = f"{url}/api/v1/monitoring"
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (requests := _requests(f"{monitoring}/metrics/all")):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert any(labels.get("route") == "/products" for labels in requests)
    names = {metric["name"] for metric in _metrics(f"{monitoring}/metrics/all")}
    assert {"db_pool_checkouts_total", "redis_connected", "event_loop_lag_seconds"} <= names

    family = psutil.Process(process.pid).children(recursive=True)
    assert {"postgres", "valkey-server"} <= {child.name() for child in family}
    process.send_signal(signal.SIGTERM)
    began = time.monotonic()
    output, _ = process.communicate(timeout=PATIENCE_SECONDS)
    assert time.monotonic() - began < promised(5)
    assert process.returncode == 0
    assert "Traceback" not in output
    assert f"Dozor: {url}/" in output
    _, alive = psutil.wait_procs(family, timeout=PATIENCE_SECONDS)
    assert alive == []
    assert list(folder.iterdir()) == []


def _metrics(url: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = httpx2.get(url, timeout=PATIENCE_SECONDS, trust_env=False).json()["metrics"]
    return found


def _requests(url: str) -> list[dict[str, str]]:
    return [
        sample["labels"]
        for metric in _metrics(url)
        if metric["name"] == "http_requests_total"
        for sample in metric["samples"]
        if sample["labels"]["route"] == "/products"
    ]
