"""A small Dozor on a real socket, that answers as each test says and keeps what it was asked."""

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

API = "/api/v1/monitoring/"
Answer = dict[str, Any] | tuple[int, dict[str, Any]] | Callable[[dict[str, list[str]]], dict[str, Any]]


@dataclass(frozen=True)
class Asked:
    """One request, its path relative to the API's root."""

    method: str
    path: str
    parameters: dict[str, list[str]]
    body: dict[str, Any] | None
    key: str | None


@dataclass
class Dozor:
    """Answers by method and path (`GET alerts/active`): a document, one with a status, or one made from the parameters."""

    answers: dict[str, Answer] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    url: str = ""

    def sent(self, method: str) -> list[Asked]:
        """The requests by that method."""
        return [asked for asked in self.asked if asked.method == method]

    def answer(self, asked: Asked) -> tuple[int, str, bytes]:
        """Status, media type and body."""
        given = self.answers.get(f"{asked.method} {asked.path}", (404, {"detail": "Not Found"}))
        if callable(given):
            given = given(asked.parameters)
        status, document = given if isinstance(given, tuple) else (200, given)
        problem = "status" in document and status >= 400
        return status, "application/problem+json" if problem else "application/json", json.dumps(document).encode()


def problem(status: int, detail: str) -> tuple[int, dict[str, Any]]:
    """A problem document, with its status."""
    return status, {"type": "about:blank", "title": "Problem", "status": status, "detail": detail}


def alert(alert_id: str = "0f6c2f7e5f0e4d0b", **fields: Any) -> dict[str, Any]:
    """An alert as the API shows it, but for *fields*."""
    return {
        "id": alert_id,
        "rule": "PoolUtilizationHigh",
        "severity": "CRITICAL",
        "component": "database",
        "state": "FIRING",
        "inhibited_by": [],
        "labels": {"alertname": "PoolUtilizationHigh", "pool": "main", "component": "database"},
        "annotations": {"summary": "96 % of the connections of main are in use"},
        "value": 96.0,
        "active_at": "2026-11-22T19:00:00Z",
        "fired_at": "2026-11-22T19:01:00Z",
        "resolved_at": None,
        "resolve_reason": None,
        "acknowledged": None,
        "silenced": None,
        **fields,
    }


def listed(*alerts: dict[str, Any]) -> dict[str, Any]:
    """A page with *alerts*."""
    return {"alerts": list(alerts), "total": len(alerts), "next_cursor": None}


@pytest.fixture
def dozor(monkeypatch: pytest.MonkeyPatch) -> Iterator[Dozor]:
    """The Dozor that the commands find without being told where."""
    state = Dozor({"GET alerts/active": listed(), "GET alerts/history": listed()})

    class Handler(BaseHTTPRequestHandler):
        def handle_any(self) -> None:
            length = int(self.headers.get("content-length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            parts = urlsplit(self.path)
            path = parts.path.removeprefix(API)
            asked = Asked(self.command, path, parse_qs(parts.query), body, self.headers.get("authorization"))
            state.asked.append(asked)
            status, kind, content = state.answer(asked)
            self.send_response(status)
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_DELETE = do_PUT = handle_any

        def log_message(self, *_: Any) -> None:
            """Not into the test's output."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    state.url = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setenv("DOZOR_URL", state.url)
    monkeypatch.setenv("LOGNAME", "anna")
    yield state
    server.shutdown()
    server.server_close()


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    status: int
    out: str
    err: str


Run = Callable[..., Ended]


@pytest.fixture
def dozor_command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs the command line in this process, as a shell would."""
    from dozor.cli import main

    def run(*arguments: str) -> Ended:
        monkeypatch.setattr("sys.argv", ["dozor", *arguments])
        status = main()
        printed = capsys.readouterr()
        assert "Traceback" not in printed.err
        return Ended(status, printed.out, printed.err)

    return run
