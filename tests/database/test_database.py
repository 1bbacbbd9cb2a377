"""Opening the store wherever it may be, and what happens when it cannot be had."""

import logging
import os
import socket
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url, text
from tests.database.processes import CONTEXT, claim_and_hang
from tests.database.records import START, make_alert, make_notification, to
from tests.patience import PATIENCE_SECONDS

from dozor.database import Database, HistoryFilter, OutboxRow
from dozor.errors import ConfigurationError, StoreUnavailable
from dozor.model.notification import Changes
from dozor.testing import FakeClock


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    return tmp_path


@pytest.fixture
def opened() -> Iterator[list[Database]]:
    """Databases put in here are closed at the end."""
    databases: list[Database] = []
    yield databases
    for database in databases:
        database.close()


def open_(opened: list[Database], database: Database) -> Database:
    opened.append(database)
    database.open()
    return database


def add(database: Database) -> str:
    alert = make_alert()
    database.commit(Changes(alerts=(alert,)), ())
    return alert.id


class TestTheDefaultFile:
    """`NAME.db` in the user's state directory."""

    def test_it_is_the_users_alone_and_survives(self, home: Path, opened: list[Database]) -> None:
        first = open_(opened, Database(name="shop"))
        alert_id = add(first)
        path = Path(first.location.removeprefix("sqlite+pysqlite:///"))
        assert path.name == "shop.db"
        assert home in path.parents
        files = list(path.parent.iterdir())
        assert {file.name for file in files} >= {"shop.db", "shop.db-wal"}
        assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        first.close()
        second = open_(opened, Database(name="shop"))
        assert second.get(alert_id) is not None
        assert second.durable

    def test_two_applications_have_two(self, home: Path, opened: list[Database]) -> None:
        shop, billing = open_(opened, Database(name="shop")), open_(opened, Database(name="billing"))
        add(shop)
        assert billing.total_fired() == 0

    @pytest.mark.parametrize("strict", [False, True])
    def test_without_a_home_it_is_in_memory_with_a_warning(
        self,
        monkeypatch: pytest.MonkeyPatch,
        opened: list[Database],
        caplog: pytest.LogCaptureFixture,
        strict: bool,
    ) -> None:
        monkeypatch.delenv("HOME", raising=False)
        monkeypatch.delenv("XDG_STATE_HOME", raising=False)
        database = open_(opened, Database(name="shop", strict=strict))
        assert not database.durable
        assert "HOME" in (database.why_not_durable or "")
        assert database.location == "memory"
        add(database)
        assert database.total_fired() == 1
        (record,) = caplog.records
        assert record.levelno == logging.WARNING
        assert "set DOZOR_STORE_URL" in record.getMessage()
        assert "sqlite:////var/lib/dozor/shop.db" in record.getMessage()

    def test_where_nothing_can_be_written_it_is_in_memory_with_a_warning(
        self, home: Path, opened: list[Database], caplog: pytest.LogCaptureFixture
    ) -> None:
        (home / ".local").write_text("in the way, even of root")
        (home / "Library").write_text("in the way, even of root")
        database = open_(opened, Database(name="shop", strict=True))
        assert not database.durable
        assert "cannot be written" in (database.why_not_durable or "")
        assert len(caplog.records) == 1


