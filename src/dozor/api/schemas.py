"""The shapes of requests and answers, as they stand in the OpenAPI document.

Models are built by the module of their noun and written without the fields that were not set, so that what is unknown is
absent. Times are datetimes in UTC.
"""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from dozor.model.alert import Severity

PoolStatus = Literal["HEALTHY", "WARNING", "CRITICAL", "UNKNOWN"]
RedisStatus = Literal["HEALTHY", "WARNING", "CRITICAL", "DISCONNECTED"]
AnyStatus = Literal["HEALTHY", "UNKNOWN", "WARNING", "CRITICAL", "DISCONNECTED"]
SystemStatus = Literal["HEALTHY", "UNKNOWN", "WARNING", "CRITICAL"]
State = Literal["PENDING", "FIRING", "ACKNOWLEDGED", "SILENCED", "RESOLVED"]

_NOW = "2026-11-22T19:36:02.120000Z"
_POOL_REASON = "96 % of the connections of pool default are in use (PoolUtilizationHigh, firing for 3 min 10 s)."
_ALERT: dict[str, Any] = {
    "id": "0f6c2f7e5f0e4d0b9a3c6d1e8b7a5c21",
    "rule": "PoolUtilizationHigh",
    "severity": "CRITICAL",
    "component": "database",
    "state": "FIRING",
    "inhibited_by": [],
    "labels": {"alertname": "PoolUtilizationHigh", "pool": "default", "component": "database"},
    "annotations": {"summary": "96 % of the connections of pool default are in use"},
    "value": 96.0,
    "active_at": "2026-11-22T19:31:52Z",
    "fired_at": "2026-11-22T19:32:52Z",
    "resolved_at": None,
    "resolve_reason": None,
    "acknowledged": None,
    "silenced": None,
    "no_data": False,
    "evidence": {},
}
_POOL: dict[str, Any] = {
    "name": "default",
    "status": "CRITICAL",
    "reasons": [_POOL_REASON],
    "checked_at": _NOW,
    "age_seconds": 0.4,
    "worker": "0",
    "db_pool_size": 5,
    "db_pool_capacity": 15,
    "db_pool_checked_out": 14,
    "db_pool_available": 1,
    "db_pool_utilization": 93.3,
    "db_pool_waiting": 0,
}
_SERVER: dict[str, Any] = {
    "name": "cache",
    "status": "HEALTHY",
    "reasons": [],
    "checked_at": _NOW,
    "age_seconds": 0.6,
    "redis_connected": 1,
    "redis_memory_usage": 1048576,
    "redis_connected_clients": 12,
    "redis_hit_rate": 97.4,
}
_HTTP = {"requests_per_second": 41.5, "errors_per_minute": 0.0, "in_progress": 3.0, "p95_seconds": 0.18}
_HOST = {"host_cpu_utilization": 31.2, "host_memory_utilization": 58.0}
_COMPONENTS: dict[str, Any] = {
    "database": {"status": "CRITICAL", "reasons": [_POOL_REASON]},
    "redis": {"status": "HEALTHY", "reasons": []},
    "http": {"status": "HEALTHY", "reasons": []},
    "host": {"status": "HEALTHY", "reasons": []},
    "dozor": {"status": "HEALTHY", "reasons": []},
}
_WINDOW: dict[str, Any] = {
    "seconds": 300.0,
    "checkouts": 1840,
    "timeouts": 0,
    "errors": 0,
    "connects": 2,
    "slow_queries": 1,
    "wait_seconds": {"count": 1840, "mean": 0.0004, "p50": 0.0003, "p95": 0.001, "p99": 0.004, "max": 0.012},
    "use_seconds": {"count": 1838, "mean": 0.021, "p50": 0.015, "p95": 0.08, "p99": 0.2, "max": 1.4},
    "peak_checked_out": 9,
}


def _example(example: dict[str, Any], *, extra: Literal["allow", "forbid", "ignore"] = "ignore") -> ConfigDict:
    return ConfigDict(json_schema_extra={"examples": [example]}, extra=extra)


# -- what is asked -------------------------------------------------------------------------------------------------

Who = Annotated[str | None, Field(max_length=200, description="Who does this, for the others to see.")]
Comment = Annotated[str | None, Field(max_length=4000, description="Why, for the others to see.")]


class ActionRequest(BaseModel):
    """Who acts, and why. Both may be left out."""

    model_config = _example({"by": "anna", "comment": "Looking into it"}, extra="forbid")

    by: Who = None
    comment: Comment = None


