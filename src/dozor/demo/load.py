"""Visitors: a steady, light and plausible load."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Final

import httpx2

from dozor.demo.catalogue import CUSTOMERS, ORDERS, PRODUCTS, WORDS

VISITORS: Final = 8
# Together some 20 requests a second.
_THINK_SECONDS: Final = 0.4
_PAGES: Final = 10

Step = Callable[[httpx2.AsyncClient, random.Random], Awaitable[object]]


async def visit(client: httpx2.AsyncClient, pick: random.Random) -> None:
    """Come again and again, until cancelled. What fails is shrugged off: it is what the demo shows."""
    steps, weights = zip(*_HABITS, strict=True)
    while True:
        await asyncio.sleep(pick.expovariate(1 / _THINK_SECONDS))
        (step,) = pick.choices(steps, weights)
        try:
            await step(client, pick)
        except httpx2.HTTPError:
            continue


def _popular(pick: random.Random, most: int) -> int:
    """A number from 1 to *most*, the low ones far more often."""
    return min(most, int(pick.paretovariate(0.9)))


async def _browse(client: httpx2.AsyncClient, pick: random.Random) -> object:
    return await client.get("/products", params={"page": _popular(pick, _PAGES)})


async def _look_at(client: httpx2.AsyncClient, pick: random.Random) -> object:
    return await client.get(f"/products/{_popular(pick, PRODUCTS)}")


async def _search(client: httpx2.AsyncClient, pick: random.Random) -> object:
    return await client.get("/search", params={"q": pick.choice(WORDS)})


async def _order(client: httpx2.AsyncClient, pick: random.Random) -> object:
    order = {
        "customer_id": pick.randint(1, CUSTOMERS),
        "product_id": _popular(pick, PRODUCTS),
        "quantity": pick.randint(1, 3),
    }
    return await client.post("/orders", json=order)


async def _track(client: httpx2.AsyncClient, pick: random.Random) -> object:
    return await client.get(f"/orders/{pick.randint(1, ORDERS)}")


async def _report(client: httpx2.AsyncClient, _pick: random.Random) -> object:
    return await client.get("/reports/sales")


async def _scan(client: httpx2.AsyncClient, pick: random.Random) -> object:
    return await client.get(f"/wp-content/{pick.randint(1, 10**6)}.php")


# What visitors do, and how often in a hundred; the last are robots that look for a hole.
_HABITS: Final[tuple[tuple[Step, int], ...]] = (
    (_browse, 38),
    (_look_at, 28),
    (_search, 8),
    (_order, 14),
    (_track, 8),
    (_report, 3),
    (_scan, 1),
)
