"""Killed at any moment, started again: nothing that was committed is lost, and every notification arrives."""

import asyncio
import os
import random
import signal
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from json import loads
from pathlib import Path

import pytest
from tests.chaos import CHAOS, SEED
from tests.database.processes import CONTEXT
from tests.durability.storm import deliver, storm
from tests.durability.storm_world import until_nothing_is_left
from tests.patience import PATIENCE_SECONDS

from dozor.clock import Clock
from dozor.database import Database, StoreThread


@dataclass
class Told:
    """What the receiver was told: the notifications' ids by alert, once for each time."""

    by_alert: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    requests: int = 0


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def webhook_url(told: Told) -> Iterator[str]:
    """A receiver that takes four of five messages, and of those that it refuses has sometimes kept a copy."""
    chance, lock = random.Random(SEED), threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            with lock:
                told.requests += 1
                mood = chance.random()
                if mood < 0.9:
                    for alert in loads(body)["alerts"]:
                        told.by_alert[alert["id"]].append(self.headers["webhook-id"])
            self.send_response(200 if mood < 0.8 else 503)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Not into the test's output."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/hook"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.chaos
@pytest.mark.parametrize(("kind", "kills"), [("sqlite", 200 if CHAOS else 8), ("postgresql", 50 if CHAOS else 3)])
def test_kills_lose_nothing(
    kind: str, kills: int, tmp_path: Path, webhook_url: str, told: Told, request: pytest.FixtureRequest
) -> None:
    url = f"sqlite:///{tmp_path}/store.db" if kind == "sqlite" else request.getfixturevalue("postgres_database")
    chance = random.Random(SEED)
    committed: set[str] = set()
    for kill in range(kills):
        committed |= _killed_storm(url, webhook_url, f"run{kill}", chance.uniform(0.01, 0.25))
    assert len(committed) > kills, "each run came to commit something"

    database = Database(url)
    database.open()
    assert database.set_aside is None
    stored = {alert.id for alert in database.load_recent(0)}
    assert committed <= stored, "what was committed is there"
    asyncio.run(_finish(database, webhook_url))
    assert database.outbox_counts().dead == 0
    database.close()

    assert stored <= set(told.by_alert), "what is there was told"
    assert {len(set(ids)) for ids in told.by_alert.values()} == {1}, "a repetition has the id of the first"
    assert all(ids[0] == f"msg-{alert_id}" for alert_id, ids in told.by_alert.items())


def _killed_storm(url: str, webhook_url: str, prefix: str, seconds: float) -> set[str]:
    """Run a storm, kill it *seconds* after its first commit; the ids of the alerts it had committed."""
    reading, writing = CONTEXT.Pipe(duplex=False)
    process = CONTEXT.Process(target=storm, args=(url, webhook_url, prefix, writing), daemon=True)
    process.start()
    writing.close()
    said = os.read(reading.fileno(), 65_536)
    time.sleep(seconds)  # the moment of the kill is the test's input
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join(PATIENCE_SECONDS)
    while more := os.read(reading.fileno(), 65_536):
        said += more
    reading.close()
    return set(said.decode().split("\n")[:-1])


async def _finish(database: Database, webhook_url: str) -> None:
    thread = StoreThread()
    delivery = deliver(database, thread, Clock(), webhook_url)
    delivery.start()

    def left() -> int:
        return thread.submit(database.outbox_depth).result(PATIENCE_SECONDS)

    await asyncio.to_thread(until_nothing_is_left, left, "every notification was sent")
    await delivery.stop(5)
    assert thread.close(5)
