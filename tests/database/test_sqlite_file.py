"""The SQLite file: who may read it, whether it is sound, and what becomes of it when it is not."""

import hashlib
import os
import sqlite3
import stat
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from dozor.database.sqlite_file import copy, fault, prepare, set_aside

AT = datetime(2026, 11, 22, 19, 44, 29, tzinfo=UTC)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file with some pages of rows, and a log beside it that was not merged, as a kill leaves it."""
    path = tmp_path / "store.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA wal_autocheckpoint=0")
        connection.execute("CREATE TABLE t (x TEXT)")
        connection.execute("CREATE INDEX i ON t (x)")
        connection.executemany("INSERT INTO t VALUES (?)", [(f"{n:06d}" * 20,) for n in range(500)])
        connection.commit()
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.execute("INSERT INTO t VALUES ('in the log')")
        connection.commit()
        for suffix in ("", "-wal"):
            kept = path.with_name(f"kept{suffix}")
            kept.write_bytes(path.with_name(path.name + suffix).read_bytes())
    for suffix in ("", "-wal"):
        path.with_name(f"kept{suffix}").rename(path.with_name(path.name + suffix))
    return path


def digests(folder: Path) -> set[str]:
    return {
        hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir() if not path.name.endswith("-shm")
    }


def overwrite(path: Path, offset: int, count: int) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(os.urandom(count))


def test_file_and_folder_are_for_the_user_alone(tmp_path: Path) -> None:
    path = tmp_path / "state" / "dozor" / "shop.db"
    prepare(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_what_is_there_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "shop.db"
    path.write_bytes(b"content")
    path.chmod(0o640)
    prepare(path)
    assert path.read_bytes() == b"content"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_a_place_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        prepare(tmp_path / "file" / "shop.db")


def test_a_sound_file_has_no_fault_and_looking_changes_nothing(path: Path) -> None:
    before = digests(path.parent)
    assert fault(path) is None
    assert digests(path.parent) == before


def test_an_empty_file_is_sound(tmp_path: Path) -> None:
    prepare(tmp_path / "new.db")
    assert fault(tmp_path / "new.db") is None


def damage_header(path: Path) -> None:
    overwrite(path, 0, 100)


def damage_pages(path: Path) -> None:
    overwrite(path, 4096, 8 * 4096)


def truncate(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


@pytest.mark.parametrize("damage", [damage_header, damage_pages, truncate])
def test_a_broken_file_is_set_aside_with_its_bytes(path: Path, damage: object) -> None:
    damage(path)  # type: ignore[operator]
    before = digests(path.parent)
    assert fault(path) is not None
    target = set_aside(path, AT)
    assert target.name == "store.db.corrupt-20261122T194429Z"
    assert target.with_name(target.name + "-wal").exists()
    assert not path.exists()
    assert not path.with_name("store.db-wal").exists()
    assert digests(path.parent) == before


def test_a_second_one_in_the_same_second_replaces_nothing(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    names = []
    for content in (b"one", b"two", b"three"):
        path.write_bytes(content)
        names.append(set_aside(path, AT).name)
    assert len(set(names)) == 3


def test_a_locked_file_is_not_taken_for_a_broken_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dozor.database.sqlite_file.BUSY_TIMEOUT_SECONDS", 0.01)
    path = tmp_path / "locked.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("CREATE TABLE t (x)")
        connection.execute("BEGIN EXCLUSIVE")
        assert fault(path) is None


class TestACopy:
    """Of a file that may be in use."""

    def test_it_holds_what_the_log_holds_and_is_the_users_alone(self, path: Path) -> None:
        before = digests(path.parent)
        target = path.with_name("copy.db")
        copy(path, target)
        assert stat.S_IMODE(target.stat().st_mode) == 0o600
        with closing(sqlite3.connect(target)) as connection:
            assert connection.execute("SELECT count(*) FROM t WHERE x = 'in the log'").fetchone() == (1,)
        target.unlink()
        assert digests(path.parent) == before, "the file is as it was, and nothing else was left behind"

    def test_it_takes_the_place_of_an_earlier_one(self, path: Path) -> None:
        target = path.with_name("copy.db")
        target.write_text("an earlier one")
        copy(path, target)
        assert fault(target) is None

    def test_a_copy_that_failed_is_not_taken_for_one(self, path: Path) -> None:
        damage_header(path)
        target = path.with_name("copy.db")
        with pytest.raises(sqlite3.DatabaseError):
            copy(path, target)
        assert {each.name for each in path.parent.iterdir()} <= {"store.db", "store.db-wal", "store.db-shm"}


def test_a_thorough_look_finds_an_index_that_does_not_agree(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE t (x TEXT)")
        connection.execute("CREATE INDEX i ON t (x)")
        connection.executemany("INSERT INTO t VALUES (?)", [(str(n),) for n in range(10)])
        connection.commit()
        connection.execute("PRAGMA writable_schema=ON")
        connection.execute("UPDATE sqlite_schema SET sql = 'CREATE INDEX i ON t (x DESC)' WHERE name = 'i'")
        connection.commit()
    assert fault(path) is None
    assert fault(path, thorough=True) is not None
