"""A backend in memory: a real store and real statuses, alerts that change as the state machine says, no threads."""

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any, TypeVar

from msgspec.structs import replace

from dozor.alerts import Lifecycle
from dozor.api.backend import Access
from dozor.api.changes import changes_json
from dozor.api.live import Live
from dozor.api.live_document import live_document
from dozor.database import (
    DEAD,
    PENDING,
    AlertStatistics,
    AnnotationFilter,
    DayStatistics,
    Facet,
    Facets,
    HistoryFilter,
    OutboxFilter,
    OutboxRow,
    Page,
    RuleStatistics,
)
from dozor.errors import (
    ActionForbidden,
    AlertNotFound,
    ChannelNotFound,
    ConfigurationError,
    DeliveryError,
    DozorError,
    NotificationNotFound,
    QueryNotFound,
    RuleNotFound,
    SilenceNotFound,
    StoreUnavailable,
)
from dozor.instruments.connection_budget import ServerBudget
from dozor.instruments.http_answers import RequestInFlight, SlowRequest
from dozor.instruments.loop_stalls import Stalls
from dozor.instruments.pool_history import DurationStatistics, PoolStatistics
from dozor.instruments.pool_holders import Holder
from dozor.instruments.query_plan import QueryPlan
from dozor.instruments.query_repeats import RepeatedQuery
from dozor.instruments.query_report import Order, QueryReport, TopQueries, one_query, top_queries
from dozor.instruments.query_slow import SlowFetch, SlowQuery
from dozor.instruments.slowlog import SlowCommand
from dozor.instruments.statement_book import Source, StatementBook
from dozor.metrics import merge
from dozor.metrics.instruments import Histogram
from dozor.model.alert import Acknowledgement, Alert, AlertSilence, AlertState, Severity
from dozor.model.annotation import Annotation
from dozor.model.collector import CollectorHealth
from dozor.model.labels import Labels
from dozor.model.notification import NOTE, AuditEntry, Notification, Occasion
from dozor.model.rule import GroupState, RuleChanges, RuleExplanation, RuleState
from dozor.model.sample import Family, MetricType, Sample
from dozor.model.silence import Silence, SilenceState
from dozor.notify import ChannelCondition, ChannelState
from dozor.overview import (
    OWN_PREFIX,
    WINDOWS,
    Change,
    ChangeLog,
    Known,
    PoolConnections,
    PoolReading,
    PoolRecord,
    PoolReview,
    Recent,
    RedisClientDetails,
    RedisDetails,
    RedisReading,
    RedisWhole,
    ServerActivity,
    ServerCommand,
    SilenceRecord,
    Sparkline,
    StatementSource,
    Trends,
    http_figures,
    of_annotation,
    own_silence,
)
from dozor.rules.unittest import Groups
from dozor.store import MemoryStore, Queryable
from dozor.store.intake import Intake
from dozor.store.matchers import match_all, parse_matcher
from dozor.store.remote_write import RemoteWrite
from dozor.testing import FakeClock

T = TypeVar("T")


AT = 1_800_000_000.0


def a_query(statement: str, **fields: Any) -> SlowQuery:
    """A slow statement, but for *fields*."""
    found = SlowQuery(statement, 2.0, AT, "default", "SELECT", "orders.py:88 in list_orders", failed=False, error=None,
                      endpoint="GET /orders", fingerprint="8c1f2a90b7de4431")  # fmt: skip
    return replace(found, **fields)


def a_command(command: str, **fields: Any) -> ServerCommand:
    """A slow command of Redis `cache`, but for *fields*."""
    return ServerCommand("cache", replace(SlowCommand(17, AT, 0.0417, command, 1, "127.0.0.1:4711", "shop"), **fields))


def a_rule(rule: str, **fields: Any) -> RuleState:
    """A rule that is quiet, but for *fields*."""
    state = RuleState(
        rule,
        "pool",
        "db_pool_utilization > 90",
        60.0,
        Severity.CRITICAL,
        "database",
        "inactive",
        "ok",
        None,
        AT,
        1e-4,
        (),
    )
    return replace(state, **fields)


