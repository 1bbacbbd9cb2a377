"""One engine's connection pool: who has connections, who waits for them, how long, and who gave up.

The parts: `pool_wrap` and `pool_events` count into `pool_tally`, `pool_gauges` reads the pool, `pool_history` remembers.
"""

import logging
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from weakref import WeakKeyDictionary

from sqlalchemy import Engine, Pool

from dozor.clock import Clock
from dozor.containment import report
from dozor.instruments.pool_events import PoolEvents
from dozor.instruments.pool_gauges import PoolGauges, read_gauges
from dozor.instruments.pool_history import PoolHistory, PoolPoint, PoolStatistics
from dozor.instruments.pool_tally import DURATION_BOUNDS, PoolTally
from dozor.instruments.pool_wrap import PoolWrap, Timer, unsupported
from dozor.locks import open_in_child
from dozor.metrics import Histogram, HistogramSnapshot
from dozor.metrics.instruments import histogram_samples
from dozor.model.labels import Labels
from dozor.model.sample import Family, MetricType, Sample

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

logger = logging.getLogger("dozor")

LEAK_AFTER_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True)
class Holder:
    """Who has a connection out, and for how many seconds. *who* is the name of a task or of a thread."""

    who: str
    held_seconds: float
    leaked: bool


class ConnectionPoolMonitor:
    """Watches the pool of *engine*; takes no connection from it, and touches none that is in use.

    `attach`, `detach` and everything that reads are safe in any thread. The counters stand at 0 from attachment on, and go
    on through `Engine.dispose()`.

    Args:
        pool_name: the label `pool`.
        engine: an `Engine` or `AsyncEngine` with any kind of pool.
        clock: dates the statistics.
        base_labels: labels that every series of this pool has beside `pool`.
        leak_after_seconds: a connection held longer than this counts as leaked.
        slow_total: asked for the slow statements so far, for the statistics.
        timer: monotonic seconds, for the hot path.
    """

    def __init__(
        self,
        pool_name: str,
        engine: "Engine | AsyncEngine",
        clock: Clock,
        *,
        base_labels: Labels = Labels(),  # noqa: B008 - immutable
        leak_after_seconds: float = LEAK_AFTER_SECONDS,
        slow_total: Callable[[], int] | None = None,
        timer: Timer = time.monotonic,
    ) -> None:
        self.pool_name, self.name = pool_name, f"pool:{pool_name}"
        self.leak_after_seconds = leak_after_seconds
        self.fallback_reason: str | None = None
        """Why events do the counting, if they do; waiting and timeouts are unknown then."""
        self._engine: Engine = engine if isinstance(engine, Engine) else engine.sync_engine
        self._clock, self._timer, self._slow_total = clock, timer, slow_total
        self._labels = base_labels.with_({"pool": pool_name})
        self._tally = PoolTally()
        self._events: PoolEvents | None = None
        self._wraps: WeakKeyDictionary[Pool, PoolWrap] = WeakKeyDictionary()
        self._lock = threading.RLock()
        open_in_child(self, threading.RLock)
        self._pid = os.getpid()
        self._max_wait: float | None = None
        self._max_use: float | None = None
        self._history = PoolHistory(self._point(), DURATION_BOUNDS)

    # -- putting on, taking off ----------------------------------------------------------------------------------------

    def attach(self) -> None:
        """Watch from now on. Connections already out are seen in the gauges, and not in durations and holders."""
        with self._lock:
            if self._events is not None:
                return
            self.fallback_reason = unsupported(self._engine.pool)
            fallback = self.fallback_reason is not None
            self._events = PoolEvents(self._engine, self._tally, timer=self._timer, checkouts=fallback)
            self._events.listen()
            if fallback:
                logger.warning("pool %s: %s", self.pool_name, self._fallback_text())
            else:
                self._wrap(self._engine.pool)

    def detach(self) -> None:
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

    def _wrap(self, pool: Pool) -> None:
        # Without the lock: `dispose()` calls it too, perhaps in a forked child, where the lock may be held for ever.
        if pool in self._wraps:
            return
        wrap = self._wraps[pool] = PoolWrap(pool, self._tally, timer=self._timer, on_recreate=self._wrap)
        wrap.put_on()
        if self._events is None:  # detached meanwhile
            wrap.take_off()

    # -- reading -------------------------------------------------------------------------------------------------------

    async def refresh(self) -> None:
        """Take note of the cycle: peaks, missed returns, a pool that was put in the place of the watched one."""
        with self._lock:
            if self._events is None:
                return
            if self.fallback_reason is None:
                self._wrap(self._engine.pool)
            if self._pid != os.getpid():  # the holders of the parent process are not ours
                self._pid = os.getpid()
                self._tally.holders.clear()
            self._tally.sweep()
            point = self._point()
            self._history.note(point)
            self._max_wait = self._max_use = None
            self._tally.peak_held = len(self._tally.holders)

    def families(self) -> list[Family]:
        """All `db_pool_…` metrics of this pool but the slow statements, which `QueryMonitor` counts."""
        figures = self.figures()
        families = [
            Family(name, kind, text, unit, (Sample(name, self._labels, figures[name]),))
            for name, (kind, unit, text) in _METRICS.items()
            if name in figures
        ]
        tally = self._tally
        with self._lock:
            snapshots = [("db_pool_use_seconds", tally.uses, self._snapshot_uses())]
            if self.fallback_reason is None:
                snapshots.append(("db_pool_wait_seconds", tally.waits, self._snapshot_waits()))
                snapshots.append(("db_pool_create_seconds", tally.creates, tally.creates.snapshot()))
        families.extend(self._histogram(*entry) for entry in snapshots)
        return families

    def figures(self) -> dict[str, float]:
        """Gauges and counters by metric name. What is unknown is absent."""
        tally, gauges = self._tally, self._gauges()
        with self._lock:
            counting = self._checkouts()
        known: dict[str, float | None] = {
            "db_pool_size": gauges.size,
            "db_pool_capacity": gauges.capacity,
            "db_pool_checked_out": gauges.checked_out,
            "db_pool_available": gauges.available,
            "db_pool_utilization": gauges.utilization,
            "db_pool_idle": gauges.idle,
            "db_pool_overflow": gauges.overflow,
            "db_pool_waiting": gauges.waiting,
            "db_pool_leaked": sum(holder.leaked for holder in self.holders()),
            "db_pool_checkouts_total": counting,
            "db_pool_connects_total": tally.connects.value,
            "db_pool_disconnects_total": tally.disconnects.value,
            "db_pool_timeouts_total": self._timeouts(),
            "db_pool_errors_total": self._errors(),
        }
        return {name: float(value) for name, value in known.items() if value is not None}

    @property
    def kind(self) -> str:
        """The pool's class, such as `QueuePool`."""
        return type(self._engine.pool).__name__

    def holders(self) -> list[Holder]:
        """Who has connections out, longest first; those that were out at attachment are not known."""
        now = self._timer()
        threads = {thread.ident: thread.name for thread in threading.enumerate()}
        found = []
        for since, who in self._tally.holders.copy().values():
            name = who if isinstance(who, str) else threads.get(who, f"thread {who} (ended)")
            found.append(Holder(name, now - since, now - since > self.leak_after_seconds))
        return sorted(found, key=lambda holder: -holder.held_seconds)

    def statistics(self, window_seconds: float | None = None) -> PoolStatistics:
        """What happened in the last *window_seconds* (at most 3600), or since attachment; exact to some five seconds."""
        with self._lock:
            return self._history.statistics(window_seconds, self._point())

    def health(self) -> list[str]:
        """What a person should know about this pool beside its figures, in sentences."""
        reasons = []
        gauges = self._gauges()
        if gauges.capacity is None:
            reasons.append(f"the pool ({type(self._engine.pool).__name__}) has no limit, so there is no utilization")
        leaked = [holder for holder in self.holders() if holder.leaked]
        if leaked:
            reasons.append(
                f"{len(leaked)} connection(s) held longer than {self.leak_after_seconds:g} s, "
                f"longest by {leaked[0].who} for {leaked[0].held_seconds:.0f} s"
            )
        if self.fallback_reason is not None:
            reasons.append(self._fallback_text())
        if self._tally.returns_missed:
            reasons.append(f"{self._tally.returns_missed} return(s) of connections were not seen")
        return reasons

    # -- inside --------------------------------------------------------------------------------------------------------

    def _fallback_text(self) -> str:
        return f"waiting and timeouts are unknown, checkouts are counted by events: {self.fallback_reason}"

    def _gauges(self) -> PoolGauges:
        try:
            return read_gauges(self._engine.pool, len(self._tally.holders))
        except Exception:  # noqa: BLE001 - a pool of somebody's own making; what it cannot say is unknown
            report("pool.gauges")
            return PoolGauges()

    def _checkouts(self) -> int:
        return self._snapshot_waits().count if self.fallback_reason is None else int(self._tally.checkouts.value)

    def _timeouts(self) -> int | None:
        return int(self._tally.timeouts.value) if self.fallback_reason is None else None

    def _errors(self) -> int | None:
        return int(self._tally.errors.value) if self.fallback_reason is None else None

    def _snapshot_waits(self) -> HistogramSnapshot:
        # A snapshot takes the maximum with it; it is kept here until the cycle that notes it.
        snapshot = self._tally.waits.snapshot()
        self._max_wait = _larger(self._max_wait, snapshot.max_since_last)
        return snapshot

    def _snapshot_uses(self) -> HistogramSnapshot:
        snapshot = self._tally.uses.snapshot()
        self._max_use = _larger(self._max_use, snapshot.max_since_last)
        return snapshot

    def _point(self) -> PoolPoint:
        tally, checked_out = self._tally, self._gauges().checked_out
        waits, uses = self._snapshot_waits(), self._snapshot_uses()
        return PoolPoint(
            at=self._clock.timestamp(),
            checkouts=self._checkouts(),
            timeouts=self._timeouts(),
            errors=self._errors(),
            connects=int(tally.connects.value),
            slow_queries=None if self._slow_total is None else self._slow_total(),
            wait=waits if self.fallback_reason is None else None,
            use=uses,
            max_wait_seconds=self._max_wait,
            max_use_seconds=self._max_use,
            peak_checked_out=max(tally.peak_held, checked_out or 0),
        )

    def _histogram(self, name: str, histogram: Histogram, snapshot: HistogramSnapshot) -> Family:
        samples = histogram_samples(name, self._labels, histogram.bucket_labels, snapshot)
        return Family(name, MetricType.HISTOGRAM, _HISTOGRAMS[name], "seconds", tuple(samples))


