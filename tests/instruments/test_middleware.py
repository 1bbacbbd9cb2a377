"""The HTTP middleware around real Starlette and FastAPI applications."""

import asyncio
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pytest
from fastapi import APIRouter, BackgroundTasks, Depends, FastAPI, HTTPException, WebSocket
from fastapi.staticfiles import StaticFiles
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, StreamingResponse
from starlette.routing import Host, Mount, Route
from starlette.testclient import TestClient
from tests.chaos import examples

from dozor import containment
from dozor.instruments.http_answers import BOUNDS, Answers
from dozor.instruments.http_known import KnownRoute
from dozor.instruments.http_route import find_route
from dozor.instruments.middleware import DozorMiddleware, HttpMonitor
from dozor.instruments.work import current_work
from dozor.instruments.work_finished import finished_works
from dozor.model.labels import Labels
from dozor.testing import FakeClock

pytestmark = pytest.mark.anyio

Counted = dict[tuple[str, str, str], float]


class Hands:
    """A timer moved by hand."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(autouse=True)
def _finished() -> Iterator[None]:
    yield
    finished_works.clear()  # what stands for statements here is none


def counted(monitor: HttpMonitor) -> Counted:
    [family] = [family for family in monitor.families() if family.name == "http_requests_total"]
    return {
        (sample.labels["method"], sample.labels["route"], sample.labels["status"]): sample.value
        for sample in family.samples
    }


def seconds(monitor: HttpMonitor) -> float:
    return sum(
        sample.value
        for family in monitor.families()
        for sample in family.samples
        if sample.name == "http_request_duration_seconds_sum"
    )


def in_progress(monitor: HttpMonitor) -> float:
    [value] = [f.samples[0].value for f in monitor.families() if f.name == "http_requests_in_progress"]
    return value


def watched(app: Any, **options: Any) -> HttpMonitor:
    monitor = HttpMonitor(FakeClock(), **options)
    app.add_middleware(DozorMiddleware, monitor=monitor)
    return monitor


async def hello(request: Request) -> PlainTextResponse:
    return PlainTextResponse("hello")


# -- routes ------------------------------------------------------------------------------------------------------------


def shop() -> FastAPI:
    app = FastAPI()

    @app.get("/items/{item_id}")
    async def item(item_id: int) -> int:
        return item_id

    @app.api_route("/any", methods=["GET", "PURGE"])
    async def any_method() -> None: ...

    inner = APIRouter(prefix="/lines")

    @inner.get("/{line_id}")
    async def line(line_id: int) -> int:
        return line_id

    router = APIRouter(prefix="/orders")

    @router.get("/{order_id}")
    async def order(order_id: int) -> int:
        return order_id

    @router.get("")
    async def orders() -> list[int]:
        return []

    router.include_router(inner, prefix="/{order_id}")
    app.include_router(router, prefix="/api")
    app.include_router(router, prefix="/v2")
    app.add_route("/plain/{name}", hello)
    app.add_route("/also-plain", hello)

    sub = FastAPI()

    @sub.get("/reports/{year}")
    async def report(year: int) -> int:
        return year

    sub.mount("/files", StaticFiles(directory="."))
    app.mount("/admin", sub)
    app.mount("/tenants/{tenant}", sub)
    app.mount("/static", StaticFiles(directory="."))
    return app


@pytest.mark.parametrize(
    ("path", "route", "status"),
    [
        ("/items/17", "/items/{item_id}", "200"),
        ("/items/x", "/items/{item_id}", "422"),
        ("/api/orders", "/api/orders", "200"),
        ("/api/orders/1", "/api/orders/{order_id}", "200"),
        ("/v2/orders/1", "/v2/orders/{order_id}", "200"),
        ("/api/orders/1/lines/2", "/api/orders/{order_id}/lines/{line_id}", "200"),
        ("/plain/x", "/plain/{name}", "200"),
        ("/also-plain", "/also-plain", "200"),
        ("/admin/reports/2026", "/admin/reports/{year}", "200"),
        ("/tenants/acme/reports/2026", "/tenants/{tenant}/reports/{year}", "200"),
        ("/tenants/reports/reports/1", "/tenants/{tenant}/reports/{year}", "200"),
        ("/static/pyproject.toml", "/static", "200"),
        ("/static/none", "/static", "404"),
        ("/admin/files/pyproject.toml", "/admin/files", "200"),
        ("/admin/none", "(unmatched)", "404"),
        ("/none/at/all", "(unmatched)", "404"),
        ("/api/orders/", "(unmatched)", "307"),
        ("/docs", "/docs", "200"),
    ],
)
def test_the_route_is_mount_prefix_and_template(path: str, route: str, status: str) -> None:
    app = shop()
    monitor = watched(app)
    client = TestClient(app, follow_redirects=False)
    for _ in range(2):
        client.get(path)
    assert counted(monitor) == {("GET", route, status): 2}


def test_requests_that_come_to_one_endpoint_by_several_ways_are_told_apart_each_time() -> None:
    app = shop()
    monitor = watched(app)

    @app.get("/one")
    @app.get("/another")
    async def both() -> None: ...

    client = TestClient(app)
    paths = ("/api/orders/1", "/v2/orders/1", "/one", "/another", "/any", "/tenants/a/reports/1", "/admin/reports/1")
    for _ in range(3):
        for path in (*paths, "/tenants/b/reports/2"):
            client.get(path)
        client.request("PURGE", "/any")
    assert counted(monitor) == {
        ("GET", "/api/orders/{order_id}", "200"): 3,
        ("GET", "/v2/orders/{order_id}", "200"): 3,
        ("GET", "/one", "200"): 3,
        ("GET", "/another", "200"): 3,
        ("GET", "/any", "200"): 3,
        ("other", "/any", "200"): 3,
        ("GET", "/admin/reports/{year}", "200"): 3,
        ("GET", "/tenants/{tenant}/reports/{year}", "200"): 6,
    }


def test_a_route_is_named_once_for_each_way_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    named: list[Any] = []

    def find(scope: Any, *arguments: Any) -> Any:
        named.append(scope["path"])
        return find_route(scope, *arguments)

    monkeypatch.setattr("dozor.instruments.middleware.find_route", find)
    app = shop()
    monitor = watched(app)
    client = TestClient(app)
    paths = [*(f"/tenants/{tenant}/reports/1" for tenant in range(50)), "/items/1", "/api/orders/1", "/v2/orders/1"]
    for _ in range(3):
        for path in paths:
            client.get(path)
    assert sorted(named) == sorted(paths)
    assert sum(counted(monitor).values()) == 3 * len(paths)


def test_what_is_remembered_of_routes_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dozor.instruments.http_known._MOST", 20)
    app = shop()
    monitor = watched(app)
    client = TestClient(app)
    for tenant in range(50):
        client.get(f"/tenants/{tenant}/reports/1")
    [first] = monitor.known.by_endpoint.values()
    chain = []
    known: KnownRoute | None = first
    while known is not None:
        chain.append(known.root_path)
        known = known.next
    assert len(chain) <= 20
    assert len(set(chain)) == len(chain)
    assert len(monitor.known._all) <= 20
    assert counted(monitor) == {("GET", "/tenants/{tenant}/reports/{year}", "200"): 50}


def test_an_endpoint_that_cannot_be_a_key_is_counted() -> None:
    class Equal:  # noqa: PLW1641 - so that it has no hash
        def __eq__(self, other: object) -> bool:
            return True

        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            await PlainTextResponse("hello")(scope, receive, send)

    app = Starlette(routes=[Route("/equal", Equal())])
    monitor = watched(app)
    for _ in range(2):
        assert TestClient(app).get("/equal").text == "hello"
    assert counted(monitor) == {("GET", "/equal", "200"): 2}


def test_a_method_that_a_route_does_not_allow_keeps_its_route() -> None:
    app = shop()
    monitor = watched(app)
    client = TestClient(app)
    client.post("/items/1")
    client.post("/api/orders/1")
    assert counted(monitor) == {
        ("POST", "/items/{item_id}", "405"): 1,
        ("POST", "/api/orders/{order_id}", "405"): 1,
    }


def test_starlette_with_mounts_and_hosts() -> None:
    inside = Starlette(routes=[Route("/users/{user}", hello), Mount("/deep/{level}", routes=[Route("/x", hello)])])
    app = Starlette(routes=[Mount("/api/{version}", app=inside), Host("other", app=inside), Route("/", hello)])
    monitor = watched(app)
    client = TestClient(app)
    for path in ("/", "/api/v1/users/bob", "/api/v2/deep/3/x", "/api/v1/none"):
        client.get(path)
    client.get("/users/eve", headers={"host": "other"})
    assert counted(monitor) == {
        ("GET", "/", "200"): 1,
        ("GET", "/api/{version}/users/{user}", "200"): 1,
        ("GET", "/api/{version}/deep/{level}/x", "200"): 1,
        ("GET", "(unmatched)", "404"): 1,
        ("GET", "/users/{user}", "200"): 1,
    }


def test_a_root_path_of_a_proxy_is_no_part_of_the_route() -> None:
    app = shop()
    monitor = watched(app)
    client = TestClient(app, root_path="/behind")
    client.get("/behind/api/orders/1")
    client.get("/behind/admin/reports/1")
    assert {route for _, route, _ in counted(monitor)} == {"/api/orders/{order_id}", "/admin/reports/{year}"}


def test_a_route_object_without_a_path_fails_no_request() -> None:
    class Odd(Route):
        path_format: Any

        def __getattribute__(self, name: str) -> Any:
            if name in {"path", "path_format"} and object.__getattribute__(self, "__dict__").get("made"):
                raise AttributeError(name)
            return super().__getattribute__(name)

    route = Odd("/odd", hello)
    route.made = True  # type: ignore[attr-defined]
    app = Starlette(routes=[route])
    monitor = watched(app)
    assert TestClient(app).get("/odd").text == "hello"
    assert counted(monitor) == {("GET", "(no template)", "200"): 1}


def test_scanners_make_one_series() -> None:
    app = shop()
    monitor = watched(app)
    client = TestClient(app)
    for number in range(50):
        client.get(f"/wp-admin/{number}.php")
    assert counted(monitor) == {("GET", "(unmatched)", "404"): 50}


SHOP = shop()
SHOP_MONITOR = watched(SHOP)


@settings(max_examples=examples(50), deadline=None)
@given(st.text(alphabet=st.characters(codec="ascii", exclude_characters="?#%\\ \n\r\t"), min_size=1))
def test_no_path_of_a_stranger_becomes_a_label(path: str) -> None:
    scope = {"type": "http", "method": "GET", "path": f"/zz{path}", "headers": [], "query_string": b"", "root_path": ""}

    async def ignore(message: Any) -> None: ...

    async def receive() -> Any:
        return {"type": "http.request", "body": b""}

    asyncio.run(SHOP(scope, receive, ignore))
    assert {route for _, route, _ in counted(SHOP_MONITOR)} == {"(unmatched)"}


def test_series_are_limited_and_what_is_folded_is_counted() -> None:
    app = FastAPI()
    monitor = watched(app, series_limit=3)

    def add(number: int) -> None:
        @app.get(f"/route{number}")
        async def route() -> int:
            return number

    for number in range(6):
        add(number)
    client = TestClient(app)
    for number in range(6):
        client.get(f"/route{number}")
    assert len(counted(monitor)) == 4
    assert counted(monitor)["other", "other", "other"] == 3
    [folded] = [f.samples[0].value for f in monitor.families() if f.name == "dozor_http_requests_folded_total"]
    assert folded == 3


def test_unknown_methods_are_one() -> None:
    app = Starlette(routes=[Route("/", hello, methods=["GET", "PURGE", "BREW"])])
    monitor = watched(app)
    client = TestClient(app)
    client.request("PURGE", "/")
    client.request("BREW", "/")
    assert counted(monitor) == {("other", "/", "200"): 2}


def test_what_is_left_out_is_not_counted() -> None:
    app = FastAPI()
    monitor = watched(app)
    monitor.leave_out("/api/v1/monitoring/", "/health")
    for path in ("/api/v1/monitoring/pool/status", "/health", "/healthy", "/api/v1/monitoring-other"):
        app.add_route(path, hello)
    client = TestClient(app)
    for path in ("/api/v1/monitoring/pool/status", "/api/v1/monitoring", "/health", "/healthy"):
        client.get(path)
    client.get("/api/v1/monitoring-other")
    assert {route for _, route, _ in counted(monitor)} == {"/healthy", "/api/v1/monitoring-other"}
    assert in_progress(monitor) == 0


def test_a_catch_all_of_the_applications_is_counted_although_it_answers_for_a_path_that_is_left_out() -> None:
    timer = Hands()
    app = Starlette(routes=[Route("/ours/{rest:path}", hello), Route("/{rest:path}", hello)])
    monitor = watched(app, timer=timer, slow_seconds=0.0)
    monitor.leave_out("/ours", "/health")
    client = TestClient(app)
    for path in ("/ours/page", "/health", "/else", "/ours/page"):
        client.get(path)
    assert counted(monitor) == {("GET", "/{rest:path}", "200"): 2}
    assert [one.route for one in monitor.slow_requests()] == ["/{rest:path}"] * 2


# -- time --------------------------------------------------------------------------------------------------------------


def test_bounds_include_those_that_rules_ask_for() -> None:
    assert {4.0, 5.0, 10.0, 30.0} <= set(BOUNDS)


def test_time_ends_where_the_response_begins() -> None:
    timer = Hands()
    app = FastAPI()
    monitor = watched(app, timer=timer)

    async def body() -> AsyncIterator[str]:
        for _ in range(3):
            timer.now += 100
            yield "x"

    @app.get("/stream")
    async def stream() -> StreamingResponse:
        timer.now += 1
        return StreamingResponse(body(), media_type="text/event-stream")

    @app.get("/background")
    async def background(tasks: BackgroundTasks) -> None:
        timer.now += 2

        def work() -> None:
            assert in_progress(monitor) == 1
            timer.now += 1000

        tasks.add_task(work)

    client = TestClient(app)
    assert client.get("/stream").text == "xxx"
    assert seconds(monitor) == 1
    client.get("/background")
    assert seconds(monitor) == 3
    assert in_progress(monitor) == 0


def test_labels_of_the_worker_are_on_every_series() -> None:
    app = shop()
    monitor = watched(app, base_labels=Labels(worker="2"))
    TestClient(app).get("/items/1")
    assert {s.labels["worker"] for family in monitor.families() for s in family.samples} == {"2"}


# -- faults of the application -----------------------------------------------------------------------------------------


class Teapot(Exception):
    pass


def faulty() -> FastAPI:
    app = FastAPI()

    async def failing_dependency() -> None:
        raise Teapot

    async def failing_body() -> AsyncIterator[str]:
        yield "begun"
        raise Teapot

    def failing_task() -> None:
        raise Teapot

    @app.get("/raises")
    async def raises() -> None:
        raise Teapot

    @app.get("/sync")
    def raises_in_a_thread() -> None:
        raise Teapot

    @app.get("/http")
    async def http() -> None:
        raise HTTPException(418, "short and stout")

    @app.get("/dependency", dependencies=[Depends(failing_dependency)])
    async def dependency() -> None: ...

    @app.get("/stream")
    async def stream() -> StreamingResponse:
        return StreamingResponse(failing_body())

    @app.get("/background")
    async def background(tasks: BackgroundTasks) -> str:
        tasks.add_task(failing_task)
        return "done"

    @app.get("/response")
    async def unserializable() -> JSONResponse:
        return JSONResponse({1, 2})

    @app.get("/group")
    async def group() -> None:
        raise ExceptionGroup("many", [Teapot(), Teapot()])

    @app.get("/timeout")
    async def timeout() -> None:
        async with asyncio.timeout(0):
            await asyncio.sleep(10)

    @app.get("/headers")
    async def headers() -> PlainTextResponse:
        return PlainTextResponse("x", headers={"x-many": "1", "set-cookie": "a=b"})

    @app.exception_handler(KeyError)
    async def on_key_error(request: Request, error: Exception) -> PlainTextResponse:
        return PlainTextResponse("handled", status_code=409)

    @app.get("/handled")
    async def handled() -> None:
        raise KeyError

    return app


FAULTS = {
    "/raises": "500",
    "/sync": "500",
    "/http": "418",
    "/dependency": "500",
    "/stream": "200",
    "/background": "200",
    "/response": "500",
    "/group": "500",
    "/timeout": "500",
    "/headers": "200",
    "/handled": "409",
    "/none": "404",
}


@pytest.mark.parametrize(("path", "status"), FAULTS.items())
@pytest.mark.parametrize("raising", [False, True])
def test_answers_and_errors_are_those_of_the_application(path: str, status: str, raising: bool) -> None:
    def outcome(app: FastAPI) -> tuple[Any, ...]:
        client = TestClient(app, raise_server_exceptions=raising)
        try:
            response = client.get(path)
        except Exception as error:
            return type(error), str(error)
        return response.status_code, response.headers.raw, response.content

    plain, monitored = faulty(), faulty()
    monitor = watched(monitored)
    assert outcome(monitored) == outcome(plain)
    [(key, value)] = counted(monitor).items()
    assert (key[2], value) == (status, 1)
    assert in_progress(monitor) == 0


async def run(app: Callable[..., Awaitable[None]], monitor: HttpMonitor) -> None:
    async def receive() -> Any:
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None: ...

    scope = {"type": "http", "method": "GET", "path": "/", "headers": []}
    await DozorMiddleware(app, monitor)(scope, receive, send)


async def test_what_is_sent_after_the_end_goes_nowhere_and_the_servers_send_is_let_go() -> None:
    passed: list[Any] = []
    senders: list[Callable[[Any], Awaitable[None]]] = []

    class Server:
        async def send(self, message: Any) -> None:
            passed.append(message["type"])

        async def receive(self) -> Any:
            return {"type": "http.disconnect"}

    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        senders.append(send)
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def serve() -> "weakref.ref[Server]":
        server = Server()
        scope = {"type": "http", "method": "GET", "path": "/", "headers": []}
        await DozorMiddleware(app, HttpMonitor())(scope, server.receive, server.send)
        return weakref.ref(server)

    assert (await serve())() is None
    await senders[0]({"type": "http.response.body", "body": b""})
    assert passed == ["http.response.start"]


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (Teapot(), "500"),
        (KeyboardInterrupt(), "500"),
        (SystemExit(3), "500"),
        (asyncio.CancelledError(), "499"),
        (GeneratorExit(), "499"),
    ],
)
async def test_what_is_raised_is_raised_on_as_the_same_object(error: BaseException, status: str) -> None:
    monitor = HttpMonitor()

    async def app(*_: Any) -> None:
        assert in_progress(monitor) == 1
        raise error

    with pytest.raises(type(error)) as raised:
        await run(app, monitor)
    assert raised.value is error
    assert len(raised.traceback) <= 4
    assert counted(monitor) == {("GET", "(unmatched)", status): 1}
    assert in_progress(monitor) == 0


async def test_a_cancelled_request_is_in_progress_no_longer() -> None:
    monitor = HttpMonitor()

    async def app(*_: Any) -> None:
        await asyncio.Event().wait()

    task = asyncio.ensure_future(run(app, monitor))
    while not in_progress(monitor):
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert in_progress(monitor) == 0


async def test_an_application_that_does_not_answer_counts_as_500() -> None:
    monitor = HttpMonitor()

    async def app(*_: Any) -> None: ...

    await run(app, monitor)
    assert counted(monitor) == {("GET", "(unmatched)", "500"): 1}


async def test_a_client_that_is_gone_while_it_is_answered() -> None:
    monitor = HttpMonitor()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise OSError("client gone")

    with pytest.raises(OSError, match="client gone"):
        await run(app, monitor)
    assert counted(monitor) == {("GET", "(unmatched)", "200"): 1}
    assert in_progress(monitor) == 0


# -- what is none of its business --------------------------------------------------------------------------------------


async def test_websockets_and_lifespan_pass_untouched() -> None:
    seen: list[tuple[Any, ...]] = []

    async def app(*arguments: Any) -> None:
        seen.append(arguments)

    monitor = HttpMonitor()
    middleware = DozorMiddleware(app, monitor)
    for kind in ("websocket", "lifespan"):
        scope, receive, send = {"type": kind, "path": "/"}, object(), object()
        await middleware(scope, receive, send)  # type: ignore[arg-type]
        assert [a is b for a, b in zip(seen[-1], (scope, receive, send), strict=True)] == [True] * 3
    assert counted(monitor) == {}


def test_a_websocket_works_through_the_middleware() -> None:
    app = FastAPI()

    @app.websocket("/ws")
    async def echo(socket: WebSocket) -> None:
        await socket.accept()
        await socket.send_text(await socket.receive_text())
        await socket.close()

    monitor = watched(app)
    with TestClient(app).websocket_connect("/ws") as socket:
        socket.send_text("ping")
        assert socket.receive_text() == "ping"
    assert counted(monitor) == {}


def test_other_middleware_inside_does_not_hide_the_route() -> None:
    async def passes(request: Request, call_next: Any) -> Any:
        return await call_next(request)

    app = Starlette(routes=[Route("/x/{y}", hello)], middleware=[Middleware(BaseHTTPMiddleware, dispatch=passes)])
    monitor = watched(app)
    TestClient(app).get("/x/1")
    assert counted(monitor) == {("GET", "/x/{y}", "200"): 1}


def test_the_first_request_is_told_once_and_a_fault_there_is_contained() -> None:
    calls: list[int] = []

    def first() -> None:
        calls.append(1)
        raise RuntimeError("injected")

    app = Starlette(routes=[Route("/", hello)])
    app.add_middleware(DozorMiddleware, monitor=HttpMonitor(), on_first_request=first)
    with TestClient(app) as client:
        assert calls == []
        for _ in range(3):
            assert client.get("/").text == "hello"
    assert calls == [1]


# -- our own faults ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("place", "readings"), [("http.begin", 0), ("http.count", 1)])
def test_a_fault_of_ours_fails_no_request(place: str, readings: int) -> None:
    class Broken:
        """A timer that fails after a number of readings."""

        left = readings

        def __call__(self) -> float:
            self.left -= 1
            if self.left < 0:
                raise RuntimeError("injected")
            return 0.0

    app = shop()
    monitor = watched(app, timer=Broken())
    before = containment.counts().get(place, 0)
    assert TestClient(app).get("/items/1").json() == 1
    assert containment.counts()[place] == before + 1
    assert in_progress(monitor) == 0


def test_a_route_that_cannot_be_named_fails_no_request(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> Any:
        raise RuntimeError("injected")

    app = shop()
    monitor = watched(app)
    monkeypatch.setattr("dozor.instruments.middleware.find_route", broken)
    assert TestClient(app).get("/items/1").json() == 1
    assert counted(monitor) == {("GET", "(unmatched)", "200"): 1}


# -- what the time went into -------------------------------------------------------------------------------------------


def spent(monitor: HttpMonitor) -> dict[str, float]:
    return {
        sample.name: sample.value
        for family in monitor.families()
        for sample in family.samples
        if sample.name.startswith("http_request_") and "duration" not in sample.name
    }


def test_what_requests_spend_until_their_response_begins_is_summed_by_route_over_all_statuses() -> None:
    app = FastAPI()
    monitor = watched(app)

    @app.get("/orders/{order}")
    async def order(order: int) -> StreamingResponse:
        work = current_work.get()
        assert work is not None
        work.wait_seconds += 0.5
        work.database_seconds += 2
        work.sent = [f"SELECT {number}" for number in range(order)]
        work.redis_seconds += 0.25
        work.redis_commands += 1

        async def body() -> AsyncIterator[str]:
            work.database_seconds += 100
            yield "x"

        return StreamingResponse(body(), status_code=200 + order)

    @app.get("/idle")
    async def idle() -> None: ...

    client = TestClient(app)
    for path in ("/orders/1", "/orders/2", "/idle"):
        client.get(path)
    assert spent(monitor) == {
        "http_request_pool_wait_seconds_total": 1.0,
        "http_request_database_seconds_total": 4.0,
        "http_request_redis_seconds_total": 0.5,
        "http_request_statements_total": 3.0,
        "http_request_redis_commands_total": 2.0,
    }


def test_what_is_spent_is_summed_before_it_fills_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dozor.instruments.http_answers.FOLD_AT", 10)
    answers = Answers()
    for second in range(25):
        answers.spend((0.0, 0.0, 0.0, 3, 0))
        answers.pending.append(0.1)
        if second >= answers.next_look:
            answers.look(second)
    assert len(answers._works) <= 11 * 5
    assert len(answers.pending) <= 11
    assert (answers.spent().statements, answers.seconds.snapshot().count) == (75, 25)


def test_what_is_answered_late_is_kept_by_route_with_what_it_spent() -> None:
    timer = Hands()
    app = FastAPI()
    monitor = watched(app, timer=timer, slow_seconds=1.0)

    @app.get("/orders/{order}")
    async def order(order: int) -> None:
        work = current_work.get()
        assert work is not None
        work.sent = ["SELECT 1"] * 7
        timer.now += order

    client = TestClient(app)
    for path in ("/orders/0?token=secret", "/orders/1?token=secret", "/orders/2?token=secret"):
        client.get(path)
    late = monitor.slow_requests()
    assert [(one.method, one.route, one.status, one.seconds) for one in late] == [
        ("GET", "/orders/{order}", 200, 2),
        ("GET", "/orders/{order}", 200, 1),
    ]
    assert late[0].spent.statements == 7
    assert "secret" not in repr(late)
    assert monitor.slow_total == 2
    [total] = [f.samples[0].value for f in monitor.families() if f.name == "http_slow_requests_total"]
    assert total == 2
