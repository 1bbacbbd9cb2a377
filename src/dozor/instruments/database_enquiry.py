"""A question to a watched database that somebody asks now and then, over a connection of its own that is closed again."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any, Final, TypeVar

from sqlalchemy import Engine
from sqlalchemy.util import greenlet_spawn

from dozor.instruments.database_probe import connect_as
from dozor.instruments.side_thread import SideThread, StillBusyError
from dozor.locks import FORKS

R = TypeVar("R")

LIMIT_SECONDS: Final = 4.0


class DatabaseEnquiry:
    """Asks the database behind *engine*, one question at a time. `run` belongs to one event loop.

    The application's pool is not touched: the connection is opened as the engine would open it.
    """

    def __init__(self, name: str, engine: Engine) -> None:
        self._engine = engine
        self._side = SideThread(f"dozor-enquiry-{name}", section=FORKS.section)
        self._busy = False

    async def run(self, ask: Callable[[Any], R]) -> R:
        """What *ask* returns, given a DBAPI connection. Nothing of what it did is committed.

        Raises what the driver raises, `TimeoutError` after four seconds, `StillBusyError` while another question is under way.
        """
        connections: list[Any] = []

        def call() -> R:
            connection = connect_as(self._engine)
            connections.append(connection)
            try:
                return ask(connection)
            finally:
                with contextlib.suppress(Exception):
                    connection.rollback()
                with contextlib.suppress(Exception):
                    connection.close()

        if not self._engine.dialect.is_async:
            return await self._side.run(call, LIMIT_SECONDS)
        if self._busy:
            raise StillBusyError
        self._busy = True
        try:
            return await self._in_greenlet(call, connections)
        finally:
            self._busy = False

    @staticmethod
    async def _in_greenlet(call: Callable[[], R], connections: list[Any]) -> R:
        task: asyncio.Future[R] = asyncio.ensure_future(greenlet_spawn(call))
        # Not awaited itself: some drivers, when cancelled, wait for the server that hangs.
        done, _ = await asyncio.wait({task}, timeout=LIMIT_SECONDS)
        if done:
            return task.result()
        task.add_done_callback(_seen)
        for connection in connections:
            terminate = getattr(getattr(connection, "driver_connection", None), "terminate", None)
            if terminate is not None:
                with contextlib.suppress(Exception):
                    terminate()
        task.cancel()
        raise TimeoutError


def _seen(task: "asyncio.Future[Any]") -> None:
    """Take notice of how *task* ended, or asyncio complains of an exception that nobody saw."""
    if not task.cancelled():
        task.exception()
