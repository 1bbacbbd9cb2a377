"""The shop's tables, and what stands in them at the beginning."""

import random
from typing import Final

from sqlalchemy import (
    Column,
    DateTime,
    ForeignKey,
    Integer,
    MetaData,
    Numeric,
    String,
    Table,
    func,
    insert,
)
from sqlalchemy.ext.asyncio import AsyncEngine

PRODUCTS: Final = 400
CUSTOMERS: Final = 150
ORDERS: Final = 2000

WORDS: Final = ("kettle", "lamp", "chair", "rug", "teapot", "shelf", "blanket", "clock", "mirror", "vase")
_ADJECTIVES: Final = ("oak", "linen", "copper", "blue", "folding", "small", "tall", "woven", "glass", "green")

metadata = MetaData()

products = Table(
    "products",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(80), nullable=False),
    Column("price", Numeric(8, 2), nullable=False),
    Column("stock", Integer, nullable=False),
)

customers = Table(
    "customers",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(80), nullable=False),
)

orders = Table(
    "orders",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("customer_id", ForeignKey(customers.c.id), nullable=False),
    Column("product_id", ForeignKey(products.c.id), nullable=False),
    Column("quantity", Integer, nullable=False),
    Column("ordered_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
)


async def stock_up(engine: AsyncEngine) -> None:
    """Create the tables and fill them, the same way each time."""
    pick = random.Random(2026)  # noqa: S311 - sample data
    async with engine.begin() as connection:
        await connection.run_sync(metadata.create_all)
        await connection.execute(
            insert(products),
            [
                {
                    "name": f"{pick.choice(_ADJECTIVES)} {pick.choice(WORDS)} no. {number}",
                    "price": pick.randint(300, 20_000) / 100,
                    "stock": pick.randint(20, 200),
                }
                for number in range(1, PRODUCTS + 1)
            ],
        )
        await connection.execute(
            insert(customers), [{"name": f"Customer {number}"} for number in range(1, CUSTOMERS + 1)]
        )
        await connection.execute(
            insert(orders),
            [
                {
                    "customer_id": pick.randint(1, CUSTOMERS),
                    "product_id": pick.randint(1, PRODUCTS),
                    "quantity": pick.randint(1, 3),
                }
                for _ in range(ORDERS)
            ],
        )
