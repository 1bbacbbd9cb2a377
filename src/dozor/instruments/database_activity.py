"""The sessions of a PostgreSQL server that have a transaction open: since when, on which statement, and who waits for whom."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace

from dozor.instruments.own_mark import MARK
from dozor.instruments.redaction import redact
from dozor.instruments.text import printable

MOST_SESSIONS: Final = 200

# Whom a session waits for is asked only of those that wait for a lock: to find it out stops the lock manager for a moment.
_SESSIONS: Final = f"""
    SELECT {MARK} pid, application_name, usename, client_addr::text, state, wait_event_type, wait_event,
        extract(epoch FROM clock_timestamp() - xact_start)::float8,
        extract(epoch FROM clock_timestamp() - state_change)::float8,
        left(query, 8192),
        CASE WHEN wait_event_type = 'Lock' THEN array_to_string(pg_blocking_pids(pid), ',') END
    FROM pg_stat_activity
    WHERE backend_type = 'client backend' AND datname = current_database() AND pid <> pg_backend_pid()
        AND xact_start IS NOT NULL AND strpos(coalesce(query, ''), '{MARK}') = 0
    ORDER BY xact_start LIMIT {MOST_SESSIONS}"""  # noqa: S608 - a number of ours


class DatabaseSession(Struct, frozen=True):
    """A session with an open transaction, as of the last look.

    Attributes:
        application: its `application_name`.
        client: the address it comes from; None for a local socket, and where it may not be known.
        state: as PostgreSQL names it: `active`, `idle in transaction` …; None where it may not be known.
        waits_for: the kind of thing it waits for and its name, such as `Lock: transactionid`.
        transaction_seconds: since the transaction began.
        state_seconds: since it is in this state.
        statement: what runs, or ran last; redacted. None where it may not be known.
        blocked_by: the processes that hold what it waits for.
        blocking: those that wait for what it holds.
    """

    pid: int
    application: str
    user: str | None
    client: str | None
    state: str | None
    waits_for: str | None
    transaction_seconds: float
    state_seconds: float | None
    statement: str | None
    blocked_by: tuple[int, ...] = ()
    blocking: tuple[int, ...] = ()


class DatabaseActivity(Struct, frozen=True):
    """What was seen of a server's sessions. *at* is the timestamp of the look, None before the first; *missing* says why there is none."""

    sessions: tuple[DatabaseSession, ...] = ()
    at: float | None = None
    missing: str | None = None


def read_sessions(ask: Callable[[str], Iterable[Sequence[Any]]]) -> tuple[DatabaseSession, ...]:
    """The sessions with an open transaction, the oldest first. *ask* runs one statement; what it raises passes."""
    sessions = [_session(row) for row in ask(_SESSIONS)]
    blocking: dict[int, list[int]] = {}
    for session in sessions:
        for pid in session.blocked_by:
            blocking.setdefault(pid, []).append(session.pid)
    return tuple(replace(session, blocking=tuple(blocking.get(session.pid, ()))) for session in sessions)


def _session(row: Sequence[Any]) -> DatabaseSession:
    pid, application, user, client, state, kind, name, transaction, since, text, blockers = row
    return DatabaseSession(
        pid=int(pid),
        application=printable(str(application or ""), 100),
        user=None if user is None else printable(str(user), 100),
        client=client,
        state=state,
        waits_for=None if kind is None or state != "active" else f"{kind}: {name}",
        transaction_seconds=max(0.0, float(transaction)),
        state_seconds=None if since is None else max(0.0, float(since)),
        statement=None if not text or text == "<insufficient privilege>" else redact(str(text), "postgresql"),
        blocked_by=tuple(dict.fromkeys(int(one) for one in (blockers or "").split(",") if one)),
    )
