"""The shapes of what is known of Redis beside status and metrics. See `schemas` for how they are used."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from dozor.api.examples import NOW, example

CommandWindowName = Literal["1m", "5m", "1h", "since_start"]

_SERVER = {"name": "cache", "checked_at": NOW, "age_seconds": 0.6}
_CALLER = {
    "endpoint": "GET /sessions",
    "caller": "shop.py:212 in count_sessions",
    "calls": 14,
    "total_ms": 702.3,
    "max_ms": 61.0,
    "last_at": NOW,
}


class ServerModel(BaseModel):
    """One server, and how old what it said is."""

    name: str
    checked_at: datetime | None
    age_seconds: float | None


class SlowCallerModel(BaseModel):
    """Where the application's slow calls of a command come from; times as the application sees them."""

    endpoint: Annotated[str | None, Field(description="The request that it was for; null outside of one.")]
    caller: Annotated[str | None, Field(description="The application's line.")]
    calls: int
    total_ms: float
    max_ms: float
    last_at: datetime


class SlowCommandGroup(BaseModel):
    """Entries of a SLOWLOG that are alike. `shape` shows options by name and all else as `?`."""

    redis: str
    command: str
    shape: str
    fingerprint: str
    client: Annotated[str | None, Field(description="The name that the client gave itself, else its host.")]
    calls: int
    total_ms: float
    mean_ms: float
    max_ms: float
    first_at: datetime
    last_at: datetime
    callers: Annotated[
        list[SlowCallerModel],
        Field(
            description="By the application's own client, for calls of 10 ms and more; the costliest first, at most 20."
        ),
    ]


class SlowCommandGroups(BaseModel):
    """The costliest first, of the last 500 entries of each server. `slower_than_ms`: from when on each logs; null is unknown."""

    model_config = example(
        {
            "commands": [
                {
                    "redis": "cache",
                    "command": "KEYS",
                    "shape": "KEYS ?",
                    "fingerprint": "5b1c0ae7e86d2f11",
                    "client": "shop",
                    "calls": 14,
                    "total_ms": 583.8,
                    "mean_ms": 41.7,
                    "max_ms": 55.2,
                    "first_at": NOW,
                    "last_at": NOW,
                    "callers": [_CALLER],
                }
            ],
            "total": 1,
            "slower_than_ms": {"cache": 10.0},
            "checked_at": NOW,
            "age_seconds": 0.6,
        }
    )

    commands: list[SlowCommandGroup]
    total: int
    slower_than_ms: dict[str, float | None]
    checked_at: datetime | None
    age_seconds: float | None


class CommandCostModel(BaseModel):
    """One command in the window. Null is unknown. By window, percentiles are upper bounds of buckets (powers of two)."""

    command: str
    calls: int
    calls_per_second: float | None
    total_seconds: float
    mean_seconds: float | None
    p50_seconds: float | None
    p99_seconds: float | None
    share: Annotated[float | None, Field(description="Of the time in all commands, from 0 to 1.")]
    errors: int | None


class ServerCommandsModel(ServerModel):
    """What one server's commands cost, the costliest first. `seconds`: how much of the window is covered; null: nothing yet."""

    window: CommandWindowName
    seconds: float | None
    commands: list[CommandCostModel]


class CommandsAnswer(BaseModel):
    """All servers. Dozor's own commands are left out."""

    model_config = example(
        {
            "servers": [
                {
                    **_SERVER,
                    "window": "5m",
                    "seconds": 300.2,
                    "commands": [
                        {
                            "command": "KEYS",
                            "calls": 14,
                            "calls_per_second": 0.047,
                            "total_seconds": 0.584,
                            "mean_seconds": 0.0417,
                            "p50_seconds": 0.065536,
                            "p99_seconds": 0.065536,
                            "share": 0.81,
                            "errors": 0,
                        }
                    ],
                }
            ]
        }
    )

    servers: list[ServerCommandsModel]


class LatencyEventModel(BaseModel):
    """One kind of delay. `history` is [time in Unix seconds, milliseconds], oldest first."""

    event: str
    last_at: datetime
    last_ms: float
    max_ms: float
    text: Annotated[str | None, Field(description="What such delays come from.")]
    history: list[tuple[float, float]]


class ServerLatencyModel(ServerModel):
    """One server's latency monitor. `threshold_ms` 0: it is off; null: unknown. `hint` says why there may be no events."""

    threshold_ms: float | None
    hint: str | None
    events: list[LatencyEventModel]


