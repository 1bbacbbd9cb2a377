"""Changes wait for the database in their order, and those who wait for them are told."""

import asyncio

import pytest

from dozor.database import journal
from dozor.database.journal import Journal
from dozor.errors import StoreUnavailable
from dozor.model.notification import AuditEntry, Changes

pytestmark = pytest.mark.anyio


def changes(number: int) -> Changes:
    return Changes(audit=(AuditEntry("a", float(number), "fired"),))


class Store:
    """A database that does what it is told to."""

    def __init__(self) -> None:
        self.committed: list[float] = []
        self.failures: list[Exception] = []
        self.wakes = 0

    async def commit(self, change: Changes) -> None:
        await asyncio.sleep(0)
        if self.failures:
            raise self.failures.pop(0)
        self.committed.append(change.audit[0].at)

    def wake(self) -> None:
        self.wakes += 1


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def written(store: Store, monkeypatch: pytest.MonkeyPatch) -> Journal:
    monkeypatch.setattr(journal, "_RETRY_SECONDS", 0.001)
    return Journal(store.commit, store.wake)


async def test_changes_are_committed_in_their_order_and_delivery_is_woken(store: Store, written: Journal) -> None:
    done = [written.write(changes(number)) for number in range(5)]
    running = asyncio.create_task(written.run())
    await asyncio.wait_for(asyncio.gather(*done), 5)
    running.cancel()
    assert store.committed == [0, 1, 2, 3, 4]
    assert store.wakes == 5


async def test_while_the_database_is_away_changes_wait_and_it_says_so_once(
    store: Store, written: Journal, caplog: pytest.LogCaptureFixture
) -> None:
    store.failures = [StoreUnavailable("gone"), StoreUnavailable("gone")]
    done = written.write(changes(1))
    running = asyncio.create_task(written.run())
    await asyncio.wait_for(done, 5)
    running.cancel()
    assert store.committed == [1]
    assert written.failing is None
    assert [record.message for record in caplog.records] == [
        "alerts are kept in memory only until the database answers: gone",
        "the database answers again; 0 changes still wait to be written",
    ]


async def test_changes_that_can_never_be_written_do_not_hold_up_the_others(store: Store, written: Journal) -> None:
    store.failures = [ValueError("cannot be encoded")]
    first, second = written.write(changes(1)), written.write(changes(2))
    running = asyncio.create_task(written.run())
    await asyncio.wait_for(second, 5)
    running.cancel()
    assert first.cancelled()
    assert (store.committed, written.dropped) == ([2], 1)


async def test_beyond_the_limit_the_oldest_go_and_are_counted(
    store: Store, written: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "_LIMIT", 3)
    done = [written.write(changes(number)) for number in range(5)]
    assert (written.depth, written.dropped) == (3, 2)
    assert [each.cancelled() for each in done] == [True, True, False, False, False]
    await written.flush()
    assert store.committed == [2, 3, 4]


async def test_flushing_writes_what_it_can_and_stops_at_the_first_failure(store: Store, written: Journal) -> None:
    written.write(changes(1))
    written.write(changes(2))
    store.failures = [StoreUnavailable("gone")]
    await written.flush()
    assert (store.committed, written.depth) == ([], 2)
    await written.flush()
    assert (store.committed, written.depth) == ([1, 2], 0)
