"""Makes the tables, or brings older ones to the newest revision, in one transaction."""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import (
    Column,
    Connection,
    Engine,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    insert,
    inspect,
    select,
    text,
)
from typing_extensions import override

from dozor.database.engine import writing
from dozor.database.schema import REVISION, VERSION_TABLE, metadata
from dozor.errors import ConfigurationError

if TYPE_CHECKING:
    from alembic.script import ScriptDirectory

# Any number will do, as long as every Dozor takes the same: PostgreSQL lets one of them at a time pass.
_LOCK: Final = 0x646F7A6F72

# As Alembic makes it.
_version: Final = Table(
    VERSION_TABLE,
    MetaData(),
    Column("version_num", String(32), nullable=False),
    PrimaryKeyConstraint("version_num", name=f"{VERSION_TABLE}_pkc"),
)

_CHATTY_LOGGERS: Final = ("alembic", "alembic.runtime.migration", "alembic.runtime.plugins")


def upgrade(engine: Engine, before: Callable[[str], None] | None = None) -> bool:
    """Bring the database of *engine* to the newest revision. Several processes may do so at once; one does the work.

    Args:
        engine: of the database.
        before: called with the newest revision before tables of an older one are changed, which nobody writes to then.

    Returns:
        Whether there were tables of an older revision, and this call changed them.

    Raises:
        ConfigurationError: the tables were made by a newer Dozor.
        SQLAlchemyError: the database does not answer, or is broken.
    """
    with engine.connect() as connection:
        if _revision(connection) == REVISION:
            return False
    with writing(engine).begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        current = _revision(connection)
        if current == REVISION:
            return False
        if current is None:
            _create(connection)
            return False
        with _quietly():
            _apply(connection, current, before)
    return True


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    return connection.scalar(select(_version.c.version_num))


def _create(connection: Connection) -> None:
    """Make what all migrations together make; without Alembic, which would stay in memory for this."""
    metadata.create_all(connection, checkfirst=False)
    _version.create(connection)
    connection.execute(insert(_version).values(version_num=REVISION))


def _apply(connection: Connection, current: str, before: Callable[[str], None] | None) -> None:
    # Imported here, since it takes longer than all else of Dozor's and is wanted once for each release.
    from alembic.operations import Operations  # noqa: PLC0415
    from alembic.runtime.migration import MigrationContext  # noqa: PLC0415
    from alembic.script import ScriptDirectory  # noqa: PLC0415

    script = ScriptDirectory(str(Path(__file__).with_name("migrations")))
    context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
    operations = Operations(context)
    pending = _pending(script, current)
    if before is not None:
        before(REVISION)
    for revision, module in pending:
        module.upgrade(operations)
        context.stamp(script, revision)


def _pending(script: "ScriptDirectory", current: str) -> list[tuple[str, Any]]:
    revisions: list[tuple[str, Any]] = [(found.revision, found.module) for found in script.walk_revisions()]
    revisions.reverse()
    known = [revision for revision, _ in revisions]
    if current not in known:
        raise ConfigurationError(
            f"Dozor's store was written by a newer Dozor (its tables are at revision {current}, this release knows those "
            f"up to {known[-1]}): install that release or a later one, or name another store",
            key="DOZOR_STORE_URL",
        )
    return revisions[known.index(current) + 1 :]


class _NotFromThisThread(logging.Filter):
    """Drops what the thread that made it logs below WARNING; what the application's own migrations say passes."""

    def __init__(self) -> None:
        super().__init__()
        self._thread = threading.get_ident()

    @override
    def filter(self, record: logging.LogRecord) -> bool:
        return record.levelno >= logging.WARNING or record.thread != self._thread


@contextmanager
def _quietly() -> Iterator[None]:
    quiet = _NotFromThisThread()
    loggers = [logging.getLogger(name) for name in _CHATTY_LOGGERS]
    for logger in loggers:
        logger.addFilter(quiet)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeFilter(quiet)
