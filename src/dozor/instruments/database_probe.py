"""Ways to ask a database whether it answers. All are blocking code, run in a thread or, for async drivers, a greenlet.

The pool that the application uses is never touched: a probe must not take its last connection, nor count in it.
"""

import contextlib
import os
import re
import socket
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Protocol
from urllib.parse import quote, quote_plus

from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError
from sqlalchemy.pool import StaticPool

from dozor.errors import ConfigurationError
from dozor.instruments.own_mark import MARK
from dozor.instruments.server_capacity import ServerCapacity, read_capacity
from dozor.instruments.text import printable

CONNECT_SECONDS: Final = 2
_LIMIT: Final = f"SET LOCAL statement_timeout = 900 {MARK}"

_NAMES: Final = {"postgresql": "PostgreSQL", "sqlite": "SQLite", "mysql": "MySQL", "mariadb": "MariaDB"}
_FULL: Final = re.compile(r"too many (clients|connections)|remaining connection slots", re.IGNORECASE)
# A peer that vanished without a word is noticed after some 20 s and not after two hours.
_KEEPALIVE: Final = {"TCP_KEEPIDLE": 5, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 3, "TCP_USER_TIMEOUT": 20_000}
_PSYCOPG: Final = {
    "application_name": "dozor",
    "connect_timeout": CONNECT_SECONDS,
    "keepalives_idle": 5,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
}
_CONNECT_ARGUMENTS: Final[dict[str, dict[str, Any]]] = {
    "psycopg": _PSYCOPG,
    "psycopg2": _PSYCOPG,
    "asyncpg": {"timeout": CONNECT_SECONDS, "command_timeout": CONNECT_SECONDS},
    "aiosqlite": {"timeout": 0.5},
    "pysqlite": {"timeout": 0.5},
    "pymysql": {"connect_timeout": CONNECT_SECONDS, "read_timeout": CONNECT_SECONDS},
}


class Probe(Protocol):
    """One way to ask. *uses_driver*: by the engine's driver, which for an async one must run in a greenlet."""

    uses_driver: bool

    def check(self) -> None:
        """Return if the database answers; raise if it does not."""

    def abort(self) -> None:
        """Close the connection at once, from the event loop that runs `check` (async drivers only); never raises."""

    def close(self) -> None:
        """Close the connection, in the same surroundings as `check`."""

    def rows(self, statement: str) -> list[Sequence[Any]]:
        """What *statement* finds, after `check` has succeeded; in a transaction of its own, for a second at most."""


class NoProbe:
    """An SQLite database in memory: it is there as long as the process is."""

    uses_driver = False

    def check(self) -> None:
        """Return."""

    def abort(self) -> None:
        """Nothing to close."""

    def close(self) -> None:
        """Nothing to close."""

    def rows(self, statement: str) -> list[Sequence[Any]]:  # noqa: ARG002
        """Nothing."""
        return []


class SqliteProbe(NoProbe):
    """Opens the file anew each time, so that one which was deleted or replaced is noticed; never creates it."""

    def __init__(self, path: str) -> None:
        self._path = path

    def check(self) -> None:
        """Read the file's header."""
        if not Path(self._path).exists():
            raise FileNotFoundError(f"there is no file {self._path}")
        address = f"file:{quote(str(Path(self._path).resolve()))}?mode=rw"
        with contextlib.closing(sqlite3.connect(address, uri=True, timeout=0.5)) as connection:
            connection.execute("PRAGMA schema_version").fetchone()


# Connections that a fork left in the child: to use them, or to close them, would disturb the parent's.
_inherited: list[Any] = []


