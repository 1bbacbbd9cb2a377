"""SIGHUP: `dozor serve` reads its rules again, unless it says that the terminal was closed."""

import fcntl
import os
import pty
import signal
import subprocess
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from tests.cli.command import DOZOR, environment
from tests.cli.test_serve import port as port  # noqa: PLC0414 - a fixture
from tests.patience import PATIENCE_SECONDS

RULES = "groups: [{name: mine, rules: [{alert: %s, expr: %s}]}]"


class Served:
    """A `dozor serve` with one rule file, in a session and perhaps a terminal of its own."""

    def __init__(self, home: Path, port: int, terminal: int | None = None) -> None:
        self.file, self.url = home / "rules.yml", f"http://127.0.0.1:{port}/api/v1/monitoring/"
        self.file.write_text(RULES % ("First", "up == 0"))
        command = [DOZOR, "serve", "--port", str(port), "--rules", str(self.file), "--store-url", "sqlite://"]

        def take_terminal() -> None:
            signal.signal(signal.SIGHUP, signal.SIG_DFL)  # the tests themselves may run under nohup
            if terminal is not None:
                fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)

        self.process = subprocess.Popen(
            command,
            cwd=home,
            env=environment(home),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=take_terminal,  # noqa: PLW1509 - two calls, before there are any threads
            pass_fds=() if terminal is None else (terminal,),
        )
        self.wait_for(lambda: "First" in self.rules())

    def get(self, path: str) -> dict[str, Any]:
        try:
            found: dict[str, Any] = httpx2.get(self.url + path, trust_env=False).json()
        except httpx2.TransportError:
            return {}
        return found

    def rules(self) -> set[str]:
        return {rule["rule"] for rule in self.get("alerts/rules").get("rules", ())}

    def wait_for(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not condition():
            assert self.process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)


@pytest.fixture
def serve(tmp_path: Path, port: int) -> Iterator[Callable[..., Served]]:
    begun: list[Served] = []

    def begin(terminal: int | None = None) -> Served:
        begun.append(Served(tmp_path, port, terminal))
        return begun[-1]

    yield begin
    for served in begun:
        served.process.kill()
        served.process.wait()


def test_at_sighup_rules_are_read_again_and_a_broken_file_leaves_the_old_ones(serve: Callable[..., Served]) -> None:
    served = serve()
    served.file.write_text(RULES % ("Second", "up == 0"))
    served.process.send_signal(signal.SIGHUP)
    served.wait_for(lambda: "Second" in served.rules())
    assert "First" not in served.rules()
    served.file.write_text(RULES % ("Third", "up =="))
    served.process.send_signal(signal.SIGHUP)
    served.wait_for(lambda: "rules.yml:1" in str(served.get("system/health")))
    assert "Second" in served.rules()
    # Nobody asks now: that the file has changed is seen.
    served.file.write_text(RULES % ("Fourth", "up == 0"))
    served.wait_for(lambda: "Fourth" in served.rules())
    served.wait_for(lambda: "rules.yml" not in str(served.get("system/health")))
    served.process.send_signal(signal.SIGTERM)
    assert served.process.wait(PATIENCE_SECONDS) == 0


def test_a_terminal_that_closes_ends_it_and_one_that_stays_does_not(serve: Callable[..., Served]) -> None:
    master, slave = pty.openpty()
    served = serve(slave)
    os.close(slave)
    served.file.write_text(RULES % ("Second", "up == 0"))
    served.process.send_signal(signal.SIGHUP)
    served.wait_for(lambda: "Second" in served.rules())
    os.close(master)
    assert served.process.wait(PATIENCE_SECONDS) == 128 + signal.SIGHUP
