"""Every way to have Dozor: a script, WSGI, twice in one process, disabled, without HOME; and what it leaves behind."""

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, text
from tests.patience import PATIENCE_SECONDS
from tests.serving import free_port
from tests.system.conftest import API, Launch, Process, eventually

from dozor import Dozor, Settings
from dozor.demo.servers import EmbeddedServer


def run_python(code: str, *arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    """*code* in a process of its own, with an environment that holds nothing but *variables*."""
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(path for path in sys.path if path), **variables}
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env=env,
        capture_output=True,
        text=True,
        timeout=2 * PATIENCE_SECONDS,
        check=False,
    )


def fingerprint(engine: Engine) -> dict[str, Any]:
    """All of an engine and its pool that a guest could have changed."""
    watched: dict[str, Any] = {"engine": engine, "pool": engine.pool, "dialect": engine.dialect}
    listeners = {
        f"{kind}.{event}": len(list(getattr(target.dispatch, event)))
        for kind, target in watched.items()
        for event in sorted(target.dispatch._event_names)
    }
    # What SQLAlchemy itself remembers on a dialect comes with use; what is put over its methods does not.
    over = sorted(name for name in vars(engine.dialect) if name.startswith("do_"))
    return {"listeners": listeners, "engine": sorted(vars(engine)), "pool": sorted(vars(engine.pool)), "dialect": over}


SCRIPT = """
import json, os, time
from sqlalchemy import create_engine, text
from dozor import Dozor

engine = create_engine("sqlite://")
with Dozor(engine=engine) as dozor:
    with engine.connect() as connection:
        connection.execute(text("SELECT 1"))
    deadline = time.monotonic() + 60
    known = None
    counted = lambda: dozor.monitor.known().pools[0].figures.get("db_pool_checkouts_total")
    while dozor.monitor and time.monotonic() < deadline and not counted():
        time.sleep(0.05)
    known = dozor.monitor and dozor.monitor.known()
    print(json.dumps({
        "checkouts": known and known.pools[0].figures["db_pool_checkouts_total"],
        "complaints": known and known.complaints,
        "running": dozor.running,
    }))
print(json.dumps(dozor.running))
"""


def test_a_plain_script(tmp_path: Path) -> None:
    done = run_python(SCRIPT, HOME=str(tmp_path))
    assert done.returncode == 0, done.stderr
    during, after = map(json.loads, done.stdout.splitlines())
    assert (during["checkouts"], during["running"], during["complaints"], after) == (1, True, [], False)


def test_a_script_that_never_stops_it_ends_without_a_word_and_closes_what_is_kept(tmp_path: Path) -> None:
    code = """
from sqlalchemy import create_engine
from dozor import Dozor
Dozor(engine=create_engine("sqlite://"), name="hasty").start()
"""
    done = run_python(code, HOME=str(tmp_path))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert not list(tmp_path.rglob("hasty.db-wal")), "a log beside it means that it was not closed"


def test_without_home_alerts_are_kept_in_memory_and_it_says_so() -> None:
    done = run_python(SCRIPT)
    assert done.returncode == 0, done.stderr
    during = json.loads(done.stdout.splitlines()[0])
    assert during["checkouts"] == 1
    assert "memory only" in during["complaints"][0]
    assert "DOZOR_STORE_URL" in done.stderr


