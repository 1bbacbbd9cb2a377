"""The wrap around a pool's methods: it sees waiting, timeouts and returns, for which SQLAlchemy has no cheap event.

No event fires while a caller waits, nor when it gives up, and a listener on `checkout` switches off the pool's fast path.
So `connect` and `_do_return_conn` of the pool object are wrapped. `unsupported` looks whether the inside of SQLAlchemy is
the one that this module knows; where it is not, `pool_events` counts instead.
"""

import sys
from collections.abc import Callable
from threading import get_ident
from types import FrameType
from typing import Any

from sqlalchemy import Engine, Pool, SingletonThreadPool
from sqlalchemy.pool import base

from dozor.containment import contained, report
from dozor.instruments.patching import Patch, Replacement, accepts, mentions
from dozor.instruments.pool_tally import NOTABLE_WAIT_SECONDS, PoolTally, Timer, kind_of, task_or_thread
from dozor.instruments.pool_waiting import PoolWaiting
from dozor.instruments.work import current_work
from dozor.metrics.instruments import FOLD_AT, LOOK_SECONDS


def unsupported(pool: Pool) -> str | None:
    """Why *pool* cannot be wrapped, None if it can. Looks at code only: no connection is asked for."""
    if not accepts(getattr(pool, "connect", None), 0) or not accepts(getattr(pool, "_do_return_conn", None), 1):
        return "its methods connect() and _do_return_conn(record) are not as expected"
    record = getattr(base, "_ConnectionRecord", None)
    fairy = getattr(base, "_ConnectionFairy", None)
    expected = (
        (Engine.raw_connection, "connect"),
        (Pool.connect, "_checkout"),
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
        self._waiting = PoolWaiting(pool, tally, timer)

    def put_on(self) -> None:
        """Count from now on. `unsupported(pool)` must have been None."""
        pool, patch = self._pool, self._patch
        give_back = pool._do_return_conn
        patch.put("connect", self._connect())
        if _is_plain(pool, "_return_conn"):
            # What the pool's own method does is to call the other one; leaving that out pays for the counting.
            patch.put("_return_conn", self._give_back(give_back))
        patch.put("_do_return_conn", self._give_back_or_detach(give_back))
        patch.put("recreate", self._recreate(pool.recreate))
        creator: Any = getattr(pool, "_invoke_creator", None)
        if accepts(creator, 1):
            patch.put("_invoke_creator", self._create(creator))
        self._waiting.put_on()

    def take_off(self) -> None:
        """Leave the pool as it was found."""
        self._patch.remove()
        self._waiting.take_off()

    def _connect(self) -> Replacement:
        pool, timer, tally, holders, level = (
            self._pool,
            self._timer,
            self._tally,
            self._tally.holders,
            self._tally.level,
        )
        waits, note_notable, look, seen = tally.waits.pending, tally.notable.append, tally.look, tally.seen
        who, work_now = task_or_thread if _is_async(pool) else get_ident, current_work.get
        # As above: `Pool.connect` does no more than this.
        own_connect = pool.connect
        checkout = base._ConnectionFairy._checkout if _is_plain(pool, "connect") else lambda _pool: own_connect()
        # A SingletonThreadPool hands a thread that asks again the connection that it has; that is no second checkout.
        reentrant, notable = isinstance(pool, SingletonThreadPool), NOTABLE_WAIT_SECONDS

        def connect() -> Any:
            started = timer()
            try:
                connection = checkout(pool)
            except BaseException as error:
                tally.failed(error, timer() - started)
                raise
            try:
                now = timer()
                waited = now - started
                if reentrant and connection._connection_record in holders:
                    return connection
                waits.append(waited)
                work, wanted = work_now(), len(holders) >= level[0]
                if work is not None:
                    work.wait_seconds += waited
                    scope = work.scope
                    if scope is not None and not wanted:  # as in `wants_look`, without the calls
                        try:
                            wanted = scope.get("endpoint") not in seen
                        except TypeError:  # one that cannot be a key
                            wanted = kind_of(work) not in seen
                stack = look(work) if wanted else None
                holders[connection._connection_record] = (now, who(), work, stack)
                if waited > notable:
                    note_notable((work, waited, False))
            except Exception:  # noqa: BLE001 - the application gets its connection whatever happens to the count
                report("pool.checkout")
            return connection

        return connect

    def _give_back(self, original: Replacement) -> Replacement:
        timer, tally, forget, uses = self._timer, self._tally, self._tally.holders.pop, self._tally.uses.pending
        next_look = 0.0

        def give_back(record: Any) -> Any:
            nonlocal next_look
            try:
                held = forget(record, None)
                if held is not None:
                    now = timer()
                    uses.append(now - held[0])
                    if now >= next_look:  # now and then, for to ask each time how many wait costs more
                        next_look = now + LOOK_SECONDS
                        if len(uses) > FOLD_AT:
                            tally.fold()
            except Exception:  # noqa: BLE001 - the connection goes back whatever happens to the count
                report("pool.checkin")
            return original(record)

        return give_back

    def _give_back_or_detach(self, original: Replacement) -> Replacement:
        """As `_give_back`, for the way that also takes a connection which is detached, by its user or the garbage collector."""
        give_back, timer, tally = self._give_back(original), self._timer, self._tally

        def give_back_or_detach(record: Any) -> Any:
            try:
                held = tally.holders.get(record)
                if held is not None and _is_collected(sys._getframe(1)):
                    tally.collected.append((record, held, timer()))
            except Exception:  # noqa: BLE001 - the connection goes back whatever happens to the count
                report("pool.collected")
            return give_back(record)

        return give_back_or_detach

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
        disconnects = self._tally.disconnects

        def for_good(give_back: Replacement) -> Replacement:
            def give_back_for_good(record: Any) -> Any:
                result = give_back(record)
                if record.dbapi_connection is not None:
                    disconnects.inc()
                return result

            return give_back_for_good

        for name in ("_return_conn", "_do_return_conn"):
            found = vars(self._pool).get(name)
            if found is not None:
                self._patch.put(name, for_good(found))


def _is_plain(pool: Pool, name: str) -> bool:
    """Whether *pool* has SQLAlchemy's own method *name*, which nobody has replaced."""
    return getattr(type(pool), name) is getattr(Pool, name) and name not in vars(pool)


def _is_collected(caller: FrameType) -> bool:
    """Whether *caller* detaches a connection for SQLAlchemy's finalizer: one of an async driver, which cannot be given back.

    The event `reset` would tell it too, and be called at every return.
    """
    around = caller.f_back
    return caller.f_code.co_name == "detach" and around is not None and around.f_code.co_name == "_finalize_fairy"


def _is_async(pool: Pool) -> bool:
    return bool(getattr(pool, "_is_asyncio", False))
