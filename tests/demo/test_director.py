import asyncio
import socket
import threading
import time
from collections.abc import Iterator

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from tests.patience import promised, until

from dozor.demo import director as director_module
from dozor.demo import faults
from dozor.demo.director import Director
from dozor.demo.faults import Fault, Stage
from dozor.demo.narrator import Narrator
from dozor.instruments.own_cost import cpu_seconds_by_thread


class Scene:
    """A stand-in for the shop, which counts, and the director's own servant."""

    def __init__(self) -> None:
        self.requests = 0
        self.ended: list[str] = []

    async def serve(self, _request: Request) -> JSONResponse:
        self.requests += 1
        return JSONResponse({})

    def stop(self) -> None:
        self.ended.append("stop")

    def start(self) -> None:
        self.ended.append("start")


@pytest.fixture
def scene() -> Scene:
    return Scene()


@pytest.fixture
def shop_url(scene: Scene) -> Iterator[str]:
    methods = ["GET", "POST", "PUT", "DELETE"]
    app = Starlette(routes=[Route("/{path:path}", scene.serve, methods=methods)])
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, log_level="critical", lifespan="off"))
        thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[listener])))
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        thread.join()


def test_visitors_come_and_a_fault_is_caused_and_put_right_at_the_end(
    scene: Scene, shop_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(director_module, "_SETTLE_SECONDS", 0.0)
    director = Director(shop_url, scene, Narrator(), fault="redis-stopped")
    director.start()
    until(lambda: scene.requests > 3 and scene.ended == ["stop"])
    began = time.monotonic()
    director.stop()
    assert time.monotonic() - began < promised(2)
    assert scene.ended == ["stop", "start"]


def test_what_the_visitors_cost_is_not_taken_for_what_dozor_costs(
    scene: Scene, shop_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(director_module, "_SETTLE_SECONDS", 0.0)
    director = Director(shop_url, scene, Narrator(), fault="redis-stopped")
    director.start()
    until(lambda: scene.requests > 3)
    try:
        assert director._thread.native_id not in cpu_seconds_by_thread()
    finally:
        director.stop()


def test_a_fault_that_is_on_is_not_caused_twice(
    scene: Scene, shop_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    caused = []

    async def flood(stage: Stage) -> None:
        caused.append(stage)
        await asyncio.sleep(60)

    fault = Fault("flood", "water", "wet feet", "/", flood)
    monkeypatch.setattr(director_module, "FAULTS", {**faults.FAULTS, "flood": fault})
    director = Director(shop_url, scene, Narrator(), fault="redis-stopped")
    director.start()
    assert director.cause("flood")
    assert director.cause("flood")
    assert not director.cause("drought")
    until(lambda: len(caused) == 1)
    director.stop()
    assert len(caused) == 1
    assert capsys.readouterr().out.count("FAULT flood") == 1


def test_a_fault_is_put_right_before_its_time(scene: Scene, shop_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(director_module, "_SETTLE_SECONDS", 0.0)
    director = Director(shop_url, scene, Narrator(), fault="redis-stopped")
    director.start()
    until(lambda: scene.ended == ["stop"])
    assert director.end("redis-stopped")
    until(lambda: scene.ended == ["stop", "start"])
    assert director.end("redis-stopped")
    assert not director.end("drought")
    director.stop()
    assert scene.ended == ["stop", "start"]


def test_one_that_never_started_stops_too(scene: Scene) -> None:
    Director("http://127.0.0.1:1", scene, Narrator()).stop()