@pytest.mark.skipif(
    os.geteuid() == 0, reason="root may write anywhere; the next test takes a path that nobody can write"
)
def test_in_a_read_only_home(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    done = run_python(SCRIPT, HOME=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert "memory only" in json.loads(done.stdout.splitlines()[0])["complaints"][0]


def test_where_nothing_can_be_written() -> None:
    done = run_python(SCRIPT, HOME="/proc/1")
    assert done.returncode == 0, done.stderr
    assert "memory only" in json.loads(done.stdout.splitlines()[0])["complaints"][0]


def test_disabled_it_does_nothing() -> None:
    code = SCRIPT + "\nimport threading\nprint(json.dumps([thread.name for thread in threading.enumerate()]))"
    done = run_python(code, DOZOR_ENABLED="0")
    assert done.returncode == 0, done.stderr
    during, after, threads = map(json.loads, done.stdout.splitlines())
    assert (during["running"], after, threads) == (False, False, ["MainThread"])


def test_removal_leaves_nothing_behind(own_postgres: EmbeddedServer, tmp_path: Path) -> None:
    engine = create_engine(own_postgres.url)
    with engine.connect() as connection:
        connection.execute(text("SELECT 1"))
    before, threads = fingerprint(engine), threading.active_count()
    for _ in range(2):
        with Dozor(engine=engine, name="removal", settings=Settings(store_url=f"sqlite:///{tmp_path}/a.db")):
            with engine.connect() as connection:
                connection.execute(text("SELECT 1"))
            assert fingerprint(engine) != before
        assert fingerprint(engine) == before
    eventually(threading.active_count, lambda count: count <= threads)
    engine.dispose()


def test_two_in_one_process_both_work_and_neither_takes_the_others_store(tmp_path: Path) -> None:
    code = """
import json, time
from sqlalchemy import create_engine
from dozor import Dozor

first, second = (Dozor(engine=create_engine("sqlite://"), name="twin") for _ in range(2))
with first, second:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not all(one.monitor.known().pools[0].figures for one in (first, second)):
        time.sleep(0.05)
    print(json.dumps([list(one.monitor.known().complaints) for one in (first, second)]))
"""
    done = run_python(code, HOME=str(tmp_path))
    assert done.returncode == 0, done.stderr
    ours, theirs = json.loads(done.stdout)
    assert ours == []
    assert "DOZOR_NAME" in theirs[0]


def test_two_applications_of_one_user_have_a_store_each(tmp_path: Path) -> None:
    for name in ("shop", "bank"):
        assert run_python(SCRIPT, HOME=str(tmp_path), DOZOR_NAME=name).returncode == 0
    stores = sorted(path.name for path in tmp_path.rglob("*.db"))
    assert stores == ["bank.db", "shop.db"]
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in tmp_path.rglob("*.db"))


FLASK = """
import sys
from flask import Flask
from sqlalchemy import create_engine, text
from dozor import Dozor

app = Flask("till")
engine = create_engine("sqlite://")
dozor = Dozor(engine=engine, listen=f"127.0.0.1:{sys.argv[1]}", name="till")
dozor.start()

@app.get("/livez")
def work():
    with engine.connect() as connection:
        return str(connection.scalar(text("SELECT 42")))

app.run(port=int(sys.argv[2]))
"""


def test_a_wsgi_application_has_the_page_from_dozors_own_thread(launch: Launch, tmp_path: Path) -> None:
    own, port = free_port(), free_port()
    process = launch([sys.executable, "-c", FLASK, str(own), str(port)], port)
    assert process.http.get("/livez").text == "42"
    page = Process.__new__(Process)
    page.http = type(process.http)(base_url=f"http://127.0.0.1:{own}", timeout=10)
    assert page.http.get("/health").status_code == 200
    eventually(
        lambda: page.get("/pool/status")["pools"],
        lambda pools: bool(pools) and pools[0]["db_pool_checkouts_total"] >= 1,
    )
    assert "Dozor" in page.http.get("/").text
    page.http.close()
    process.stop()


def test_a_mounted_application_without_lifespan_starts_at_its_first_request(
    launch: Launch, valkey_server: EmbeddedServer, tmp_path: Path
) -> None:
    code = """
import sys, uvicorn
from fastapi import FastAPI
from sqlalchemy import create_engine
from dozor import Dozor

inner = FastAPI(title="inner")

@inner.get("/livez")
async def livez() -> str:
    return "the application's own"

Dozor(engine=create_engine("sqlite://")).install(inner)
outer = FastAPI()
outer.mount("/inner", inner)
uvicorn.run(outer, port=int(sys.argv[1]), lifespan="off", log_level="warning")
"""
    port = free_port()
    process = launch([sys.executable, "-c", code, str(port)], port, up="/inner/livez")
    assert process.http.get("/inner/livez").json() == "the application's own"
    status = eventually(lambda: process.http.get(f"/inner{API}/pool/status"), lambda answer: answer.json().get("pools"))
    assert status.json()["pools"][0]["name"] == "default"
    eventually(lambda: process.http.get("/inner/metrics").text, lambda text: 'route="/livez"' in text)
    process.stop()


MISTAKES = (
    ("Dozor(engine='postgresql://u:hunter2@h/d')", "engine"),
    ("Dozor(redis='http://u:hunter2@h')", "redis"),
    ("Dozor(redis={'': 'redis://h'})", "redis"),
    ("Dozor(rules=['/nowhere.yml'])", "/nowhere.yml"),
    ("Dozor(rules=[Rule(alert='A', expr='sum(')])", "expr"),
    ("Dozor(listen='8002')", "listen"),
    ("Dozor(required=['shop'])", "required"),
    ("Dozor(notifiers=[object()])", "notifier"),
)
MISTAKEN = """
import json, sys
from dozor import *

for code in json.loads(sys.argv[1]):
    try:
        eval(code)
    except ConfigurationError as error:
        print(json.dumps(str(error)))
"""


def test_a_mistake_in_code_is_one_clear_error(tmp_path: Path) -> None:
    done = run_python(MISTAKEN, json.dumps([code for code, _ in MISTAKES]), HOME=str(tmp_path))
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    said = [json.loads(line) for line in done.stdout.splitlines()]
    for (code, named), message in zip(MISTAKES, said, strict=True):
        assert len(message.splitlines()) == 1, code
        assert named in message, code
        assert "hunter2" not in message, code


def test_an_application_that_dozor_cannot_start_in_runs_without_it(
    launch: Launch, tmp_path: Path, valkey_server: EmbeddedServer
) -> None:
    code = """
import sys, uvicorn
from fastapi import FastAPI
from dozor import Dozor

app = FastAPI(title="alone")

@app.get("/livez")
async def livez() -> str:
    return "fine"

Dozor(listen=f"127.0.0.1:{sys.argv[1]}").install(app)
uvicorn.run(app, port=int(sys.argv[1]), log_level="warning")
"""
    taken = socket.socket()
    taken.bind(("127.0.0.1", 0))
    taken.listen()
    port = free_port()
    code = code.replace("127.0.0.1:{sys.argv[1]}", f"127.0.0.1:{taken.getsockname()[1]}")
    process = launch([sys.executable, "-c", code, str(port)], port)
    assert process.http.get("/livez").json() == "fine"
    assert "is in use" in process.log
    assert "Traceback" not in process.log
    process.stop()
    taken.close()


def test_a_server_that_is_not_there_at_start_is_reported_and_found_later(
    shop: Callable[..., Process], own_valkey: EmbeddedServer, own_postgres: EmbeddedServer
) -> None:
    own_valkey.stop()
    own_postgres.stop()
    process = shop(DATABASE_URL=own_postgres.async_url, REDIS_URL=own_valkey.url)
    eventually(lambda: process.get("/redis/status")["status"], lambda status: status == "DISCONNECTED")
    eventually(lambda: process.get("/pool/status")["status"], lambda status: status == "CRITICAL")
    own_valkey.start()
    own_postgres.start()
    eventually(lambda: process.get("/redis/status")["servers"][0]["redis_connected"], lambda up: up == 1)
    eventually(
        lambda: process.get("/system/health")["components"]["database"]["status"], lambda status: status == "HEALTHY"
    )
    process.stop()