def _larger(one: float | None, other: float | None) -> float | None:
    values = [value for value in (one, other) if value is not None]
    return max(values, default=None)


_GAUGE, _COUNTER = MetricType.GAUGE, MetricType.COUNTER
_METRICS: Final = {
    "db_pool_size": (_GAUGE, "connections", "Connections that the pool keeps open: its pool_size."),
    "db_pool_capacity": (_GAUGE, "connections", "Connections that may be out at once: pool_size + max_overflow."),
    "db_pool_checked_out": (_GAUGE, "connections", "Connections in use now."),
    "db_pool_available": (_GAUGE, "connections", "Connections that could be handed out without waiting."),
    "db_pool_utilization": (_GAUGE, "percent", "Connections in use, in percent of the capacity."),
    "db_pool_idle": (_GAUGE, "connections", "Connections open and in the pool."),
    "db_pool_overflow": (_GAUGE, "connections", "Connections open beyond pool_size."),
    "db_pool_waiting": (_GAUGE, "callers", "Threads or tasks that wait for a connection now."),
    "db_pool_leaked": (_GAUGE, "connections", "Connections held longer than the leak threshold."),
    "db_pool_timeouts_total": (_COUNTER, "events", "Callers that gave up waiting for a connection."),
    "db_pool_checkouts_total": (_COUNTER, "events", "Connections handed out."),
    "db_pool_connects_total": (_COUNTER, "events", "Database connections opened."),
    "db_pool_disconnects_total": (_COUNTER, "events", "Connections closed, detached or invalidated."),
    "db_pool_errors_total": (_COUNTER, "events", "Attempts to get a connection that failed, timeouts left out."),
}
_HISTOGRAMS: Final = {
    "db_pool_wait_seconds": "Time from asking for a connection to having it, in seconds.",
    "db_pool_use_seconds": "Time a connection was held, in seconds.",
    "db_pool_create_seconds": "Time to open a database connection, in seconds.",
}
