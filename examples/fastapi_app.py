"""A FastAPI application with a lifespan of its own, watched from inside. Needs a database and a Redis server.

pip install dozor asyncpg uvicorn
export DATABASE_URL=postgresql+asyncpg://user:password@localhost/shop REDIS_URL=redis://localhost:6379/0
python examples/fastapi_app.py

Then http://127.0.0.1:8000/api/v1/monitoring/ is Dozor's page, and /health, /readyz and /metrics answer too.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from fastapi import FastAPI, Response
from redis.asyncio import Redis
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from dozor import Dozor, ResponseCacheMiddleware

engine = create_async_engine(os.environ.get("DATABASE_URL", "postgresql+asyncpg://localhost/postgres"))
redis_client = Redis.from_url(os.environ.get("REDIS_URL", "redis://localhost:6379/0"))


@asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
    yield
    await engine.dispose()
    await redis_client.aclose()


app = FastAPI(title="example", lifespan=lifespan)
app.add_middleware(ResponseCacheMiddleware, redis=redis_client, paths=["/report"])

dozor = Dozor(engine=engine, redis=redis_client)
dozor.install(app)


@app.get("/report")
async def report(response: Response) -> dict[str, int]:
    """Slow to make, so kept in Redis for half a minute."""
    response.headers["Cache-Control"] = "max-age=30"
    async with engine.connect() as connection:
        await connection.execute(text("SELECT pg_sleep(1.1)"))
        return {"answer": (await connection.execute(text("SELECT 42"))).scalar_one()}


if __name__ == "__main__":
    uvicorn.run(app)
