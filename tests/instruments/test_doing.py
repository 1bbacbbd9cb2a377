"""What requests are at: in tasks, in threads, in the greenlets of an AsyncEngine, waiting or at work."""

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from sqlalchemy import create_engine
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import QueuePool

from dozor.instruments.http_answers import RequestInFlight
from dozor.instruments.middleware import DozorMiddleware, HttpMonitor

released = threading.Event()


@pytest.fixture(autouse=True)
def _released() -> Iterator[None]:
    released.clear()
    yield
    released.set()


def shop(folder: Path) -> tuple[FastAPI, Any, Any]:
    app = FastAPI()
    one = {"pool_size": 1, "max_overflow": 0}
    engine = create_engine("sqlite://", poolclass=QueuePool, connect_args={"check_same_thread": False}, **one)
    async_engine = create_async_engine(f"sqlite+aiosqlite:///{folder}/shop.db", **one)

    @app.get("/sleeps/{name}")
    async def sleeps(name: str) -> None:
        await asyncio.sleep(600)

    @app.get("/computes")
    def computes() -> None:
        released.wait(600)

    @app.get("/in-a-thread")
    async def in_a_thread() -> None:
        await asyncio.to_thread(released.wait, 600)

    @app.get("/waits")
    async def waits() -> None:
        async with async_engine.connect():
            pass

    return app, engine, async_engine


PATHS = ("/sleeps/secret", "/computes", "/in-a-thread", "/waits")


async def in_flight(folder: Path) -> list[RequestInFlight]:
    app, engine, async_engine = shop(folder)
    monitor = HttpMonitor()
    middleware = DozorMiddleware(app, monitor)

    async def never(*_: Any) -> Any:
        await asyncio.Event().wait()

    async def ask(path: str) -> None:
        await middleware(
            {"type": "http", "method": "GET", "path": path, "headers": [], "query_string": b""}, never, never
        )

    loop = asyncio.get_running_loop()
    taken = await async_engine.connect()
    tasks = [asyncio.create_task(ask(path)) for path in PATHS]
    found: list[RequestInFlight] = []
    for _ in range(6000):  # until all of them are where they stay
        found = await asyncio.to_thread(monitor.in_flight, [loop], 10)
        begun = [one for one in found if one.place is not None and not one.place.endswith("ask")]
        if len(begun) == len(PATHS) and any(one.doing for one in found):
            break
        await asyncio.sleep(0.01)
    released.set()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await taken.close()
    await async_engine.dispose()
    engine.dispose()
    return found


def test_each_request_is_found_with_its_line_and_what_it_does(tmp_path: Path) -> None:
    found = {request.route: request for request in asyncio.run(in_flight(tmp_path))}
    assert {route: (one.place or "").rpartition(" in ")[2].rpartition(".")[2] for route, one in found.items()} == {
        "/sleeps/{name}": "sleeps",
        "/computes": "computes",
        "/in-a-thread": "in_a_thread",
        "/waits": "waits",
    }
    assert found["/waits"].doing == "waiting for a connection"
    assert found["/computes"].doing is None
    assert "secret" not in repr(found)
    assert all("test_doing.py" in (one.place or "") for one in found.values())


def test_requests_that_cannot_be_found_are_listed_all_the_same() -> None:
    async def scene() -> list[RequestInFlight]:
        monitor = HttpMonitor()
        asked: list[RequestInFlight] = []

        async def app(*_: Any) -> None:
            asked.extend(monitor.in_flight([], 10))

        await DozorMiddleware(app, monitor)({"type": "http", "method": "GET", "path": "/", "headers": []}, app, app)  # type: ignore[arg-type]
        return asked

    [request] = asyncio.run(scene())
    assert (request.method, request.route, request.status) == ("GET", "(unmatched)", None)
