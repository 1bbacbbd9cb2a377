"""A store in memory and its thread, and deliveries over it that are stopped at the end."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from tests.notify.delivering import CEILING, Deliver

from dozor.clock import Clock
from dozor.database import Database, StoreThread
from dozor.notify import Delivery, Receiver, RetryPolicy, Route
from dozor.notify.notifier import AnyNotifier
from dozor.notify.outbox import RunInStore
from dozor.testing import FakeClock


@pytest.fixture
def store() -> Iterator[Database]:
    database = Database("sqlite://")
    database.open()
    yield database
    database.close()


@pytest.fixture
def thread() -> Iterator[StoreThread]:
    thread = StoreThread()
    yield thread
    assert thread.close(5)


@pytest.fixture
async def deliver(store: Database, thread: StoreThread, clock: FakeClock) -> AsyncIterator[Deliver]:
    """Makes a delivery over the store, which is stopped at the end."""
    made: list[Delivery[Any]] = []

    def make(
        *,
        clock: Clock = clock,
        policy: RetryPolicy = CEILING,
        routes: tuple[Route, ...] = (),
        run: RunInStore = thread.run,
        **notifiers: AnyNotifier | Receiver,
    ) -> Delivery[Any]:
        made.append(Delivery(store, notifiers, clock, run, routes=routes, policy=policy))
        return made[-1]

    yield make
    for each in made:
        await each.stop(1)