def an_alert(**fields: Any) -> Alert:
    """An alert that fires, but for *fields*."""
    labels = Labels(alertname="PoolUtilizationHigh", pool="default", component="database")
    alert = Alert(
        id="a1",
        rule="PoolUtilizationHigh",
        labels=labels,
        severity=Severity.CRITICAL,
        component="database",
        annotations={"summary": "96 % of the connections of pool default are in use"},
        value=96.0,
        active_at=AT - 250,
        fired_at=AT - 190,
    )
    return replace(alert, **fields)


def a_silence(**fields: Any) -> Silence:
    """A silence by matchers that is active for an hour, but for *fields*."""
    return replace(Silence("s1", ('pool="default"',), AT - 60, AT + 3600, AT - 60, AT - 60, "anna", "moving"), **fields)


def a_channel(name: str, **fields: Any) -> ChannelState:
    """A channel that works, but for *fields*."""
    state = ChannelState(name, name, f"{name}.example", ChannelCondition.OK, sent=3, last_success_at=AT - 60)
    return replace(state, **fields)


def a_letter(row_id: int, **fields: Any) -> OutboxRow:
    """A notification to `webhook` that was given up, but for *fields*."""
    notification = Notification(f"n{row_id}", "PoolUtilizationHigh", Occasion.FIRING, (an_alert(),), AT - 100)
    row = OutboxRow(row_id, "webhook", notification, 12, AT - 100, settled_at=AT - 5, last_error="HTTP 403", state=DEAD)
    return replace(row, **fields)


POOL_FIGURES = {
    "db_pool_size": 5.0,
    "db_pool_capacity": 15.0,
    "db_pool_checked_out": 14.0,
    "db_pool_available": 1.0,
    "db_pool_utilization": 93.3,
    "db_pool_idle": 0.0,
    "db_pool_overflow": 9.0,
    "db_pool_waiting": 0.0,
    "db_pool_timeouts_total": 0.0,
    "db_pool_slow_queries_total": 2.0,
}
REDIS_FIGURES = {
    "redis_connected": 1.0,
    "redis_memory_usage": 1048576.0,
    "redis_memory_limit": 4194304.0,
    "redis_hit_rate": 97.4,
    "redis_operations_per_second": 1234.0,
    "redis_connected_clients": 12.0,
    "redis_blocked_clients": 0.0,
    "redis_evicted_keys_total": 0.0,
}