class SilenceRequest(BaseModel):
    """For how long nobody is told: exactly one of `duration`, `until` and `until_resolved`."""

    model_config = _example(
        {"duration": "1h30m", "by": "anna", "comment": "Known; the fix goes out at noon"}, extra="forbid"
    )

    duration: Annotated[
        str | None, Field(max_length=100, description="A Prometheus duration above 0: `90s`, `1h30m`, `2d`.")
    ] = None
    until: Annotated[AwareDatetime | None, Field(description="A moment in the future.")] = None
    until_resolved: Annotated[bool | None, Field(description="True: until the alert resolves.")] = None
    by: Who = None
    comment: Comment = None


# -- alerts --------------------------------------------------------------------------------------------------------


class AcknowledgementModel(BaseModel):
    """Somebody owns the alert."""

    at: datetime
    by: str | None
    comment: str | None


class SilenceModel(BaseModel):
    """Nobody is told. `until` null: until the alert resolves."""

    at: datetime
    until: datetime | None
    by: str | None
    comment: str | None


class AlertModel(BaseModel):
    """One occurrence of a rule that fires, fired, or (PENDING) may come to fire."""

    model_config = _example(_ALERT)

    id: str
    rule: str
    severity: Annotated[Severity, Field(description="The one in force, after any escalation.")]
    component: str
    state: State
    inhibited_by: Annotated[list[str], Field(description="Rules that keep this alert quiet now.")]
    labels: dict[str, str]
    annotations: dict[str, str]
    value: Annotated[float | None, Field(description="What the expression last gave; null where that is no number.")]
    active_at: Annotated[datetime, Field(description="Since when the condition holds.")]
    fired_at: datetime | None
    resolved_at: datetime | None
    resolve_reason: str | None
    acknowledged: AcknowledgementModel | None
    silenced: SilenceModel | None
    no_data: Annotated[bool, Field(description="The series is gone while its target is still watched.")]
    evidence: Annotated[dict[str, Any], Field(description="What was seen when it fired: statements, holders.")]


class ActionAnswer(AlertModel):
    """The alert as it now is."""

    model_config = _example({**_ALERT, "state": "ACKNOWLEDGED", "durable": True})

    durable: Annotated[
        bool, Field(description="Committed; false: it holds in memory and is written when the store answers.")
    ]


class AlertList(BaseModel):
    """One page of alerts."""

    model_config = _example({"alerts": [_ALERT], "total": 1, "next_cursor": "MTAw"})

    alerts: list[AlertModel]
    total: Annotated[int, Field(description="How many there are on all pages.")]
    next_cursor: Annotated[str | None, Field(description="Pass it as `cursor` for the next page; null on the last.")]


class RuleModel(BaseModel):
    """A rule and how it stands."""

    rule: str
    group: str
    expr: str
    for_seconds: float
    severity: Severity
    component: str
    state: Annotated[str, Field(description="inactive, pending or firing.")]
    health: Annotated[str, Field(description="ok, err, or unknown before the first evaluation.")]
    last_error: str | None
    last_evaluation: datetime | None
    evaluation_seconds: float | None
    alerts: list[AlertModel]


class RuleList(BaseModel):
    """One page of rules."""

    model_config = _example(
        {
            "rules": [
                {
                    "rule": "RedisDisconnected",
                    "group": "redis",
                    "expr": "redis_connected == 0",
                    "for_seconds": 15.0,
                    "severity": "CRITICAL",
                    "component": "redis",
                    "state": "inactive",
                    "health": "ok",
                    "last_error": None,
                    "last_evaluation": _NOW,
                    "evaluation_seconds": 0.0001,
                    "alerts": [],
                }
            ],
            "total": 16,
            "next_cursor": "MTAw",
        }
    )

    rules: list[RuleModel]
    total: int
    next_cursor: str | None


