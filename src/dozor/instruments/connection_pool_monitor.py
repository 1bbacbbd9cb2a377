"""One engine's connection pool: who has connections, who waits for them, how long, and who gave up.

The parts: `pool_attachment` puts `pool_wrap`, `pool_waiting` and `pool_events` on, which count into `pool_tally`, with stacks from
`pool_stacks`; `pool_gauges` reads the pool, `pool_counts` the tally, `pool_occupancy` looks at those who have connections or want
them; `pool_leaks`, `pool_endpoints` and `pool_history` remember.
"""

import logging
import os
import threading
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Engine

from dozor.clock import Clock
from dozor.containment import report
from dozor.instruments.connection_budget import PoolClaim
from dozor.instruments.pool_advice import Looks, PoolAdvice, advise
from dozor.instruments.pool_attachment import PoolAttachment
from dozor.instruments.pool_counts import PoolCounts
from dozor.instruments.pool_drift import PoolDrift
from dozor.instruments.pool_endpoints import EndpointUse, PoolEndpoints
from dozor.instruments.pool_gauges import PoolGauges, read_gauges
from dozor.instruments.pool_history import PoolHistory, PoolPoint, PoolStatistics
from dozor.instruments.pool_holders import Holder, Waiter
from dozor.instruments.pool_leaks import Leak, PoolLeaks
from dozor.instruments.pool_metrics import HISTOGRAMS, METRICS
from dozor.instruments.pool_occupancy import PoolOccupancy
from dozor.instruments.pool_stacks import PoolStacks, StackMode
from dozor.instruments.pool_tally import DURATION_BOUNDS, PoolTally, Timer
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

    at_once = True

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
        self._engine: Engine = engine if isinstance(engine, Engine) else engine.sync_engine
        self._clock, self._timer = clock, timer
        self._labels = base_labels.with_({"pool": pool_name})
        self._tally = PoolTally()
        self._attachment = PoolAttachment(self._engine, self._tally, timer)
        self._counts = PoolCounts(self._tally, slow_total)
        self._stacks = PoolStacks(self._tally, stacks)
        dialect = self._engine.dialect.name
        suspect, usual = self._stacks.suspect, self._stacks.usual
        leaks = PoolLeaks(pool_name, clock, leak_after_seconds, dialect, on_leak=suspect, usual=usual)
        self._occupancy = PoolOccupancy(self._tally, leaks, leak_after_seconds, dialect, usual=usual, timer=timer)
        self._endpoints, self._drift = PoolEndpoints(), PoolDrift(self._tally)
        self._looks, self._looked_at = Looks(), timer()
        self._lock = threading.RLock()
        open_in_child(self, threading.RLock)
        self._pid = os.getpid()
        self._told: tuple[float, Mapping[str, float]] | None = None
        self._history = PoolHistory(self._point(), DURATION_BOUNDS)

    # -- putting on, taking off ----------------------------------------------------------------------------------------

    def attach(self) -> None:
        """Watch from now on. Connections already out are seen in the gauges, and not in durations and holders."""
        if self._attachment.put_on() and self.fallback_reason is not None:
            logger.warning("pool %s: %s", self.pool_name, self._fallback_text())

    def detach(self) -> None:
        """Leave engine and pool as they were found."""
        self._attachment.take_off()

    @property
    def fallback_reason(self) -> str | None:
        """Why events do the counting, if they do; waiting and timeouts are unknown then."""
        return self._attachment.fallback_reason

    # -- reading -------------------------------------------------------------------------------------------------------

    async def refresh(self) -> None:
        """Take note of the cycle: peaks, missed returns, a pool that was put in the place of the watched one."""
        with self._lock:
            if not self._attachment.is_on:
                return
            self._attachment.follow()
            self._forget_parent()
            tally, gauges, now = self._tally, self._gauges(), self._timer()
            self._drift.check(self._engine.pool, gauges.checked_out, now)
            self._history.note(self._point())
            self._counts.begin_cycle()
            seconds, self._looked_at = now - self._looked_at, now
            self._occupancy.note_leaks(now)
            for endpoint in self._occupancy.long_holding(now):
                self._stacks.suspect(endpoint)
            self._endpoints.look(tally.holders.copy().values(), seconds)
            self._endpoints.fold(tally.notable)
            self._looks.add(len(tally.holders) + len(tally.waiting))
            self._stacks.begin_cycle(seconds, gauges.capacity)

    def _forget_parent(self) -> None:
        if self._pid != os.getpid():  # the holders of the parent process are not ours
            self._pid = os.getpid()
            self._tally.holders.clear()
            self._tally.waiting.clear()

    def families(self) -> list[Family]:
        """All `db_pool_…` metrics of this pool but the slow statements, which `QueryMonitor` counts."""
        figures = self.figures()
        self._told = self._clock.timestamp(), figures
        families = [
            Family(name, kind, text, unit, (Sample(name, self._labels, figures[name]),))
            for name, (kind, unit, text) in METRICS.items()
            if name in figures
        ]
        tally = self._tally
        with self._lock:
            snapshots = [("db_pool_use_seconds", tally.uses, self._counts.uses())]
            if self.fallback_reason is None:
                snapshots.append(("db_pool_wait_seconds", tally.waits, self._counts.waits()))
                snapshots.append(("db_pool_create_seconds", tally.creates, tally.creates.snapshot()))
            families.extend(self._endpoints.families(self._labels))
        families.extend(self._histogram(*entry) for entry in snapshots)
        return families

    def figures(self) -> dict[str, float]:
        """Gauges and counters by metric name. What is unknown is absent."""
        tally, gauges, waiting_is_seen = self._tally, self._gauges(), self.fallback_reason is None
        with self._lock:
            checkouts, collected = self._counts.waits().count, self._occupancy.collected_total
        idle = self._occupancy.idle_in_transaction()
        known: dict[str, float | None] = {
            "db_pool_size": gauges.size,
            "db_pool_capacity": gauges.capacity,
            "db_pool_checked_out": gauges.checked_out,
            "db_pool_available": gauges.available,
            "db_pool_utilization": gauges.utilization,
            "db_pool_idle": gauges.idle,
            "db_pool_idle_min": None if gauges.idle is None else 0,
            "db_pool_overflow": gauges.overflow,
            "db_pool_waiting": gauges.waiting,
            "db_pool_leaked": len(self._occupancy.leaked()),
            "db_pool_idle_in_transaction": None if idle is None else len(idle),
            "db_pool_longest_idle_in_transaction_seconds": None if idle is None else max(idle, default=0.0),
            "db_pool_checkouts_total": checkouts,
            "db_pool_connects_total": tally.connects.value,
            "db_pool_disconnects_total": tally.disconnects.value,
            "db_pool_timeouts_total": tally.timeouts.value if waiting_is_seen else None,
            "db_pool_errors_total": tally.errors.value if waiting_is_seen else None,
            "db_pool_garbage_collected_total": collected if waiting_is_seen else None,
            "dozor_pool_drift_total": tally.returns_missed,
            "dozor_pool_unaccounted": self._drift.unaccounted,
        }
        return {name: float(value) for name, value in known.items() if value is not None}

    def told(self) -> tuple[float, Mapping[str, float]]:
        """When (Unix seconds) `families` was last asked, and the figures then; those of now where it never was."""
        return self._told or (self._clock.timestamp(), self.figures())

    @property
    def checkouts_total(self) -> int:
        """Connections handed out since attachment."""
        with self._lock:
            return self._counts.waits().count

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
        return self._occupancy.holders()

    def waiters(self) -> list[Waiter]:
        """Who waits for a connection now, longest first."""
        return self._occupancy.waiters()

    def leaks(self) -> list[Leak]:
        """The last 200 connections that were held too long or never given back, newest first."""
        with self._lock:
            return self._occupancy.leaks()

    def endpoints(self) -> list[EndpointUse]:
        """What requests did with the pool since attachment, the costliest first."""
        with self._lock:
            self._endpoints.fold(self._tally.notable)
            return self._endpoints.uses()

    @property
    def statements(self) -> dict[Any, list[Any]]:
        """Where the query monitor notes the last statement of each connection that is out; see `PoolTally.statements`."""
        return self._tally.statements

    def advice(self) -> PoolAdvice:
        """How large the pool has to be, by the last hour."""
        leaked = len(self._occupancy.leaked())
        with self._lock:
            return advise(self.statistics(3600.0), self._looks.values(), self._gauges(), leaked)

    def statistics(self, window_seconds: float | None = None) -> PoolStatistics:
        """What happened in the last *window_seconds* (at most 3600), or since attachment; exact to some five seconds."""
        with self._lock:
            return self._history.statistics(window_seconds, self._point())

    def health(self) -> list[str]:
        """What a person should know about this pool beside its figures, in sentences."""
        reasons = []
        if self._gauges().capacity is None:
            reasons.append(f"the pool ({self.kind}) has no limit, so there is no utilization")
        complaint = self._occupancy.complaint()
        if complaint is not None:
            reasons.append(complaint)
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

    def _point(self) -> PoolPoint:
        checked_out = self._gauges().checked_out
        return self._counts.point(self._clock.timestamp(), checked_out, waiting_is_seen=self.fallback_reason is None)

    def _histogram(self, name: str, histogram: Histogram, snapshot: HistogramSnapshot) -> Family:
        samples = histogram_samples(name, self._labels, histogram.bucket_labels, snapshot)
        return Family(name, MetricType.HISTOGRAM, HISTOGRAMS[name], "seconds", tuple(samples))