class FakeBackend:
    """What the API sees, in memory. Everything is there to be set by a test."""

    def __init__(self, clock: FakeClock, access: Access | None = None) -> None:
        self.clock = clock
        self.access = access or Access()
        self.store = MemoryStore()
        self.running = True
        self.durable = True
        self.store_answers = True
        self.bridged = 0
        at = clock.timestamp()
        self.pools: tuple[PoolReading, ...] = (PoolReading("default", POOL_FIGURES, at, "QueuePool", up=True),)
        self.servers: tuple[RedisReading, ...] = (RedisReading("cache", REDIS_FIGURES, at, connected=True),)
        self.alerts: dict[str, Alert] = {}
        self.ended: dict[str, Alert] = {}
        self.queries: list[SlowQuery] = []
        self.fetches: list[SlowFetch] = []
        self.books: dict[str, StatementBook] = {}
        self.repeated: list[RepeatedQuery] = []
        self.activity: list[ServerActivity] = []
        self.sources: list[StatementSource] = []
        self.planned: QueryPlan | DozorError = QueryNotFound("none")
        self.commands: list[ServerCommand] = []
        self.details = [
            RedisDetails("cache", {"server": {"redis_version": "7.2.4"}}, {"slowlog": True, "config|get": False})
        ]
        self.clients: list[RedisClientDetails] = []
        self.wholes: list[RedisWhole] = []
        self.holders: list[Holder] = []
        self.connections: list[PoolConnections] = []
        self.reviews: list[PoolReview] = []
        self.server_budgets: list[ServerBudget] = []
        self.rules = [a_rule("PoolUtilizationHigh"), a_rule("RedisDisconnected", group="redis", component="redis")]
        self.groups: list[GroupState] = []
        self.collected: list[CollectorHealth] = []
        self.changes: dict[str, Any] = {}
        self.extra_families: list[Family] = []
        self.wait = Histogram((0.001, 0.01, 0.1, 1.0))
        self.by_matchers: dict[str, Silence] = {}
        self.audit: list[AuditEntry] = []
        self.channel_states = [a_channel("log"), a_channel("webhook")]
        self.letters: dict[int, OutboxRow] = {}
        self.unreachable: DeliveryError | None = None
        self.explanations: list[RuleExplanation] = []
        self.reloaded: RuleChanges | ConfigurationError = RuleChanges(2)
        self.in_flight: list[RequestInFlight] = []
        self.slow: list[SlowRequest] = []
        self.stalled = Stalls(Labels())
        self.marks: list[Annotation] = []
        self.changed = ChangeLog(lambda changes: self.live.tell(changes_json(changes, clock)))
        self._trends = Trends(self.store)
        self.live = Live(lambda: live_document(self), clock, most=3)
        self.live.open()

    def add(self, *alerts: Alert) -> None:
        self.alerts.update((alert.id, alert) for alert in alerts)

    def known(self) -> Known:
        known = Known(
            interval_seconds=1.0,
            pools=self.pools,
            servers=self.servers,
            alerts=tuple(self.alerts.values()),
            silences={
                silence.id: silence
                for silence in self.by_matchers.values()
                if silence.state(self.clock.timestamp()) is not SilenceState.EXPIRED
            },
            http_watched=True,
            host={"host_cpu_utilization": 31.2, "host_memory_utilization": 58.0},
            name="shop",
            environment="production",
            started_at=self.clock.timestamp() - 7300,
            receivers=("log",),
        )
        return replace(known, **self.changes)

    async def in_dozor(self, work: Callable[[], T]) -> T:
        self._check()
        self.bridged += 1
        return work()

    async def receive(self, body: bytes) -> None:
        self._check()
        RemoteWrite(Intake(self.store, self.clock, max_series=100)).take(body)

    async def run_query(self, work: Callable[[Queryable], T]) -> T:
        self._check()
        self.bridged += 1
        return work(self.store)

    def recent_changes(self, since: float) -> Sequence[Change]:
        return self.changed.since(since)

    async def annotations(self, wanted: AnnotationFilter) -> Sequence[Annotation]:
        self._check(store=True)
        found = sorted(filter(wanted.matches, self.marks), key=lambda one: (one.at, one.id), reverse=True)
        return found[: wanted.limit]

    async def annotate(
        self, text: str, *, at: float | None, tags: Sequence[str], by: str | None
    ) -> tuple[Annotation, bool]:
        self._check()
        moment = self.clock.timestamp() if at is None else at
        self.marks.append(Annotation(f"m{len(self.marks)}", moment, text, tuple(tags), by))
        self.changed.add([of_annotation(self.marks[-1])])
        return self.marks[-1], self.durable

    def metadata(self) -> Sequence[Family]:
        return self.families()

    def families(self) -> Sequence[Family]:
        labels = Labels(pool="default")
        gauges = [
            Family(
                name,
                MetricType.COUNTER if name.endswith("_total") else MetricType.GAUGE,
                f"{name}.",
                "connections",
                (Sample(name, labels, value),),
            )
            for name, value in POOL_FIGURES.items()
        ]
        server = Labels(redis="cache")
        redis = [
            Family(name, MetricType.GAUGE, f"{name}.", "", (Sample(name, server, value),))
            for name, value in REDIS_FIGURES.items()
        ]
        wait = tuple(self.wait.samples("db_pool_wait_seconds", labels))
        histogram = Family("db_pool_wait_seconds", MetricType.HISTOGRAM, "Waiting.", "seconds", wait)
        return merge([*gauges, *redis, histogram, *self.extra_families])

    def pool_records(self) -> Sequence[PoolRecord]:
        wait = DurationStatistics(3, 0.0004, 0.0003, 0.001, 0.004, 0.012)
        window = PoolStatistics(AT - 300, AT, 40, 0, 0, 2, 1, wait, DurationStatistics(), 9)
        return [PoolRecord("default", dict.fromkeys(WINDOWS, window), self.holders)]

    def pool_connections(self, pool: str | None = None) -> Sequence[PoolConnections]:
        return [one for one in self.connections if pool is None or one.name == pool]

    def pool_reviews(self) -> Sequence[PoolReview]:
        return self.reviews

    def budgets(self) -> Sequence[ServerBudget]:
        return self.server_budgets

    def slow_queries(self, pool: str | None = None) -> Recent[SlowQuery]:
        found = [query for query in self.queries if pool is None or query.pool == pool]
        return Recent(found, len(found))

    def slow_fetches(self, pool: str | None = None) -> Recent[SlowFetch]:
        found = [fetch for fetch in self.fetches if pool is None or fetch.pool == pool]
        return Recent(found, len(found))

    def top_queries(
        self, window: str, order: Order, pool: str | None = None, source: Source | None = None
    ) -> TopQueries:
        books = {
            name: book
            for name, book in self.books.items()
            if (pool is None or name == pool) and (source is None or book.source == source)
        }
        return top_queries(books, window, order, self.clock.monotonic())

    def statement_sources(self, pool: str | None = None) -> Sequence[StatementSource]:
        return [one for one in self.sources if pool is None or one.pool == pool]

    def query(self, fingerprint: str) -> Mapping[str, Sequence[QueryReport]]:
        return one_query(self.books, fingerprint, self.clock.monotonic())

    def server_activity(self, pool: str | None = None) -> Sequence[ServerActivity]:
        return [one for one in self.activity if pool is None or one.pool == pool]

    def repeated_queries(self, pool: str | None = None) -> Sequence[RepeatedQuery]:
        return [found for found in self.repeated if pool is None or found.pool == pool]

    async def plan(self, fingerprint: str, pool: str | None = None) -> QueryPlan:
        if isinstance(self.planned, Exception):
            raise self.planned
        return self.planned

    def slow_commands(self) -> Recent[ServerCommand]:
        return Recent(self.commands, len(self.commands))

    def requests_in_flight(self, most: int) -> tuple[Sequence[RequestInFlight], int]:
        return self.in_flight[:most], len(self.in_flight)

    def slow_requests(self) -> tuple[Recent[SlowRequest], float]:
        return Recent(self.slow, len(self.slow)), 1.0

    def stalls(self) -> Stalls:
        return self.stalled

    def redis_details(self) -> Sequence[RedisDetails]:
        return self.details

    def redis_clients(self) -> Sequence[RedisClientDetails]:
        return self.clients

    def redis_groups(self) -> Sequence[RedisWhole]:
        return self.wholes

    def rule_states(self) -> Sequence[RuleState]:
        return self.rules

    def rule_groups(self) -> Sequence[GroupState]:
        return self.groups

    def collectors(self) -> Sequence[CollectorHealth]:
        return self.collected

    def sparklines(self) -> Sequence[Sparkline]:
        return self._trends.read(self.clock.timestamp())

    def http_figures(self) -> Mapping[str, float]:
        return http_figures(self.store, self.clock.timestamp())

    def explain_rule(self, rule: str) -> Sequence[RuleExplanation]:
        found = [one for one in self.explanations if one.state.rule == rule]
        if not found:
            raise RuleNotFound(rule, [one.rule for one in self.rules])
        return found

    def trial_life(self, rules: Groups) -> Lifecycle:
        return Lifecycle(rules)

    async def reload_rules(self) -> RuleChanges:
        if isinstance(self.reloaded, ConfigurationError):
            raise self.reloaded
        return self.reloaded

    def silences(self) -> Sequence[SilenceRecord]:
        at = self.clock.timestamp()
        return [
            SilenceRecord(
                silence,
                tuple(self.preview(silence.matchers)) if silence.state(at) is SilenceState.ACTIVE else (),
            )
            for silence in sorted(self.by_matchers.values(), key=lambda one: -one.created_at)
        ]

    def preview(self, matchers: Sequence[str]) -> Sequence[Alert]:
        try:
            wanted = [parse_matcher(text) for text in matchers]
        except ValueError as error:
            raise ConfigurationError(str(error), key="matchers") from None
        if all(matcher.matches_empty for matcher in wanted):
            raise ConfigurationError("these match every alert; name at least one label", key="matchers")
        return [alert for alert in self.alerts.values() if match_all(wanted, alert.matching_labels)]

    def channels(self) -> Sequence[ChannelState]:
        return self.channel_states

    async def alert(self, alert_id: str) -> Alert:
        self._check()
        found = self.alerts.get(alert_id) or self.ended.get(alert_id)
        if found is None:
            raise AlertNotFound(alert_id)
        return found

    async def history(self, wanted: HistoryFilter) -> Page[Alert]:
        self._check(store=True)
        if wanted.cursor is not None and not wanted.cursor.isdecimal():
            raise ValueError("not a cursor")
        first, found = int(wanted.cursor or 0), self._fired(wanted)
        following = first + wanted.limit
        return Page(tuple(found[first:following]), len(found), str(following) if following < len(found) else None)

    async def facets(self, wanted: HistoryFilter, values: int) -> Facets:
        self._check(store=True)
        found = [alert.matching_labels for alert in self._fired(wanted)]
        labels = {name: Counter(one[name] for one in found if name in one) for name in found[0]} if found else {}
        return Facets(
            len(found),
            len(found),
            tuple(
                Facet(name, tuple(counted.most_common(values)), max(0, len(counted) - values))
                for name, counted in labels.items()
            ),
        )

    def _fired(self, wanted: HistoryFilter) -> list[Alert]:
        return [
            alert
            for alert in (*self.alerts.values(), *self.ended.values())
            if alert.fired_at is not None
            and (wanted.severity is None or alert.severity is wanted.severity)
            and (wanted.rule is None or alert.rule == wanted.rule)
            and (wanted.state is None or alert.state is wanted.state)
            and (wanted.since is None or alert.fired_at >= wanted.since)
            and (wanted.until is None or alert.fired_at <= wanted.until)
            and match_all(wanted.matchers, alert.matching_labels)
        ]

    async def statistics(self, since: float | None) -> AlertStatistics:
        self._check(store=True)
        fired = [alert for alert in (*self.alerts.values(), *self.ended.values()) if alert.fired_at is not None]
        return AlertStatistics(
            len(fired),
            len(self.alerts),
            {Severity.CRITICAL: len(fired)},
            {"PoolUtilizationHigh": len(fired)},
            since=since,
            acknowledged=sum(alert.acknowledged is not None for alert in fired),
            by_day=(DayStatistics(date(2027, 1, 15), len(fired), {Severity.CRITICAL: len(fired)}),),
            noisiest=(RuleStatistics("PoolUtilizationHigh", len(fired), 190.0, None),),
        )

    async def acknowledge(self, alert_id: str, *, by: str | None, comment: str | None) -> tuple[Alert, bool]:
        alert = await self._allowed("acknowledge", alert_id)
        done = replace(alert, acknowledged=Acknowledgement(self.clock.timestamp(), by, comment))
        self.alerts[alert_id] = done
        self._record(alert_id, "acknowledged", by, comment)
        return done, self.durable

    async def release(self, alert_id: str, *, by: str | None, comment: str | None) -> tuple[Alert, bool]:
        alert = await self._allowed("release", alert_id)
        if alert.acknowledged is None:
            raise ActionForbidden("release", alert_id, alert.state.value)
        self.alerts[alert_id] = done = replace(alert, acknowledged=None)
        self._record(alert_id, "no longer acknowledged", by, comment)
        return done, self.durable

    async def silence(
        self, alert_id: str, *, until: float | None, by: str | None, comment: str | None
    ) -> tuple[Alert, bool]:
        alert = await self._allowed("silence", alert_id, pending=True)
        done = replace(alert, silenced=AlertSilence(self.clock.timestamp(), until, by, comment))
        self.alerts[alert_id] = done
        return done, self.durable

    async def resolve(self, alert_id: str, *, by: str | None, comment: str | None) -> tuple[Alert, bool]:
        alert = await self._allowed("resolve", alert_id)
        done = replace(alert, resolved_at=self.clock.timestamp(), resolve_reason="by hand")
        self.ended[alert_id] = done
        del self.alerts[alert_id]
        return done, self.durable

    async def note(self, alert_id: str, *, by: str | None, text: str) -> tuple[AuditEntry, bool]:
        await self.alert(alert_id)
        return self._record(alert_id, NOTE, by, text), self.durable

    async def timeline(self, subject: str) -> Sequence[AuditEntry]:
        self._check(store=True)
        return [entry for entry in self.audit if entry.alert_id == subject]

    async def create_silence(
        self,
        *,
        matchers: Sequence[str],
        starts_at: float | None,
        ends_at: float | None,
        by: str | None,
        comment: str | None,
    ) -> tuple[Silence, bool]:
        at = self.clock.timestamp()
        name = f"s{len(self.by_matchers) + 1}"
        start = at if starts_at is None else max(at, starts_at)
        return self._keep(Silence(name, tuple(matchers), start, ends_at, at, at, by, comment), "silence created")

    async def update_silence(
        self,
        silence_id: str,
        *,
        matchers: Sequence[str],
        starts_at: float | None,
        ends_at: float | None,
        by: str | None,
        comment: str | None,
    ) -> tuple[Silence, bool]:
        found = self._open_silence(silence_id, "change")
        start = found.starts_at if starts_at is None else starts_at
        by, comment = by or found.by, comment or found.comment
        changed = replace(found, matchers=tuple(matchers), starts_at=start, ends_at=ends_at, by=by, comment=comment)
        return self._keep(replace(changed, updated_at=self.clock.timestamp()), "silence changed")

    async def end_silence(self, silence_id: str, *, by: str | None, comment: str | None) -> tuple[Silence, bool]:
        at = self.clock.timestamp()
        if silence_id.startswith(OWN_PREFIX):
            alert = self.alerts.get(silence_id.removeprefix(OWN_PREFIX))
            ended = None if alert is None else own_silence(alert, ended_at=at)
            if alert is None or ended is None:
                raise SilenceNotFound(silence_id)
            self.alerts[alert.id] = replace(alert, silenced=None)
            self._record(alert.id, "silence lifted", by, comment)
            return ended, self.durable
        found = self._open_silence(silence_id, "end")
        self.by_matchers[silence_id] = ended = replace(found, ended_at=at, updated_at=at)
        self._record(silence_id, "silence ended", by, comment)
        return ended, self.durable

    async def test_channel(self, name: str) -> float:
        if name not in {state.name for state in self.channel_states}:
            raise ChannelNotFound(name, [state.name for state in self.channel_states])
        if self.unreachable is not None:
            raise self.unreachable
        return 0.214

    async def notifications(self, wanted: OutboxFilter) -> Page[OutboxRow]:
        self._check(store=True)
        if wanted.cursor is not None and not wanted.cursor.isdecimal():
            raise ValueError("not a cursor")
        found = [
            row
            for row in reversed(self.letters.values())
            if (wanted.state is None or row.state == wanted.state)
            and (wanted.receiver is None or row.receiver == wanted.receiver)
        ]
        first = int(wanted.cursor or 0)
        following = first + wanted.limit
        return Page(tuple(found[first:following]), len(found), str(following) if following < len(found) else None)

    async def retry_notification(self, row_id: int) -> OutboxRow:
        self._check(store=True)
        row = self.letters.get(row_id)
        if row is None:
            raise NotificationNotFound(row_id)
        if row.state != DEAD:
            raise ActionForbidden("retry", str(row_id), row.state)
        at = self.clock.timestamp()
        self.letters[row_id] = done = replace(row, state=PENDING, attempts=0, settled_at=None, next_at=at)
        return done

    async def retry_dead(self, channel: str | None) -> int:
        dead = [row.id for row in self.letters.values() if row.state == DEAD and channel in {None, row.receiver}]
        for row_id in dead:
            await self.retry_notification(row_id)
        return len(dead)

    def _open_silence(self, silence_id: str, action: str) -> Silence:
        found = self.by_matchers.get(silence_id)
        if found is None:
            raise SilenceNotFound(silence_id)
        state = found.state(self.clock.timestamp())
        if state is SilenceState.EXPIRED:
            raise ActionForbidden(action, silence_id, state)
        return found

    def _keep(self, silence: Silence, event: str) -> tuple[Silence, bool]:
        self._check()
        self.preview(silence.matchers)
        self.by_matchers[silence.id] = silence
        self._record(silence.id, event, silence.by, silence.comment)
        return silence, self.durable

    def _record(self, subject: str, event: str, by: str | None, comment: str | None) -> AuditEntry:
        entry = AuditEntry(subject, self.clock.timestamp(), event, by, comment)
        self.audit.append(entry)
        return entry

    async def _allowed(self, action: str, alert_id: str, *, pending: bool = False) -> Alert:
        alert = await self.alert(alert_id)
        if alert.state is AlertState.RESOLVED or (alert.state is AlertState.PENDING and not pending):
            raise ActionForbidden(action, alert_id, alert.state)
        return alert

    def _check(self, *, store: bool = False) -> None:
        if not self.running:
            raise StoreUnavailable("Dozor is not running")
        if store and not self.store_answers:
            raise StoreUnavailable("the store did not answer within 1 s")


