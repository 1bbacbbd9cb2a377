"""The whole, as a user has it: processes, real servers, HTTP, a webhook's receiver."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, TypeVar

import httpx2
import pytest
from tests.patience import PATIENCE_SECONDS, promised
from tests.serving import free_port

import dozor.rules

T = TypeVar("T")
API = "/api/v1/monitoring"
HERE = Path(__file__).parent


def eventually(read: Callable[[], T], wanted: Callable[[T], bool], *, within: float = PATIENCE_SECONDS) -> T:
    """What *read* gives, once it is *wanted*; fails with the last thing read when it is not in time."""
    deadline = time.monotonic() + within
    while True:
        value = read()
        if wanted(value):
            return value
        if time.monotonic() > deadline:
            pytest.fail(f"not within {within} s; last: {value!r}")
        time.sleep(0.05)


class Process:
    """A server process and a client for it."""

    def __init__(self, command: list[str], port: int, env: dict[str, str], log: Path) -> None:
        self.port, self._log = port, log
        self.killed = False
        self._output = log.open("wb")
        self.process = subprocess.Popen(command, env=env, stdout=self._output, stderr=subprocess.STDOUT, cwd=HERE)
        self.http = httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE_SECONDS)

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def wait_until_up(self, path: str = "/livez", within: float = PATIENCE_SECONDS) -> None:
        deadline = time.monotonic() + within
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                pytest.fail(f"ended with {self.process.returncode}:\n{self.log}")
            try:
                if self.http.get(path).status_code == 200:
                    return
            except httpx2.TransportError:
                pass
            time.sleep(0.05)
        pytest.fail(f"no answer within {within} s:\n{self.log}")

    def get(self, path: str, **params: Any) -> Any:
        """The JSON of a GET below the API's prefix, which must answer 200."""
        response = self.http.get(API + path, params=params)
        assert response.status_code == 200, f"{path}: {response.status_code} {response.text}"
        return response.json()

    def alerts(self, rule: str, *, pending: bool = True) -> list[dict[str, Any]]:
        found = self.get("/alerts/active", pending=str(pending).lower())["alerts"]
        return [alert for alert in found if alert["rule"] == rule]

    def history(self, rule: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.get("/alerts/history", rule=rule)["alerts"]
        return found

    def kill(self) -> None:
        """Kill it, on purpose: whoever ends what a test has left minds no more how it ended."""
        self.process.kill()
        self.process.wait()
        self.killed = True

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        if self.process.poll() is None:
            self.process.send_signal(how)
        try:
            return self.process.wait(PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            pytest.fail(f"did not end within {PATIENCE_SECONDS:g} s of {how.name}:\n{self.log}")
        finally:
            self.close()

    def close(self) -> None:
        """Give up what this side holds; the process too, if it lives."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.http.close()
        self._output.close()


class WebhookSink:
    """Takes webhooks, remembers them."""

    def __init__(self) -> None:
        self.received: list[dict[str, Any]] = []
        sink = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                sink.received.append(
                    {"headers": dict(self.headers), "id": self.headers["webhook-id"], **json.loads(body)}
                )
                self.send_response(204)
                self.end_headers()

            def log_message(self, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def told(self, rule: str, *, once: bool = False) -> list[str]:
        """The statuses people were told of alerts of *rule*, in order; *once*: repetitions, by their id, left out."""
        messages = list(self.received)
        if once:
            messages = list({message["id"]: message for message in messages}.values())
        return [
            alert["status"]
            for message in messages
            for alert in message["alerts"]
            if alert["labels"]["alertname"] == rule
        ]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def webhook() -> Iterator[WebhookSink]:
    sink = WebhookSink()
    yield sink
    sink.close()


@pytest.fixture(scope="session")
def quick_rules(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The default rules with every `for` and resolve time a tenth of what it is, as a value for DOZOR_RULES."""
    folder = tmp_path_factory.mktemp("rules")
    written = []
    for source in sorted((Path(dozor.rules.__file__).parent / "builtin").glob("*.yml")):
        target = folder / source.name
        target.write_text(re.sub(r"(?m)^(\s*(?:for|dozor_resolve_for): *)(.+)$", _tenth, source.read_text()))
        written.append(str(target))
    return ",".join(written)


def _tenth(line: "re.Match[str]") -> str:
    units = {"s": 1.0, "m": 60.0, "h": 3600.0}
    text = line[2].strip().strip("\"'")
    seconds = sum(float(number) * units[unit] for number, unit in re.findall(r"(\d+)([smh])", text))
    return f"{line[1]}{round(seconds * 100)}ms"


Launch = Callable[..., Process]


@contextmanager
def launching(folder: Path) -> Iterator[Launch]:
    """Starts a command as a process with a clean environment, HOME in *folder*; ends it in the end."""
    started: list[Process] = []

    def start(command: list[str], port: int, *, up: str | None = "/livez", **variables: str) -> Process:
        env = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
            "PYTHONWARNINGS": "default",
            "DOZOR_GROUP_INTERVAL": "1s",  # or every message but a group's first would wait for a minute
            **variables,
        }
        process = Process(command, port, env, folder / f"process-{len(started)}.log")
        started.append(process)
        if up:
            process.wait_until_up(up)
        return process

    yield start
    for process in started:
        process.close()


@pytest.fixture
def launch(tmp_path: Path) -> Iterator[Launch]:
    """As `launching`, for one test."""
    with launching(tmp_path) as start:
        yield start


@pytest.fixture(scope="module")
def shared_shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Process]]:
    """As `shop`, for tests that leave the application as it is."""
    with launching(tmp_path_factory.mktemp("shared")) as start:
        yield _shop(start)


@pytest.fixture
def shop(launch: Launch) -> Callable[..., Process]:
    """Starts tests/system/application.py under uvicorn."""
    return _shop(launch)


def _shop(launch: Launch) -> Callable[..., Process]:
    def start(**variables: str) -> Process:
        port = free_port()
        command = [sys.executable, "-m", "uvicorn", "application:app", "--port", str(port), "--log-level", "warning"]
        return launch(command, port, **variables)

    return start


@pytest.fixture
def serve(launch: Launch) -> Callable[..., Process]:
    """Starts `dozor serve`."""

    def start(*arguments: str, **variables: str) -> Process:
        port = free_port()
        return launch([sys.executable, "-m", "dozor.cli", "serve", "--port", str(port), *arguments], port, **variables)

    return start


@contextmanager
def timed(limit: float) -> Iterator[None]:
    """Fails where the body takes longer than the *limit* in seconds that is promised."""
    began = time.monotonic()
    yield
    took = time.monotonic() - began
    assert took <= promised(limit), f"took {took:.2f} s, promised {limit} s"
