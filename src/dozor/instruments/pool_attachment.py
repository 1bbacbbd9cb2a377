"""Putting the watch on an engine's pool, keeping it on through `dispose()`, and taking it off."""

import threading
from weakref import WeakKeyDictionary

from sqlalchemy import Engine, Pool

from dozor.instruments.pool_events import PoolEvents
from dozor.instruments.pool_tally import PoolTally, Timer
from dozor.instruments.pool_wrap import PoolWrap, unsupported
from dozor.locks import open_in_child


class PoolAttachment:
    """The wraps around *engine*'s pools and the listeners on it, which count into *tally*. Safe in any thread.

    *timer* gives monotonic seconds, for the hot path.
    """

    def __init__(self, engine: Engine, tally: PoolTally, timer: Timer) -> None:
        self._engine, self._tally, self._timer = engine, tally, timer
        self._events: PoolEvents | None = None
        self._wraps: WeakKeyDictionary[Pool, PoolWrap] = WeakKeyDictionary()
        self._lock = threading.RLock()
        open_in_child(self, threading.RLock)
        self.fallback_reason: str | None = None
        """Why events do the counting, if they do; waiting and timeouts are unknown then."""

    @property
    def is_on(self) -> bool:
        """Whether the pool is watched now."""
        return self._events is not None

    def put_on(self) -> bool:
        """Watch from now on; whether that is new."""
        with self._lock:
            if self._events is not None:
                return False
            self.fallback_reason = unsupported(self._engine.pool)
            fallback = self.fallback_reason is not None
            self._events = PoolEvents(self._engine, self._tally, timer=self._timer, checkouts=fallback)
            self._events.listen()
            if not fallback:
                self._wrap(self._engine.pool)
            return True

    def take_off(self) -> None:
        """Leave engine and pool as they were found."""
        with self._lock:
            if self._events is None:
                return
            self._events.remove()
            self._events = None
            for wrap in list(self._wraps.values()):
                wrap.take_off()
            self._wraps.clear()
            self._tally.holders.clear()

    def follow(self) -> None:
        """Watch the pool that the engine has now, should somebody have put it in the place of another one."""
        with self._lock:
            if self._events is not None and self.fallback_reason is None:
                self._wrap(self._engine.pool)

    def _wrap(self, pool: Pool) -> None:
        # Without the lock: `dispose()` calls it too, perhaps in a forked child, where the lock may be held for ever.
        if pool in self._wraps:
            return
        wrap = self._wraps[pool] = PoolWrap(pool, self._tally, timer=self._timer, on_recreate=self._wrap)
        wrap.put_on()
        if self._events is None:  # detached meanwhile
            wrap.take_off()
