"""The SQLite file: begun with nobody else allowed to read it, checked, copied, and set aside when it is corrupt."""

import fcntl
import logging
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Final
from urllib.parse import quote

from sqlalchemy import Engine

from dozor.database.engine import BUSY_TIMEOUT_SECONDS

logger = logging.getLogger("dozor.database")

_COMPANIONS: Final = ("-wal", "-shm")
_INCREMENTAL: Final = 2
# One part in so many of what is used stays free; so many pages are given back in one transaction, and in one call.
_SLACK: Final = 10
_STEP_PAGES: Final = 500
_MOST_PAGES: Final = 20_000


def prepare(path: Path) -> None:
    """Make the file at *path*, mode 0600, and its folder, 0700, where they are missing, and see that both take writes.

    Raises:
        OSError: nothing can be written there.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    if not os.access(path.parent, os.W_OK | os.X_OK):  # SQLite keeps its log beside the file
        raise PermissionError(f"the folder {path.parent} takes no new files")


def claim(path: Path) -> int | None:
    """Take the store at *path* for this process: a file descriptor to keep open, None if another Dozor has it.

    A lock on a file beside it, which the system lets go when the process ends, in whatever way it ends.
    """
    lock = os.open(path.with_name(f"{path.name}.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        return None
    return lock


def fault(path: Path, *, thorough: bool = False) -> str | None:
    """What is wrong with the SQLite file at *path*, None if nothing is. Changes nothing, not even a log left behind.

    *thorough* compares each index with its table, which takes some times longer.
    """
    check = "PRAGMA integrity_check(1)" if thorough else "PRAGMA quick_check(1)"
    try:
        with _read_only(path) as connection:
            verdict = connection.execute(check).fetchone()[0]
    except sqlite3.DatabaseError as error:
        return str(error) if is_corruption(error) else None
    return None if verdict == "ok" else " ".join(str(verdict).split())


@contextmanager
def _read_only(path: Path) -> Iterator[sqlite3.Connection]:
    # A connection that cannot write does not move the log into the file when it closes.
    name = f"file:{quote(str(path))}?mode=ro"
    with closing(sqlite3.connect(name, uri=True, timeout=BUSY_TIMEOUT_SECONDS)) as connection:
        yield connection


def copy(path: Path, target: Path) -> None:
    """Copy the SQLite file at *path*, and what its log holds, to *target*, mode 0600, in place of what is there.

    The copy is complete or not there at all. Another connection may be writing: what it has committed is in the copy.

    Raises:
        OSError, sqlite3.Error: it cannot be copied, for lack of room perhaps.
    """
    unfinished = target.with_name(f"{target.name}.unfinished")
    try:
        os.close(os.open(unfinished, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600))
        with _read_only(path) as source, closing(sqlite3.connect(unfinished)) as destination:
            source.backup(destination)
            destination.execute("PRAGMA journal_mode=DELETE")  # one file, with no log beside it
        unfinished.rename(target)
    finally:
        unfinished.unlink(missing_ok=True)


def is_corruption(error: BaseException | None) -> bool:
    """Whether a driver's *error* says that the file itself is broken (and not locked, full or gone)."""
    code = getattr(error, "sqlite_errorcode", None)
    return code is not None and code & 0xFF in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


def set_aside(path: Path, at: datetime) -> Path:
    """Rename the file at *path*, its log with it, to `NAME.corrupt-TIME`, bytes untouched; answers the new path."""
    target = _unused(path.with_name(f"{path.name}.corrupt-{at:%Y%m%dT%H%M%SZ}"))
    path.rename(target)
    for suffix in _COMPANIONS:
        companion = path.with_name(path.name + suffix)
        if companion.exists():
            companion.rename(target.with_name(target.name + suffix))
    return target


def _unused(path: Path) -> Path:
    candidate, count = path, 1
    while candidate.exists():
        count += 1
        candidate = path.with_name(f"{path.name}.{count}")
    return candidate


def configure(engine: Engine) -> None:
    """Give the file of *engine* a write-ahead log, so that readers never wait for the writer. It stays so.

    One that is empty yet also gets the books by which it can be made smaller in small steps (`rebuild` otherwise).
    The log needs the file for itself for a moment, and SQLite does not wait for that by its busy timeout.
    """
    deadline = time.monotonic() + BUSY_TIMEOUT_SECONDS
    connection = engine.raw_connection()
    try:
        cursor = connection.cursor()
        cursor.execute("PRAGMA auto_vacuum=INCREMENTAL")
        while True:
            try:
                cursor.execute("PRAGMA journal_mode=WAL")
                return
            except sqlite3.OperationalError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.02)
    finally:
        connection.close()


def rebuild(engine: Engine) -> None:
    """Write the file of *engine* anew, as one that can be made smaller in small steps; nothing where it is one already.

    Needs as much room again, and the file for itself. Where it has not, the file stays as it is, and only never gets
    smaller.
    """
    connection = engine.raw_connection()
    try:
        cursor = connection.cursor()
        if cursor.execute("PRAGMA auto_vacuum").fetchone()[0] != _INCREMENTAL:
            cursor.execute("PRAGMA auto_vacuum=INCREMENTAL")
            cursor.execute("VACUUM")
    except sqlite3.OperationalError as error:
        logger.info("the store could not be rebuilt (%s) and will not get smaller when less is kept", error)
    finally:
        connection.close()


def give_back(engine: Engine) -> None:
    """Make the file of *engine* smaller by most of the room that it does not use, in small steps.

    Some is left for what comes next. A step moves pages from the end of the file into that room.
    """
    connection = engine.raw_connection()
    try:
        cursor = connection.cursor()
        free, pages = (cursor.execute(f"PRAGMA {name}").fetchone()[0] for name in ("freelist_count", "page_count"))
        spare = min(free - (pages - free) // _SLACK, _MOST_PAGES)
        while spare > 0:
            # As a script: the pragma moves a page each time it is asked for a row, and execute() asks once.
            cursor.executescript(f"PRAGMA incremental_vacuum({min(spare, _STEP_PAGES)})")
            spare -= _STEP_PAGES
    finally:
        connection.close()


def log_bytes(path: Path) -> int:
    """How long the log of the file at *path* is."""
    try:
        return path.with_name(f"{path.name}-wal").stat().st_size
    except OSError:
        return 0
