"""The address to listen at, and what is said of one that cannot be had."""

import asyncio
import json
import socket
from typing import Any

import httpx2
import pytest

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


async def _asked(app: Front, path: str) -> tuple[int, bytes]:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    await app({"type": "http", "method": "GET", "path": path}, None, send)
    return sent[0]["status"], sent[1]["body"]


async def _made(scope: Any, _receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": scope["path"].encode()})


def test_while_the_application_is_made_liveness_is_answered_and_all_else_waits_for_it() -> None:
    async def scene() -> None:
        front = Front()
        assert await _asked(front, "/health") == (200, b'{"status":"ok"}')
        waiting = asyncio.create_task(_asked(front, "/metrics"))
        await asyncio.sleep(0)
        assert not waiting.done()
        front.become(_made)
        assert await waiting == (200, b"/metrics")
        assert await _asked(front, "/livez") == (200, b"/livez")

    asyncio.run(scene())


def test_where_the_application_does_not_come_a_problem_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
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
