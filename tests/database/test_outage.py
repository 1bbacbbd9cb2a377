"""A store that is full, locked, read-only, frozen, restarted or broken: what is decided goes on, and is written after."""

import asyncio
import os
import sqlite3
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, AsyncExitStack, closing, contextmanager
from pathlib import Path

import pytest
from sqlalchemy import text
from tests.database.records import START, make_alert, make_notification, to
from tests.patience import PATIENCE_SECONDS

from dozor.database import Database, StoreThread, journal
from dozor.database.journal import Journal
from dozor.demo.servers import EmbeddedServer
from dozor.errors import StoreUnavailable
from dozor.model.notification import AuditEntry, Changes, Outgoing
from dozor.model.silence import Silence

pytestmark = pytest.mark.anyio


class World:
    """A store, its thread, and a journal that writes to it."""

    def __init__(self, database: Database) -> None:
        self.database, self.thread = database, StoreThread()
        self.journal = Journal(self._commit, lambda: None, self._hand_on)
        self.handed_on: list[str] = []
        self._number = 0

    async def _commit(self, changes: Changes) -> None:
        outgoing = [Outgoing("log", each) for each in changes.notifications]
        await asyncio.wrap_future(self.thread.submit(self.database.commit, changes, outgoing))

    def _hand_on(self, changes: Changes) -> None:
        self.handed_on.append(changes.alerts[0].id)

    def decide(self) -> "asyncio.Future[None]":
        """An alert fires: it takes no time, whatever the store does."""
        self._number += 1
        alert = make_alert(id=f"a{self._number}", fired_at=START + self._number, evidence={"text": "x" * 50_000})
        return self.journal.write(Changes(alerts=(alert,), notifications=(make_notification(alerts=(alert,)),)))

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not condition():
                await asyncio.sleep(0.01)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for seconds here."""
    monkeypatch.setattr("dozor.database.engine.BUSY_TIMEOUT_SECONDS", 0.05)
    monkeypatch.setattr("dozor.database.sqlite_file.BUSY_TIMEOUT_SECONDS", 0.05)
    monkeypatch.setattr(journal, "_RETRY_SECONDS", 0.02)
    monkeypatch.setattr(journal, "_LONGEST_RETRY_SECONDS", 0.05)
    monkeypatch.setattr(journal, "_HANGING_SECONDS", 0.3)


@pytest.fixture
async def begin() -> AsyncIterator[Callable[[str], World]]:
    """Opens a store by its URL, and has its journal written."""
    async with AsyncExitStack() as stack:

        def begin(url: str) -> World:
            world = World(Database(url))
            world.database.open()
            writing = asyncio.create_task(world.journal.run())
            stack.callback(world.database.close)
            stack.callback(world.thread.close, 5)
            stack.callback(writing.cancel)
            return world

        yield begin


@contextmanager
def full(world: World) -> Iterator[None]:
    with world.database._reading() as connection:
        connection.execute(text("PRAGMA max_page_count = 1"))
    yield
    with world.database._reading() as connection:
        connection.execute(text("PRAGMA max_page_count = 1000000"))


@contextmanager
def read_only(world: World) -> Iterator[None]:
    with world.database._reading() as connection:
        connection.execute(text("PRAGMA query_only = ON"))
    yield
    with world.database._reading() as connection:
        connection.execute(text("PRAGMA query_only = OFF"))


@contextmanager
def locked(world: World) -> Iterator[None]:
    with closing(sqlite3.connect(str(world.database._place.path), isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("COMMIT")


@contextmanager
def frozen(server: EmbeddedServer) -> Iterator[None]:
    server.freeze()
    yield
    server.thaw()


@contextmanager
def restarted(server: EmbeddedServer) -> Iterator[None]:
    server.kill()
    yield
    server.start()


async def check(world: World, outage: AbstractContextManager[None], word: str) -> None:
    await asyncio.wait_for(world.decide(), PATIENCE_SECONDS)
    with outage:
        waiting = [world.decide() for _ in range(3)]
        await world.until(lambda: world.journal.failing is not None)
        assert word in (world.journal.failing or "")
        waiting.append(world.decide())
        assert world.handed_on == ["a2", "a3", "a4", "a5"]
        assert not any(each.done() for each in waiting)
    await asyncio.wait_for(asyncio.gather(*waiting), PATIENCE_SECONDS)
    assert world.journal.failing is None
    assert world.handed_on == ["a2", "a3", "a4", "a5"], "each once"
    kept = [alert.id for alert in world.database.load_recent(0)]
    assert sorted(kept) == ["a1", "a2", "a3", "a4", "a5"]
    assert world.database.outbox_depth() == 5


@pytest.mark.parametrize(
    ("outage", "word"),
    [(full, "full"), (read_only, "readonly"), (locked, "locked")],
    ids=["full", "read-only", "locked"],
)
async def test_sqlite(
    begin: Callable[[str], World], tmp_path: Path, outage: Callable[[World], AbstractContextManager[None]], word: str
) -> None:
    world = begin(f"sqlite:///{tmp_path}/store.db")
    await check(world, outage(world), word)


async def test_postgresql_frozen_then_restarted(begin: Callable[[str], World], own_postgres: EmbeddedServer) -> None:
    await check(begin(own_postgres.url), frozen(own_postgres), "no answer for 0.3 s")
    world = begin(own_postgres.url)
    with world.database._writing() as connection:
        connection.execute(text("TRUNCATE dozor_alerts, dozor_outbox"))
    await check(world, restarted(own_postgres), "does not answer")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to mount a small disk")
async def test_a_disk_that_is_really_full(begin: Callable[[str], World], tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", disk], check=False).returncode:
        pytest.skip("mounting is not allowed here")
    try:
        world = begin(f"sqlite:///{disk}/store.db")
        filler = disk / "filler"

        @contextmanager
        def filled() -> Iterator[None]:
            with filler.open("wb", buffering=0) as file:
                try:
                    while True:
                        file.write(b"\0" * 4096)
                except OSError:
                    pass
            yield
            filler.unlink()

        await check(world, filled(), "full")
        world.database.close()
    finally:
        subprocess.run(["umount", "-l", disk], check=True)


class TestCorruptWhileInUse:
    """A file that is overwritten under a Dozor that runs."""

    @pytest.fixture
    def database(self, tmp_path: Path) -> Iterator[Database]:
        database = Database(f"sqlite:///{tmp_path}/store.db", exclusive=True)
        database.open()
        database.commit(Changes(alerts=tuple(make_alert() for _ in range(200))), to(["log"], make_notification()))
        yield database
        database.close()

    def state(self, database: Database) -> tuple[bool, bool]:
        """Whether a new file waits for what is open, and whether the old one was set aside."""
        return database.begun_anew, database.set_aside is not None

    def damage(self, database: Database) -> Path:
        with database._reading() as connection:
            connection.execute(text("PRAGMA wal_checkpoint(TRUNCATE)"))
            connection.execute(text("PRAGMA shrink_memory"))  # or the pages would be taken from there
        path = database._place.path
        assert path is not None
        with path.open("r+b") as file:
            file.seek(4096)
            file.write(os.urandom(path.stat().st_size - 4096))
        return path

    async def fails(self, database: Database) -> str:
        """The next commits are refused until the damage is met; what was said of it."""
        for _ in range(50):
            try:
                database.commit(Changes(alerts=tuple(make_alert() for _ in range(20))), ())
                database.load_recent(0)
            except StoreUnavailable as error:
                return str(error)
        raise AssertionError("the damage was not noticed")

    async def test_it_is_set_aside_and_what_is_open_is_written_into_a_new_one(
        self, database: Database, caplog: pytest.LogCaptureFixture
    ) -> None:
        path = self.damage(database)
        assert "malformed" in await self.fails(database)
        assert self.state(database) == (True, True)
        assert database.set_aside is not None
        assert database.set_aside.exists()
        assert "was set aside as" in caplog.text
        alert, silence = make_alert(), Silence("s", ('pool="main"',), START, None, START, START)
        database.begin_with(Changes(alerts=(alert,), silences=(silence,), audit=(AuditEntry("s", START, "x"),)), 500)
        assert self.state(database) == (False, True)
        assert (database.load_recent(0), database.load_silences(0)) == ([alert], [silence])
        assert database.total_fired() == 500
        database.commit(Changes(alerts=(make_alert(),)), ())
        assert database.total_fired() == 501
        assert path.exists()

    async def test_an_agent_keeps_its_hands_off_and_says_what_to_do(self, database: Database) -> None:
        database._place._strict = True
        path = self.damage(database)
        await self.fails(database)
        with pytest.raises(StoreUnavailable, match=r"is corrupt .*restore it from a copy.* Then start Dozor again"):
            database.commit(Changes(alerts=(make_alert(),)), ())
        assert not database.begun_anew
        assert [each.name for each in path.parent.iterdir() if "corrupt" in each.name] == []

    async def test_a_file_that_was_restored_meanwhile_is_used(self, database: Database, tmp_path: Path) -> None:
        with (
            closing(sqlite3.connect(tmp_path / "copy.db")) as copy,
            closing(sqlite3.connect(str(database._place.path))) as source,
        ):
            source.backup(copy)
        path = self.damage(database)
        for suffix in ("-wal", "-shm"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)
        database.close()
        path.write_bytes((tmp_path / "copy.db").read_bytes())
        database._replace_corrupt()
        assert not database.begun_anew
        assert database.total_fired() == 200
