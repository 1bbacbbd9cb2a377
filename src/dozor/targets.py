"""What the user gave, as things to watch: an engine becomes its pool, its queries and a probe of the server behind it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct
from sqlalchemy import Engine, make_url

from dozor.clock import Clock
from dozor.errors import ConfigurationError
from dozor.instruments.connection_budget import ConnectionBudget, PoolClaim
from dozor.instruments.connection_pool_monitor import ConnectionPoolMonitor
from dozor.instruments.database_server_monitor import DatabaseServerMonitor
from dozor.instruments.database_statistics_monitor import DatabaseStatisticsMonitor
from dozor.instruments.workers import Workers, count_workers
from dozor.model.labels import Labels
from dozor.overview import ServerActivity, Transaction
from dozor.scrape import Collector
from dozor.settings import NamedUrl, Settings

if TYPE_CHECKING:
    from dozor.instruments.exposition_monitor import ExpositionMonitor
    from dozor.instruments.pgbouncer_monitor import PgBouncerMonitor
    from dozor.instruments.query_monitor import QueryMonitor
    from dozor.instruments.redis_client_monitor import RedisClientMonitor
    from dozor.instruments.redis_group import RedisGroup
    from dozor.instruments.redis_monitor import RedisMonitor

OWN_POOL: Final = "dozor"
"""The `owner` of pools that Dozor itself needs to watch a server; the rules leave them out."""


class WatchedPool(Struct, frozen=True):
    """A pool, the statements that go through it, and the server behind it.

    *outside*: the pool is Dozor's own, made to watch a server from outside; *statistics* are what such a server counts by itself.
    """

    name: str
    pool: ConnectionPoolMonitor
    server: DatabaseServerMonitor
    queries: "QueryMonitor | None" = None
    outside: bool = False
    statistics: DatabaseStatisticsMonitor | None = None

    @property
    def collectors(self) -> list[Collector]:
        """What is to be collected, the pool's name in each."""
        return [
            collector for collector in (self.pool, self.queries, self.server, self.statistics) if collector is not None
        ]

    @property
    def counts(self) -> "QueryMonitor | DatabaseStatisticsMonitor | None":
        """Who counts its statements."""
        return self.queries or self.statistics

    def statements_per_checkout(self) -> float | None:
        """How many statements were sent for each connection that was taken, since attachment; None: none was taken."""
        if self.queries is None:
            return None
        checkouts = self.pool.checkouts_total
        return self.queries.statements_total / checkouts if checkouts else None

    def attach(self) -> None:
        """Begin to listen."""
        self.pool.attach()
        if self.queries is not None:
            self.queries.attach()

    def detach(self) -> None:
        """Take every listener off."""
        self.pool.detach()
        if self.queries is not None:
            self.queries.detach()


@dataclass(frozen=True, slots=True)
class Targets:
    """All that was given to watch, by name."""

    pools: dict[str, WatchedPool]
    redis: "dict[str, RedisMonitor]"
    bouncers: "dict[str, PgBouncerMonitor]"
    expositions: "dict[str, ExpositionMonitor]"
    redis_clients: "dict[str, RedisClientMonitor]" = field(default_factory=dict)
    """Of the servers in `redis` and of groups, the application's own clients where it gave one."""
    redis_groups: "dict[str, RedisGroup]" = field(default_factory=dict)
    """Clusters, and what sentinels watch. Their nodes come and go in `redis`."""
    workers: Workers = field(default_factory=count_workers)
    budget: ConnectionBudget = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "budget", ConnectionBudget(self._claims, self.workers))

    @property
    def names(self) -> set[str]:
        """Every name, but those of what is scraped: no status follows from that by itself."""
        nodes = {name for name, one in list(self.redis.items()) if one.group is not None}
        return {*self.pools, *self.redis, *self.redis_groups, *self.bouncers} - nodes

    def _claims(self) -> list[PoolClaim]:
        """What the application's own pools may take of their servers."""
        return [one.pool.claim(one.server.capacity) for one in list(self.pools.values()) if not one.outside]

    def activity(self, watched: Mapping[str, WatchedPool]) -> list[ServerActivity]:
        """The open transactions of the servers behind the pools *watched*, and who of this process has their connections.

        Of several pools with one server, each transaction stands under that which has its connection, else under the first.
        """
        activities = {name: one.server.activity() for name, one in watched.items()}
        holders = {
            (_server_of(one), holder.backend_pid): (name, holder)
            for name, one in list(self.pools.items())
            for holder in one.pool.holders()
            if holder.backend_pid is not None
        }
        placed: dict[tuple[object, int], tuple[str, Transaction]] = {}
        for name, activity in activities.items():
            for session in activity.sessions:
                key = _server_of(watched[name]), session.pid
                owner, holder = holders.get(key, (None, None))
                if key not in placed or owner == name:
                    # The readings of two pools are not of one moment: the other's may know of it before the owner's.
                    placed[key] = owner if owner in activities else name, Transaction(session, holder)
        return [
            ServerActivity(
                name,
                [transaction for place, transaction in placed.values() if place == name],
                activity.at,
                activity.missing,
            )
            for name, activity in activities.items()
        ]


def _server_of(watched: WatchedPool) -> object:
    """What is the same for pools with the same database of the same server; a pool without an address has one of its own."""
    url = watched.server.engine.url
    return (url.host, url.port, url.database) if url.host else watched.name


