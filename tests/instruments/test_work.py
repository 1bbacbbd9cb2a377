"""On whose behalf something runs, seen from where instruments look."""

import asyncio
import gc
import weakref
from typing import Any

import pytest
from fastapi import BackgroundTasks, FastAPI
from starlette.testclient import TestClient

from dozor.instruments.middleware import ASGIApp, DozorMiddleware, HttpMonitor
from dozor.instruments.work import Work, current_work

seen: list[str] = []


def look() -> None:
    work = current_work.get()
    seen.append("" if work is None else work.name)


@pytest.fixture
def client() -> TestClient:
    seen.clear()
    app = FastAPI()

    @app.get("/tasks/{number}")
    async def in_a_task(number: int) -> None:
        await asyncio.create_task(asyncio.to_thread(look))

    @app.get("/threads/{number}")
    def in_a_thread(number: int) -> None:
        look()

    @app.get("/later")
    async def later(background: BackgroundTasks) -> None:
        background.add_task(look)

    @app.get("/fails")
    async def fails() -> None:
        look()
        raise RuntimeError

    return TestClient(DozorMiddleware(app, HttpMonitor()), raise_server_exceptions=False)


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/tasks/1", "GET /tasks/{number}"),
        ("/threads/1", "GET /threads/{number}"),
        ("/later", "GET /later"),
        ("/fails", "GET /fails"),
    ],
)
def test_work_is_named_by_its_route_wherever_it_runs(client: TestClient, path: str, name: str) -> None:
    client.get(path)
    assert seen == [name]
    assert current_work.get() is None


def test_work_that_is_kept_keeps_nothing_of_its_request_and_still_knows_its_name() -> None:
    kept: list[Work] = []
    app = FastAPI()

    class Content:
        pass

    contents: list[weakref.ref[Any]] = []

    @app.get("/orders/{order}")
    async def order(order: int) -> None:
        work = current_work.get()
        assert work is not None
        kept.append(work)

    watched = DozorMiddleware(app, HttpMonitor())

    async def outer(scope: Any, receive: Any, send: Any) -> None:
        async def sending(message: Any) -> None:
            await send(message)

        scope["content"] = content = Content()
        contents.extend((weakref.ref(content), weakref.ref(sending)))
        await watched(scope, receive, sending)

    TestClient(outer).get("/orders/7")
    gc.collect()
    assert [content() for content in contents] == [None, None]
    assert [work.name for work in kept] == ["GET /orders/{order}"]


async def _nested(middleware: ASGIApp) -> None:
    async def nothing(*_: Any) -> Any:
        return {"type": "http.request"}

    await middleware({"type": "http", "method": "GET", "path": "/"}, nothing, nothing)


def test_the_work_around_is_back_after_a_request_within_it() -> None:
    names: list[Work | None] = []
    inner_monitor = HttpMonitor()

    async def inner(_scope: Any, _receive: Any, _send: Any) -> None:
        names.append(current_work.get())

    async def outer(scope: Any, receive: Any, send: Any) -> None:
        before = current_work.get()
        await DozorMiddleware(inner, inner_monitor)(dict(scope), receive, send)
        names.append(before if current_work.get() is before else None)

    asyncio.run(_nested(DozorMiddleware(outer, HttpMonitor())))
    assert None not in names
    assert names[0] is not names[1]
