"""`dozor serve` from start to stop, as a process."""

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest
from tests.cli.command import DOZOR, environment, one_message, run
from tests.patience import PATIENCE_SECONDS, promised
from tests.serving import free_port


@pytest.fixture
def port() -> int:
    return free_port()


@contextmanager
def _serving(home: Path, port: int, *arguments: str, **variables: str) -> Iterator[subprocess.Popen[str]]:
    command = [DOZOR, "serve", "--port", str(port), *arguments]
    with subprocess.Popen(
        command, cwd=home, env=environment(home, **variables), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            _wait_for_health(process, port)
            yield process
        finally:
            process.kill()


def _wait_for_health(process: subprocess.Popen[str], port: int) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        try:
            assert httpx2.get(f"http://127.0.0.1:{port}/health", trust_env=False).status_code == 200
            return
        except httpx2.TransportError:
            assert process.poll() is None, process.stderr.read() if process.stderr else ""
            time.sleep(0.02)
    raise AssertionError("no answer")


def _wait_until_redis_is_gone(port: int) -> None:
    url, headers = f"http://127.0.0.1:{port}/api/v1/monitoring/redis/status", {"X-API-Key": "key"}
    deadline = time.monotonic() + PATIENCE_SECONDS
    while "DISCONNECTED" not in httpx2.get(url, headers=headers, trust_env=False, timeout=PATIENCE_SECONDS).text:
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_it_answers_says_what_it_does_and_ends_in_order(
    number: signal.Signals, status: int, tmp_path: Path, port: int
) -> None:
    with _serving(tmp_path, port, "--redis-url", "cache=redis://:s3cret@127.0.0.1:9/0") as process:
        # It says where it is once it runs; a signal before that would test something else.
        assert process.stdout is not None
        greeting = [process.stdout.readline() for _ in range(5)]
        asked = time.monotonic()
        process.send_signal(number)
        rest, errors = process.communicate(timeout=PATIENCE_SECONDS)
        took = time.monotonic() - asked
    assert process.returncode == status, errors
    assert took < promised(5)
    said = "".join(greeting)
    assert f"http://127.0.0.1:{port}/" in said
    assert "cache: redis://:***@127.0.0.1:9/0" in said
    assert str(tmp_path / ".local" / "state" / "dozor" / "agent.db") in said
    assert f"Stopping ({number.name})." in rest
    assert "Traceback" not in errors
    assert "s3cret" not in said + rest + errors


def test_check_asks_it_and_sees_that_redis_is_gone(tmp_path: Path, port: int) -> None:
    with _serving(tmp_path, port, "--redis-url", "redis://127.0.0.1:9/0", DOZOR_API_KEY="key"):
        _wait_until_redis_is_gone(port)
        ended = run("check", cwd=tmp_path, DOZOR_URL=f"http://127.0.0.1:{port}", DOZOR_API_KEY="key")
    assert ended.returncode == 2, ended.stdout + ended.stderr
    assert "DISCONNECTED" in ended.stdout


def test_a_port_in_use_is_one_message_and_status_2(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        ended = run("serve", "--port", str(port), cwd=tmp_path)
    assert ended.returncode == 2
    message = one_message(ended)
    assert f"port {port} on 127.0.0.1 is in use" in message
    assert "--port" in message


def test_switched_off_it_does_nothing(tmp_path: Path) -> None:
    ended = run("serve", cwd=tmp_path, DOZOR_ENABLED="0")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "DOZOR_ENABLED" in ended.stdout


_LOADED = """
import os, signal, sys, threading, time, urllib.error, urllib.request
from dozor.cli import main

def ask(path):
    try:
        with urllib.request.urlopen("http://127.0.0.1:%s" + path) as answer:
            return answer.read()
    except urllib.error.HTTPError as error:
        return error.read()

def look():
    while True:
        try:
            ask("/readyz")  # answered once all has started
            assert b"dozor_collector_age_seconds" in ask("/metrics")
            break
        except OSError:
            time.sleep(0.02)
    before = sorted(sys.modules)
    ask("/")
    print(*before, "|", *sys.modules, file=sys.stderr)
    os.kill(os.getpid(), signal.SIGTERM)

threading.Thread(target=look).start()
sys.argv[1:] = ["serve", "--port", "%s", *sys.argv[1:]]
sys.exit(main())
"""


def _loaded(home: Path, port: int, *arguments: str) -> tuple[set[str], set[str]]:
    """The modules in `dozor serve` when only a probe has been answered, and after the page."""
    program = _LOADED.replace("%s", str(port))
    ended = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        cwd=home, env=environment(home), capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=True,
    )  # fmt: skip
    before, after = next(line for line in ended.stderr.splitlines() if " | " in line).split(" | ")
    return set(before.split()), set(after.split())


_REDIS = [
    f"--redis-url={name}={url}"
    for name, url in {
        "plain": "redis://127.0.0.1:9/0",
        "tls": "rediss://127.0.0.1:9",
        "socket": "unix:///no/such/socket",
        "nodes": "redis+cluster://127.0.0.1:9,127.0.0.1:10",
        "watched": "redis+sentinel://127.0.0.1:9/main",
    }.items()
]


def test_what_a_run_does_not_use_it_does_not_load(tmp_path: Path, port: int) -> None:
    never = {
        "alembic",
        "mako",
        "pygments",
        "rich",
        "typer",
        "aiosmtplib",
        "apprise",
        "httpx2",
        "hishel",
        "prometheus_client",
        "redis",  # Dozor asks a Redis itself
    }
    for_who_asks = {
        "uvicorn",
        "h11",
        "click",
        "multiprocessing",
        "fastapi",
        "starlette",
        "pydantic",
        "dozor.api",
        "dozor.dashboard",
        "dozor.desk",
        "dozor.notify.message",
        "dozor.overview.chart",
        "statistics",
    }
    for_some = {  # a mistake, a file of settings, an application, PgBouncer
        "difflib",
        "tomllib",
        "dozor.instruments.pgbouncer_monitor",
        "dozor.instruments.query_monitor",
        "dozor.instruments.redis_client_monitor",
    }
    for_postgresql = {"psycopg", "sqlalchemy.dialects.postgresql"}
    for_redis = {"hiredis", "dozor.instruments.redis_monitor"}
    before, after = _loaded(tmp_path, port)
    assert before & (never | for_who_asks | for_some | for_redis | for_postgresql) == set()
    assert after & never == set()
    assert after >= for_who_asks
    before, after = _loaded(tmp_path, port, *_REDIS)
    assert before & (never | for_who_asks | for_some) == set()
    assert after & never == set()
    assert before >= for_redis | {"dozor.instruments.redis_group"}