class LatencyAnswer(BaseModel):
    """All servers."""

    model_config = example(
        {
            "servers": [
                {
                    **_SERVER,
                    "threshold_ms": 100,
                    "hint": None,
                    "events": [
                        {
                            "event": "command",
                            "last_at": NOW,
                            "last_ms": 250,
                            "max_ms": 400,
                            "text": "A command was slow: see redis/slow-commands.",
                            "history": [[1795375740.0, 400], [1795375755.0, 250]],
                        }
                    ],
                }
            ]
        }
    )

    servers: list[ServerLatencyModel]


class MemoryPartModel(BaseModel):
    """One part of the memory in use. `share` is of that, from 0 to 1."""

    part: str
    bytes: int
    share: float
    text: str


class MemoryAdviceModel(BaseModel):
    """What to do, and the figures that it follows from."""

    text: str
    working: str


class ServerMemoryModel(ServerModel):
    """One server. `parts` add up to `used_bytes`, the largest first. Null is unknown; `limit_bytes` null: there is none."""

    used_bytes: int | None
    limit_bytes: int | None
    peak_bytes: int | None
    resident_bytes: int | None
    fragmentation_ratio: float | None
    maxmemory_policy: str
    parts: list[MemoryPartModel]
    advice: list[MemoryAdviceModel]


class MemoryAnswer(BaseModel):
    """All servers."""

    model_config = example(
        {
            "servers": [
                {
                    **_SERVER,
                    "used_bytes": 1073741824,
                    "limit_bytes": 1174405120,
                    "peak_bytes": 1100000000,
                    "resident_bytes": 1288490188,
                    "fragmentation_ratio": 1.2,
                    "maxmemory_policy": "noeviction",
                    "parts": [{"part": "dataset", "bytes": 966367641, "share": 0.9, "text": "Keys and values."}],
                    "advice": [
                        {
                            "text": "It will soon refuse writes: raise maxmemory, let keys expire, or choose a policy that evicts.",
                            "working": "1 GiB / 1.09 GiB = 91.4 % of maxmemory, policy noeviction",
                        }
                    ],
                }
            ]
        }
    )

    servers: list[ServerMemoryModel]


class DatabaseKeysModel(BaseModel):
    """One database. `average_ttl_seconds` is the server's estimate; null where no key expires."""

    database: str
    keys: int
    expiring: int
    average_ttl_seconds: float | None


class KeySizesModel(BaseModel):
    """How large keys of one type are. `buckets` are [size from which on, keys]; the next one's size is the end."""

    database: str
    type: str
    unit: Literal["bytes", "items"]
    buckets: list[tuple[int, int]]


class ServerKeyspaceModel(ServerModel):
    """The keys of one server, as it counts them itself. Rates are over the last minute; null is unknown.

    `sizes` are there from Redis 8 on.
    """

    keys: int
    expiring: int
    evicted_per_second: float | None
    expired_per_second: float | None
    hit_rate: Annotated[float | None, Field(description="Percent, over the last 5 minutes.")]
    databases: list[DatabaseKeysModel]
    sizes: list[KeySizesModel]


class KeyspaceAnswer(BaseModel):
    """All servers."""

    model_config = example(
        {
            "servers": [
                {
                    **_SERVER,
                    "keys": 48211,
                    "expiring": 48000,
                    "evicted_per_second": 0.0,
                    "expired_per_second": 13.2,
                    "hit_rate": 97.4,
                    "databases": [{"database": "db0", "keys": 48211, "expiring": 48000, "average_ttl_seconds": 1795.2}],
                    "sizes": [
                        {"database": "db0", "type": "strings", "unit": "bytes", "buckets": [[64, 40000], [128, 8211]]}
                    ],
                }
            ]
        }
    )

    servers: list[ServerKeyspaceModel]


class ReplicaModel(BaseModel):
    """One replica, as its primary sees it. Null is unknown."""

    address: str
    state: str
    lag_seconds: int | None
    behind_bytes: int | None


class PrimaryModel(BaseModel):
    """The primary of a replica, as that sees it. Null is unknown."""

    address: str
    link_up: bool
    last_heard_seconds: int | None
    syncing: bool


class SentinelPrimaryModel(BaseModel):
    """A primary that a sentinel watches. Null is unknown."""

    name: str
    address: str
    status: str
    replicas: int | None
    sentinels: int | None
    quorum: int | None


