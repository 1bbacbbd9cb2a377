"""`dozor serve` as a process of a test's own: a port for it, and the moment from which it answers."""

import subprocess
import time
from typing import Any

import httpx2
from tests.patience import PATIENCE_SECONDS

from dozor.demo.server_guard import free_port

__all__ = ["free_port", "until_healthy"]


def until_healthy(process: "subprocess.Popen[Any]", port: int) -> None:
    """Return when Dozor answers at *port*; fails when *process* ends before, or takes too long."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        try:
            assert httpx2.get(f"http://127.0.0.1:{port}/health", trust_env=False).status_code == 200
            return
        except httpx2.TransportError:
            assert process.poll() is None, "it ended"
            time.sleep(0.02)
    raise AssertionError(f"no answer in {PATIENCE_SECONDS:g} s")