def build_targets(engines: Mapping[str, Any], redis: Mapping[str, Any], settings: Settings, clock: Clock) -> Targets:
    """What to watch: *engines* and *redis* as the application gave them, and the URLs of the *settings*.

    Raises:
        ConfigurationError: something given is nothing that can be watched, or two things have one name.
    """
    targets = Targets({}, {}, {}, {}, workers=count_workers(settings.workers))
    for name, engine in engines.items():
        targets.pools[name] = _watched_engine(name, engine, settings, clock)
    for given in settings.database_urls:
        _claim(given.name, (targets.pools, targets.bouncers), "database_url")
        if make_url(given.url).get_backend_name() == "pgbouncer":
            targets.bouncers[given.name] = _bouncer(given, settings, clock)
        else:
            targets.pools[given.name] = _watched_server(given.name, given.url, settings, clock)
    for name, source in redis.items():
        _watch_redis(targets, name, source, settings, clock)
        if not isinstance(source, str):
            targets.redis_clients[name] = _redis_client(name, source, clock)
    for given in settings.redis_urls:
        _claim(given.name, (targets.redis, targets.redis_groups), "redis_url")
        _watch_redis(targets, given.name, given.url, settings, clock)
    for given in settings.scrape_urls:
        targets.expositions[given.name] = _exposition(given, settings, clock)
    return targets


# Imported where there is one: an HTTP client takes megabytes, what watches a Redis half a one.


def _watch_redis(targets: Targets, name: str, given: object, settings: Settings, clock: Clock) -> None:
    from dozor.instruments.redis_monitor import RedisMonitor  # noqa: PLC0415
    from dozor.instruments.redis_source import source_of  # noqa: PLC0415
    from dozor.instruments.redis_target import RedisTarget  # noqa: PLC0415

    source = source_of(given)
    if isinstance(source, RedisTarget):
        targets.redis[name] = RedisMonitor(name, source, clock, interval=settings.interval_seconds)
    else:
        from dozor.instruments.redis_group import RedisGroup  # noqa: PLC0415

        targets.redis_groups[name] = RedisGroup(name, source, clock, interval=settings.interval_seconds)


def _redis_client(name: str, client: object, clock: Clock) -> "RedisClientMonitor":
    from dozor.instruments.redis_client_monitor import RedisClientMonitor  # noqa: PLC0415

    return RedisClientMonitor(name, client, clock)


def _bouncer(given: NamedUrl, settings: Settings, clock: Clock) -> "PgBouncerMonitor":
    from dozor.instruments.pgbouncer_monitor import PgBouncerMonitor  # noqa: PLC0415

    return PgBouncerMonitor(given.name, given.url, clock, interval=settings.interval_seconds)


def _exposition(given: NamedUrl, settings: Settings, clock: Clock) -> "ExpositionMonitor":
    from dozor.instruments.exposition_monitor import ExpositionMonitor  # noqa: PLC0415

    return ExpositionMonitor(
        given.name,
        given.url,
        clock,
        interval_seconds=settings.scrape_interval_seconds,
        token_file=settings.scrape_token_file,
    )


def _watched_engine(name: str, engine: Any, settings: Settings, clock: Clock) -> WatchedPool:
    from dozor.instruments.query_monitor import QueryMonitor  # noqa: PLC0415 - an agent has no application

    # An AsyncEngine is told by what it has: to import its class loads the whole ORM, a quarter of a second.
    if not isinstance(getattr(engine, "sync_engine", engine), Engine):
        raise ConfigurationError(
            f"{name!r} is a {type(engine).__name__}, not a SQLAlchemy Engine or AsyncEngine; to watch a server by its URL, set "
            "DOZOR_DATABASE_URL",
            key="engine",
        )
    queries: QueryMonitor | None = None  # each needs the other, and the pool asks as soon as it is made
    pool = ConnectionPoolMonitor(
        name,
        engine,
        clock,
        leak_after_seconds=settings.leak_after_seconds,
        stacks=settings.pool_stacks,
        slow_total=lambda: 0 if queries is None else queries.slow_total,
    )
    queries = QueryMonitor(
        name,
        engine,
        clock,
        slow_seconds=settings.slow_query_seconds,
        repeated_at=settings.repeated_query_count,
        last=pool.statements,
    )
    return WatchedPool(
        name, pool, DatabaseServerMonitor(name, engine, clock, interval=settings.interval_seconds), queries
    )


def _watched_server(name: str, url: str, settings: Settings, clock: Clock) -> WatchedPool:
    server = DatabaseServerMonitor(name, url, clock, interval=settings.interval_seconds, server_figures=True)
    pool = ConnectionPoolMonitor(name, server.engine, clock, base_labels=Labels(owner=OWN_POOL))
    counts = server.engine.dialect.name == "postgresql"
    statistics = DatabaseStatisticsMonitor(server, server.engine, clock) if counts else None
    return WatchedPool(name, pool, server, outside=True, statistics=statistics)


def _claim(name: str, taken: Iterable[Mapping[str, object]], key: str) -> None:
    if any(name in names for names in taken):
        raise ConfigurationError(
            f"two things to watch are called {name!r}; give each a name of its own, as in NAME=URL", key=key
        )
