"""A small application for the tests of the whole: a process of its own under uvicorn, Dozor inside in two lines.

Reads DATABASE_URL (asyncpg) and REDIS_URL from the environment.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from fastapi import FastAPI, HTTPException
from redis.asyncio import Redis
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from dozor import Dozor

engine = create_async_engine(os.environ["DATABASE_URL"], pool_timeout=float(os.environ.get("POOL_TIMEOUT", "30")))
redis = Redis.from_url(os.environ["REDIS_URL"])
events: list[str] = []
let_go = asyncio.Event()


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    events.append("started")
    yield
    await engine.dispose()
    await redis.aclose()


app = FastAPI(title="shop", lifespan=lifespan)


@app.get("/hold/{seconds}")
async def hold(seconds: float) -> str:
    """Keep a connection for *seconds*, or until those who hold one are told to let go."""
    async with engine.connect() as connection:
        await connection.execute(text("SELECT 1"))
        with suppress(TimeoutError):
            await asyncio.wait_for(let_go.wait(), seconds)
    return "held"


@app.post("/release")
async def release() -> None:
    """Let go of all connections that are held."""
    let_go.set()


@app.get("/sleep/{seconds}")
async def sleep(seconds: float) -> str:
    """Run a statement that takes *seconds* and holds a secret."""
    async with engine.connect() as connection:
        await connection.execute(text(f"SELECT pg_sleep({seconds}), 'hunter2'"))
    return "slept"


@app.get("/fail")
async def fail() -> None:
    """Answer 500."""
    raise HTTPException(500)


@app.get("/cached/{key}")
async def cached(key: str) -> bool:
    """Ask Redis for *key*."""
    return await redis.get(key) is not None


@app.get("/events")
async def what_happened() -> list[str]:
    """What the application's own lifespan did."""
    return events


dozor = Dozor(engine=engine, redis=redis)
dozor.install(app)
