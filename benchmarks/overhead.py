"""What Dozor adds to a checkout, a statement and a request, beside hand-written listeners with prometheus-client.

python -m benchmarks.overhead
"""

import asyncio
import time
from collections.abc import Callable
from typing import Any

from benchmarks.common import interleaved, print_added
from fastapi import FastAPI
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from sqlalchemy import Engine, create_engine, event, text
from sqlalchemy.pool import QueuePool
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dozor.clock import Clock
from dozor.instruments.connection_pool_monitor import ConnectionPoolMonitor
from dozor.instruments.middleware import DozorMiddleware, HttpMonitor
from dozor.instruments.query_monitor import QueryMonitor
from dozor.instruments.work import Work, current_work
from dozor.model.labels import Labels


def new_engine() -> Engine:
    return create_engine(
        "sqlite:///:memory:", poolclass=QueuePool, pool_size=5, max_overflow=10, pool_reset_on_return=None,
        connect_args={"check_same_thread": False},
    )  # fmt: skip


def hand_written(engine: Engine) -> None:
    """What a careful developer writes with prometheus-client: a gauge, two counters, two histograms."""
    registry = CollectorRegistry()
    held = Histogram("held_seconds", "", ["pool"], registry=registry).labels("default")
    queries = Histogram("query_seconds", "", ["operation"], registry=registry)
    checkouts = Counter("checkouts", "", ["pool"], registry=registry).labels("default")
    out = Gauge("checked_out", "", ["pool"], registry=registry).labels("default")

    @event.listens_for(engine, "checkout")
    def checkout(_connection: Any, record: Any, _proxy: Any) -> None:
        checkouts.inc()
        out.inc()
        record.info["at"] = time.perf_counter()

    @event.listens_for(engine, "checkin")
    def checkin(_connection: Any, record: Any) -> None:
        out.dec()
        held.observe(time.perf_counter() - record.info.pop("at"))

    @event.listens_for(engine, "before_cursor_execute")
    def before(_c: Any, _cursor: Any, _statement: str, _p: Any, context: Any, _many: Any) -> None:
        context.began = time.perf_counter()

    @event.listens_for(engine, "after_cursor_execute")
    def after(_c: Any, _cursor: Any, statement: str, _p: Any, context: Any, _many: Any) -> None:
        queries.labels(statement.split(None, 1)[0]).observe(time.perf_counter() - context.began)


def watched(engine: Engine) -> None:
    clock, labels = Clock(), Labels(pool="default")
    ConnectionPoolMonitor("default", engine, clock, base_labels=labels).attach()
    QueryMonitor("default", engine, clock, base_labels=labels).attach()


def engines() -> dict[str, Engine]:
    made = {"bare": new_engine(), "Dozor": new_engine(), "hand-written, prometheus-client": new_engine()}
    watched(made["Dozor"])
    hand_written(made["hand-written, prometheus-client"])
    return made


def checkouts(engine: Engine) -> Callable[[int], None]:
    def run(calls: int) -> None:
        connect = engine.raw_connection
        for _ in range(calls):
            connect().close()

    return run


def statements(engine: Engine) -> Callable[[int], None]:
    connection = engine.connect()
    statement = text("SELECT 1")

    def run(calls: int) -> None:
        for _ in range(calls):
            connection.execute(statement).close()

    return run


def within_requests(run: Callable[[int], None]) -> Callable[[int], None]:
    """The same in requests of five statements each, whose beginning and end are counted in."""

    def run_within(calls: int) -> None:
        for _ in range(calls // 5):
            work = Work()
            token = current_work.set(work)
            run(5)
            current_work.reset(token)
            work.finish()

    return run_within


class HandWrittenMiddleware:
    """The same for HTTP: a counter and a histogram by method, path and status."""

    def __init__(self, app: ASGIApp) -> None:
        registry = CollectorRegistry()
        self._app = app
        self._requests = Counter("requests", "", ["method", "route", "status"], registry=registry)
        self._seconds = Histogram("seconds", "", ["method", "route"], registry=registry)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        began = time.perf_counter()
        status = "500"

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = str(message["status"])
            await send(message)

        await self._app(scope, receive, noting)
        route = getattr(scope.get("route"), "path", "")
        self._requests.labels(scope["method"], route, status).inc()
        self._seconds.labels(scope["method"], route).observe(time.perf_counter() - began)


def application() -> FastAPI:
    app = FastAPI(openapi_url=None)

    @app.get("/items/{item}")
    async def item(item: int) -> int:
        return item

    return app


def requests(app: ASGIApp) -> Callable[[int], None]:
    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(_message: Message) -> None:
        pass

    async def serve(calls: int) -> None:
        for _ in range(calls):
            scope = {
                "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "path": "/items/7",
                "raw_path": b"/items/7", "root_path": "", "scheme": "http", "query_string": b"", "headers": [],
                "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80), "state": {},
            }  # fmt: skip
            await app(scope, receive, send)

    loop = asyncio.new_event_loop()
    return lambda calls: loop.run_until_complete(serve(calls))


def main() -> None:
    """Print the three figures."""
    made = engines()
    times = interleaved({name: checkouts(engine) for name, engine in made.items()}, calls=20_000)
    print_added("One checkout and checkin", times, bare="bare", ours="Dozor", target_us=1.0)
    runs = {name: statements(engine) for name, engine in made.items()}
    runs["Dozor, within a request"] = within_requests(runs["Dozor"])
    times = interleaved(runs, calls=10_000)
    print_added("One statement", times, bare="bare", ours="Dozor", target_us=1.0)
    apps: dict[str, ASGIApp] = {
        "bare": application(),
        "Dozor": DozorMiddleware(application(), monitor=HttpMonitor(Clock())),
        "hand-written, prometheus-client": HandWrittenMiddleware(application()),
    }
    times = interleaved({name: requests(app) for name, app in apps.items()}, calls=2_000)
    print_added("One request, in process", times, bare="bare", ours="Dozor", target_us=3.0)


if __name__ == "__main__":
    main()
