"""Counting a pool by SQLAlchemy's events: always for connections opened and closed, for the rest where the wrap cannot be.

Connections opened and closed are counted by events because those are rare. Checkouts by events cost more than by the wrap
and show neither waiting nor timeouts; the figures that are unknown then are left out.
"""

from collections.abc import Callable
from typing import Any

from sqlalchemy import Engine, event

from dozor.containment import contained
from dozor.instruments.pool_tally import PoolTally, Timer, task_or_thread
from dozor.instruments.work import current_work

Listener = Callable[..., None]


class PoolEvents:
    """Listens on an engine, so that `dispose()` carries the listeners over to the new pool.

    Args:
        engine: the engine; its pool's events are meant, which do not slow down its statements.
        tally: where to count.
        timer: monotonic seconds.
        checkouts: whether checkouts and returns are counted here too, for want of the wrap.
    """

    def __init__(self, engine: Engine, tally: PoolTally, *, timer: Timer, checkouts: bool) -> None:
        self._engine, self._tally, self._timer, self._checkouts = engine, tally, timer, checkouts
        self._listeners: dict[str, Listener] = {
            "connect": self._on_connect,
            "close": self._on_close,
            "detach": self._on_detach,
        }
        if checkouts:
            self._listeners |= {"checkout": self._on_checkout, "checkin": self._on_checkin}

    def listen(self) -> None:
        """Count from now on."""
        for name, listener in self._listeners.items():
            event.listen(self._engine, name, listener)

    def remove(self) -> None:
        """Count no longer."""
        for name, listener in self._listeners.items():
            event.remove(self._engine, name, listener)

    def _on_connect(self, _dbapi_connection: Any, _record: Any) -> None:
        with contained("pool.connect"):
            self._tally.connects.inc()

    def _on_close(self, _dbapi_connection: Any, _record: Any) -> None:
        # Also what an invalidated connection comes to: there is no need to listen to `invalidate`.
        with contained("pool.close"):
            self._tally.disconnects.inc()

    def _on_detach(self, _dbapi_connection: Any, record: Any) -> None:
        with contained("pool.detach"):
            self._tally.disconnects.inc()
        if self._checkouts:  # the wrap has seen it before; by now the record may be somebody else's
            self._returned(record)

    def _on_checkout(self, _dbapi_connection: Any, record: Any, _connection: Any) -> None:
        with contained("pool.checkout"):
            tally, work = self._tally, current_work.get()
            stack = tally.look(work) if tally.wants_look(work) else None
            tally.holders[record] = (self._timer(), task_or_thread(), work, stack)
            tally.waits.observe(0.0)  # it counts checkouts; that it was not measured is known to those who read it

    def _on_checkin(self, _dbapi_connection: Any, record: Any) -> None:
        self._returned(record)

    def _returned(self, record: Any) -> None:
        with contained("pool.checkin"):
            held = self._tally.holders.pop(record, None)
            if held is not None:
                self._tally.uses.observe(self._timer() - held[0])
