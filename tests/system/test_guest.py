"""A good guest: what the application has set stays as it is, and leaving is quick, whatever hangs."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import PlainTextResponse
from fastapi.testclient import TestClient
from sqlalchemy import Connection, create_engine, text
from starlette.exceptions import HTTPException as StarletteHTTPException
from tests.patience import PATIENCE_SECONDS, promised
from tests.system.conftest import API, eventually

from dozor import Dozor, Settings
from dozor.demo.servers import EmbeddedServer


def in_memory(**settings: Any) -> Settings:
    return Settings(store_url="sqlite://", **settings)


def state(connection: Connection) -> tuple[bool, str]:
    """Whether the driver commits by itself, and the isolation level that the server names."""
    driver: Any = connection.connection.dbapi_connection
    return driver.autocommit, connection.get_isolation_level()


# -- its engine --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("level", ["AUTOCOMMIT", "SERIALIZABLE"])
def test_isolation_levels_and_open_transactions_are_the_applications(postgres_database: str, level: Any) -> None:
    engine = create_engine(postgres_database, isolation_level=level, pool_size=2, max_overflow=0)
    with engine.connect() as before:
        before.execute(text("CREATE TABLE kept (n int)"))
        untouched = state(before)
        assert untouched == (level == "AUTOCOMMIT", "READ COMMITTED" if level == "AUTOCOMMIT" else level)
        with Dozor(engine=engine, name="guest", settings=in_memory(interval_seconds=0.1)) as dozor:
            monitor = dozor.monitor
            assert monitor is not None
            eventually(lambda: [pool.up for pool in monitor.known().pools], lambda up: up == [True])
            before.execute(text("INSERT INTO kept VALUES (1)"))
            with engine.connect() as during:
                assert state(during) == untouched
                assert engine.pool.checkedout() == 2  # type: ignore[attr-defined]
            before.commit()
        assert state(before) == untouched
        assert before.scalar(text("SELECT count(*) FROM kept")) == 1
    engine.dispose()


# -- its HTTP ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def strict_app() -> Iterator[TestClient]:
    """An application that answers every error in its own way and lets nobody in without a name."""

    async def name_needed(request: Request) -> None:
        if "x-name" not in request.headers:
            raise HTTPException(401)

    app = FastAPI(dependencies=[Depends(name_needed)])

    async def answer(_: Request, error: Exception) -> PlainTextResponse:
        return PlainTextResponse("the application's", getattr(error, "status_code", 422))

    for kind in (StarletteHTTPException, RequestValidationError, 404):
        app.add_exception_handler(kind, answer)

    @app.get("/items/{item}")
    async def item(item: int) -> int:
        raise HTTPException(418)

    Dozor(name="strict", settings=in_memory()).install(app)
    with TestClient(app, client=("127.0.0.1", 1)) as client:
        yield client


@pytest.mark.parametrize(
    ("path", "status"), [("/nowhere", 404), ("/items/1", 401), ("/items/one", 401), (API + "/nowhere", 404)]
)
def test_errors_of_the_application_are_answered_its_way(strict_app: TestClient, path: str, status: int) -> None:
    answer = strict_app.get(path)
    assert (answer.status_code, answer.text) == (status, "the application's")


def test_dozors_routes_are_under_dozors_own_rules(strict_app: TestClient) -> None:
    """The application's dependencies and handlers are made for its users; probes have no name."""
    assert [strict_app.get(path).status_code for path in ("/health", "/readyz", API + "/pool/status")] == [200] * 3
    for path, status in ((API + "/alerts/history?limit=0", 422), (API + "/alerts/history?since=x", 422)):
        answer = strict_app.get(path)
        assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    unknown = strict_app.post(API + "/alerts/none/acknowledge", json={})
    assert (unknown.status_code, unknown.headers["content-type"]) == (404, "application/problem+json")


# -- its processes -----------------------------------------------------------------------------------------------------

FORKED = """
import os, sys, time
from sqlalchemy import QueuePool, create_engine, text
from dozor import Dozor

engine = create_engine("sqlite:///" + sys.argv[1] + "/app.db", poolclass=QueuePool)
dozor = Dozor(engine=engine, name="forked")
if sys.argv[2] == "started":
    dozor.start()
child = os.fork()
if child == 0:
    assert not dozor.running
    with dozor:
        deadline = time.monotonic() + 60
        figures = {}
        while not figures.get("db_pool_checkouts_total") and time.monotonic() < deadline:
            with engine.connect() as connection:
                connection.execute(text("SELECT 1"))
            time.sleep(0.05)
            pools = dozor.monitor.known().pools
            figures = pools[0].figures if pools else {}
        assert figures["db_pool_checkouts_total"] > 0
    os._exit(0)
status = os.waitpid(child, 0)[1]
assert dozor.running is (sys.argv[2] == "started")
dozor.stop()
sys.exit(os.waitstatus_to_exitcode(status))
"""


@pytest.mark.parametrize("before", ["constructed", "started"])
def test_a_worker_that_was_forked_starts_its_own(tmp_path: Path, before: str) -> None:
    """As a server with pre-loading does: made in the parent, at work in the child."""
    env = {**os.environ, "HOME": str(tmp_path), "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    command = [sys.executable, "-c", FORKED, str(tmp_path), before]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=2 * PATIENCE_SECONDS, check=False)
    assert done.returncode == 0, done.stderr


# -- leaving -----------------------------------------------------------------------------------------------------------


FROZEN = """
import asyncio, socket, sys, time
from sqlalchemy import create_engine
from dozor import Dozor, Rule, Settings

class Deaf:
    async def send(self, notification):
        while True:
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                pass

class Blocking:
    def send(self, notification):
        time.sleep(3600)

redis, postgres, rules = sys.argv[1:]
mute = socket.create_server(("127.0.0.1", 0))
address = f"http://127.0.0.1:{mute.getsockname()[1]}/"
dozor = Dozor(
    engine=create_engine(postgres), redis=redis, name="frozen", notifiers=[Deaf(), Blocking()],
    rules=[*rules.split(","), Rule(alert="Now", expr="vector(1)", labels={"severity": "critical"})],
    settings=Settings(store_url=postgres, webhook_url=address, heartbeat_url=address),
)
dozor.start()
known = lambda: {alert.rule for alert in dozor.monitor.known().alerts}
while "Now" not in known():
    time.sleep(0.05)
print("at work", flush=True)
while not {"RedisDisconnected", "DatabaseDown"} <= known():
    time.sleep(0.05)
began = time.monotonic()
dozor.stop()
print(time.monotonic() - began, flush=True)
"""


def test_stopping_takes_five_seconds_at_most_with_everything_frozen(
    own_valkey: EmbeddedServer, own_postgres: EmbeddedServer, tmp_path: Path, quick_rules: str
) -> None:
    """Redis, the watched PostgreSQL and the store on it; a webhook that never answers; notifiers that never end."""
    env = {**os.environ, "HOME": str(tmp_path), "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    command = [sys.executable, "-c", FROZEN, own_valkey.url, own_postgres.url, quick_rules]
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "at work\n"
        own_valkey.freeze()
        own_postgres.freeze()
        took = float(process.stdout.readline())
        began = time.monotonic()
        try:
            process.wait(PATIENCE_SECONDS)
        finally:
            process.kill()
            own_postgres.thaw()
            own_valkey.thaw()
        ended = time.monotonic() - began
    assert took <= promised(5), f"took {took:.2f} s"
    assert (process.returncode, ended < promised(3)) == (0, True), (
        f"ended with {process.returncode} after {ended:.1f} s"
    )