class ObservedEngineProbe:
    """Opens a DBAPI connection the way the observed engine does (its creator, arguments and hooks), and keeps it."""

    uses_driver = True

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._connection: Any = None
        self._pid = os.getpid()

    def check(self) -> None:
        """Ping the server; on a connection that was kept, once more on a new one."""
        if self._pid != os.getpid():
            _inherited.append(self._connection)
            self._connection, self._pid = None, os.getpid()
        kept = self._connection is not None
        try:
            self._ping()
        except Exception:
            self.close()
            if not kept:
                raise
            self._ping()

    def capacity(self) -> ServerCapacity | None:
        """How many connections the server takes, by the connection that `check` left; None if it is not PostgreSQL's."""
        dialect = self._engine.dialect
        if dialect.name != "postgresql" or self._connection is None:
            return None
        try:
            return read_capacity(self._connection)
        finally:
            dialect.do_rollback(self._connection)

    def abort(self) -> None:
        """See `Probe`."""
        connection, self._connection = self._connection, None
        driver = getattr(connection, "driver_connection", connection)
        # asyncpg's; what other drivers have may wait for a server that hangs.
        terminate = getattr(driver, "terminate", None)
        if terminate is not None:
            with contextlib.suppress(Exception):
                terminate()

    def close(self) -> None:
        """See `Probe`."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(Exception):
                connection.close()

    def rows(self, statement: str) -> list[Sequence[Any]]:
        """See `Probe`."""
        dialect, connection = self._engine.dialect, self._connection
        try:
            with contextlib.closing(connection.cursor()) as cursor:
                if dialect.name == "postgresql":
                    cursor.execute(_LIMIT)
                cursor.execute(statement)
                return list(cursor.fetchall())
        finally:
            dialect.do_rollback(connection)

    def _ping(self) -> None:
        if self._connection is None:
            self._connection = connect_as(self._engine)
            _notice_silence(self._connection)
        dialect = self._engine.dialect
        dialect.do_ping(self._connection)
        dialect.do_rollback(self._connection)  # the ping of some drivers begins a transaction


def connect_as(engine: Engine) -> Any:
    """A new DBAPI connection, opened the way *engine* does and not through its pool."""
    # Read anew each time: after Engine.dispose() the pool is another.
    creator = getattr(engine.pool, "_creator", None)
    if creator is None or isinstance(engine.pool, StaticPool):
        # StaticPool's creator may hand out the one connection that the application uses.
        arguments, keywords = engine.dialect.create_connect_args(engine.url)
        return engine.dialect.connect(*arguments, **keywords)
    return creator()


class OwnEngineProbe:
    """Asks through an engine of Dozor's own."""

    uses_driver = True

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._pid = os.getpid()

    def check(self) -> None:
        """Ask; if the connection that was kept is broken, once more on a new one."""
        if self._pid != os.getpid():
            self._engine.dispose(close=False)  # the pool's connections are the parent's
            self._pid = os.getpid()
        try:
            self._ask()
        except DBAPIError as error:
            if not error.connection_invalidated:
                raise
            self._ask()

    def abort(self) -> None:
        """The limits in the connection's arguments end it."""

    def close(self) -> None:
        """Close the pool."""
        self._engine.dispose()

    def rows(self, statement: str) -> list[Sequence[Any]]:
        """See `Probe`."""
        with self._engine.connect() as connection:
            limit_statements(connection)
            return list(connection.exec_driver_sql(statement).all())

    def _ask(self) -> None:
        with self._engine.connect() as connection:
            limit_statements(connection)
            connection.exec_driver_sql(f"SELECT 1 {MARK}")


def limit_statements(connection: Connection) -> None:
    """Have the server end, within this transaction, what takes longer than anybody waits for."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(_LIMIT)


def probe_of(engine: Engine) -> Probe:
    """How to ask whether the server behind the observed *engine* answers."""
    if engine.dialect.name == "sqlite":
        path = engine.url.database
        if not path or path == ":memory:" or "mode=memory" in str(engine.url):
            return NoProbe()
        if not path.startswith("file:"):
            return SqliteProbe(path)
    return ObservedEngineProbe(engine)


def own_engine(url: str | URL) -> Engine:
    """A small engine for the server at *url*. Raises `ConfigurationError`, without the URL's password."""
    try:
        parsed = make_url(url)
        if parsed.drivername in {"postgres", "postgresql"}:
            parsed = parsed.set(drivername="postgresql+psycopg")
        driver = parsed.get_dialect().driver
        arguments = dict(_CONNECT_ARGUMENTS.get(driver, {}))
        if parsed.get_backend_name() == "sqlite":
            return create_engine(parsed, connect_args=arguments)
        return create_engine(parsed, connect_args=arguments, pool_size=2, max_overflow=0, pool_timeout=CONNECT_SECONDS)
    except NoSuchModuleError:
        scheme = make_url(url).drivername
        raise ConfigurationError(f"{scheme!r} is no database that SQLAlchemy knows; write postgresql://…") from None
    except ModuleNotFoundError as error:
        raise ConfigurationError(f"the driver {error.name} is not installed: pip install 'dozor[postgres]'") from None
    except (ArgumentError, ValueError):
        raise ConfigurationError("not a valid database URL; write postgresql://USER:PASSWORD@HOST:5432/NAME") from None


def reason(error: BaseException, url: URL) -> tuple[str, str]:
    """(kind, sentence) of a failure to reach the server at *url*; kind is `timeout`, `full`, `refused` or `error`."""
    backend = url.get_backend_name()
    where = f"{_NAMES.get(backend, backend)} at {url.host or url.database or 'its socket'}"
    where += f":{url.port}" if url.port else ""
    if isinstance(error, TimeoutError):
        return "timeout", f"{where} does not answer in time: it hangs, is overloaded, or a firewall drops the packets"
    text = masked(str(getattr(error, "orig", None) or error), url)
    if _FULL.search(text):
        return "full", f"{where} takes no more connections: max_connections is reached"
    if isinstance(error, ConnectionRefusedError) or "refused" in text.lower():
        return "refused", f"{where} refuses the connection: is it running, and is the port right?"
    return "error", f"{where} cannot be used: {text or type(error).__name__}"


def masked(text: str, url: URL) -> str:
    """*text* on one line, cut, and without the password that *url* holds, in whichever way it is written."""
    secrets = [url.password, *(value for key, value in url.query.items() if "pass" in key.lower())]
    for secret in secrets:
        if isinstance(secret, str) and secret:
            for form in (secret, quote(secret, safe=""), quote_plus(secret)):
                text = text.replace(form, "***")
    return printable(" ".join(text.split()), 300)


def _notice_silence(connection: Any) -> None:
    """Have the kernel notice a peer that is gone. Called by whoever opened *connection*, before anybody else has it."""
    fileno = getattr(connection, "fileno", None)
    if not callable(fileno):
        return
    with contextlib.suppress(Exception), socket.socket(fileno=os.dup(fileno())) as line:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in _KEEPALIVE.items():
            if hasattr(socket, name):
                line.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
