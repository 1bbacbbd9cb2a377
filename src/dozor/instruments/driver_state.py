"""What a driver's connection object knows without asking its server: the state of its transaction, and its process there.

Only attributes that drivers keep in memory are read, from any thread: no statement is sent, nothing waits.
"""

from collections.abc import Callable
from typing import Any, Final

IDLE: Final = "idle"
ACTIVE: Final = "active"
IN_TRANSACTION: Final = "idle in transaction"
ABORTED: Final = "idle in transaction (aborted)"

# libpq's PQtransactionStatus
_LIBPQ: Final = {0: IDLE, 1: ACTIVE, 2: IN_TRANSACTION, 3: ABORTED}
_MYSQL_IN_TRANSACTION: Final = 1


def transaction_state(connection: Any) -> str | None:
    """`idle`, `active`, `idle in transaction` or `idle in transaction (aborted)`, as PostgreSQL names them; None: unknown.

    Known for psycopg, psycopg2, asyncpg, sqlite3, aiosqlite and PyMySQL; of the last four `active` cannot be told.
    """
    state: str | None = _first(connection, _STATES)
    return state


def backend_pid(connection: Any) -> int | None:
    """The process or thread of the server that serves *connection*: `pid` in pg_stat_activity, the id in MySQL's processlist."""
    pid: int | None = _first(connection, _PIDS)
    return pid


def _first(connection: Any, ways: tuple[Callable[[Any], Any], ...]) -> Any:
    for way in ways:
        try:
            return way(connection)
        except Exception:  # noqa: BLE001, S112 - of another driver, or closed
            continue
    return None


def _in_transaction(found: Any) -> str:
    return IN_TRANSACTION if found else IDLE


_STATES: Final[tuple[Callable[[Any], Any], ...]] = (
    lambda connection: _LIBPQ.get(int(connection.pgconn.transaction_status)),
    lambda connection: _LIBPQ.get(int(connection.get_transaction_status())),
    lambda connection: _in_transaction(connection.is_in_transaction()),
    lambda connection: _in_transaction(connection.in_transaction),
    lambda connection: _in_transaction(connection.server_status & _MYSQL_IN_TRANSACTION),
)
_PIDS: Final[tuple[Callable[[Any], Any], ...]] = (
    lambda connection: int(connection.pgconn.backend_pid),
    lambda connection: int(connection.get_backend_pid()),
    lambda connection: int(connection.get_server_pid()),
    lambda connection: int(connection.thread_id()),
)
