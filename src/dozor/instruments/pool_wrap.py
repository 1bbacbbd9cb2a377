"""The wrap around a pool's methods: it sees waiting, timeouts and returns, for which SQLAlchemy has no cheap event.

No event fires while a caller waits, nor when it gives up, and a listener on `checkout` switches off the pool's fast path.
So `connect` and `_do_return_conn` of the pool object are wrapped. `unsupported` looks whether the inside of SQLAlchemy is
the one that this module knows; where it is not, `pool_events` counts instead.
"""

import asyncio
from collections.abc import Callable
from threading import get_ident
from typing import Any

from sqlalchemy import Engine, Pool, SingletonThreadPool
from sqlalchemy.pool import base

from dozor.containment import contained, report
from dozor.instruments.patching import Patch, Replacement, accepts, mentions
from dozor.instruments.pool_tally import PoolTally
from dozor.metrics.instruments import FOLD_AT

Timer = Callable[[], float]


def unsupported(pool: Pool) -> str | None:
    """Why *pool* cannot be wrapped, None if it can. Looks at code only: no connection is asked for."""
    if not accepts(getattr(pool, "connect", None), 0) or not accepts(getattr(pool, "_do_return_conn", None), 1):
        return "its methods connect() and _do_return_conn(record) are not as expected"
    record = getattr(base, "_ConnectionRecord", None)
    fairy = getattr(base, "_ConnectionFairy", None)
    expected = (
        (Engine.raw_connection, "connect"),
        (getattr(fairy, "__init__", None), "_connection_record"),
        (getattr(fairy, "detach", None), "_do_return_conn"),
        (getattr(record, "checkin", None), "_return_conn"),
        (getattr(type(pool), "_return_conn", None), "_do_return_conn"),
    )
    for function, name in expected:
        if not mentions(function, name):
            return f"{getattr(function, '__qualname__', 'a function of the pool')} does not use {name} any more"
    return None


class PoolWrap:
    """Puts itself around one pool object, and comes off again.

    Args:
        pool: any kind of `Pool`.
        tally: where to count.
        timer: monotonic seconds.
        on_recreate: told of the pool that `Engine.dispose()` made in the place of this one, before anybody can use it.
    """

    def __init__(self, pool: Pool, tally: PoolTally, *, timer: Timer, on_recreate: Callable[[Pool], None]) -> None:
        self._pool, self._tally, self._timer, self._on_recreate = pool, tally, timer, on_recreate
        self._patch = Patch(pool)

    def put_on(self) -> None:
        """Count from now on. `unsupported(pool)` must have been None."""
        pool, patch = self._pool, self._patch
        patch.put("connect", self._connect(pool.connect))
        patch.put("_do_return_conn", self._give_back(pool._do_return_conn))
        patch.put("recreate", self._recreate(pool.recreate))
        creator: Any = getattr(pool, "_invoke_creator", None)
        if accepts(creator, 1):
            patch.put("_invoke_creator", self._create(creator))

    def take_off(self) -> None:
        """Leave the pool as it was found."""
        self._patch.remove()

    def _connect(self, original: Replacement) -> Replacement:
        # A SingletonThreadPool hands a thread that asks again the connection that it has; that is no second checkout.
        reentrant = isinstance(self._pool, SingletonThreadPool)
        timer, tally, holders = self._timer, self._tally, self._tally.holders
        note_wait = tally.waits.append
        who = task_or_thread if _is_async(self._pool) else get_ident

        def connect() -> Any:
            started = timer()
            try:
                connection = original()
            except BaseException as error:
                tally.failed(error)
                raise
            try:
                record = connection._connection_record
                if reentrant and record in holders:
                    return connection
                taken = timer()
                note_wait(taken - started)
                holders[record] = (taken, who())
                tally.peak_held = max(tally.peak_held, len(holders))
            except Exception:  # noqa: BLE001 - the application gets its connection whatever happens to the count
                report("pool.checkout")
            return connection

        return connect

    def _give_back(self, original: Replacement) -> Replacement:
        timer, tally, forget = self._timer, self._tally, self._tally.holders.pop
        note_use, uses = tally.uses.append, tally.uses.pending

        def give_back(record: Any) -> Any:
            try:
                held = forget(record, None)
                if held is not None:
                    note_use(timer() - held[0])
                    if len(uses) > FOLD_AT:
                        tally.fold()
            except Exception:  # noqa: BLE001 - the connection goes back whatever happens to the count
                report("pool.checkin")
            return original(record)

        return give_back

    def _create(self, original: Replacement) -> Replacement:
        timer, note = self._timer, self._tally.creates.observe

        def create(record: Any) -> Any:
            started = timer()
            connection = original(record)
            with contained("pool.create"):
                note(timer() - started)
            return connection

        return create

    def _recreate(self, original: Replacement) -> Replacement:
        def recreate() -> Pool:
            successor: Pool = original()
            try:
                self._retire()
                self._on_recreate(successor)
            except Exception:  # noqa: BLE001 - dispose() works whatever happens to the count
                report("pool.recreate")
            return successor

        return recreate

    def _retire(self) -> None:
        # A connection that was out at dispose() goes back to a pool that nobody uses any more and is closed when that is
        # collected, without an event.
        give_back = vars(self._pool).get("_do_return_conn")
        if give_back is None:
            return
        disconnects = self._tally.disconnects

        def give_back_for_good(record: Any) -> Any:
            result = give_back(record)
            if record.dbapi_connection is not None:
                disconnects.inc()
            return result

        self._patch.put("_do_return_conn", give_back_for_good)


def _is_async(pool: Pool) -> bool:
    return bool(getattr(pool, "_is_asyncio", False))


def task_or_thread() -> int | str:
    """Who runs now: the name of the task, or the ident of the thread where there is none."""
    try:
        task = asyncio.current_task()
    except RuntimeError:
        return get_ident()
    return get_ident() if task is None else task.get_name()
