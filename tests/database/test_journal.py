"""Changes wait for the database in their order, and those who wait for them are told."""

import asyncio
from collections.abc import Callable

import pytest
from tests.patience import PATIENCE_SECONDS

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
        self.handed_on: list[float] = []
        self.answers = asyncio.Event()
        self.answers.set()

    async def commit(self, change: Changes) -> None:
        await asyncio.sleep(0)
        await self.answers.wait()
        if self.failures:
            raise self.failures.pop(0)
        self.committed.append(change.audit[0].at)

    def wake(self) -> None:
        self.wakes += 1

    def hand_on(self, change: Changes) -> None:
        self.handed_on.append(change.audit[0].at)


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def written(store: Store, monkeypatch: pytest.MonkeyPatch) -> Journal:
    monkeypatch.setattr(journal, "_RETRY_SECONDS", 0.001)
    return Journal(store.commit, store.wake, store.hand_on)


async def test_changes_are_committed_in_their_order_and_delivery_is_woken(store: Store, written: Journal) -> None:
    done = [written.write(changes(number)) for number in range(5)]
    running = asyncio.create_task(written.run())
    await asyncio.wait_for(asyncio.gather(*done), PATIENCE_SECONDS)
    running.cancel()
    assert store.committed == [0, 1, 2, 3, 4]
    assert store.wakes == 5


async def test_while_the_database_is_away_changes_wait_and_it_says_so_once(
    store: Store, written: Journal, caplog: pytest.LogCaptureFixture
) -> None:
    store.failures = [StoreUnavailable("gone"), StoreUnavailable("gone")]
    done = written.write(changes(1))
    running = asyncio.create_task(written.run())
    await asyncio.wait_for(done, PATIENCE_SECONDS)
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
    await asyncio.wait_for(second, PATIENCE_SECONDS)
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


def failing(written: Journal) -> bool:
    return written.failing is not None


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not condition():
            await asyncio.sleep(0.001)


async def test_a_commit_that_hangs_counts_as_failing_until_it_is_done(
    store: Store, written: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "_HANGING_SECONDS", 0.02)
    store.answers.clear()
    done = written.write(changes(1))
    running = asyncio.create_task(written.run())
    await until(lambda: failing(written))
    assert written.failing == "Dozor's store has given no answer for 0.02 s"
    assert not done.done()
    store.answers.set()
    await asyncio.wait_for(done, PATIENCE_SECONDS)
    running.cancel()
    assert store.committed == [1]
    assert not failing(written)


async def test_what_cannot_be_committed_now_is_handed_on_once_and_committed_later(
    store: Store, written: Journal
) -> None:
    store.failures = [StoreUnavailable("gone")]
    waiting = [written.write(changes(number)) for number in range(3)]
    await written.flush()
    assert store.handed_on == [0, 1, 2]
    waiting.append(written.write(changes(3)))
    assert store.handed_on == [0, 1, 2, 3], "at once, while it fails"
    store.failures = [StoreUnavailable("gone")] * 3
    running = asyncio.create_task(written.run())
    await asyncio.wait_for(asyncio.gather(*waiting), PATIENCE_SECONDS)
    await asyncio.wait_for(written.write(changes(4)), PATIENCE_SECONDS)
    running.cancel()
    assert store.handed_on == [0, 1, 2, 3]
    assert store.committed == [0, 1, 2, 3, 4]


async def test_what_is_given_up_is_handed_on_too(
    store: Store, written: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "_LIMIT", 2)
    store.failures = [ValueError("cannot be encoded")]
    for number in range(3):
        written.write(changes(number))
    await written.flush()
    assert store.handed_on == [0, 1]
    assert (store.committed, written.dropped) == ([2], 2)


async def test_who_is_handed_on_to_may_fail(store: Store) -> None:
    def fail(_: Changes) -> None:
        raise RuntimeError("no room")

    written = Journal(store.commit, store.wake, fail)
    store.failures = [StoreUnavailable("gone")]
    written.write(changes(1))
    await written.flush()
    await written.flush()
    assert store.committed == [1]


async def test_stopping_while_a_commit_hangs_loses_nothing(store: Store, written: Journal) -> None:
    store.answers.clear()
    written.write(changes(1))
    running = asyncio.create_task(written.run())
    await asyncio.sleep(0)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert written.depth == 1
    store.answers.set()
    await written.flush()
    assert store.committed == [1]
