"""What lives from start to stop: store, rules at work, alerts, their database, and those who are told. The map of the program."""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Protocol, runtime_checkable
from uuid import uuid4

from msgspec import Struct, to_builtins

from dozor import containment
from dozor._version import __version__
from dozor.alerts import FlappingPolicy, Lifecycle
from dozor.alerts.rule import Rules
from dozor.clock import Clock
from dozor.containment import contained
from dozor.database import Database, StoreThread
from dozor.instruments.detail import DETAIL
from dozor.instruments.own_cost import Budget, OwnCost
from dozor.keeping import RETENTION_SECONDS, SIZE_SECONDS, Keeper
from dozor.model.alert import Alert
from dozor.model.annotation import DEPLOY, VERSION, Annotation
from dozor.model.collector import SCRAPE_PREFIX
from dozor.model.labels import Labels
from dozor.model.notification import Changes
from dozor.model.rule import RuleChanges
from dozor.model.sample import Family, MetricType, Sample
from dozor.notify import Delivery, Receiver, Speaker
from dozor.overview import Change, ChangeKind, ChangeLog, Trends, of_alert, of_annotation, of_changes
from dozor.overview.routes import Routes
from dozor.reloading import WATCH_SECONDS, Reloader, in_words
from dozor.rules import RuleSet, RuleSource, builtin_groups
from dozor.runtime import Runtime
from dozor.scrape import Collector, Scraper
from dozor.settings import Settings
from dozor.store.intake import Intake
from dozor.store.memory import MemoryStore
from dozor.store.remote_write import RemoteWrite
from dozor.turns import Turns

if TYPE_CHECKING:
    from dozor.notify.heartbeat import Heartbeat
    from dozor.remote import Merged, MetricsLink

logger = logging.getLogger("dozor")

_HEARTBEAT_SECONDS: Final = 1.0
_REFRESH_SECONDS: Final = 1.0
_DRAIN_SECONDS: Final = 1.0
_MOST_QUERIES: Final = 64
_MOST_WRITES: Final = 16
# How soon a rule that asks a metrics server for the first time has its answer.
_FETCH_LOOK_SECONDS: Final = 0.5
# A query under way is not waited for: its thread ends with it, or with the process.
_QUERY_END_SECONDS: Final = 0.1


class Identity(Struct, frozen=True):
    """Who speaks in messages."""

    name: str
    environment: str | None
    external_url: str | None


@runtime_checkable
class Closing(Protocol):
    """A collector with something open."""

    async def close(self) -> None:
        """Close it."""


@runtime_checkable
class Paced(Protocol):
    """A collector that fills the store itself, at a pace of its own."""

    interval_seconds: float

    async def scrape(self, intake: Intake) -> None:
        """Read once."""

    def retire(self, intake: Intake) -> None:
        """Read no more; its series end."""


@runtime_checkable
class Standing(Protocol):
    """A collector with a standing connection, which hears at once when that is closed."""

    def when_lost(self, call: Callable[[], None]) -> None:
        """Have *call* called then, on Dozor's loop."""


