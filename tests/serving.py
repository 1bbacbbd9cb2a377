"""`dozor serve` as a process of a test's own: a port for it, and the moment from which it answers."""

import socket
import subprocess
import time
from typing import Any, Final

import httpx2

_START_SECONDS: Final = 30.0


def free_port() -> int:
    """A port at which nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def until_healthy(process: "subprocess.Popen[Any]", port: int) -> None:
    """Return when Dozor answers at *port*; fails when *process* ends before, or takes too long."""
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        try:
            assert httpx2.get(f"http://127.0.0.1:{port}/health", trust_env=False).status_code == 200
            return
        except httpx2.TransportError:
            assert process.poll() is None, "it ended"
            time.sleep(0.02)
    raise AssertionError(f"no answer in {_START_SECONDS:g} s")
