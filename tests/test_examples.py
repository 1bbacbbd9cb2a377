"""The examples run as they stand; only the addresses are changed, to free ones."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from tests.patience import PATIENCE_SECONDS
from tests.serving import free_port

from dozor.rules import load_rules

EXAMPLES = Path(__file__).parent.parent / "examples"


def _mind_ctrl_c() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@contextmanager
def running(
    name: str, folder: Path, changed: dict[str, str], *command: str, **environment: str
) -> Iterator[subprocess.Popen[str]]:
    """The example *name* as a process, with *changed* addresses; by *command* if not as a program."""
    source = (EXAMPLES / name).read_text()
    for written, instead in changed.items():
        assert written in source
        source = source.replace(written, instead)
    (folder / name).write_text(source)
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("DOZOR_")}
    process = subprocess.Popen(
        [sys.executable, *(command or (name,))],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**inherited, "HOME": str(folder), "XDG_STATE_HOME": str(folder), **environment},
        # Where the tests run in the background of a shell, Ctrl-C is ignored, and by what they start as well.
        preexec_fn=_mind_ctrl_c,  # noqa: PLW1509 - one call, which takes no lock
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def get(process: subprocess.Popen[str], url: str) -> httpx2.Response:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return httpx2.get(url, timeout=10, trust_env=False)
        except httpx2.TransportError:
            assert process.poll() is None, process.communicate()[0]
            assert time.monotonic() < deadline
            time.sleep(0.05)


def watched_pool(process: subprocess.Popen[str], port: int) -> dict[str, Any]:
    """The pool that Dozor sees, after its first look."""
    url = f"http://127.0.0.1:{port}/api/v1/monitoring/pool/status"
    (pool,) = waiting(lambda: get(process, url).json()["pools"])
    return dict(pool)


def waiting(look: Callable[[], Any]) -> Any:
    """What *look* gives once it is something."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (found := look()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return found


def test_fastapi_app(tmp_path: Path, async_postgres_database: str, valkey_database: str) -> None:
    port = free_port()
    with running(
        "fastapi_app.py",
        tmp_path,
        {},
        *("-m", "uvicorn", "fastapi_app:app", "--port", str(port)),
        DATABASE_URL=async_postgres_database,
        REDIS_URL=valkey_database,
    ) as process:
        base = f"http://127.0.0.1:{port}"
        assert get(process, f"{base}/health").json() == {"status": "ok"}
        assert get(process, f"{base}/report").json() == {"answer": 42}
        # The cache does not wait long for its Redis: on a busy machine an answer may have to be kept once more.
        waiting(lambda: get(process, f"{base}/report").headers["cache-status"].startswith("dozor; hit"))
        entry, *_ = waiting(lambda: get(process, f"{base}/api/v1/monitoring/pool/slow-queries").json()["entries"])
        assert "pg_sleep" in entry["statement"]
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=PATIENCE_SECONDS)
        assert "Traceback" not in output


def test_flask_app(tmp_path: Path) -> None:
    pytest.importorskip("flask")
    port, page = free_port(), free_port()
    changed = {"port=5000": f"port={port}", "127.0.0.1:8002": f"127.0.0.1:{page}"}
    with running("flask_app.py", tmp_path, changed) as process:
        assert get(process, f"http://127.0.0.1:{port}/").json() == {"answer": 42}
        assert watched_pool(process, page)["db_pool_capacity"] == 15
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=PATIENCE_SECONDS)
        assert "Traceback" not in output or "KeyboardInterrupt" in output


def test_script(tmp_path: Path) -> None:
    page = free_port()
    with running("script.py", tmp_path, {"127.0.0.1:8002": f"127.0.0.1:{page}"}) as process:
        assert watched_pool(process, page)["name"] == "default"


def test_own_notifier(tmp_path: Path) -> None:
    with running("own_notifier.py", tmp_path, {}) as process:
        output, _ = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 0, output
    assert re.search(r"pager:\S+ pager-example: INFO: The pool default is watched", output), output


def test_own_rule() -> None:
    rules = load_rules([EXAMPLES / "own_rule.yml"])
    assert {"CheckoutSlow", "DiskSpaceLow"} <= {rule.name for group in rules.groups for rule in group.rules}