def busy(backend: FakeBackend, minutes: int = 15) -> FakeBackend:
    """*backend* with a history of *minutes* in its store, for sparklines and rates."""
    at = backend.clock.timestamp()
    steps = minutes * 4
    for step in range(steps + 1):
        used = 6 + 5 * math.sin(step / 6) + (4 if step > steps - 12 else 0)
        samples = [
            Sample("db_pool_utilization", Labels(pool="default"), min(100.0, used / 15 * 100)),
            Sample("redis_operations_per_second", Labels(redis="cache"), 1000 + 300 * math.sin(step / 4)),
            Sample("host_cpu_utilization", Labels(), 30 + 12 * math.sin(step / 9) + step % 5),
            Sample("host_memory_utilization", Labels(), 58 + step / 20),
            Sample("http_requests_total", Labels(method="GET", route="/orders", status="200"), 600.0 * step),
            Sample("http_requests_total", Labels(method="GET", route="/orders", status="500"), 3.0 * max(0, step - 40)),
            Sample("http_requests_in_progress", Labels(), 3.0),
        ]
        for bound, share in (("0.1", 0.6), ("0.5", 0.95), ("1.0", 0.99), ("+Inf", 1.0)):
            labels = Labels(method="GET", route="/orders", le=bound)
            samples.append(Sample("http_request_duration_seconds_bucket", labels, 600.0 * step * share))
        backend.store.append(at - 15 * (steps - step), samples)
    return backend
