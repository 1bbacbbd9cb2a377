"""Why a statement failed: because it took too long, because somebody ended it, or because of what it is."""

import asyncio
from typing import Any, Final, Literal

FailureKind = Literal["error", "timeout", "cancelled"]

_CANCELED: Final = "57014"
_LOCK_TIMEOUTS: Final = ("55P03", "25P03")  # lock_not_available, idle_in_transaction_session_timeout
_MYSQL_TIMEOUTS: Final = (1205, 1969, 3024)  # a lock, MariaDB's and MySQL's max_execution_time
_MYSQL_KILLED: Final = (1317, 1927)
_SQLITE_TIMEOUTS: Final = ("database is locked", "database table is locked")


def kind_of(error: BaseException) -> FailureKind:
    """Which kind of failure *error* is: what a driver raised, or what SQLAlchemy made of that. Never raises."""
    try:
        return _kind_of(getattr(error, "orig", None) or error)
    except Exception:  # noqa: BLE001 - an exception of somebody's own making
        return "error"


def _kind_of(error: BaseException) -> FailureKind:
    if isinstance(error, (asyncio.CancelledError, GeneratorExit, KeyboardInterrupt)):
        return "cancelled"
    if isinstance(error, TimeoutError):
        return "timeout"
    text, number = str(error), error.args[0] if error.args else None
    state: Any = getattr(error, "sqlstate", None) or getattr(error, "pgcode", None)
    if state == _CANCELED:
        # One state for two things; the message says which, in English or in whatever lc_messages is.
        return "cancelled" if "user request" in text else "timeout"
    if state in _LOCK_TIMEOUTS or number in _MYSQL_TIMEOUTS or text.startswith(_SQLITE_TIMEOUTS):
        return "timeout"
    return "cancelled" if number in _MYSQL_KILLED or text == "interrupted" else "error"
