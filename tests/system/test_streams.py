"""Streams from a real server: what is sent, what is counted, and that nothing waits for them when it is to end."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx2
import pytest
from tests.api.streaming import Event, Parser
from tests.patience import PATIENCE_SECONDS
from tests.serving import free_port
from tests.system.conftest import API, Launch, Process, timed

from dozor.merge_patch import patched


@contextmanager
def stream(process: Process) -> Iterator[Iterator[Event]]:
    """The events of one stream of *process*, its comments left out."""

    def events(answer: httpx2.Response) -> Iterator[Event]:
        parser = Parser()
        for text in answer.iter_text():
            yield from (event for event in parser.feed(text) if event.name)

    with process.http.stream("GET", f"{API}/stream", timeout=PATIENCE_SECONDS) as answer:
        assert (answer.status_code, answer.headers.get("content-encoding")) == (200, None)
        yield events(answer)


def states(events: Iterator[Event]) -> Iterator[Any]:
    """The whole after each event."""
    state: Any = None
    for event in events:
        if event.name in {"overview", "patch"}:
            state = event.data if event.name == "overview" else patched(state, event.data)
            yield state


@pytest.fixture(params=["embedded", "agent"])
def server(request: pytest.FixtureRequest, launch: Launch) -> Process:
    port = free_port()
    command = {
        "embedded": ["uvicorn", "streamed:app", "--log-level", "warning"],
        "agent": ["dozor.cli", "serve", "--database-url", "main=sqlite://"],
    }[request.param]
    return launch([sys.executable, "-m", *command, "--port", str(port)], port, DOZOR_STORE_URL="sqlite://")


def test_a_stream_is_kept_up_to_date_and_nothing_waits_for_it_in_the_end(server: Process) -> None:
    with stream(server) as events, stream(server) as idle:
        assert next(idle).name == "overview"
        looks: set[str] = set()
        for state in states(events):
            looks.add(state.get("checked_at", ""))
            if len(looks) == 3:
                break
        families = {metric["name"]: metric["samples"] for metric in server.get("/metrics/all")["metrics"]}
        counted = families.get("http_requests_total", []) + families.get("http_requests_in_progress", [])
        assert all(sample["value"] == 0 for sample in counted)
        with timed(5):
            assert server.stop() in {0, -15}
    assert "rror" not in server.log
