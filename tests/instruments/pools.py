"""Pools that are watched as in an application, and requests that use them."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.ext.asyncio import AsyncEngine

from dozor.instruments.connection_pool_monitor import ConnectionPoolMonitor
from dozor.instruments.pool_holders import Holder
from dozor.instruments.query_monitor import QueryMonitor
from dozor.instruments.work import Work, current_work
from dozor.testing import FakeClock


class Request(Work):
    """A request of that name, answered by that function."""

    __slots__ = ("_name", "scope")

    def __init__(self, name: str, endpoint: Callable[[], None] | None) -> None:
        super().__init__()
        self._name = name
        self.scope = None if endpoint is None else {"endpoint": endpoint}

    @property
    def name(self) -> str:
        return self._name


@contextmanager
def request(name: str, endpoint: Callable[[], None] | None = None) -> Iterator[Work]:
    """What is done in here is for a request."""
    work = Request(name, endpoint)
    token = current_work.set(work)
    try:
        yield work
    finally:
        current_work.reset(token)


@contextmanager
def watched(engine: Engine | AsyncEngine, **options: Any) -> Iterator[ConnectionPoolMonitor]:
    """Both monitors of *engine*, as they are put together in an application."""
    pool = ConnectionPoolMonitor("default", engine, FakeClock(), **options)
    queries = QueryMonitor("default", engine, FakeClock(), last=pool.statements)
    pool.attach()
    queries.attach()
    yield pool
    queries.detach()
    pool.detach()


def cycle(monitor: ConnectionPoolMonitor) -> None:
    """Let a cycle of the collector pass."""
    asyncio.run(monitor.refresh())


def only(monitor: ConnectionPoolMonitor) -> Holder:
    """The only holder that there is."""
    (holder,) = monitor.holders()
    return holder
