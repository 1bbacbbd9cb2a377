"""`dozor check` against every kind of answer."""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from dozor.cli.check import Outcome, check

Answer = Callable[[int, bytes], str]


def _health(status: str, **components: dict[str, object]) -> bytes:
    return json.dumps({"status": status, "reasons": [], "components": components}).encode()


@pytest.fixture
def answering() -> Iterator[Answer]:
    """Starts a server that gives one answer to everything, and keeps the headers it was sent; returns its URL."""
    servers = []

    def start(status: int, body: bytes) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                authorized = status != 401 or self.headers.get("Authorization") == "Bearer right"
                self.send_response(200 if authorized and status == 401 else status)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        ("HEALTHY", Outcome.HEALTHY),
        ("WARNING", Outcome.WARNING),
        ("UNKNOWN", Outcome.WARNING),
        ("CRITICAL", Outcome.CRITICAL),
        ("DISCONNECTED", Outcome.CRITICAL),
    ],
)
def test_the_exit_status_is_the_health(status: str, outcome: Outcome, answering: Answer) -> None:
    assert check({"url": answering(200, _health(status))}, as_json=False) == outcome


def test_every_component_and_reason_is_printed(answering: Answer, capsys: pytest.CaptureFixture[str]) -> None:
    body = _health(
        "CRITICAL",
        database={"status": "HEALTHY", "reasons": []},
        redis={"status": "DISCONNECTED", "reasons": ["cache: connection refused [Errno 111]"]},
        http={"status": None, "reasons": []},
    )
    assert check({"url": answering(200, body)}, as_json=False) == 2
    assert capsys.readouterr().out.splitlines() == [
        "Dozor      CRITICAL",
        "  database   HEALTHY",
        "  redis      DISCONNECTED",
        "    - cache: connection refused [Errno 111]",
        "  http       not watched",
    ]


def test_json_is_dozors_own_answer(answering: Answer, capsys: pytest.CaptureFixture[str]) -> None:
    body = _health("WARNING", database={"status": "WARNING", "reasons": ["slow"]})
    assert check({"url": answering(200, body)}, as_json=True) == 1
    assert json.loads(capsys.readouterr().out) == json.loads(body)


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (200, b"<html>", "is not Dozor (status 200"),
        (200, b"[]", "is not Dozor"),
        (200, b'{"status": "ok"}', "is not Dozor"),
        (404, b"{}", "is not Dozor (status 404"),
        (403, b"{}", "does not let us in (403): set its key in DOZOR_API_KEY"),
        (401, b"{}", "does not let us in (401): set its key in DOZOR_API_KEY"),
    ],
)
def test_what_is_not_dozor_or_lets_nobody_in_is_unreachable(
    status: int, body: bytes, said: str, answering: Answer, capsys: pytest.CaptureFixture[str]
) -> None:
    assert check({"url": answering(status, body)}, as_json=False) == Outcome.UNREACHABLE
    assert said in capsys.readouterr().err


def test_the_key_is_sent(
    answering: Answer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    url = answering(401, _health("HEALTHY"))
    monkeypatch.setenv("DOZOR_API_KEY", "right")
    assert check({"url": url}, as_json=False) == Outcome.HEALTHY
    monkeypatch.setenv("DOZOR_API_KEY", "wrong")
    assert check({"url": url}, as_json=False) == Outcome.UNREACHABLE
    assert "the key in DOZOR_API_KEY is not its own" in capsys.readouterr().err