class ServerTopologyModel(ServerModel):
    """One server among others. `cluster` holds the figures of CLUSTER INFO, null outside of one."""

    mode: str
    role: str
    server: str
    version: str
    replicas: list[ReplicaModel]
    primary: PrimaryModel | None
    sentinel: list[SentinelPrimaryModel]
    cluster: dict[str, str | int | float] | None
    persistence: dict[str, str | int | float] | None
    problems: Annotated[list[str], Field(description="What is not as it should be, in sentences.")]


class NodeModel(BaseModel):
    """One server of a whole. `state` is `ok`, or in Redis' words what the others think of it (`fail`, `fail?`, `s_down` …)."""

    name: Annotated[str, Field(description="Among the servers: the label `redis` of its series.")]
    address: str
    role: Literal["primary", "replica", "sentinel"]
    state: str
    primary: Annotated[str | None, Field(description="Of a replica, the address of its primary.")]
    slots: Annotated[int | None, Field(description="Of a cluster's primary, how many of the 16384 it serves.")]


class WholeModel(BaseModel):
    """A cluster, or a primary with its replicas and the sentinels that watch it."""

    name: str
    kind: Literal["cluster", "sentinel"]
    nodes: list[NodeModel]
    cluster: Annotated[dict[str, str | int | float] | None, Field(description="The figures of CLUSTER INFO.")]
    collected_at: Annotated[datetime | None, Field(description="When it last said so; null: it does not now.")]
    problems: Annotated[list[str], Field(description="What is not as it should be, in sentences.")]


class TopologyAnswer(BaseModel):
    """All servers, and the wholes that some of them belong to."""

    model_config = example(
        {
            "servers": [
                {
                    **_SERVER,
                    "mode": "standalone",
                    "role": "primary",
                    "server": "redis",
                    "version": "7.2.4",
                    "replicas": [
                        {"address": "10.0.0.2:6379", "state": "online", "lag_seconds": 0, "behind_bytes": 120}
                    ],
                    "primary": None,
                    "sentinel": [],
                    "cluster": None,
                    "persistence": {"rdb_last_bgsave_status": "ok", "aof_enabled": 0},
                    "problems": [],
                }
            ],
            "groups": [
                {
                    "name": "shop",
                    "kind": "cluster",
                    "nodes": [
                        {
                            "name": "shop/10.0.0.1:7000",
                            "address": "10.0.0.1:7000",
                            "role": "primary",
                            "state": "ok",
                            "primary": None,
                            "slots": 16384,
                        },
                        {
                            "name": "shop/10.0.0.2:7000",
                            "address": "10.0.0.2:7000",
                            "role": "replica",
                            "state": "ok",
                            "primary": "10.0.0.1:7000",
                            "slots": None,
                        },
                    ],
                    "cluster": {"cluster_state": "ok", "cluster_slots_ok": 16384, "cluster_size": 1},
                    "collected_at": NOW,
                    "problems": [],
                }
            ],
        }
    )

    servers: list[ServerTopologyModel]
    groups: Annotated[list[WholeModel], Field(description="Clusters, and what sentinels watch.")]


class ClientCallModel(BaseModel):
    """A call of the application's client that took 10 ms or longer, with waiting and network."""

    command: str
    duration_ms: float
    at: datetime
    endpoint: str | None
    caller: str | None


class ClientModel(BaseModel):
    """The application's client of one server, or of a cluster.

    `pool` holds the figures of its pool, or of all together, by metric name; what is unknown is absent.
    """

    redis: str
    pool: dict[str, float]
    pools: Annotated[
        dict[str, dict[str, float]], Field(description="Of a cluster's client, the same by node; empty for any other.")
    ]
    slow_calls: Annotated[list[ClientCallModel], Field(description="Newest first, at most 100.")]


class ClientsAnswer(BaseModel):
    """The redis-py clients that Dozor was given."""

    model_config = example(
        {
            "clients": [
                {
                    "redis": "cache",
                    "pool": {"redis_client_pool_in_use": 3.0, "redis_client_pool_max": 50.0},
                    "pools": {},
                    "slow_calls": [
                        {
                            "command": "KEYS",
                            "duration_ms": 50.2,
                            "at": NOW,
                            "endpoint": "GET /sessions",
                            "caller": "shop.py:212 in count_sessions",
                        }
                    ],
                }
            ]
        }
    )

    clients: list[ClientModel]
