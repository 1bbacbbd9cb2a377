"""One engine's connection pool: who has connections, who waits for them, how long, and who gave up.

The parts: `pool_wrap`, `pool_waiting` and `pool_events` count into `pool_tally`, with stacks from `pool_stacks`; `pool_gauges` reads
the pool, `pool_holders` looks at those who have its connections, `pool_leaks`, `pool_endpoints` and `pool_history` remember.
"""

import logging
import os
import threading
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakKeyDictionary

from sqlalchemy import Engine, Pool

from dozor.clock import Clock
from dozor.containment import report
from dozor.instruments.connection_budget import PoolClaim
from dozor.instruments.driver_state import ABORTED, IN_TRANSACTION
from dozor.instruments.pool_advice import Looks, PoolAdvice, advise
from dozor.instruments.pool_drift import PoolDrift
from dozor.instruments.pool_endpoints import EndpointUse, PoolEndpoints
from dozor.instruments.pool_events import PoolEvents
from dozor.instruments.pool_gauges import PoolGauges, read_gauges
from dozor.instruments.pool_history import PoolHistory, PoolPoint, PoolStatistics
from dozor.instruments.pool_holders import Holder, Observer, Waiter, identify, state_of, thread_names
from dozor.instruments.pool_leaks import Leak, PoolLeaks
from dozor.instruments.pool_metrics import HISTOGRAMS, METRICS
from dozor.instruments.pool_stacks import PoolStacks, StackMode
from dozor.instruments.pool_tally import DURATION_BOUNDS, Held, PoolTally, Timer
from dozor.instruments.pool_wrap import PoolWrap, unsupported
from dozor.locks import open_in_child
from dozor.metrics import Histogram, HistogramSnapshot
from dozor.metrics.instruments import histogram_samples
from dozor.model.labels import Labels
from dozor.model.sample import Family, MetricType, Sample

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

    from dozor.instruments.server_capacity import ServerCapacity

logger = logging.getLogger("dozor")

