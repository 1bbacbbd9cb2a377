"""The address to listen at, and what is said of one that cannot be had."""

import asyncio
import json
import socket
import threading
from typing import Any

import httpx2
import pytest
from tests.patience import PATIENCE_SECONDS

from dozor.doorman import Answer
from dozor.errors import ConfigurationError
from dozor.serving import EarlyServer, Front, bind, parse_address


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:8002", ("127.0.0.1", 8002)),
        ("localhost:0", ("localhost", 0)),
        ("[::1]:8002", ("::1", 8002)),
        ("0.0.0.0:65535", ("0.0.0.0", 65535)),
    ],
)
def test_an_address_is_host_and_port(text: str, address: tuple[str, int]) -> None:
    assert parse_address(text) == address


@pytest.mark.parametrize("text", ["", "8002", ":8002", "host:", "host:http", "host:65536", "host:-1"])
def test_what_is_none_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"127\.0\.0\.1:8002"):
        parse_address(text)


def test_a_port_in_use_is_named_with_the_way_out() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ConfigurationError, match=rf"port {port} on 127\.0\.0\.1 is in use.*--port"):
            bind("127.0.0.1", port)


def test_an_address_of_another_machine_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="cannot listen on"):
        bind("192.0.2.1", 0)


def test_a_bound_socket_names_its_protocol_for_asyncio() -> None:
    with bind("127.0.0.1", 0) as listener:
        assert listener.proto == socket.IPPROTO_TCP


async def _asked(app: Front, path: str, method: str = "GET") -> tuple[int, bytes]:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    await app({"type": "http", "method": method, "path": path}, None, send)
    return sent[0]["status"], sent[1]["body"]


async def _app(scope: Any, _receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": scope["path"].encode()})


def test_until_dozor_has_started_liveness_is_answered_and_all_else_waits() -> None:
    async def scene() -> None:
        front = Front()
        assert await _asked(front, "/health") == (200, b'{"status":"ok"}')
        waiting = [asyncio.create_task(_asked(front, path)) for path in ("/metrics", "/readyz")]
        await asyncio.sleep(0)
        assert not any(one.done() for one in waiting)
        front.open(lambda: _app, {"/readyz": lambda _: Answer(200, b"ready"), "/metrics": lambda _: None})
        assert await waiting[0] == (200, b"/metrics")
        assert await waiting[1] == (200, b"ready")

    asyncio.run(scene())


def test_the_application_is_made_for_the_first_to_ask_for_more_than_a_probe_and_once() -> None:
    made: list[int] = []
    go = threading.Event()

    def make() -> Any:
        made.append(threading.get_ident())
        go.wait(PATIENCE_SECONDS)
        return _app

    async def scene() -> None:
        front = Front()
        front.open(make, {"/readyz": lambda _: Answer(503, b"not ready")})
        for path in ("/health", "/livez"):
            assert await _asked(front, path) == (200, b'{"status":"ok"}')
        assert await _asked(front, "/readyz") == (503, b"not ready")
        assert made == []
        waiting = [asyncio.create_task(_asked(front, f"/{number}")) for number in range(5)]
        await asyncio.sleep(0)
        assert await _asked(front, "/health", "HEAD") == (200, b'{"status":"ok"}')
        go.set()
        assert await asyncio.gather(*waiting) == [(200, f"/{number}".encode()) for number in range(5)]
        assert await _asked(front, "/health", "POST") == (200, b"/health")
        assert len(made) == 1
        assert made[0] != threading.get_ident()

    asyncio.run(scene())


def test_one_who_goes_away_while_the_application_is_made_takes_nothing_from_the_others() -> None:
    go = threading.Event()

    def make() -> Any:
        go.wait(PATIENCE_SECONDS)
        return _app

    async def scene() -> None:
        front = Front()
        front.open(make, {})
        gone, stays = asyncio.create_task(_asked(front, "/a")), asyncio.create_task(_asked(front, "/b"))
        await asyncio.sleep(0)
        gone.cancel()
        await asyncio.sleep(0)
        go.set()
        assert await stays == (200, b"/b")

    asyncio.run(scene())


def test_an_application_that_cannot_be_made_is_a_problem_and_is_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    outcomes: list[Any] = [ImportError("broken"), _app]

    def make() -> Any:
        outcome = outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    async def scene() -> None:
        front = Front()
        front.open(make, {})
        status, body = await _asked(front, "/")
        assert (status, json.loads(body)["title"]) == (500, "Internal Server Error")
        assert "broken" not in body.decode()
        assert await _asked(front, "/") == (200, b"/")

    asyncio.run(scene())
    assert "broken" in caplog.text


def test_where_dozor_does_not_start_a_problem_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Front, "_LONGEST_WAIT_SECONDS", 0.01)

    async def scene() -> tuple[int, bytes]:
        return await _asked(Front(), "/metrics")

    status, body = asyncio.run(scene())
    assert status == 503
    assert "still starting" in json.loads(body)["detail"]


def test_an_early_server_answers_before_there_is_anything_else_and_ends_with_its_runtime() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    server = EarlyServer(address)
    try:
        assert httpx2.get(f"http://{address}/health", timeout=10).json() == {"status": "ok"}
        with pytest.raises(ConfigurationError, match="in use"):
            EarlyServer(address)
    finally:
        server.abandon()
    assert not server.runtime.running
    with pytest.raises(httpx2.TransportError):
        httpx2.get(f"http://{address}/health", timeout=10)
