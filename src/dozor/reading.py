"""What the API reads: from memory, in Dozor's thread, without waiting."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from msgspec.structs import replace

from dozor.clock import Clock
from dozor.instruments.connection_budget import ServerBudget
from dozor.instruments.http_answers import RequestInFlight, SlowRequest
from dozor.instruments.loop_stalls import Stalls
from dozor.instruments.query_repeats import RepeatedQuery
from dozor.instruments.query_report import Order, QueryReport, TopQueries, one_query, top_queries
from dozor.instruments.query_slow import SlowFetch, SlowQuery
from dozor.instruments.runtime_monitor import RuntimeMonitor
from dozor.instruments.statement_book import Source, StatementBook
from dozor.metrics import merge
from dozor.model.alert import Alert
from dozor.model.collector import CollectorHealth, ScrapedPage
from dozor.model.rule import GroupState, RuleExplanation, RuleState
from dozor.model.sample import Family
from dozor.notify import ChannelState
from dozor.overview import (
    WINDOWS,
    Change,
    PoolConnections,
    PoolRecord,
    PoolReview,
    Recent,
    RedisClientDetails,
    RedisDetails,
    RedisWhole,
    ServerActivity,
    ServerCommand,
    SilenceRecord,
    Sparkline,
    StatementSource,
    http_figures,
)
from dozor.session import Session
from dozor.targets import Targets, WatchedPool

if TYPE_CHECKING:
    from dozor.instruments.exposition_monitor import ExpositionMonitor

    # Of an application; an agent has none.
    from dozor.instruments.middleware import HttpMonitor
    from dozor.instruments.query_monitor import QueryMonitor
    from dozor.instruments.redis_client_monitor import SlowCall


class Reading:
    """The half of the API's backend that is called in Dozor's thread.

    *working* gives the session, or raises StoreUnavailable; *http* gives what counts requests, None where nothing does.
    """

    def __init__(
        self,
        clock: Clock,
        targets: Targets,
        working: Callable[[], Session],
        process: RuntimeMonitor,
        http: "Callable[[], HttpMonitor | None]",
    ) -> None:
        self.clock, self._targets, self._working = clock, targets, working
        self._process, self._http = process, http

    def families(self) -> Sequence[Family]:
        """All metrics as they stand."""
        return merge(self._working().scraper.collect())

    def metadata(self) -> Sequence[Family]:
        """What is said of every metric, those of others too; of theirs, without samples."""
        own = self.families()
        known = {family.name for family in own}
        theirs = [one for target in self._targets.expositions.values() for one in target.described()]
        theirs += self._working().remote_write.described()
        return [*own, *{one.name: one for one in theirs if one.name not in known}.values()]

    def pool_records(self) -> Sequence[PoolRecord]:
        """What each pool has done, and who has its connections."""
        return [
            PoolRecord(
                name,
                {window: watched.pool.statistics(seconds) for window, seconds in WINDOWS.items()},
                watched.pool.holders(),
            )
            for name, watched in self._targets.pools.items()
        ]

    def pool_connections(self, pool: str | None = None) -> Sequence[PoolConnections]:
        """Who has connections of the pool of that name, or of all, and who waits for them."""
        return [
            PoolConnections(
                name,
                watched.pool.figures(),
                watched.pool.holders(),
                watched.pool.waiters(),
                watched.pool.leaks(),
            )
            for name, watched in self._targets.pools.items()
            if pool is None or name == pool
        ]

    def pool_reviews(self) -> Sequence[PoolReview]:
        """What each pool of the application's has been used for, and what is advised for it."""
        return [
            PoolReview(name, watched.pool.advice(), watched.pool.endpoints(), watched.statements_per_checkout())
            for name, watched in self._targets.pools.items()
            if not watched.outside
        ]

    def budgets(self) -> Sequence[ServerBudget]:
        """What the pools may open of each server's connections, against what there is."""
        return self._targets.budget.budgets()

    def slow_queries(self, pool: str | None = None) -> Recent[SlowQuery]:
        """The slow statements of the pool of that name, or of all."""
        monitors = self._query_monitors(pool).values()
        entries = sorted((entry for one in monitors for entry in one.slow_queries()), key=lambda one: -one.at)
        return Recent(entries, sum(one.slow_total for one in monitors))

    def slow_fetches(self, pool: str | None = None) -> Recent[SlowFetch]:
        """What was slow to be read, from the pool of that name, or from all."""
        monitors = self._query_monitors(pool).values()
        entries = sorted((entry for one in monitors for entry in one.slow_fetches()), key=lambda one: -one.at)
        return Recent(entries, sum(one.slow_fetches_total for one in monitors))

    def top_queries(
        self, window: str, order: Order, pool: str | None = None, source: Source | None = None
    ) -> TopQueries:
        """The statements of *window*, of the pool of that name, or of all; as counted by *source*, or by whoever does."""
        books = {name: one for name, one in self._books(pool).items() if source is None or one.source == source}
        return top_queries(books, window, order, self.clock.monotonic())

    def statement_sources(self, pool: str | None = None) -> Sequence[StatementSource]:
        """Who counts the statements of each pool, and how that fares."""
        found = []
        for name, watched in self._watched(pool).items():
            if watched.queries is not None:
                found.append(StatementSource(name, "application", self.clock.timestamp()))
            elif watched.statistics is not None:
                state = watched.statistics.state
                found.append(StatementSource(name, "server", state.at, state.missing, state.limits))
        return found

    def query(self, fingerprint: str) -> Mapping[str, Sequence[QueryReport]]:
        """One statement by the name of the window, in each pool that knows it."""
        return one_query(self._books(), fingerprint, self.clock.monotonic())

    def repeated_queries(self, pool: str | None = None) -> Sequence[RepeatedQuery]:
        """What requests repeat, the last found first."""
        found = [entry for one in self._query_monitors(pool).values() for entry in one.repeats.found()]
        return sorted(found, key=lambda one: -one.last_at)

    def server_activity(self, pool: str | None = None) -> Sequence[ServerActivity]:
        """The open transactions of the servers, and who of this process has their connections."""
        return self._targets.activity(self._watched(pool))

    def _watched(self, pool: str | None) -> dict[str, WatchedPool]:
        return {name: one for name, one in self._targets.pools.items() if pool is None or name == pool}

    def _query_monitors(self, pool: str | None = None) -> "dict[str, QueryMonitor]":
        return {name: one.queries for name, one in self._watched(pool).items() if one.queries is not None}

    def _books(self, pool: str | None = None) -> dict[str, StatementBook]:
        return {name: counts.book for name, one in self._watched(pool).items() if (counts := one.counts) is not None}

    def slow_commands(self) -> Recent[ServerCommand]:
        """The slow commands of all Redis servers."""
        monitors = self._targets.redis
        entries = [ServerCommand(name, entry) for name, one in monitors.items() for entry in one.slow_log()]
        entries.sort(key=lambda found: -found.entry.at)
        return Recent(entries, sum(one.slow_log_total for one in monitors.values()))

    def redis_details(self) -> Sequence[RedisDetails]:
        """What each Redis server says about itself."""
        return [
            RedisDetails(
                name,
                one.info(),
                one.capabilities(),
                one.figures(),
                one.windows(),
                one.surveyed(),
                one.slow_log(),
                one.key_rates(),
                self._slow_calls(one.group or name),
            )
            for name, one in self._targets.redis.items()
        ]

    def _slow_calls(self, name: str) -> "Sequence[SlowCall]":
        client = self._targets.redis_clients.get(name)
        return client.slow_calls() if client is not None else ()

    def redis_clients(self) -> Sequence[RedisClientDetails]:
        """What the application's own Redis clients do."""
        return [
            RedisClientDetails(name, one.figures(), one.pools(), one.slow_calls())
            for name, one in self._targets.redis_clients.items()
        ]

    def redis_groups(self) -> Sequence[RedisWhole]:
        """What each cluster, and what each set of sentinels watches, consists of."""
        return [
            RedisWhole(
                name,
                one.kind,
                tuple((one.name_of(node), node) for node in one.view.nodes),
                one.view.figures,
                one.checked_at if one.failure is None else None,
                one.hint,
            )
            for name, one in self._targets.redis_groups.items()
        ]

    def rule_states(self) -> Sequence[RuleState]:
        """Every rule that raises alerts."""
        return self._working().lifecycle.rule_states()

    def explain_rule(self, rule: str) -> Sequence[RuleExplanation]:
        """Why the rules of this name fire or do not. Raises RuleNotFound."""
        session = self._working()
        return session.lifecycle.explain(rule, session.series_at, self.clock.timestamp())

    def recent_changes(self, since: float) -> Sequence[Change]:
        """What has changed since then, the newest first."""
        return self._working().changes.since(since)

    def rule_groups(self) -> Sequence[GroupState]:
        """All groups with all their rules, recording ones too."""
        return self._working().lifecycle.rule_groups()

    def sparklines(self) -> Sequence[Sparkline]:
        """Key figures of the last quarter of an hour."""
        return self._working().trends.read(self.clock.timestamp())

    def http_figures(self) -> Mapping[str, float]:
        """What HTTP does now."""
        return http_figures(self._working().store, self.clock.timestamp())

    def requests_in_flight(self, most: int) -> tuple[Sequence[RequestInFlight], int]:
        """What the application answers now."""
        http = self._http()
        return ([], 0) if http is None else (http.in_flight(self._process.loops, most), len(http.in_progress))

    def slow_requests(self) -> tuple[Recent[SlowRequest], float]:
        """What it answered late."""
        from dozor.instruments.middleware import SLOW_SECONDS  # noqa: PLC0415 - only who asks for HTTP need load it

        http = self._http()
        if http is None:
            return Recent([], 0), SLOW_SECONDS
        return Recent(http.slow_requests(), http.slow_total), http.slow_seconds

    def stalls(self) -> Stalls:
        """When its event loop was blocked, and by what."""
        return self._process.stalls

    def silences(self) -> Sequence[SilenceRecord]:
        """The silences by matchers, each with what it silences now."""
        lifecycle = self._working().lifecycle
        silenced: dict[str, list[Alert]] = {}
        for alert in lifecycle.active(pending=True):
            for silence_id in alert.silenced_by:
                silenced.setdefault(silence_id, []).append(alert)
        return [SilenceRecord(silence, tuple(silenced.get(silence.id, ()))) for silence in lifecycle.silences()]

    def preview(self, matchers: Sequence[str]) -> Sequence[Alert]:
        """What a silence by *matchers* would silence now. Raises ConfigurationError for such as no silence may have."""
        return self._working().lifecycle.matching(matchers)

    def collectors(self) -> Sequence[CollectorHealth]:
        """What is collected from, and how that goes; of what is scraped, how the last scrape went."""
        scraped = {one.name: one for one in self._targets.expositions.values()}
        return [
            one if one.name not in scraped else _scraped(one, scraped[one.name])
            for one in self._working().scraper.health()
        ]

    def channels(self) -> Sequence[ChannelState]:
        """Who is told, and how each fares."""
        return self._working().delivery.channels()


def _scraped(health: CollectorHealth, page: "ExpositionMonitor") -> CollectorHealth:
    """*health*, which is that of asking how the last scrape of *page* went, with what that scrape itself was."""
    return replace(
        health,
        failing=page.failure,
        collected_at=page.checked_at,
        duration_seconds=page.duration_seconds,
        scraped=ScrapedPage(page.labels, page.shown, page.interval_seconds, page.timeout_seconds),
    )
