"""The stream: the whole, then what changes; resumed, bounded, ended."""

import json
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest
from fastapi import FastAPI
from msgspec.structs import replace
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.gzip import GZipMiddleware
from tests.api.fake_backend import FakeBackend, an_alert, busy
from tests.api.streaming import reading

from dozor.api import create_app
from dozor.api.backend import Access
from dozor.api.live import TAIL_EVENTS, TOLD
from dozor.api.live_document import live_document
from dozor.api.live_schemas import LiveOverview
from dozor.api.stream import HEARTBEAT_SECONDS, LONGEST_SECONDS, server_is_stopping
from dozor.model.labels import Labels
from dozor.overview import Change, ChangeKind
from dozor.testing import FakeClock

pytestmark = pytest.mark.anyio


@pytest.fixture
def app(backend: FakeBackend) -> FastAPI:
    return create_app(backend)


def moved(backend: FakeBackend, seconds: float = 1.0) -> FakeBackend:
    """*backend* a moment later: whoever looks sees other times, at least."""
    backend.clock.advance(seconds)
    backend.live.look()
    return backend


async def test_the_first_event_is_the_whole_and_the_next_what_has_changed(app: FastAPI, backend: FakeBackend) -> None:
    busy(backend)
    async with reading(app) as reader:
        assert (reader.status, reader.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
        assert (reader.headers["cache-control"], reader.headers["x-accel-buffering"]) == ("no-store", "no")
        first = await reader.event()
        assert first.name == "overview"
        assert (first.data["status"], list(first.data["pools"]), first.data["alert_order"]) == (
            "HEALTHY",
            ["default"],
            [],
        )
        backend.add(an_alert())
        moved(backend)
        second = await reader.event()
        assert second.name == "patch"
        assert "host" not in second.data
        assert second.data["alerts"]["a1"]["rule"] == "PoolUtilizationHigh"
        assert reader.state == live_document(backend)


async def test_the_whole_is_what_the_overview_answers(app: FastAPI, backend: FakeBackend) -> None:
    from fastapi.testclient import TestClient

    busy(backend).add(an_alert(), an_alert(id="a2", labels=Labels(pool="b")))
    answer = TestClient(app, base_url="http://localhost", client=("127.0.0.1", 1)).get(
        "/api/v1/monitoring/dashboard/overview"
    )
    asked = answer.json()
    async with reading(app) as reader:
        live = (await reader.event()).data
    LiveOverview.model_validate(live)
    for name in ("status", "reasons", "components", "http", "host", "generated_at"):
        assert live[name] == asked[name]
    assert live["alert_order"] == [alert["id"] for alert in asked["alerts"]] == list(live["alerts"])
    assert live["pools"]["default"]["db_pool_checked_out"] == asked["pools"][0]["db_pool_checked_out"]
    assert list(live["sparklines"]) == list(asked["sparklines"])
    assert live["sparklines"]["host_cpu"][""]["points"] == asked["sparklines"]["host_cpu"][0]["points"]


async def test_a_reader_goes_on_where_it_was(app: FastAPI, backend: FakeBackend) -> None:
    async with reading(app) as reader:
        await reader.event()
        moved(backend)
        await reader.event()
    backend.add(an_alert())
    moved(backend)
    async with reading(app, {"Last-Event-ID": reader.last_id}) as again:
        again.state = reader.state
        assert (await again.event()).name == "patch"
        assert again.state == live_document(backend)


@pytest.mark.parametrize("last", ["", "nonsense", "-1", "0123abcd-1", "9" * 90])
async def test_a_reader_from_elsewhere_gets_the_whole(app: FastAPI, last: str) -> None:
    async with reading(app, {"Last-Event-ID": last}) as reader:
        assert (await reader.event()).name == "overview"


async def test_a_reader_of_an_earlier_run_gets_the_whole(app: FastAPI, backend: FakeBackend) -> None:
    async with reading(app) as reader:
        await reader.event()
        backend.live.close()
        await reader.ended()
    backend.live.open()
    async with reading(app, {"Last-Event-ID": reader.last_id}) as again:
        assert (await again.event()).name == "overview"


async def test_one_more_stream_than_may_be_is_refused_and_says_what_to_do(app: FastAPI, backend: FakeBackend) -> None:
    async with reading(app), reading(app), reading(app):
        async with reading(app) as fourth:
            problem = json.loads((await fourth.body())["body"])
            assert (fourth.status, problem["status"]) == (503, 503)
            assert "DOZOR_MAX_STREAMS" in problem["detail"]
            assert fourth.headers["retry-after"] == "2"
        assert backend.live.streams == 3
    assert backend.live.streams == 0


@pytest.mark.parametrize("spec", ["2.3", "2.4"])
async def test_a_reader_that_goes_is_noticed(app: FastAPI, backend: FakeBackend, spec: str) -> None:
    async with reading(app, spec=spec) as reader:
        await reader.event()
        if spec == "2.4":
            backend.live.close()  # such a server says so by failing to send, which is not played here
    assert backend.live.streams == 0


async def test_a_slow_reader_costs_no_memory_and_gets_the_whole_anew(app: FastAPI, backend: FakeBackend) -> None:
    async with reading(app, ahead=1) as reader:
        assert (await reader.event()).name == "overview"
        for _ in range(2 * TAIL_EVENTS):
            backend.clock.advance(0.25)
            backend.live.look()
        assert len(backend.live.tail.events) <= TAIL_EVENTS
        assert reader.sent.qsize() <= 1
        names = []
        while reader.state != live_document(backend):
            names.append((await reader.event()).name)
        assert "overview" in names
        assert len(names) < 5


async def test_a_heartbeat_comes_where_nothing_else_does(app: FastAPI, backend: FakeBackend) -> None:
    async with reading(app) as reader:
        await reader.event()
        backend.clock.advance(HEARTBEAT_SECONDS)
        assert (await reader.event()).comment == "ping"


async def test_a_stream_ends_when_dozor_does(app: FastAPI, backend: FakeBackend) -> None:
    async with reading(app) as reader:
        await reader.event()
        backend.live.close()
        await reader.ended()
        async with reading(app) as another:
            assert another.status == 503


async def test_a_stream_ends_after_a_while_so_that_no_server_waits_for_ever(app: FastAPI, backend: FakeBackend) -> None:
    async with reading(app) as reader:
        await reader.event()
        backend.clock.advance(LONGEST_SECONDS + 1)
        await reader.ended()


async def test_a_stream_ends_when_its_server_is_told_to(app: FastAPI, monkeypatch: pytest.MonkeyPatch) -> None:
    class Server:
        should_exit = False

        def handle_exit(self, *_: Any) -> None: ...

    server = Server()
    monkeypatch.setattr("dozor.api.stream.signal.getsignal", lambda _: server.handle_exit)
    async with reading(app) as reader:
        await reader.event()
        assert not server_is_stopping()
        server.should_exit = True
        await reader.ended()


def test_only_what_a_server_says_of_itself_ends_streams(monkeypatch: pytest.MonkeyPatch) -> None:
    for handler in (None, 0, print, SimpleNamespace(should_exit="?").__str__):
        monkeypatch.setattr("dozor.api.stream.signal.getsignal", lambda _, found=handler: found)
        assert not server_is_stopping()


async def test_events_are_made_once_for_all_streams(app: FastAPI, backend: FakeBackend) -> None:
    async with reading(app) as one, reading(app) as other:
        await one.event(), await other.event()
        bridged = backend.bridged
        moved(backend)
        assert (await one.event()).data == (await other.event()).data != None  # noqa: E711
        assert backend.bridged == bridged


async def test_changes_close_together_make_one_event(app: FastAPI, backend: FakeBackend) -> None:
    async with reading(app) as reader:
        await reader.event()
        end = backend.live.tail.end.sequence
        for number in range(20):
            backend.add(an_alert(id=f"a{number}"))
            backend.live.look()
        while len((reader.state or {})["alerts"]) < 20:
            await reader.event()
        assert backend.live.tail.end.sequence - end <= 2


async def test_what_happens_is_told_to_those_who_listen_and_to_nobody_twice(app: FastAPI, backend: FakeBackend) -> None:
    await backend.annotate("Before anybody came", at=None, tags=(), by=None)
    async with reading(app) as reader:
        assert (await reader.event()).name == "overview"
        await backend.annotate("Deployed 1.2.3", at=None, tags=("deploy",), by="ci")
        moved(backend)
        told = await reader.event()
        assert told.name == "changes"
        assert [(one["kind"], one["text"]) for one in told.data["changes"]] == [("deployed", "Deployed 1.2.3")]
        assert (await reader.event()).name == "patch"
    await backend.annotate("While nobody listened", at=None, tags=(), by=None)
    async with reading(app, {"Last-Event-ID": reader.last_id}) as again:
        assert (await again.event()).data["changes"][0]["text"] == "While nobody listened"
    async with reading(app) as another:
        assert (await another.event()).name == "overview"


async def test_a_storm_of_changes_is_told_by_its_newest(app: FastAPI, backend: FakeBackend) -> None:
    async with reading(app) as reader:
        await reader.event()
        backend.changed.add(Change(backend.clock.timestamp(), ChangeKind.ANNOTATED, str(one)) for one in range(1000))
        moved(backend)
        told = (await reader.event()).data["changes"]
        assert (len(told), told[-1]["text"]) == (TOLD, "999")


async def test_what_the_applications_own_gate_opened_is_closed_before_the_stream_begins(clock: FakeClock) -> None:
    events: list[str] = []

    async def session() -> AsyncIterator[None]:
        events.append("opened")
        yield
        events.append("closed")

    app = create_app(FakeBackend(clock, Access(dependency=session)))
    async with reading(app) as reader:
        await reader.event()
        assert events == ["opened", "closed"]


async def test_a_key_is_asked_for(clock: FakeClock) -> None:
    app = create_app(FakeBackend(clock, Access(api_key="secret")))
    async with reading(app) as stranger:
        assert stranger.status == 401
    async with reading(app, {"Authorization": "Bearer secret"}) as reader:
        assert (await reader.event()).name == "overview"


class Passing(BaseHTTPMiddleware):
    async def dispatch(self, request: Any, call_next: Any) -> Any:
        return await call_next(request)


@pytest.mark.parametrize("middleware", [GZipMiddleware, Passing])
async def test_middleware_around_it_neither_holds_it_back_nor_changes_it(
    app: FastAPI, backend: FakeBackend, middleware: Any
) -> None:
    around = middleware(app)
    async with reading(around, {"Accept-Encoding": "gzip"}) as reader:
        assert "content-encoding" not in reader.headers
        await reader.event()
        moved(backend)
        assert (await reader.event()).name == "patch"
    assert backend.live.streams == 0


async def test_what_is_wrong_with_dozor_is_said_before_the_stream_begins(app: FastAPI, backend: FakeBackend) -> None:
    backend.running = False
    async with reading(app) as reader:
        assert (reader.status, backend.live.streams) == (503, 0)


async def test_odd_text_and_vanished_figures_arrive_as_they_are(app: FastAPI, backend: FakeBackend) -> None:
    pool = replace(backend.pools[0], name="\ud800<script>\u202e", collected_at=None)
    backend.pools = (pool, *backend.pools)
    async with reading(app) as reader:
        await reader.event()
        assert [name for name in reader.state["pools"] if name.endswith("<script>\u202e")]
        figures = {name: value for name, value in pool.figures.items() if name != "db_pool_waiting"}
        backend.pools = (replace(backend.pools[1], figures=figures),)
        moved(backend)
        await reader.event()
        assert list(reader.state["pools"]) == ["default"]
        assert "db_pool_waiting" not in reader.state["pools"]["default"]
