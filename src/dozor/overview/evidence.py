"""What stands beside the figures: what instruments keep, by the name of what it is about."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final, Generic, NamedTuple, TypeVar

from msgspec import Struct, field

from dozor.instruments.database_activity import DatabaseSession
from dozor.instruments.pool_advice import PoolAdvice
from dozor.instruments.pool_endpoints import EndpointUse
from dozor.instruments.pool_history import PoolStatistics
from dozor.instruments.pool_holders import Holder, Waiter
from dozor.instruments.pool_leaks import Leak
from dozor.instruments.redis_commands import CommandWindow
from dozor.instruments.redis_info import InfoValue
from dozor.instruments.redis_surveyed import Surveyed
from dozor.instruments.redis_view import Node
from dozor.instruments.slowlog import SlowCommand
from dozor.instruments.statement_book import Source

if TYPE_CHECKING:  # a client is the application's, which an agent has none of
    from dozor.instruments.redis_client_monitor import SlowCall

T_co = TypeVar("T_co", covariant=True)

WINDOWS: Final[Mapping[str, float | None]] = {"since_start": None, "5m": 300.0, "1h": 3600.0}
"""The windows over which a pool is summed up, in seconds."""


class Recent(Struct, Generic[T_co], frozen=True):
    """The newest of a bounded record, newest first, and how many there ever were."""

    entries: Sequence[T_co]
    total: int


class PoolRecord(Struct, frozen=True):
    """What one pool has done, by the name of the window (see WINDOWS), and who has its connections now, longest first."""

    name: str
    windows: Mapping[str, PoolStatistics]
    holders: Sequence[Holder] = ()
    worker: str | None = None


class PoolConnections(Struct, frozen=True):
    """Who has the connections of one pool, who waits for one, and who did not give them back.

    Attributes:
        figures: the pool's metrics by name; what is unknown is absent.
        holders, waiters: now, longest first.
        leaks: the last ones, newest first.
    """

    name: str
    figures: Mapping[str, float]
    holders: Sequence[Holder] = ()
    waiters: Sequence[Waiter] = ()
    leaks: Sequence[Leak] = ()
    worker: str | None = None


class PoolReview(Struct, frozen=True):
    """What one pool has been used for, and what is advised for it.

    *statements_per_checkout* since attachment; *endpoints*: what requests did with it since then, the costliest first.
    """

    name: str
    advice: PoolAdvice
    endpoints: Sequence[EndpointUse] = ()
    statements_per_checkout: float | None = None


class Transaction(Struct, frozen=True):
    """A session with an open transaction on the server behind *pool*, and who has its connection, where it is of this process."""

    session: DatabaseSession
    holder: Holder | None


class ServerActivity(Struct, frozen=True):
    """The open transactions of the server behind *pool*, the oldest first. *missing* says why there are none to be told."""

    pool: str
    transactions: Sequence[Transaction]
    at: float | None
    missing: str | None


class StatementSource(Struct, frozen=True):
    """Who counts the statements of a pool, and how that fares.

    Attributes:
        at: timestamp of the last look; None before the first.
        missing: why nothing is known, and what to do about it, in one line.
        limits: what else is out of sight, each one line.
    """

    pool: str
    source: Source
    at: float | None
    missing: str | None = None
    limits: tuple[str, ...] = ()


class ServerCommand(NamedTuple):
    """An entry of the slow log of the Redis server that the user calls *redis*."""

    redis: str
    entry: SlowCommand


class RedisDetails(Struct, frozen=True):
    """What one Redis server says about itself, and what the application's client knows of it.

    Attributes:
        info: INFO by section; empty while it cannot be read.
        capabilities: what Dozor may ask it.
        figures: its metrics by name; what is unknown is absent.
        windows: what its commands cost, by the name of the window.
        surveyed: what is asked less often.
        slow_log: the newest entries, newest first.
        key_rates: keys evicted and expired a second, by the field of INFO.
        slow_calls: of the application's client of it, or of the whole that it is a node of, newest first.
    """

    name: str
    info: Mapping[str, Mapping[str, str | int | float]]
    capabilities: Mapping[str, bool]
    figures: Mapping[str, float] = field(default_factory=dict)
    windows: Mapping[str, CommandWindow] = field(default_factory=dict)
    surveyed: Surveyed = field(default_factory=Surveyed)
    slow_log: Sequence[SlowCommand] = ()
    key_rates: Mapping[str, float] = field(default_factory=dict)
    slow_calls: "Sequence[SlowCall]" = ()


class RedisClientDetails(Struct, frozen=True):
    """What one of the application's clients does.

    Attributes:
        pool: the figures of its pool, or of all its pools together, by metric name; what is unknown is absent.
        pools: those of a cluster's client by node; empty for any other.
        slow_calls: newest first.
    """

    name: str
    pool: Mapping[str, float]
    pools: Mapping[str, Mapping[str, float]]
    slow_calls: "Sequence[SlowCall]"


class RedisWhole(Struct, frozen=True):
    """A cluster, or what sentinels watch.

    Attributes:
        kind: `cluster` or `sentinel`.
        nodes: each with its name among the servers.
        figures: what CLUSTER INFO says; empty where there is no cluster.
        at: when it was last asked for; None where that failed.
        problem: what is wrong with it in a sentence; None: nothing.
    """

    name: str
    kind: str
    nodes: tuple[tuple[str, Node], ...]
    figures: Mapping[str, InfoValue]
    at: float | None
    problem: str | None
