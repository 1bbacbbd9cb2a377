"""The shapes of what is read of the watched things: metrics, pools, Redis, the whole. See `schemas` for how they are used."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from dozor.api.examples import ALERT, COMPONENTS, HOST, HTTP, NOW, POOL, POOL_REASON, SERVER, WINDOW, example
from dozor.api.schemas import AlertModel

PoolStatus = Literal["HEALTHY", "WARNING", "CRITICAL", "UNKNOWN"]
RedisStatus = Literal["HEALTHY", "WARNING", "CRITICAL", "DISCONNECTED"]
AnyStatus = Literal["HEALTHY", "UNKNOWN", "WARNING", "CRITICAL", "DISCONNECTED"]
SystemStatus = Literal["HEALTHY", "UNKNOWN", "WARNING", "CRITICAL"]

# -- metrics -------------------------------------------------------------------------------------------------------


class SampleModel(BaseModel):
    """One value. `name` stands only on a histogram's samples: `…_bucket`, `…_sum` or `…_count`."""

    labels: dict[str, str]
    value: float
    name: str = ""


class MetricModel(BaseModel):
    """One metric with all its samples."""

    name: str
    type: Literal["counter", "gauge", "histogram"]
    unit: str
    help: str
    samples: list[SampleModel]


class MetricList(BaseModel):
    """Metrics as they stand. A value that is unknown is absent."""

    model_config = example(
        {
            "metrics": [
                {
                    "name": "db_pool_checked_out",
                    "type": "gauge",
                    "unit": "connections",
                    "help": "Connections in use now.",
                    "samples": [{"labels": {"pool": "default"}, "value": 14}],
                }
            ],
            "collected_at": NOW,
        }
    )

    metrics: list[MetricModel]
    collected_at: datetime


# -- pools and Redis -----------------------------------------------------------------------------------------------


class Target(BaseModel):
    """One watched thing. Beside these fields it has its figures by metric name; an unknown one is absent."""

    name: str
    reasons: Annotated[list[str], Field(description="Why the status is what it is, in sentences.")]
    checked_at: datetime | None
    age_seconds: Annotated[float | None, Field(description="How old the figures are.")]


class PoolTarget(Target):
    """One connection pool, with its figures (`db_pool_checked_out` …) beside."""

    model_config = example(POOL, extra="allow")

    status: PoolStatus
    worker: str | None


class RedisTarget(Target):
    """One Redis server, with its figures (`redis_memory_usage` …) beside."""

    model_config = example(SERVER, extra="allow")

    status: RedisStatus
    role: Annotated[
        str | None,
        Field(
            description="`primary`, `replica` or `sentinel`; `cluster` or `service` (what sentinels watch) of a whole whose "
            "servers stand beside it; null: not known."
        ),
    ] = None
    part_of: Annotated[str | None, Field(description="The name of the whole that this server is a node of.")] = None


class PoolStatusAnswer(BaseModel):
    """The worst of all pools, and each. `status` null: no pool is watched, and the reason says how to add one."""

    model_config = example(
        {"status": "CRITICAL", "reasons": [POOL_REASON], "checked_at": NOW, "age_seconds": 0.4, "pools": [POOL]}
    )

    status: PoolStatus | None
    reasons: list[str]
    checked_at: datetime | None
    age_seconds: float | None
    pools: list[PoolTarget]


class RedisStatusAnswer(BaseModel):
    """The worst of all servers, and each. `status` null: none is watched, and the reason says how to add one."""

    model_config = example(
        {"status": "HEALTHY", "reasons": [], "checked_at": NOW, "age_seconds": 0.6, "servers": [SERVER]}
    )

    status: RedisStatus | None
    reasons: list[str]
    checked_at: datetime | None
    age_seconds: float | None
    servers: list[RedisTarget]


class DurationsModel(BaseModel):
    """How long something took, in seconds; null where nothing was timed."""

    count: int
    mean: float | None
    p50: float | None
    p95: float | None
    p99: float | None
    max: float | None


