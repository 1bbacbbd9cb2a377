"""What is noted of a request and its statements until Dozor reads it is nothing that the garbage collector has to visit.

What lives longer than a moment is visited by it several times, and brings its runs over everything forward: with a few objects a
request that cost the application more than all the counting.
"""

import asyncio
import gc
from typing import Any

from sqlalchemy import create_engine, text
from sqlalchemy.pool import QueuePool

from dozor.clock import Clock
from dozor.instruments.connection_pool_monitor import ConnectionPoolMonitor
from dozor.instruments.middleware import DozorMiddleware, HttpMonitor
from dozor.instruments.query_monitor import QueryMonitor

_REQUESTS = 200


def test_a_request_with_statements_leaves_nothing_for_the_garbage_collector() -> None:
    engine = create_engine("sqlite://", poolclass=QueuePool, connect_args={"check_same_thread": False})
    # Stacks are walked of a bounded number of checkouts a second, and are objects.
    pool = ConnectionPoolMonitor("default", engine, Clock(), stacks="off")
    pool.attach()
    queries = QueryMonitor("default", engine, Clock(), last=pool.statements)
    queries.attach()
    statements = [text("SELECT 1"), text("SELECT 2, 3")]

    async def application(_scope: Any, _receive: Any, send: Any) -> None:
        with engine.connect() as connection:
            for statement in statements:
                connection.execute(statement).close()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def nothing(*_: Any) -> Any:
        return None

    app, loop = DozorMiddleware(application, HttpMonitor(Clock())), asyncio.new_event_loop()

    def answer(requests: int) -> None:
        for _ in range(requests):
            scope = {"type": "http", "method": "GET", "path": "/", "root_path": ""}
            loop.run_until_complete(app(scope, nothing, nothing))

    answer(20)
    queries.book.fold()
    answer(20)
    gc.collect()
    gc.disable()
    try:
        before = len(gc.get_objects())
        answer(_REQUESTS)
        kept = len(gc.get_objects()) - before
    finally:
        gc.enable()
    assert kept < _REQUESTS / 4, f"{kept / _REQUESTS:.1f} objects for each request"
    pool.detach()
    queries.detach()
    engine.dispose()
    loop.close()