class Session:
    """One run, from `begin` to the runtime's stop. Everything here belongs on Dozor's loop.

    Args:
        rules: what is in force; they are read again while it runs.
        evidence: what the instruments know about an alert at the moment it fires.
        receivers: those who are told, by name.
        on_cycle: called after each evaluation with its time.
        on_changes: called with what has just changed.
        strict: refuse a store that is corrupt or cannot be written, instead of going on without it.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        runtime: Runtime,
        settings: Settings,
        identity: Identity,
        rules: RuleSource,
        receivers: Mapping[str, Receiver],
        evidence: Callable[[Alert], Mapping[str, object]],
        on_cycle: Callable[[float], None],
        on_changes: Callable[[Sequence[Change]], None],
        strict: bool,
    ) -> None:
        self._clock, self._runtime, self._settings, self._on_cycle = clock, runtime, settings, on_cycle
        self._instruments_evidence = evidence
        self._turns = Turns()
        self.store = MemoryStore(max_bytes=settings.store_memory_bytes)
        # Series of others never take the room of Dozor's own.
        self.intake = Intake(self.store, clock, max_series=self.store.stats.max_series // 2)
        self.remote_write = RemoteWrite(self.intake)
        self.receiving = StoreThread("dozor-intake", max_waiting=_MOST_WRITES)
        """Where what is written remotely is read, one request at a time."""
        self.metrics_link = self._link_metrics()
        self.trends = Trends(self.store)
        self._routes = Routes(self.store)
        self.lifecycle = self._life(
            rules.rules,
            inhibit=settings.inhibit,
            service=identity.name,
            environment=identity.environment,
            external_url=identity.external_url,
            evidence=self._evidence,
            turns=self._turns,
        )
        self.changes = ChangeLog(on_changes)
        self._identity = identity
        self.reloader = Reloader(rules, self._put_in_force, clock)
        self.cost = OwnCost(clock, Budget(settings.cpu_budget_percent), self._shed)
        self.scraper = Scraper(
            self.store, clock, settings.interval_seconds, self._evaluate, stage=self.cost.stage, turns=self._turns
        )
        self.thread = StoreThread()
        self.queries = StoreThread("dozor-query", max_waiting=_MOST_QUERIES)
        """Where people's queries are evaluated, one at a time: however long one takes, it delays no collector and no rule."""
        self.database = Database(settings.store_url, name=identity.name, strict=strict, exclusive=True, clock=clock)
        self.delivery = Delivery(
            self.database,
            receivers,
            clock,
            self.thread.run,
            routes=settings.routes,
            speaker=Speaker(identity.name, identity.environment, identity.external_url, settings.locale),
        )
        self.keeper = Keeper(
            clock,
            settings,
            self.lifecycle,
            self.delivery,
            database=self.database,
            thread=self.thread,
            on_restored=self._restored,
        )
        self._heartbeat = self._make_heartbeat()
        self._evaluated_at: float | None = None

    def rehearsal(self, rules: Rules) -> Lifecycle:
        """A life for the alerts of *rules* as they would have it here; nobody is told of them. In any thread."""
        return self._life(rules)

    def _life(self, rules: Rules, **further: Any) -> Lifecycle:
        settings = self._settings
        return Lifecycle(
            rules,
            cooldowns=settings.cooldowns,
            group_interval_seconds=settings.group_interval_seconds,
            reminder_interval_seconds=settings.reminder_interval_seconds,
            flapping=FlappingPolicy(
                settings.flapping_count, settings.flapping_window_seconds, settings.flapping_quiet_seconds
            ),
            **further,
        )

    async def begin(self, collectors: Iterable[Collector]) -> None:
        """Open what is kept, go on from there, and start the work.

        Raises:
            ConfigurationError: the store is of a newer release, or (strict) cannot be used.
        """
        runtime = self._runtime
        runtime.on_stop("queries", self._end_queries)
        runtime.on_stop("store", self.keeper.close)
        self.changes.add([Change(self._clock.timestamp(), ChangeKind.STARTED, f"Dozor {__version__} was started.")])
        await self.keeper.open()
        runtime.every(RETENTION_SECONDS, "retention", self.keeper.retain)
        runtime.every(SIZE_SECONDS, "size", self.keeper.measure)
        runtime.on_stop("delivery", lambda: self.delivery.stop(_DRAIN_SECONDS))
        self.delivery.start()
        if self.delivery.refreshes:
            runtime.every(_REFRESH_SECONDS, "refresh", self._refresh)
        runtime.on_stop("journal's rest", self.keeper.journal.flush)
        runtime.always("journal", self.keeper.journal.run)
        if self._heartbeat is not None:
            runtime.on_stop("heartbeat's connection", self._heartbeat.aclose)
            runtime.every(_HEARTBEAT_SECONDS, "heartbeat", self._beat)
        for collector in collectors:
            self.watch(collector)
            if isinstance(collector, Closing):
                runtime.on_stop(collector.name, collector.close)
            if isinstance(collector, Paced):
                runtime.every(collector.interval_seconds, collector.name, partial(collector.scrape, self.intake))
        self.scraper.add(_OwnFigures(self))
        self.scraper.add(self.cost)
        runtime.on_stop("detail", self._restore)
        runtime.every(self._settings.interval_seconds, "scrape", self.scraper.cycle)
        runtime.on_stop("early collections", self.scraper.cancel)
        if self.metrics_link is not None:
            runtime.on_stop("metrics server", self.metrics_link.close)
            runtime.every(_FETCH_LOOK_SECONDS, "metrics server", self.metrics_link.step)
        if self.reloader.watches:
            runtime.every(WATCH_SECONDS, "rule files", self.reloader.watch)

    def watch(self, collector: Collector) -> None:
        """Collect from *collector* from now on."""
        self.scraper.add(collector)
        if isinstance(collector, Standing):
            collector.when_lost(partial(self.scraper.soon, collector.name))

    def forget(self, collector: Collector) -> None:
        """Collect from *collector* no more; its series end now."""
        self.scraper.remove(collector.name)
        if isinstance(collector, Paced):
            collector.retire(self.intake)

    def apply(self, changes: Changes) -> "asyncio.Future[None] | None":
        """Have *changes* written; the answer is done once they are. None where there are none."""
        if not changes:
            return None
        with contained("changes"):
            self.changes.add(of_changes(changes, self.lifecycle.get))
        return self.keeper.journal.write(changes)

    def complaints(self) -> list[str]:
        """What is wrong with Dozor itself, each one sentence."""
        found = [
            *self.keeper.complaints(),
            *self.reloader.complaints(),
            *self.lifecycle.complaints(),
            *self.cost.complaints(),
        ]
        stats = self.store.stats
        if self.lifecycle.alerts_without_series:
            found.append(
                f"{self.lifecycle.alerts_without_series} alerts have no series ALERTS: there are too many at once; "
                "alerts/active has them all."
            )
        if stats.dropped_series:
            found.append(f"{stats.dropped_series} series are not kept: the store's memory has no room for more.")
        found += [
            f"{one.name} fails: {one.failing}."
            for one in self.scraper.health()
            if one.failing is not None and one.name.startswith(SCRAPE_PREFIX)
        ]
        if self.metrics_link is not None and self.metrics_link.failure is not None:
            found.append(f"Rules lack series: {self.metrics_link.failure}.")
        if self.intake.crowded:
            found.append(
                f"Series from outside are refused: there are {self.intake.max_series} already; scrape or send fewer, or raise "
                "DOZOR_STORE_MEMORY."
            )
        return found

    def series_at(self, at: float) -> "MemoryStore | Merged":
        """What rules are evaluated over as of *at* (Unix seconds), until this is asked again; it never waits."""
        if self.metrics_link is None:
            return self.store
        self.metrics_link.begin(at)
        return self.metrics_link.rules

    @property
    def queried(self) -> "MemoryStore | Merged":
        """What people's queries are evaluated over, in the thread for queries; it may wait."""
        return self.store if self.metrics_link is None else self.metrics_link.queries

    def heartbeat_families(self) -> Iterable[Family]:
        """How the heartbeat fares; nothing where there is none."""
        return self._heartbeat.families() if self._heartbeat is not None else ()

    # What asks others by HTTP is imported where there is somebody to ask: an HTTP client takes megabytes.

    def _make_heartbeat(self) -> "Heartbeat | None":
        url = self._settings.heartbeat_url
        if url is None:
            return None
        from dozor.notify.heartbeat import Heartbeat  # noqa: PLC0415

        return Heartbeat(url, self._clock)

    def _link_metrics(self) -> "MetricsLink | None":
        url = self._settings.metrics_url
        if url is None:
            return None
        from dozor.remote import MetricsLink  # noqa: PLC0415

        named = {name for group in builtin_groups() for rule in group.rules for name in rule.query.metric_names()}
        # What the default rules watch is Dozor's, whether or not something is there to be watched. HTTP is what everybody counts
        # under these names, and an agent counts none itself.
        return MetricsLink(
            url, self.store, self._clock, own=frozenset(name for name in named if not name.startswith("http_"))
        )

    def _evidence(self, alert: Alert) -> Mapping[str, object]:
        """What the instruments know, and for what requests suffer from: which routes are slow."""
        found = dict(self._instruments_evidence(alert))
        if alert.component == "business" or "pool" in alert.labels:
            routes = self._routes.slowest(alert.active_at if alert.fired_at is None else alert.fired_at)
            if routes:
                found["routes"] = [to_builtins(route) for route in routes]
        return found

    def _put_in_force(self, rules: RuleSet) -> RuleChanges:
        at = self._clock.timestamp()
        changed, changes = self.lifecycle.replace_rules(rules, self.series_at(at), at)
        self.apply(changes)
        if changed.added or changed.changed or changed.removed:
            self.changes.add(
                [Change(at, ChangeKind.RULES_RELOADED, f"The rules were read again: {in_words(changed)}.")]
            )
        self._on_cycle(at)
        return changed

    def _restored(self, alerts: Sequence[Alert], annotations: Sequence[Annotation], marked: Annotation | None) -> None:
        """Go on from what is kept, and mark the application's version if it is another than the one *marked* last."""
        changes = [change for alert in alerts for change in of_alert(alert)]
        self.changes.restore([*changes, *map(of_annotation, annotations)])
        version = self._settings.version
        if version is None:
            return
        text = f"Version {version} of {self._identity.name}"
        if marked is None or marked.text != text:
            mark = Annotation(uuid4().hex, self._clock.timestamp(), text, (DEPLOY, VERSION))
            self.apply(Changes(annotations=(mark,)))

    async def _evaluate(self, at: float) -> None:
        began = self._clock.monotonic()
        self.keeper.look(at)
        self.apply(self.lifecycle.evaluate(self.series_at(at), at))
        self._evaluated_at = at
        decided = self._clock.monotonic()
        self.cost.stage("decide", decided - began)
        self._turns()
        self._on_cycle(at)
        self.cost.stage("show", self._clock.monotonic() - decided)

    def _shed(self, level: int) -> None:
        """Leave out as much detail as *level* says; see `own_cost.STEPS`."""
        DETAIL.lines = level < 1
        self.scraper.spared = _costly if level >= 2 else None

    async def _restore(self) -> None:
        self._shed(0)

    async def _beat(self) -> None:
        if self._heartbeat is not None:
            await self._heartbeat.beat(self._evaluated_at)

    async def _end_queries(self) -> None:
        self.queries.close(_QUERY_END_SECONDS)
        self.receiving.close(_QUERY_END_SECONDS)

    async def _refresh(self) -> None:
        """Say again what fires to receivers that forget."""
        told = [
            alert
            for alert in self.lifecycle.active()
            if alert.firing and alert.told_severity is not None and not alert.inhibited_by
        ]
        await self.delivery.refresh(told)


def _costly(collector: str) -> bool:
    """Whether *collector* is dear to read, and decides nothing within seconds."""
    return collector in {"host", "http", "runtime"} or collector.startswith("queries:")


class _OwnFigures:
    """Dozor's figures about itself, as one more collector."""

    name = "dozor"
    at_once = True

    def __init__(self, session: Session) -> None:
        self._session = session

    async def refresh(self) -> None:
        """They are in memory."""

    def families(self) -> list[Family]:
        session = self._session
        return [
            *session.scraper.families(),
            *session.lifecycle.families(),
            *session.delivery.families(),
            *session.heartbeat_families(),
            *session.reloader.families(),
            *session.intake.families(),
            *session.store.stats.families(),
            *session.keeper.families(),
            Family(
                "dozor_internal_errors_total",
                MetricType.COUNTER,
                "Errors of Dozor's own, contained, by place.",
                "errors",
                tuple(
                    Sample("dozor_internal_errors_total", Labels(place=place), float(count))
                    for place, count in containment.counts().items()
                ),
            ),
        ]