class WindowModel(BaseModel):
    """What a pool did in one window. Null is unknown. `seconds`: how much of the window is covered."""

    seconds: float
    checkouts: int
    timeouts: int | None
    errors: int | None
    connects: int
    slow_queries: int | None
    wait_seconds: DurationsModel | None
    use_seconds: DurationsModel
    peak_checked_out: int | None


class HolderModel(BaseModel):
    """Somebody who has a connection out. `leaked`: for longer than the leak threshold."""

    who: str
    held_seconds: float
    leaked: bool


class PoolStatisticsModel(BaseModel):
    """One pool in the windows `since_start`, `5m` and `1h`."""

    name: str
    worker: str | None
    windows: dict[str, WindowModel]
    holders: Annotated[list[HolderModel], Field(description="Who has connections now, longest first; at most 100.")]


class PoolStatisticsAnswer(BaseModel):
    """All pools."""

    model_config = example(
        {
            "pools": [
                {
                    "name": "default",
                    "worker": "0",
                    "windows": {
                        "since_start": {**WINDOW, "seconds": 8123.0},
                        "5m": WINDOW,
                        "1h": {**WINDOW, "seconds": 3600.0},
                    },
                    "holders": [{"who": "GET /orders", "held_seconds": 4.2, "leaked": False}],
                }
            ],
            "generated_at": NOW,
        }
    )

    pools: list[PoolStatisticsModel]
    generated_at: datetime


class SlowQueryModel(BaseModel):
    """A statement that took longer than the threshold; literals are redacted."""

    statement: str
    duration_ms: float
    at: datetime
    pool: str
    operation: str
    caller: Annotated[str | None, Field(description="The application's line that sent it.")]
    failed: bool
    error: Annotated[str | None, Field(description="The class of the error, where it failed.")]
    endpoint: Annotated[str | None, Field(description="The request that it belonged to, where there was one.")]
    fingerprint: Annotated[
        str, Field(description="What it has in common with statements that differ in literals only.")
    ]


class SlowQueryList(BaseModel):
    """The newest first. `total` counts all since start, also those that are no longer kept."""

    model_config = example(
        {
            "entries": [
                {
                    "statement": "SELECT * FROM orders WHERE customer_id = ? ORDER BY created_at",
                    "duration_ms": 1840.2,
                    "at": NOW,
                    "pool": "default",
                    "operation": "SELECT",
                    "caller": "orders.py:88 in list_orders",
                    "failed": False,
                    "error": None,
                    "endpoint": "GET /orders",
                    "fingerprint": "8c1f2a90b7de4431",
                }
            ],
            "total": 1,
            "next_cursor": "MTAw",
        }
    )

    entries: list[SlowQueryModel]
    total: int
    next_cursor: str | None


class SlowCommandModel(BaseModel):
    """An entry of a server's SLOWLOG; arguments are redacted."""

    command: str
    shape: Annotated[str, Field(description="The command with its options; all else is `?`.")]
    fingerprint: Annotated[str, Field(description="Of the shape; see redis/slow-commands.")]
    arguments: Annotated[int, Field(description="How many arguments it had; they are not shown.")]
    duration_ms: float
    at: datetime
    redis: str
    id: int
    client: Annotated[str | None, Field(description="The name, else the address, of the client that sent it.")]


class SlowCommandList(BaseModel):
    """The newest first, as of `checked_at`. `total` counts all since start, also those that are no longer kept."""

    model_config = example(
        {
            "entries": [
                {
                    "command": "KEYS",
                    "shape": "KEYS ?",
                    "fingerprint": "5b1c0ae7e86d2f11",
                    "arguments": 1,
                    "duration_ms": 41.7,
                    "at": NOW,
                    "redis": "cache",
                    "id": 17,
                    "client": "shop",
                }
            ],
            "total": 1,
            "next_cursor": "MTAw",
            "checked_at": NOW,
            "age_seconds": 0.6,
        }
    )

    entries: list[SlowCommandModel]
    total: int
    next_cursor: str | None
    checked_at: Annotated[datetime | None, Field(description="When the server that was read longest ago answered.")]
    age_seconds: float | None