LEAK_AFTER_SECONDS: Final = 60.0


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
        stacks: whether to note where connections are taken; see `PoolStacks`.
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
        stacks: StackMode = "auto",
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
        self._stacks = PoolStacks(self._tally, stacks, timer)
        self._dialect = self._engine.dialect.name
        self._leaks = PoolLeaks(pool_name, clock, leak_after_seconds, self._dialect, self._stacks.suspect)
        self._endpoints, self._drift = PoolEndpoints(), PoolDrift(self._tally)
        self._looks, self._looked_at = Looks(), timer()
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
                self._tally.waiting.clear()
            gauges = self._gauges()
            now = self._timer()
            self._drift.check(self._engine.pool, gauges.checked_out, now)
            self._history.note(self._point())
            self._max_wait = self._max_use = None
            seconds, self._looked_at = now - self._looked_at, now
            self._note_leaks(now)
            self._endpoints.look(self._tally.holders.copy().values(), seconds)
            self._endpoints.fold(self._tally.notable)
            self._looks.add(len(self._tally.holders) + len(self._tally.waiting))
            self._stacks.begin_cycle(seconds, gauges.capacity)

    def _note_leaks(self, now: float) -> None:
        tally, holding = self._tally, self._tally.holders.copy()
        self._note_collected()
        self._leaks.settle(holding, now)
        overdue = self._leaks.overdue(holding, now)
        if overdue:
            observer = Observer(now, self.leak_after_seconds, self._dialect)
            for record, held in overdue.items():
                self._leaks.add(held, observer.holder(record, held, tally.statements.get(record)))

    def _note_collected(self) -> None:
        collected, statements = self._tally.collected, self._tally.statements
        for _ in range(len(collected)):
            record, held, ended = collected.popleft()
            self._leaks.collect(held, statements.get(record), ended)

    def families(self) -> list[Family]:
        """All `db_pool_…` metrics of this pool but the slow statements, which `QueryMonitor` counts."""
        figures = self.figures()
        families = [
            Family(name, kind, text, unit, (Sample(name, self._labels, figures[name]),))
            for name, (kind, unit, text) in METRICS.items()
            if name in figures
        ]
        tally = self._tally
        with self._lock:
            snapshots = [("db_pool_use_seconds", tally.uses, self._snapshot_uses())]
            if self.fallback_reason is None:
                snapshots.append(("db_pool_wait_seconds", tally.waits, self._snapshot_waits()))
                snapshots.append(("db_pool_create_seconds", tally.creates, tally.creates.snapshot()))
            families.extend(self._endpoints.families(self._labels))
        families.extend(self._histogram(*entry) for entry in snapshots)
        return families

    def figures(self) -> dict[str, float]:
        """Gauges and counters by metric name. What is unknown is absent."""
        tally, gauges = self._tally, self._gauges()
        with self._lock:
            counting = self._checkouts()
            self._note_collected()
        now, holding = self._timer(), tally.holders.copy()
        idle_since = self._idle_in_transaction(holding)
        known: dict[str, float | None] = {
            "db_pool_size": gauges.size,
            "db_pool_capacity": gauges.capacity,
            "db_pool_checked_out": gauges.checked_out,
            "db_pool_available": gauges.available,
            "db_pool_utilization": gauges.utilization,
            "db_pool_idle": gauges.idle,
            "db_pool_overflow": gauges.overflow,
            "db_pool_waiting": gauges.waiting,
            "db_pool_leaked": sum(now - held[0] > self.leak_after_seconds for held in holding.values()),
            "db_pool_idle_in_transaction": None if idle_since is None else len(idle_since),
            "db_pool_longest_idle_in_transaction_seconds": None
            if idle_since is None
            else max((now - since for since in idle_since), default=0.0),
            "db_pool_checkouts_total": counting,
            "db_pool_connects_total": tally.connects.value,
            "db_pool_disconnects_total": tally.disconnects.value,
            "db_pool_timeouts_total": self._timeouts(),
            "db_pool_errors_total": self._errors(),
            "db_pool_garbage_collected_total": self._leaks.collected_total if self.fallback_reason is None else None,
            "dozor_pool_drift_total": tally.returns_missed,
            "dozor_pool_unaccounted": self._drift.unaccounted,
        }
        return {name: float(value) for name, value in known.items() if value is not None}

    @property
    def kind(self) -> str:
        """The pool's class, such as `QueuePool`."""
        return type(self._engine.pool).__name__

    def claim(self, capacity: "ServerCapacity | None") -> PoolClaim:
        """What the pool may take of its server, whose *capacity* is known or not."""
        gauges = self._gauges()
        overflow = None if gauges.capacity is None or gauges.size is None else gauges.capacity - gauges.size
        is_open = (gauges.checked_out or 0) + (gauges.idle or 0)
        return PoolClaim(self.pool_name, self._engine.url, gauges.size, overflow, is_open, capacity)

    def holders(self) -> list[Holder]:
        """Who has connections out, longest first; those that were out at attachment are not known.

        Looks at threads and tasks and redacts statements: for when somebody asks, and not in the application's threads.
        """
        observer, statements = Observer(self._timer(), self.leak_after_seconds, self._dialect), self._tally.statements
        found = [observer.holder(record, held, statements.get(record)) for record, held in self._holding()]
        return sorted(found, key=lambda holder: -holder.held_seconds)

    def waiters(self) -> list[Waiter]:
        """Who waits for a connection now, longest first."""
        observer = Observer(self._timer(), self.leak_after_seconds, self._dialect)
        found = [observer.waiter(*waiting) for waiting in self._tally.waiting.copy().values()]
        return sorted(found, key=lambda waiter: -waiter.waited_seconds)

    def leaks(self) -> list[Leak]:
        """The last 200 connections that were held too long or never given back, newest first."""
        with self._lock:
            self._note_collected()
            return self._leaks.entries()

    def endpoints(self) -> list[EndpointUse]:
        """What requests did with the pool since attachment, the costliest first."""
        with self._lock:
            self._endpoints.fold(self._tally.notable)
            return self._endpoints.uses()

    @property
    def statements(self) -> dict[Any, list[Any]]:
        """Where the query monitor notes the last statement of each connection that is out; see `PoolTally.statements`."""
        return self._tally.statements

    def _holding(self) -> list[tuple[Any, Held]]:
        return list(self._tally.holders.copy().items())

    def _idle_in_transaction(self, holding: Mapping[Any, Held]) -> list[float] | None:
        """Since when (monotonic) each connection of that state has sent nothing; None where no driver tells its state."""
        states = {record: state_of(record) for record in holding}
        if states and all(state is None for state in states.values()):
            return None
        since = []
        for record, state in states.items():
            last = self._tally.statements.get(record)
            if state in (IN_TRANSACTION, ABORTED) and (
                last is None or last[2] is not None or last[1] < holding[record][0]
            ):
                since.append(max(holding[record][0], last[2] if last is not None and last[2] is not None else 0.0))
        return since

    def advice(self) -> PoolAdvice:
        """How large the pool has to be, by the last hour."""
        now = self._timer()
        leaked = sum(now - held[0] > self.leak_after_seconds for _, held in self._holding())
        with self._lock:
            return advise(self.statistics(3600.0), self._looks.values(), self._gauges(), leaked)

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
        now = self._timer()
        leaked = [held for _, held in self._holding() if now - held[0] > self.leak_after_seconds]
        if leaked:
            taken, who, work, _ = min(leaked, key=lambda held: held[0])
            reasons.append(
                f"{len(leaked)} connection(s) held longer than {self.leak_after_seconds:g} s, "
                f"longest by {identify(who, work, thread_names()).who} for {now - taken:.0f} s"
            )
        if self.fallback_reason is not None:
            reasons.append(self._fallback_text())
        if self._tally.returns_missed:
            reasons.append(f"{self._tally.returns_missed} return(s) of connections were not seen")
        if self._drift.unaccounted:
            reasons.append(f"{self._drift.unaccounted} connection(s) are in use that Dozor did not see being taken")
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
        return self._snapshot_waits().count

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
        return Family(name, MetricType.HISTOGRAM, HISTOGRAMS[name], "seconds", tuple(samples))


def _larger(one: float | None, other: float | None) -> float | None:
    values = [value for value in (one, other) if value is not None]
    return max(values, default=None)
