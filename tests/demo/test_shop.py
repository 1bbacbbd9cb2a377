"""The sample application, and what goes wrong in it, on real servers."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx2
import pytest
from redis.asyncio import Redis
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from starlette.types import ASGIApp, Message

from dozor.clock import Clock
from dozor.demo.faults import FAULTS, TIMETABLE, Stage
from dozor.demo.shop import create_shop
from dozor.instruments.connection_pool_monitor import ConnectionPoolMonitor
from dozor.instruments.middleware import DozorMiddleware, HttpMonitor
from dozor.instruments.query_monitor import QueryMonitor
from dozor.instruments.redis_client_monitor import RedisClientMonitor
from dozor.instruments.redis_monitor import RedisMonitor
from dozor.overview import RedisDetails
from dozor.overview.redis_slow import slow_groups

pytestmark = pytest.mark.anyio


@dataclass
class Switchable:
    """Stands where the demo has a Redis server that it may stop."""

    events: list[str] = field(default_factory=list)

    def stop(self) -> None:
        self.events.append("stop")

    def start(self) -> None:
        self.events.append("start")


@dataclass
class Cause:
    caused: list[str] = field(default_factory=list)

    def names(self) -> list[str]:
        return ["flood"]

    def cause(self, name: str) -> bool:
        self.caused.append(name)
        return name == "flood"

    def end(self, name: str) -> bool:
        self.caused.append(f"no {name}")
        return name == "flood"


@dataclass
class Open:
    """An open shop."""

    client: httpx2.AsyncClient
    engine: AsyncEngine
    cause: Cause
    app: ASGIApp


@asynccontextmanager
async def lifespan(app: ASGIApp) -> AsyncIterator[None]:
    """Start *app* up and shut it down as a server does, through its middleware."""
    events = iter([{"type": "lifespan.startup"}])
    started, ending = asyncio.Event(), asyncio.Event()

    async def receive() -> Message:
        for event in events:
            return event
        await ending.wait()
        return {"type": "lifespan.shutdown"}

    async def send(message: Message) -> None:
        assert "failed" not in message["type"], message
        started.set()

    async def serve() -> None:
        await app({"type": "lifespan", "state": {}}, receive, send)

    task = asyncio.create_task(serve())
    await started.wait()
    yield
    ending.set()
    await task


@asynccontextmanager
async def open_shop(database: str, redis_url: str) -> AsyncIterator[Open]:
    engine = create_async_engine(database, pool_timeout=0.3)
    cause = Cause()
    app = create_shop(engine, Redis.from_url(redis_url, client_name="shop"), redis_url, cause)
    transport = httpx2.ASGITransport(app=app)
    async with lifespan(app), httpx2.AsyncClient(transport=transport, base_url="http://shop") as client:
        yield Open(client, engine, cause, app)


@pytest.fixture
async def shop(async_postgres_database: str, valkey_database: str) -> AsyncIterator[Open]:
    async with open_shop(async_postgres_database, valkey_database) as opened:
        yield opened


async def test_a_visit(shop: Open) -> None:
    client = shop.client
    page = (await client.get("/products", params={"page": 2})).json()
    assert [product["id"] for product in page] == list(range(21, 41))
    assert (await client.get("/search", params={"q": "lamp"})).json()
    order = {"customer_id": 3, "product_id": 21, "quantity": 2}
    placed = await client.post("/orders", json=order)
    assert placed.status_code == 201
    assert placed.json() == {"id": placed.json()["id"], **order}
    found = (await client.get(f"/orders/{placed.json()['id']}")).json()
    assert (found["customer"], found["product"]) == ("Customer 3", page[0]["name"])
    assert len((await client.get("/reports/sales")).json()) == 10
    for nowhere in ("/products/9999", "/orders/999999", "/wp-login.php"):
        assert (await client.get(nowhere)).status_code == 404


async def test_pages_come_from_the_cache_the_second_time(shop: Open) -> None:
    await shop.client.get("/products/1")
    assert (await shop.client.get("/products/1")).headers["cache-status"].startswith("dozor; hit")


async def test_a_fault_is_caused_and_ended_by_a_request(shop: Open) -> None:
    assert (await shop.client.get("/faults")).json() == ["flood"]
    assert (await shop.client.post("/faults/flood")).status_code == 202
    assert (await shop.client.post("/faults/drought")).status_code == 404
    assert (await shop.client.delete("/faults/flood")).status_code == 202
    assert (await shop.client.delete("/faults/drought")).status_code == 404
    assert shop.cause.caused == ["flood", "drought", "no flood", "no drought"]


async def test_every_fault_is_put_right_again(shop: Open) -> None:
    said: list[str] = []
    redis = Switchable()
    for name in ("redis-stopped", "error-burst", "exhausted-pool", "leaked-connection", "blocked-loop",
                 "n-plus-one", "slow-fetch", "hot-command", "idle-in-transaction"):  # fmt: skip
        await FAULTS[name].cause(Stage(shop.client, redis, said.append, pace=0.01))
    assert redis.events == ["stop", "start"]
    assert len(said) == 9
    order = {"customer_id": 1, "product_id": 1}
    assert (await shop.client.post("/orders", json=order)).status_code == 201
    assert shop.engine.pool.checkedout() == 0  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", ["exhausted-pool", "idle-in-transaction"])
async def test_one_that_holds_connections_gives_them_back_when_it_is_ended(shop: Open, name: str) -> None:
    pool: Any = shop.engine.pool
    said: list[str] = []
    task = asyncio.ensure_future(FAULTS[name].cause(Stage(shop.client, Switchable(), said.append)))
    while pool.checkedout() < 3:
        await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    while pool.checkedout() > 0:
        await asyncio.sleep(0.01)
    assert said == []


async def test_the_mistakes_do_what_they_are_for(shop: Open) -> None:
    for number in range(1, 16):
        assert (await shop.client.post("/imports")).json() == {"imports": number}
    assert shop.engine.pool.checkedout() == 15  # type: ignore[attr-defined]
    busy = await shop.client.get("/search", params={"q": "rug"})
    assert busy.status_code == 503
    assert busy.json() == {"detail": "try again later (TimeoutError)"}
    await shop.client.delete("/imports")
    assert (await shop.client.get("/search", params={"q": "rug"})).status_code == 200

    await shop.client.put("/payment", params={"down": True})
    assert (await shop.client.post("/orders", json={"customer_id": 1, "product_id": 1})).status_code == 502


async def test_line_and_request_of_the_mistakes_with_statements_are_found(shop: Open) -> None:
    monitor = QueryMonitor("default", shop.engine, Clock(), slow_seconds=0.2)
    monitor.attach()
    client = httpx2.AsyncClient(
        transport=httpx2.ASGITransport(DozorMiddleware(shop.app, HttpMonitor())), base_url="http://shop"
    )
    assert len((await client.get("/recent-orders")).json()) == 25
    assert (await client.get("/ledger", params={"seconds": 0.4})).json() == {"rows": 400}
    monitor.book.fold()
    [repeated], [fetch] = monitor.repeats.found(), monitor.slow_fetches()
    assert (repeated.endpoint, repeated.times) == ("GET /recent-orders", 25)
    assert str(repeated.caller).endswith(" in _customer_name")
    assert (fetch.endpoint, fetch.rows) == ("GET /ledger", 400)
    assert str(fetch.caller).endswith(" in ledger")
    assert fetch.fetch_seconds > 0.2
    monitor.detach()
    await client.aclose()


async def test_command_client_request_and_line_of_the_hot_command_are_found(shop: Open, valkey_database: str) -> None:
    app: Any = shop.app
    redis = app.state.shop.redis
    ours, theirs = RedisClientMonitor("default", redis, Clock()), RedisMonitor("default", valkey_database, Clock())
    ours.attach()
    client = httpx2.AsyncClient(
        transport=httpx2.ASGITransport(DozorMiddleware(shop.app, HttpMonitor())), base_url="http://shop"
    )
    assert (await client.get("/top-rated")).json() == sorted((await client.get("/top-rated")).json(), reverse=True)
    await theirs.refresh()
    details = RedisDetails("default", {}, {}, slow_log=theirs.slow_log(), slow_calls=ours.slow_calls())
    found = next(group for group in slow_groups([details]) if group.command == "SORT")
    assert (found.shape, found.client) == ("SORT ? LIMIT ? ? DESC", "shop")
    assert found.callers[0].work == "GET /top-rated"
    assert str(found.callers[0].caller).endswith(" in top_rated")
    assert (await client.delete("/top-rated")).json() == {"forgotten": 1}
    ours.detach()
    await client.aclose()
    await theirs.close()


def test_the_timetable_names_faults_and_each_fault_comes_up() -> None:
    assert {name for _, name in TIMETABLE} == set(FAULTS)
    # RedisDisconnected: 15 s until it fires, 25 s until Redis is back, 30 s until it ends; all in two minutes.
    assert TIMETABLE[0][1] == "redis-stopped"
    assert TIMETABLE[0][0] + 25 + 30 < 120


async def test_request_and_line_of_the_mistakes_with_connections_are_found(shop: Open) -> None:
    pool = ConnectionPoolMonitor("default", shop.engine, Clock())
    queries = QueryMonitor("default", shop.engine, Clock(), last=pool.statements)
    pool.attach()
    queries.attach()
    client = httpx2.AsyncClient(
        transport=httpx2.ASGITransport(DozorMiddleware(shop.app, HttpMonitor())), base_url="http://shop"
    )
    await client.post("/imports")
    (leaked,) = pool.holders()
    assert leaked.endpoint == "POST /imports"
    assert leaked.taken_at[0].startswith("src/dozor/demo/shop.py:")
    assert leaked.taken_at[0].endswith(" in begin_import")
    await client.delete("/imports")
    transfer = asyncio.create_task(client.post("/transfers", params={"seconds": 60}))
    while not (held := pool.holders()) or not held[0].now_at or held[0].state != "idle in transaction":
        await asyncio.sleep(0.01)
    (holder,) = held
    assert holder.endpoint == "POST /transfers"
    assert holder.statement is not None
    assert holder.statement.endswith("FOR SHARE")
    assert holder.now_at[0].startswith("src/dozor/demo/shop.py:")
    assert holder.now_at[0].endswith(" in transfer")
    transfer.cancel()
    await asyncio.gather(transfer, return_exceptions=True)
    queries.detach()
    pool.detach()
