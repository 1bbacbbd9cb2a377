"""What goes into a judgement and what comes out of it. All frozen, all times Unix seconds of `Clock.timestamp()`."""

from collections.abc import Mapping
from enum import StrEnum

from msgspec import Struct, field

from dozor.model.alert import Alert
from dozor.model.silence import Silence


class Status(StrEnum):
    """How something is, from best to worst. A pool is never DISCONNECTED, a Redis server never UNKNOWN."""

    HEALTHY = "HEALTHY"
    UNKNOWN = "UNKNOWN"
    WARNING = "WARNING"
    CRITICAL = "CRITICAL"
    DISCONNECTED = "DISCONNECTED"

    @property
    def rank(self) -> int:
        """Higher is worse."""
        return _RANK[self]


_RANK = {status: rank for rank, status in enumerate(Status)}


class PoolReading(Struct, frozen=True):
    """What is known of one connection pool and of the database behind it.

    Attributes:
        figures: by metric name (`db_pool_checked_out`); what is unknown is absent.
        collected_at: when the figures were read; None before the first time.
        kind: the pool's class (`QueuePool`), for the sentence that says why a figure is missing.
        up: `db_up`, by Dozor's own connection; None while nobody has asked.
        failure: why the database cannot be reached, by kind (`refused`); None while it can.
        hint: the same as a sentence that says what to do, without secrets.
        outside: the pool is Dozor's own, to a server it watches from outside: shown, but no part of readiness.
        notes: what else the monitor has to say, each one sentence.
    """

    name: str
    figures: Mapping[str, float]
    collected_at: float | None
    kind: str = ""
    up: bool | None = None
    failure: str | None = None
    hint: str | None = None
    worker: str | None = None
    outside: bool = False
    notes: tuple[str, ...] = ()


class RedisReading(Struct, frozen=True):
    """What is known of one Redis server.

    Attributes:
        figures: by metric name; what is unknown is absent.
        collected_at: when the server last answered; None if it never did.
        connected: `redis_connected`; None before the first attempt. A server that answers with an error is connected.
        failure: what went wrong last, by kind (`refused`, `timeout`, `noauth` …); None while all is well.
        hint: the same as a sentence that says what to do, without secrets.
        notes: what else the monitor has to say (a command that it may not use), each one sentence.
        role: `primary`, `replica`, `sentinel`; of a whole, `cluster` or `service` (what sentinels watch); empty: not known.
        part_of: of a node, the name of the whole; nothing but the whole decides on readiness.
    """

    name: str
    figures: Mapping[str, float]
    collected_at: float | None
    connected: bool | None = None
    failure: str | None = None
    hint: str | None = None
    notes: tuple[str, ...] = ()
    role: str = ""
    part_of: str | None = None


class Known(Struct, frozen=True):
    """Everything that a judgement rests on, at one moment. Immutable, so that any thread may read it.

    Attributes:
        alerts: all that have not ended, pending ones too.
        silences: by id, those by matchers that have not expired.
        http_watched: whether the middleware is installed.
        host: figures of host and process by metric name.
        complaints: what is wrong with Dozor itself (a store that keeps nothing, samples dropped), each one sentence.
        required: the names of what `/readyz` depends on; None: everything but what is watched from outside.
        not_ready: further reasons for `/readyz` to answer 503.
        receivers: the names of those who are told.
        looked_at: when all this was gathered; None before the first time.
    """

    interval_seconds: float
    pools: tuple[PoolReading, ...] = ()
    servers: tuple[RedisReading, ...] = ()
    alerts: tuple[Alert, ...] = ()
    silences: Mapping[str, Silence] = field(default_factory=dict)
    http_watched: bool = False
    host: Mapping[str, float] = field(default_factory=dict)
    complaints: tuple[str, ...] = ()
    required: frozenset[str] | None = None
    not_ready: tuple[str, ...] = ()
    name: str = ""
    environment: str | None = None
    started_at: float | None = None
    receivers: tuple[str, ...] = ()
    looked_at: float | None = None


class TargetStatus(Struct, frozen=True):
    """One pool or one Redis server, judged.

    *limited* means UNKNOWN by nature (a pool without a bound has no utilisation) and not for want of a reading.
    """

    name: str
    status: Status
    reasons: tuple[str, ...]
    figures: Mapping[str, float]
    checked_at: float | None
    worker: str | None = None
    outside: bool = False
    limited: bool = False
    role: str = ""
    part_of: str | None = None


class ComponentStatus(Struct, frozen=True):
    """One part of the whole. *status* None: nothing of the kind is configured, and the reason says how to add it."""

    status: Status | None
    reasons: tuple[str, ...] = ()


class Overview(Struct, frozen=True):
    """How everything is, at the moment *at*.

    *components* has the keys database, redis, http, host, dozor, in this order. *alerts* are worst first, without pending
    ones. *unready* says why `/readyz` answers 503; empty: it answers 200.
    """

    at: float
    status: Status
    reasons: tuple[str, ...]
    components: Mapping[str, ComponentStatus]
    pools: tuple[TargetStatus, ...]
    servers: tuple[TargetStatus, ...]
    alerts: tuple[Alert, ...]
    unready: tuple[str, ...] = ()
