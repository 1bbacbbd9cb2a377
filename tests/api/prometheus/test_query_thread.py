"""The thread for queries: there from the first query to the end, with room for a number of them."""

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from dozor import Dozor, session
from dozor.api import PREFIX
from dozor.monitor import Monitor
from dozor.settings import Settings
from dozor.store import Queryable

pytestmark = pytest.mark.anyio
QUERY = f"{PREFIX}/prometheus/api/v1/query?query=1"


def at_work() -> bool:
    return "dozor-query" in {thread.name for thread in threading.enumerate()}


@pytest.fixture
def monitor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Monitor]:
    monkeypatch.setattr(session, "_MOST_QUERIES", 1)
    with Dozor(name="queries", settings=Settings(store_url=f"sqlite:///{tmp_path}/own.db")) as dozor:
        assert dozor.monitor is not None
        yield dozor.monitor


async def ask(monitor: Monitor) -> int:
    transport = httpx2.ASGITransport(monitor.reception.application(), client=("127.0.0.1", 4711))
    async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as client:
        return (await client.get(QUERY)).status_code


async def test_it_lives_from_the_first_query_to_the_end(monitor: Monitor) -> None:
    assert not at_work()
    assert await ask(monitor) == 200
    assert at_work()
    monitor.stop(5)
    assert not at_work()
    assert await ask(monitor) == 503


async def test_queries_beyond_its_room_are_refused_at_once(monitor: Monitor) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def hang(_: Queryable) -> None:
        begun.set()
        go_on.wait(30)

    hanging = asyncio.create_task(monitor.reception.desk().run_query(hang))
    await asyncio.to_thread(begun.wait, 30)
    waiting = asyncio.create_task(ask(monitor))
    while not monitor._working().queries.waiting:
        await asyncio.sleep(0.001)
    assert await ask(monitor) == 503
    go_on.set()
    assert await waiting == 200
    await hanging