class AlertStatisticsModel(BaseModel):
    """What the history adds up to."""

    model_config = _example(
        {
            "total": 42,
            "active": 1,
            "by_severity": {"CRITICAL": 12, "WARNING": 30},
            "by_rule": {"PoolUtilizationHigh": 12, "SlowQueries": 30},
            "mean_time_to_acknowledge_seconds": 94.0,
            "mean_time_to_resolve_seconds": 610.5,
            "since": "2026-10-01T00:00:00Z",
        }
    )

    total: int
    active: int
    by_severity: dict[str, int]
    by_rule: dict[str, int]
    mean_time_to_acknowledge_seconds: float | None
    mean_time_to_resolve_seconds: float | None
    since: datetime | None


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

    model_config = _example(
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
            "collected_at": _NOW,
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

    model_config = _example(_POOL, extra="allow")

    status: PoolStatus
    worker: str | None


class RedisTarget(Target):
    """One Redis server, with its figures (`redis_memory_usage` …) beside."""

    model_config = _example(_SERVER, extra="allow")

    status: RedisStatus


class PoolStatusAnswer(BaseModel):
    """The worst of all pools, and each. `status` null: no pool is watched, and the reason says how to add one."""

    model_config = _example(
        {"status": "CRITICAL", "reasons": [_POOL_REASON], "checked_at": _NOW, "age_seconds": 0.4, "pools": [_POOL]}
    )

    status: PoolStatus | None
    reasons: list[str]
    checked_at: datetime | None
    age_seconds: float | None
    pools: list[PoolTarget]


class RedisStatusAnswer(BaseModel):
    """The worst of all servers, and each. `status` null: none is watched, and the reason says how to add one."""

    model_config = _example(
        {"status": "HEALTHY", "reasons": [], "checked_at": _NOW, "age_seconds": 0.6, "servers": [_SERVER]}
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

    model_config = _example(
        {
            "pools": [
                {
                    "name": "default",
                    "worker": "0",
                    "windows": {
                        "since_start": {**_WINDOW, "seconds": 8123.0},
                        "5m": _WINDOW,
                        "1h": {**_WINDOW, "seconds": 3600.0},
                    },
                    "holders": [{"who": "GET /orders", "held_seconds": 4.2, "leaked": False}],
                }
            ],
            "generated_at": _NOW,
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


class SlowQueryList(BaseModel):
    """The newest first. `total` counts all since start, also those that are no longer kept."""

    model_config = _example(
        {
            "entries": [
                {
                    "statement": "SELECT * FROM orders WHERE customer_id = ? ORDER BY created_at",
                    "duration_ms": 1840.2,
                    "at": _NOW,
                    "pool": "default",
                    "operation": "SELECT",
                    "caller": "orders.py:88 in list_orders",
                    "failed": False,
                    "error": None,
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
    arguments: Annotated[int, Field(description="How many arguments it had; they are not shown.")]
    duration_ms: float
    at: datetime
    redis: str
    id: int
    client: Annotated[str | None, Field(description="The name, else the address, of the client that sent it.")]


class SlowCommandList(BaseModel):
    """The newest first. `total` counts all since start, also those that are no longer kept."""

    model_config = _example(
        {
            "entries": [
                {
                    "command": "KEYS",
                    "arguments": 1,
                    "duration_ms": 41.7,
                    "at": _NOW,
                    "redis": "cache",
                    "id": 17,
                    "client": "shop",
                }
            ],
            "total": 1,
            "next_cursor": "MTAw",
        }
    )

    entries: list[SlowCommandModel]
    total: int
    next_cursor: str | None


class RedisInfoModel(BaseModel):
    """One server: INFO by section, and which commands Dozor may use there."""

    name: str
    info: dict[str, dict[str, str | int | float]]
    capabilities: dict[str, bool]


class RedisInfoAnswer(BaseModel):
    """All servers."""

    model_config = _example(
        {
            "servers": [
                {
                    "name": "cache",
                    "info": {"server": {"redis_version": "7.2.4", "uptime_in_seconds": 86400}},
                    "capabilities": {"info": True, "slowlog": True, "config": False},
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

    model_config = _example({"status": "CRITICAL", "reasons": [_POOL_REASON], "components": _COMPONENTS})

    status: SystemStatus
    reasons: list[str]
    components: dict[str, ComponentModel]


class SparklineModel(BaseModel):
    """One figure over the last quarter of an hour. `points` are [time in Unix seconds, value or null for no data]."""

    title: str
    unit: str
    labels: dict[str, str]
    points: list[tuple[float, float | None]]


class OverviewAnswer(BaseModel):
    """All that the page shows. `alerts` are those that have fired and not ended, worst first, at most 100."""

    model_config = _example(
        {
            "status": "CRITICAL",
            "reasons": [_POOL_REASON],
            "components": _COMPONENTS,
            "alerts": [_ALERT],
            "pools": [_POOL],
            "servers": [_SERVER],
            "http": _HTTP,
            "host": _HOST,
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
            "generated_at": _NOW,
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


class ProbeAnswer(BaseModel):
    """The process lives."""

    model_config = _example({"status": "ok"})

    status: Literal["ok"]


class ReadyAnswer(BaseModel):
    """Whether traffic may come. `reasons` say why not."""

    model_config = _example({"status": "ready", "reasons": []})

    status: Literal["ready", "not ready"]
    reasons: list[str]
