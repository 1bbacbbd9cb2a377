"""The engine that Dozor's own data goes through; the application's engines are never used for it."""

from typing import Any, Final

from sqlalchemy import URL, Connection, Engine, QueuePool, create_engine, event, text

from dozor.database.url import STORE_KEY, sqlite_path
from dozor.errors import ConfigurationError

BUSY_TIMEOUT_SECONDS: Final = 5.0
"""How long SQLite waits for another process that writes to the same file."""

_STATEMENT_TIMEOUT_SECONDS: Final = 30
# The name of an advisory lock of PostgreSQL's: any number, with the schema that the tables are in.
_PRESENCE: Final = "1685027439, (SELECT oid::int FROM pg_catalog.pg_namespace WHERE nspname = current_schema())"
_LOG_BYTES: Final = 16 * 2**20
_WRITES: Final = "dozor_writes"

# What the URL's parameters may overrule.
_POSTGRESQL_DEFAULTS: Final[dict[str, object]] = {
    "application_name": "dozor",
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,  # milliseconds, until a peer that has vanished is given up
    "prepare_threshold": None,  # prepared statements do not survive a pooler such as PgBouncer
}


def build_engine(url: URL, *, present: bool = False) -> Engine:
    """An engine for *url*, not yet connected.

    Args:
        url: SQLite's or PostgreSQL's.
        present: let a PostgreSQL server know, for as long as there is a connection, that somebody works with the store.

    Raises:
        ConfigurationError: the PostgreSQL driver is not installed.
    """
    return _sqlite_engine(url) if url.get_backend_name() == "sqlite" else _postgresql_engine(url, present=present)


def alone(connection: Connection) -> bool:
    """Whether no other session of the PostgreSQL server is present in this store. None comes until the transaction ends.

    Sessions behind a pooler that shares them between its clients may be present for longer than their process lives.
    """
    # Held by nobody else in whatever mode; what this session itself holds is not in its way.
    return bool(connection.scalar(text(f"SELECT pg_try_advisory_xact_lock({_PRESENCE})")))


def writing(engine: Engine) -> Engine:
    """*engine*, for transactions that write: on SQLite they take the write lock at once.

    A transaction that began by reading and then wants to write fails at once when another process has written between,
    whatever the busy timeout.
    """
    return engine.execution_options(**{_WRITES: True})


def _sqlite_engine(url: URL) -> Engine:
    # In memory every connection would be a database of its own: there is one, and whoever comes second waits for it.
    in_memory = sqlite_path(url) is None
    engine = create_engine(
        url,
        connect_args={"check_same_thread": False, "timeout": BUSY_TIMEOUT_SECONDS},
        isolation_level="SERIALIZABLE",
        hide_parameters=True,
        poolclass=QueuePool,
        pool_size=1,
        max_overflow=0 if in_memory else 1,
        pool_timeout=BUSY_TIMEOUT_SECONDS,
    )
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: object) -> None:
    # Python's sqlite3 would begin transactions by itself, late and without their DDL; `_begin_sqlite` does it instead.
    connection.isolation_level = None
    cursor = connection.cursor()
    try:
        cursor.execute("PRAGMA synchronous=NORMAL")  # with WAL: no commit is lost to a kill, only to a power cut
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.execute(f"PRAGMA journal_size_limit={_LOG_BYTES}")  # or the log stays as long as it once was
    finally:
        cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get(_WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _postgresql_engine(url: URL, *, present: bool) -> Engine:
    connect_args = {name: value for name, value in _POSTGRESQL_DEFAULTS.items() if name not in url.query}
    try:
        engine = create_engine(
            url,
            connect_args=connect_args,
            isolation_level="READ COMMITTED",
            hide_parameters=True,
            pool_size=1,
            max_overflow=1,
            pool_pre_ping=True,
            pool_recycle=1800,
        )
    except ImportError as error:
        raise ConfigurationError(
            "keeping Dozor's data in PostgreSQL needs the driver psycopg: pip install 'dozor[postgres]'",
            key=STORE_KEY,
        ) from error
    event.listen(engine, "connect", _prepare_postgresql)
    if present:
        event.listen(engine, "connect", _be_present)
    return engine


def _prepare_postgresql(connection: Any, _record: object) -> None:
    # Not by the start-up parameter `options`, which PgBouncer refuses.
    with connection.cursor() as cursor:
        cursor.execute(f"SET statement_timeout = '{_STATEMENT_TIMEOUT_SECONDS}s'")
        cursor.execute(f"SET idle_in_transaction_session_timeout = '{_STATEMENT_TIMEOUT_SECONDS}s'")
    connection.commit()


def _be_present(connection: Any, _record: object) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT pg_advisory_lock_shared({_PRESENCE})")
    connection.commit()