class TestAGivenPlace:
    """`DOZOR_STORE_URL`."""

    def test_memory_asked_for_is_no_reason_to_warn(
        self, opened: list[Database], caplog: pytest.LogCaptureFixture
    ) -> None:
        database = open_(opened, Database("sqlite://"))
        assert database.why_not_durable == "DOZOR_STORE_URL asks for a database in memory"
        assert caplog.records == []

    def test_an_agent_refuses_a_file_that_cannot_be_written(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        with pytest.raises(ConfigurationError, match=r"^DOZOR_STORE_URL: the store .* cannot be written"):
            Database(f"sqlite:///{tmp_path}/file/store.db", strict=True).open()

    def test_a_guest_goes_on_in_memory(self, tmp_path: Path, opened: list[Database]) -> None:
        (tmp_path / "file").write_text("")
        database = open_(opened, Database(f"sqlite:///{tmp_path}/file/store.db"))
        assert not database.durable
        add(database)

    def test_without_the_driver_the_message_says_how_to_get_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "psycopg", None)
        with pytest.raises(ConfigurationError, match=r"pip install 'dozor\[postgres\]'"):
            Database("postgresql://u:s3cr3t@h/d").open()

    @pytest.mark.parametrize("credentials", ["u:s3cr3t@", "u@"])
    def test_an_unreachable_server_is_unavailable_without_the_secret(
        self, credentials: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        database = Database(f"postgresql://{credentials}127.0.0.1:1/d?password=s3cr3t")
        with pytest.raises(StoreUnavailable, match=r"127\.0\.0\.1") as caught:
            database.open()
        assert "s3cr3t" not in f"{caught.value!r} {caught.value.__cause__!r} {caplog.text} {database.location}"
        with pytest.raises(StoreUnavailable, match="not open"):
            database.total_fired()

    def test_a_server_that_comes_later_is_opened_later(self, postgres_database: str, opened: list[Database]) -> None:
        name = make_url(postgres_database).database
        database = Database(postgres_database)
        opened.append(database)
        admin = create_engine(make_url(postgres_database).set(database="postgres"), isolation_level="AUTOCOMMIT")
        with admin.connect() as connection:
            connection.execute(text(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false'))
            with pytest.raises(StoreUnavailable):
                database.open()
            connection.execute(text(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true'))
        admin.dispose()
        database.open()
        add(database)
        assert database.durable

    def test_connections_that_were_cut_are_replaced(self, postgres_database: str, opened: list[Database]) -> None:
        database = open_(opened, Database(postgres_database))
        add(database)
        admin = create_engine(postgres_database, isolation_level="AUTOCOMMIT")
        with admin.connect() as connection:
            killed = connection.scalar(
                text("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'dozor'")
            )
        admin.dispose()
        assert killed == 1
        assert database.total_fired() == 1


class TestACorruptFile:
    """At start."""

    @pytest.fixture
    def path(self, tmp_path: Path, opened: list[Database]) -> Path:
        path = tmp_path / "store.db"
        database = open_(opened, Database(f"sqlite:///{path}"))
        for _ in range(50):
            add(database)
        database.close()
        with path.open("r+b") as file:
            file.seek(4096)
            file.write(os.urandom(8 * 4096))
        return path

    def test_a_guest_sets_it_aside_and_begins_anew_loudly(
        self, path: Path, opened: list[Database], caplog: pytest.LogCaptureFixture
    ) -> None:
        before = path.read_bytes()
        database = open_(opened, Database(f"sqlite:///{path}", clock=FakeClock(START)))
        assert database.set_aside == path.with_name("store.db.corrupt-20270115T080000Z")
        assert database.set_aside.read_bytes() == before
        assert database.durable
        add(database)
        assert database.total_fired() == 1
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        (record,) = caplog.records
        assert record.levelno == logging.ERROR
        assert "corrupt" in record.getMessage()
        assert str(database.set_aside) in record.getMessage()

    def test_an_agent_refuses_and_touches_nothing(self, path: Path) -> None:
        before = path.read_bytes()
        with pytest.raises(ConfigurationError, match=r"is corrupt .*move it away"):
            Database(f"sqlite:///{path}", strict=True).open()
        assert path.read_bytes() == before

    def test_a_file_that_is_no_database_is_set_aside_too(self, tmp_path: Path, opened: list[Database]) -> None:
        path = tmp_path / "notes.db"
        path.write_text("not a database, but long enough for a header " * 20)
        assert open_(opened, Database(f"sqlite:///{path}")).set_aside is not None

    def test_a_sound_file_has_nothing_set_aside(self, tmp_path: Path, opened: list[Database]) -> None:
        assert open_(opened, Database(f"sqlite:///{tmp_path}/store.db")).set_aside is None


class TestSqlite:
    """How its connections are set up."""

    def test_pragmas(self, tmp_path: Path, opened: list[Database]) -> None:
        database = open_(opened, Database(f"sqlite:///{tmp_path}/store.db"))
        expected = {"journal_mode": "wal", "synchronous": 1, "foreign_keys": 1, "busy_timeout": 5000}
        with database._reading() as connection:
            assert {name: connection.scalar(text(f"PRAGMA {name}")) for name in expected} == expected

    def test_another_writer_is_waited_for(self, tmp_path: Path, opened: list[Database]) -> None:
        path = tmp_path / "store.db"
        database = open_(opened, Database(f"sqlite:///{path}"))
        with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as other:
            other.execute("BEGIN IMMEDIATE")
            timer = threading.Timer(0.2, other.execute, ["COMMIT"])
            timer.start()
            add(database)
            timer.join()
        assert database.total_fired() == 1

    def test_a_full_disk_is_unavailable_until_there_is_room(self, tmp_path: Path, opened: list[Database]) -> None:
        database = open_(opened, Database(f"sqlite:///{tmp_path}/store.db"))
        with database._reading() as connection:
            pages = connection.scalar(text("PRAGMA page_count"))
            connection.execute(text(f"PRAGMA max_page_count = {pages}"))
        big = make_alert(annotations={"summary": "x" * 100_000})
        changes = Changes(alerts=(big,), notifications=(make_notification(alerts=(big,)),))
        with pytest.raises(StoreUnavailable, match="full"):
            database.commit(changes, to(["log"], *changes.notifications))
        assert database.total_fired() == 0, "nothing of it was kept"
        assert database.outbox_depth() == 0
        with database._reading() as connection:
            connection.execute(text("PRAGMA max_page_count = 100000"))
        database.commit(changes, to(["log"], *changes.notifications))
        assert (database.total_fired(), database.outbox_depth()) == (1, 1)

    def test_a_child_of_a_fork_connects_anew(self, tmp_path: Path) -> None:
        program = f"""
import os
from dozor.database import Database
from dozor.model.notification import Changes
from tests.database.records import make_alert
database = Database("sqlite:///{tmp_path}/store.db")
database.open()
for turn in range(5):
    pid = os.fork()
    if not pid:
        database.commit(Changes(alerts=(make_alert(id=f"child-{{turn}}"),)), ())
        os._exit(0)
    database.commit(Changes(alerts=(make_alert(id=f"parent-{{turn}}"),)), ())
    assert os.waitpid(pid, 0)[1] == 0
print(database.total_fired())
"""
        done = subprocess.run(
            [sys.executable, "-c", program],
            check=True,
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        assert done.stdout == "10\n"
        with closing(sqlite3.connect(tmp_path / "store.db")) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


class TestTakingOver:
    """What a process had claimed of the outbox when it was killed."""

    def test_whoever_is_alone_with_the_store_has_it_at_once(self, durable_url: str, opened: list[Database]) -> None:
        fill(durable_url)
        reading, writing = CONTEXT.Pipe(duplex=False)
        process = CONTEXT.Process(target=claim_and_hang, args=(durable_url, writing), daemon=True)
        process.start()
        assert reading.recv() == 1
        process.kill()
        process.join()
        heir = Database(durable_url, exclusive=True)
        # The server needs a moment to notice that a client is no more; `dozor serve` needs longer to start.
        assert within_seconds(PATIENCE_SECONDS, lambda: [row.attempts for row in claimed(opened, heir)] == [2])

    def test_while_its_owner_lives_it_is_left_alone(self, durable_url: str, opened: list[Database]) -> None:
        fill(durable_url)
        owner = Database(durable_url, exclusive=True)
        assert len(claimed(opened, owner)) == 1
        assert claimed(opened, Database(durable_url, exclusive=True)) == []

    def test_the_schema_may_have_any_name(self, postgres_database: str, opened: list[Database]) -> None:
        with create_engine(postgres_database, isolation_level="AUTOCOMMIT").connect() as admin:
            admin.execute(text('CREATE SCHEMA "My-Schema"'))
            admin.execute(text(f"ALTER DATABASE {make_url(postgres_database).database} SET search_path = 'My-Schema'"))
            admin.invalidate()
        fill(postgres_database)
        assert len(claimed(opened, Database(postgres_database, exclusive=True))) == 1

    def test_so_it_is_by_who_only_reads(self, durable_url: str, opened: list[Database]) -> None:
        fill(durable_url)
        owner = Database(durable_url, exclusive=True)
        assert len(claimed(opened, owner)) == 1
        owner.close()
        assert claimed(opened, Database(durable_url)) == []


def fill(url: str) -> None:
    database = Database(url)
    database.open()
    notification = make_notification()
    database.commit(Changes(notifications=(notification,)), to(["webhook"], notification))
    database.close()


def claimed(opened: list[Database], database: Database) -> list[OutboxRow]:
    """What *database*, opened anew, can claim."""
    return open_(opened, database).claim(START, 60.0, 10)


def within_seconds(seconds: float, condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + seconds
    while not (holds := condition()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return holds


@pytest.mark.parametrize("level", ["AUTOCOMMIT", "READ COMMITTED", "SERIALIZABLE"])
def test_the_applications_engine_on_the_same_database_is_left_alone(
    postgres_database: str, opened: list[Database], level: str
) -> None:
    theirs = create_engine(postgres_database, isolation_level=level)
    with theirs.connect() as connection:
        connection.execute(text("CREATE TABLE theirs (x integer)"))
        driver = connection.connection.dbapi_connection
        assert driver is not None
        before = (connection.get_isolation_level(), driver.autocommit)
        database = open_(opened, Database(postgres_database))
        add(database)
        assert database.total_fired() == 1
        connection.execute(text("INSERT INTO theirs VALUES (1)"))
        assert (connection.get_isolation_level(), driver.autocommit) == before
        assert connection.connection.dbapi_connection is driver
    theirs.dispose()


def test_a_commit_is_all_or_nothing(store: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("in the middle")

    monkeypatch.setattr("dozor.database.database.outbox.add", fail)
    with pytest.raises(RuntimeError, match="in the middle"):
        add(store)
    assert store.total_fired() == 0


def test_a_broken_record_hides_no_other(store: Database) -> None:
    torn, sound = make_alert(), make_alert()
    store.commit(Changes(alerts=(torn, sound)), ())
    with store._writing() as connection:
        connection.execute(text("UPDATE dozor_alerts SET record = '{' WHERE id = :id"), {"id": torn.id})
    assert [alert.id for alert in store.load_recent(0)] == [sound.id]
    assert [alert.id for alert in store.history(HistoryFilter()).items] == [sound.id]


def test_many_threads_may_use_one_store(store: Database) -> None:
    def work(number: int) -> None:
        for turn in range(5):
            store.commit(Changes(alerts=(make_alert(id=f"{number}-{turn}"),)), ())

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.total_fired() == 20


def test_a_server_that_accepts_and_says_nothing_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(StoreUnavailable, match="timeout"):
            Database(f"postgresql://u@127.0.0.1:{port}/d?connect_timeout=2").open()


def test_closing_twice_is_fine() -> None:
    database = Database("sqlite://")
    database.open()
    database.close()
    database.close()
    with pytest.raises(StoreUnavailable, match="not open"):
        database.get("x")
