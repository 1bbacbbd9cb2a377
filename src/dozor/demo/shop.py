"""The sample application: a small shop such as one finds anywhere, with some of the mistakes that one finds anywhere.

It knows nothing of the demo but `Faults`, and nothing of Dozor but the response cache; `program.py` puts Dozor in.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any, Protocol

from fastapi import APIRouter, Depends, FastAPI, HTTPException, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from redis.asyncio import Redis
from redis.exceptions import RedisError
from sqlalchemy import case, func, insert, select, text, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from dozor.demo.catalogue import customers, orders, products, stock_up
from dozor.response_cache import ResponseCacheMiddleware

PAGE_SIZE = 20


class Faults(Protocol):
    """What can go wrong on demand."""

    def names(self) -> list[str]:
        """The faults there are."""

    def cause(self, name: str) -> bool:
        """Begin the fault *name*, unless it is on already. False: there is none of that name."""

    def end(self, name: str) -> bool:
        """Put the fault *name* right before its time, if it is on. False: there is none of that name."""


class Order(BaseModel):
    """What a customer orders."""

    customer_id: int = Field(ge=1)
    product_id: int = Field(ge=1)
    quantity: int = Field(default=1, ge=1, le=9)


class Shop:
    """What the handlers share."""

    def __init__(self, engine: AsyncEngine, redis: Redis) -> None:
        self.engine, self.redis = engine, redis
        self.payment_is_down = False
        self.forgotten: list[AsyncConnection] = []
        self._pauses: defaultdict[str, set[asyncio.Task[None]]] = defaultdict(set)

    def pause(self, what: str, seconds: float) -> "asyncio.Task[None]":
        """At most two minutes, or until `resume`. To be waited for by `asyncio.wait`, which does not mind that it is cancelled."""
        pause = asyncio.create_task(asyncio.sleep(min(seconds, 120)))
        self._pauses[what].add(pause)
        pause.add_done_callback(self._pauses[what].discard)
        return pause

    def resume(self, what: str) -> int:
        """Let all go on that pause for *what*; return how many those are."""
        return sum(pause.cancel() for pause in list(self._pauses[what]))


def create_shop(engine: AsyncEngine, redis: Redis, redis_url: str, faults: Faults | None = None) -> FastAPI:
    """The application. *redis* keeps its sessions; at *redis_url* its answers are cached."""

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        await stock_up(engine)
        yield
        await engine.dispose()
        await redis.aclose()

    app = FastAPI(title="Shop", description="The sample application of `dozor demo`.", lifespan=lifespan)
    app.state.shop = Shop(engine, redis)
    app.add_middleware(ResponseCacheMiddleware, redis=redis_url, paths=["/products", "/reports"], key_prefix="shop:")
    app.add_exception_handler(PoolTimeoutError, _busy)
    app.add_exception_handler(DBAPIError, _busy)
    app.add_exception_handler(OSError, _busy)
    app.add_exception_handler(RedisError, _busy)
    app.include_router(router)
    if faults is not None:
        app.include_router(_fault_router(faults))
    return app


def _shop(request: Request) -> Shop:
    shop: Shop = request.app.state.shop
    return shop


async def _busy(_request: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"detail": f"try again later ({type(error).__name__})"}, status_code=503)


InShop = Annotated[Shop, Depends(_shop)]
router = APIRouter()


@router.get("/products")
async def list_products(shop: InShop, response: Response, page: int = 1) -> list[dict[str, Any]]:
    """A page of products, kept by the cache for half a minute."""
    response.headers["Cache-Control"] = "max-age=30"
    statement = select(products).order_by(products.c.id).limit(PAGE_SIZE).offset((max(page, 1) - 1) * PAGE_SIZE)
    async with shop.engine.connect() as connection:
        return [dict(row) for row in (await connection.execute(statement)).mappings()]


@router.get("/products/{product_id}")
async def get_product(shop: InShop, response: Response, product_id: int) -> dict[str, Any]:
    """One product, and how often it was ordered."""
    statement = select(products).where(products.c.id == product_id)
    count = select(func.count()).select_from(orders).where(orders.c.product_id == product_id)
    async with shop.engine.connect() as connection:
        row = (await connection.execute(statement)).mappings().one_or_none()
        if row is None:
            raise HTTPException(404, "there is no such product")
        ordered = (await connection.execute(count)).scalar_one()
    response.headers["Cache-Control"] = "max-age=30"
    return {**row, "ordered": ordered}


@router.get("/search")
async def search(shop: InShop, q: str) -> list[dict[str, Any]]:
    """Products by a word of their name; never the same question twice, so not cached."""
    statement = select(products).where(products.c.name.contains(q, autoescape=True)).limit(PAGE_SIZE)
    async with shop.engine.connect() as connection:
        return [dict(row) for row in (await connection.execute(statement)).mappings()]


@router.post("/orders", status_code=201)
async def place_order(shop: InShop, order: Order) -> dict[str, Any]:
    """Take an order, if the payment provider is there."""
    await _remember_visit(shop, order.customer_id)
    if shop.payment_is_down:
        raise HTTPException(502, "the payment provider does not answer")
    left = products.c.stock - order.quantity
    async with shop.engine.begin() as connection:
        await connection.execute(
            update(products)
            .where(products.c.id == order.product_id)
            .values(stock=case((left > 0, left), else_=200))  # the shelf is filled again at once
        )
        number = await connection.execute(insert(orders).values(order.model_dump()).returning(orders.c.id))
        return {"id": number.scalar_one(), **order.model_dump()}


@router.get("/orders/{order_id}")
async def get_order(shop: InShop, order_id: int) -> dict[str, Any]:
    """One order."""
    statement = (
        select(orders, products.c.name.label("product"), customers.c.name.label("customer"))
        .join(products, products.c.id == orders.c.product_id)
        .join(customers, customers.c.id == orders.c.customer_id)
        .where(orders.c.id == order_id)
    )
    async with shop.engine.connect() as connection:
        row = (await connection.execute(statement)).mappings().one_or_none()
    if row is None:
        raise HTTPException(404, "there is no such order")
    return dict(row)


@router.get("/reports/sales")
async def sales_report(shop: InShop, response: Response) -> list[dict[str, Any]]:
    """The best-sold products: slow to count, so kept for a minute."""
    response.headers["Cache-Control"] = "max-age=60"
    sold = func.sum(orders.c.quantity).label("sold")
    statement = (
        select(products.c.name, sold)
        .join(orders, orders.c.product_id == products.c.id)
        .group_by(products.c.id)
        .order_by(sold.desc())
        .limit(10)
    )
    async with shop.engine.connect() as connection:
        return [dict(row) for row in (await connection.execute(statement)).mappings()]


@router.get("/margins")
async def margins(shop: InShop) -> dict[str, float]:
    """A mistake: a statement that takes more than a second, asked on every visit."""
    statement = text("SELECT avg(price), pg_sleep(1.2) FROM products WHERE stock > 10")
    async with shop.engine.connect() as connection:
        return {"average": float((await connection.execute(statement)).one()[0])}


@router.get("/recent-orders")
async def recent_orders(shop: InShop) -> list[dict[str, Any]]:
    """A mistake: a statement for each row (N+1), where a join would do."""
    latest = select(orders.c.id, orders.c.customer_id).order_by(orders.c.id.desc()).limit(25)
    async with shop.engine.connect() as connection:
        rows = (await connection.execute(latest)).all()
        return [{"id": row.id, "customer": await _customer_name(connection, row.customer_id)} for row in rows]


async def _customer_name(connection: AsyncConnection, customer_id: int) -> str:
    statement = select(customers.c.name).where(customers.c.id == customer_id)
    return str((await connection.execute(statement)).scalar_one())


_RATINGS = "shop:ratings"
_RATE_ALL = "for i = 1, 100000 do redis.call('SADD', KEYS[1], (i * 7919) % 1000003) end"


@router.get("/top-rated")
async def top_rated(shop: InShop) -> list[int]:
    """A mistake: the server sorts a hundred thousand ratings for each visitor; a sorted set would keep them in order."""
    if not await shop.redis.exists(_RATINGS):
        await shop.redis.eval(_RATE_ALL, 1, _RATINGS)
    best: Any = await shop.redis.sort(_RATINGS, start=0, num=10, desc=True)
    return [int(rating) for rating in best]


@router.delete("/top-rated")
async def forget_ratings(shop: InShop) -> dict[str, int]:
    """Forget all ratings."""
    return {"forgotten": await shop.redis.unlink(_RATINGS)}


@router.get("/ledger")
async def ledger(shop: InShop, seconds: float = 2) -> dict[str, int]:
    """A mistake: a result whose rows are slow to come; that its statement was executed at once says nothing."""
    pause = min(seconds, 10) / 400
    statement = text("SELECT id, pg_sleep(:pause) FROM products ORDER BY id").bindparams(pause=pause)
    rows = 0
    async with shop.engine.connect() as connection, connection.stream(statement) as result:
        async for _row in result:
            rows += 1
    return {"rows": rows}


@router.get("/export")
async def export(shop: InShop, seconds: float = 10) -> dict[str, int]:
    """A mistake: a connection is held while a slow receiver takes the file."""
    async with shop.engine.connect() as connection:
        rows = (await connection.execute(select(func.count()).select_from(orders))).scalar_one()
        await asyncio.wait({shop.pause("export", seconds)})
        return {"rows": rows}


@router.delete("/export")
async def end_exports(shop: InShop) -> dict[str, int]:
    """Let all receivers have their file at once."""
    return {"ended": shop.resume("export")}


@router.post("/imports")
async def begin_import(shop: InShop) -> dict[str, int]:
    """A mistake: a connection is taken and never given back."""
    connection = await shop.engine.connect()
    await connection.execute(select(func.count()).select_from(products))
    shop.forgotten.append(connection)
    return {"imports": len(shop.forgotten)}


@router.delete("/imports")
async def end_imports(shop: InShop) -> dict[str, int]:
    """Give back what the imports forgot, as a restart would."""
    forgotten, shop.forgotten = shop.forgotten, []
    for connection in forgotten:
        await connection.close()
    return {"imports": 0}


@router.post("/transfers")
async def transfer(shop: InShop, seconds: float = 40) -> dict[str, str]:
    """A mistake: a transaction stays open, with its locks, while another service is waited for."""
    async with shop.engine.begin() as connection:
        await connection.execute(select(products).where(products.c.id == 1).with_for_update(read=True))
        await asyncio.wait({shop.pause("transfer", seconds)})
    return {"transfer": "done"}


@router.delete("/transfers")
async def end_transfers(shop: InShop) -> dict[str, int]:
    """Let the other service answer all transfers at once."""
    return {"ended": shop.resume("transfer")}


@router.get("/invoice")
async def invoice(seconds: float = 2) -> dict[str, str]:
    """A mistake: work that blocks, in an async handler; nobody else is served meanwhile."""
    time.sleep(min(seconds, 10))  # noqa: ASYNC251 - this is the mistake
    return {"invoice": "a long document"}


@router.put("/payment")
async def set_payment(shop: InShop, *, down: bool) -> dict[str, bool]:
    """Whether the payment provider answers."""
    shop.payment_is_down = down
    return {"down": down}


async def _remember_visit(shop: Shop, customer_id: int) -> None:
    key = f"session:{customer_id}"
    try:
        if await shop.redis.get(key) is None:
            await shop.redis.set(key, "visited", ex=3600)
    except (RedisError, OSError):
        return  # a session that is not remembered is no reason to refuse an order


def _fault_router(faults: Faults) -> APIRouter:
    fault_router = APIRouter()

    def unknown(name: str) -> HTTPException:
        return HTTPException(404, f"there is no fault {name!r}; there are: {', '.join(faults.names())}")

    @fault_router.get("/faults")
    async def list_faults() -> list[str]:
        """The faults that can be caused."""
        return faults.names()

    @fault_router.post("/faults/{name}", status_code=202)
    async def cause_fault(name: str) -> dict[str, str]:
        """Cause a fault."""
        if not faults.cause(name):
            raise unknown(name)
        return {"fault": name}

    @fault_router.delete("/faults/{name}", status_code=202)
    async def end_fault(name: str) -> dict[str, str]:
        """Put a fault right before its time."""
        if not faults.end(name):
            raise unknown(name)
        return {"fault": name}

    return fault_router
