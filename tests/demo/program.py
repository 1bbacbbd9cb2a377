"""The demo as a process."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest
from tests.patience import PATIENCE_SECONDS
from tests.serving import free_port

from dozor.demo.servers import EmbeddedServers, ServersUnavailable

_COMMAND = "import sys; from dozor.demo import run; raise SystemExit(run(int(sys.argv[1]), sys.argv[2]))"
_SHOP = "the shop that it watches: "


@dataclass(frozen=True)
class Demo:
    """It runs, and Dozor is to be at *url*; *folder* is what it has for temporary files."""

    process: "subprocess.Popen[str]"
    url: str
    folder: Path

    def shop_url(self) -> str:
        """The address of the shop, which it says when it serves."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if _SHOP in line:
                return line.partition(_SHOP)[2].strip().removesuffix("/docs")
        raise AssertionError("it ended without a word about the shop")

    def wait_for(self, path: str) -> httpx2.Response:
        """The first answer of status 200."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while (found := self._answer(path)) is None or found.status_code != 200:
            assert self.process.poll() is None, self.process.communicate()[0]
            assert time.monotonic() < deadline, f"no answer from {path}"
            time.sleep(0.05)
        return found

    def _answer(self, path: str) -> httpx2.Response | None:
        try:
            return httpx2.get(self.url + path, timeout=5, trust_env=False)
        except httpx2.TransportError:
            return None


@contextmanager
def running_demo(home: Path, servers: EmbeddedServers, fault: str, **settings: str) -> Iterator[Demo]:
    """The demo with *fault*, in the folder *home*; skips the test where there are no servers for it."""
    try:
        servers.launch("postgres").remove()
    except ServersUnavailable as error:
        pytest.skip(f"needs real servers: {error}")
    port = free_port()
    # Not below *home*: the servers may run as another user, who must be able to enter.
    with tempfile.TemporaryDirectory(prefix="dozor-test-") as folder:
        Path(folder).chmod(0o755)
        environment = {key: value for key, value in os.environ.items() if not key.startswith("DOZOR_")}
        process = subprocess.Popen(
            [sys.executable, "-c", _COMMAND, str(port), fault],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=home,
            env={**environment, **settings, "TMPDIR": folder, "HOME": str(home)},
        )
        try:
            yield Demo(process, f"http://127.0.0.1:{port}", Path(folder))
        finally:
            process.kill()
            process.communicate()
