"""Who holds a connection of a pool, since when, on which statement and where in the code; and who waits for one."""

import threading
from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct

from dozor.instruments.driver_state import ACTIVE, IDLE, backend_pid, transaction_state
from dozor.instruments.pool_places import UsualPlace
from dozor.instruments.pool_tally import Held, TaskMark
from dozor.instruments.query_caller import own_lines
from dozor.instruments.redaction import redact
from dozor.instruments.whereabouts import Whereabouts
from dozor.instruments.work import Work

Usual = Callable[[str], tuple[UsualPlace, ...]]
"""Gives the places at which an endpoint (`""`: none) was seen to take connections."""


class Holder(Struct, frozen=True):
    """Who has a connection out, and for how many seconds.

    Attributes:
        who: the request (`GET /orders/{id}`), or else the name of the task or thread.
        leaked: held longer than the leak threshold.
        connection: names the connection as long as it is open.
        backend_pid: the server's process that serves it, as in `pg_stat_activity`.
        endpoint, task, thread: what of them is known.
        state: of the transaction, as in `pg_stat_activity`: `idle`, `active`, `idle in transaction`; None: unknown.
        state_seconds: since when, where that is known.
        statement: the last one on this connection since it was taken; redacted.
        statement_seconds: since it was sent.
        taken_at: the own lines of code that took it, innermost first; empty where nobody looked.
        usually_taken_at: where nobody looked, the places at which the same endpoint was seen to take connections, the most frequent
            first.
        now_at: where who took it is now, likewise.
    """

    who: str
    held_seconds: float
    leaked: bool
    connection: str | None = None
    backend_pid: int | None = None
    endpoint: str | None = None
    task: str | None = None
    thread: str | None = None
    state: str | None = None
    state_seconds: float | None = None
    statement: str | None = None
    statement_seconds: float | None = None
    taken_at: tuple[str, ...] = ()
    usually_taken_at: tuple[UsualPlace, ...] = ()
    now_at: tuple[str, ...] = ()

    @property
    def place(self) -> str | None:
        """The line to look at first: where it was taken, else where its holder is, else where its endpoint usually takes them."""
        usual = [f"usually {place.lines[0]}" for place in self.usually_taken_at]
        return next(iter((*self.taken_at, *self.now_at, *usual)), None)


class Waiter(Struct, frozen=True):
    """Who waits for a connection now, and for how many seconds; see `Holder` for the rest."""

    who: str
    waited_seconds: float
    endpoint: str | None = None
    task: str | None = None
    thread: str | None = None
    now_at: tuple[str, ...] = ()


class _Identity(Struct, frozen=True):
    who: str
    endpoint: str | None
    task: str | None
    thread: str | None


class Observer:
    """Looks at holders and waiters at one moment. Made and used within one function: it holds frames of other threads.

    Args:
        now: monotonic seconds.
        leak_after_seconds: see `Holder.leaked`.
        dialect: how statements are redacted.
        usual: where an endpoint was seen to take connections.
    """

    def __init__(self, now: float, leak_after_seconds: float, dialect: str, usual: Usual) -> None:
        self._now, self._leak_after_seconds, self._dialect, self._usual = now, leak_after_seconds, dialect, usual
        self._names = thread_names()
        self._whereabouts = Whereabouts()

    def holder(self, record: Any, held: Held, last: "list[Any] | None") -> Holder:
        """All that is known of the holder of *record*; *last* is its last statement, as the query monitor notes it."""
        taken, who, work, stack = held
        identity = identify(who, work, self._names)
        seconds = self._now - taken
        statement, sent, ended = last if last is not None and last[1] >= taken else (None, None, None)
        connection = record.dbapi_connection
        state = state_of(record)
        if statement is not None and ended is None:
            state = ACTIVE
        since = sent if state == ACTIVE else ended or (taken if state == IDLE else None)
        return Holder(
            who=identity.who,
            held_seconds=seconds,
            leaked=seconds > self._leak_after_seconds,
            connection=None if connection is None else f"{id(connection) >> 4 & 0xFFFFFF:06x}",
            backend_pid=None if connection is None else backend_pid(_driver(record)),
            endpoint=identity.endpoint,
            task=identity.task,
            thread=identity.thread,
            state=state,
            state_seconds=None if since is None else self._now - since,
            statement=None if statement is None else redact(statement, self._dialect),
            statement_seconds=None if sent is None else self._now - sent,
            taken_at=() if stack is None else own_lines(stack),
            usually_taken_at=self._usual(identity.endpoint or "") if stack is None else (),
            now_at=self._now_at(who, work),
        )

    def waiter(self, since: float, who: "int | TaskMark", work: Work | None) -> Waiter:
        """All that is known of who waits since the monotonic time *since*."""
        identity = identify(who, work, self._names)
        return Waiter(
            who=identity.who,
            waited_seconds=self._now - since,
            endpoint=identity.endpoint,
            task=identity.task,
            thread=identity.thread,
            now_at=self._now_at(who, work),
        )

    def _now_at(self, who: "int | TaskMark", work: Work | None) -> tuple[str, ...]:
        return self._whereabouts.thread(who, work) if isinstance(who, int) else self._whereabouts.task(who[0]())


def state_of(record: Any) -> str | None:
    """The state of the transaction on the connection of *record*; see `transaction_state`."""
    return None if record.dbapi_connection is None else transaction_state(_driver(record))


def thread_names() -> Mapping[int | None, str]:
    """The names of the threads that run, by ident."""
    return {thread.ident: thread.name for thread in threading.enumerate()}


def identify(who: "int | TaskMark", work: Work | None, threads: Mapping[int | None, str]) -> _Identity:
    """Names for *who*; *threads* as `thread_names` gives them."""
    endpoint = None if work is None else work.name or None
    if isinstance(who, int):
        thread = threads.get(who, f"thread {who} (ended)")
        return _Identity(endpoint or thread, endpoint, None, thread)
    reference, name = who
    task = reference()
    name = name if task is None else task.get_name()
    if task is None or task.done():
        name += " (ended)"
    return _Identity(endpoint or name, endpoint, name, None)


def _driver(record: Any) -> Any:
    """The driver's own connection, for which async dialects have an adapter in between."""
    try:
        return record.driver_connection
    except Exception:  # noqa: BLE001 - it was closed meanwhile
        return record.dbapi_connection
