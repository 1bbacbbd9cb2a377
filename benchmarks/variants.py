"""What is compared: nothing, Dozor, hand-written listeners, and the peers that are installed (benchmarks/requirements-peers.lock).

Each variant watches an engine, an application, or both.
"""

import importlib.util
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from sqlalchemy import Engine, event
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dozor.clock import Clock
from dozor.instruments.connection_pool_monitor import ConnectionPoolMonitor
from dozor.instruments.middleware import DozorMiddleware, HttpMonitor
from dozor.instruments.query_monitor import QueryMonitor
from dozor.model.labels import Labels

BARE, OURS = "bare", "Dozor"


@dataclass(frozen=True)
class Variant:
    """*imports*: what its user imports beside FastAPI and SQLAlchemy. None: it has nothing for that."""

    imports: str = ""
    engine: Callable[[Engine], None] | None = None
    app: Callable[[FastAPI], ASGIApp] | None = None


def variants() -> dict[str, Variant]:
    """All that can be measured here, by name."""
    found = {
        BARE: Variant(engine=lambda _engine: None, app=lambda app: app),
        OURS: Variant("dozor", _watched_engine, lambda app: DozorMiddleware(app, monitor=HttpMonitor(Clock()))),
        "hand-written": Variant("prometheus_client", _hand_written, HandWrittenMiddleware),
    }
    if _installed("opentelemetry.instrumentation.fastapi"):
        found["OpenTelemetry"] = Variant(
            "opentelemetry.sdk.trace, opentelemetry.sdk.metrics, opentelemetry.instrumentation.fastapi, "
            "opentelemetry.instrumentation.sqlalchemy",
            _opentelemetry_engine,
            _opentelemetry_app,
        )
    if _installed("prometheus_fastapi_instrumentator"):
        found["fastapi-instrumentator"] = Variant("prometheus_fastapi_instrumentator", app=_instrumentator)
    if _installed("starlette_exporter"):
        found["starlette_exporter"] = Variant("starlette_exporter", app=_starlette_exporter)
    return found


def _installed(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:
        return False


def _watched_engine(engine: Engine) -> None:
    clock, labels = Clock(), Labels(pool="default")
    pool = ConnectionPoolMonitor("default", engine, clock, base_labels=labels)
    pool.attach()
    QueryMonitor("default", engine, clock, base_labels=labels, last=pool.statements).attach()


def _hand_written(engine: Engine) -> None:
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


def _providers() -> Mapping[str, Any]:
    """OpenTelemetry's SDK with every span recorded and none exported: what is left is what the application pays."""
    from opentelemetry.sdk.metrics import MeterProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415

    return {"tracer_provider": TracerProvider(), "meter_provider": MeterProvider()}


def _opentelemetry_engine(engine: Engine) -> None:
    from opentelemetry.instrumentation.sqlalchemy.engine import EngineTracer  # noqa: PLC0415

    # What SQLAlchemyInstrumentor puts on an engine. It also wraps Engine.connect, a span for each, for all engines of the process:
    # that is left out, since the others here would pay for it.
    providers = _providers()
    usage = providers["meter_provider"].get_meter("benchmark").create_up_down_counter("db.client.connections.usage")
    EngineTracer(providers["tracer_provider"].get_tracer("benchmark"), engine, usage)


def _opentelemetry_app(app: FastAPI) -> ASGIApp:
    from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor  # noqa: PLC0415

    FastAPIInstrumentor.instrument_app(app, **_providers())
    return app


def _instrumentator(app: FastAPI) -> ASGIApp:
    from prometheus_fastapi_instrumentator import Instrumentator  # noqa: PLC0415

    Instrumentator(registry=CollectorRegistry()).instrument(app)
    return app


def _starlette_exporter(app: FastAPI) -> ASGIApp:
    from starlette_exporter import PrometheusMiddleware  # noqa: PLC0415

    app.add_middleware(PrometheusMiddleware)
    return app