class RedisInfoModel(BaseModel):
    """One server: INFO by section as of `checked_at`, and which commands Dozor may use there."""

    name: str
    checked_at: datetime | None
    age_seconds: float | None
    info: dict[str, dict[str, str | int | float]]
    capabilities: dict[str, bool]
    missing: Annotated[
        list[str], Field(description="What the ACL forbids Dozor, what is missing for it, how to allow it.")
    ]


class RedisInfoAnswer(BaseModel):
    """All servers."""

    model_config = example(
        {
            "servers": [
                {
                    "name": "cache",
                    "checked_at": NOW,
                    "age_seconds": 0.6,
                    "info": {"server": {"redis_version": "7.2.4", "uptime_in_seconds": 86400}},
                    "capabilities": {"info": True, "slowlog": False},
                    "missing": [
                        "SLOWLOG GET is forbidden, so Dozor does not know slow commands: allow it with ACL SETUSER NAME +slowlog|get"
                    ],
                }
            ]
        }
    )

    servers: list[RedisInfoModel]


# -- the whole -----------------------------------------------------------------------------------------------------


class ComponentModel(BaseModel):
    """One part of the whole. `status` null: nothing of the kind is watched, and the reason says how to add it."""

    status: AnyStatus | None
    reasons: list[str]


class HealthAnswer(BaseModel):
    """The whole and its components database, redis, http, host, dozor."""

    model_config = example(
        {
            "status": "CRITICAL",
            "reasons": [POOL_REASON],
            "components": COMPONENTS,
            "checked_at": NOW,
            "age_seconds": 0.4,
        }
    )

    status: SystemStatus
    reasons: list[str]
    components: dict[str, ComponentModel]
    checked_at: Annotated[datetime | None, Field(description="When all this was last gathered.")]
    age_seconds: float | None


class SparklineModel(BaseModel):
    """One figure over the last quarter of an hour. `points` are [time in Unix seconds, value or null for no data]."""

    title: str
    unit: str
    labels: dict[str, str]
    points: list[tuple[float, float | None]]


class OverviewAnswer(BaseModel):
    """All that the page shows. `alerts` are those that have fired and not ended, worst first, at most 100."""

    model_config = example(
        {
            "status": "CRITICAL",
            "reasons": [POOL_REASON],
            "components": COMPONENTS,
            "alerts": [ALERT],
            "pools": [POOL],
            "servers": [SERVER],
            "http": HTTP,
            "host": HOST,
            "sparklines": {
                "host_cpu": [
                    {
                        "title": "CPU",
                        "unit": "percent",
                        "labels": {},
                        "points": [[1795375740.0, 30.5], [1795375755.0, None]],
                    }
                ]
            },
            "generated_at": NOW,
            "name": "shop",
            "environment": "production",
            "version": "1.0.0",
            "started_at": "2026-11-22T17:20:39Z",
            "receivers": ["slack", "log"],
        }
    )

    status: SystemStatus
    reasons: list[str]
    components: dict[str, ComponentModel]
    alerts: list[AlertModel]
    pools: list[PoolTarget]
    servers: list[RedisTarget]
    http: dict[str, float]
    host: dict[str, float]
    sparklines: Annotated[
        dict[str, list[SparklineModel]], Field(description="By figure; one of each for a pool or server.")
    ]
    generated_at: datetime
    name: Annotated[str, Field(description="What is watched; empty where it has no name.")]
    environment: str | None
    version: Annotated[str, Field(description="Dozor's own.")]
    started_at: Annotated[datetime | None, Field(description="Since when Dozor watches.")]
    receivers: Annotated[list[str], Field(description="The channels by which people are told.")]


class ProbeAnswer(BaseModel):
    """The process lives."""

    model_config = example({"status": "ok"})

    status: Literal["ok"]


class ReadyAnswer(BaseModel):
    """Whether traffic may come. `reasons` say why not."""

    model_config = example({"status": "ready", "reasons": []})

    status: Literal["ready", "not ready"]
    reasons: list[str]
