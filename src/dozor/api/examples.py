"""The examples in the OpenAPI document: one bad moment of a shop, the same in every answer."""

from typing import Any, Literal

from pydantic import ConfigDict

NOW = "2026-11-22T19:36:02.120000Z"
POOL_REASON = "96 % of the connections of pool default are in use (PoolUtilizationHigh, firing for 3 min 10 s)."
ALERT: dict[str, Any] = {
    "id": "0f6c2f7e5f0e4d0b9a3c6d1e8b7a5c21",
    "rule": "PoolUtilizationHigh",
    "severity": "CRITICAL",
    "component": "database",
    "state": "FIRING",
    "inhibited_by": [],
    "silenced_by": [],
    "labels": {"alertname": "PoolUtilizationHigh", "pool": "default", "component": "database"},
    "annotations": {"summary": "96 % of the connections of pool default are in use"},
    "value": 96.0,
    "threshold": "> 90",
    "active_at": "2026-11-22T19:31:52Z",
    "fired_at": "2026-11-22T19:32:52Z",
    "resolved_at": None,
    "resolve_reason": None,
    "acknowledged": None,
    "silenced": None,
    "flapping": False,
    "flaps": 0,
    "no_data": False,
    "evidence": {},
}
NOTE: dict[str, Any] = {
    "at": "2026-11-22T19:34:10Z",
    "by": "anna",
    "text": "Raised max_connections to 200; watching",
}
TIMELINE: list[dict[str, Any]] = [
    {"at": "2026-11-22T19:31:52Z", "event": "pending", "by": None, "comment": None},
    {"at": "2026-11-22T19:32:52Z", "event": "fired", "by": None, "comment": None},
    {"at": "2026-11-22T19:34:10Z", "event": "note", "by": "anna", "comment": NOTE["text"]},
]
SILENCE: dict[str, Any] = {
    "id": "5b1c9a4e0f0e4d0b9a3c6d1e8b7a5c21",
    "matchers": ['pool="default"', 'severity=~"warning|critical"'],
    "alert_id": None,
    "state": "ACTIVE",
    "starts_at": "2026-11-22T19:30:00Z",
    "ends_at": "2026-11-22T21:30:00Z",
    "until_resolved": False,
    "by": "anna",
    "comment": "The database moves to the new server",
    "created_at": "2026-11-22T18:02:11Z",
    "updated_at": "2026-11-22T18:02:11Z",
    "ended_at": None,
    "alerts": [
        {
            "id": ALERT["id"],
            "rule": ALERT["rule"],
            "severity": ALERT["severity"],
            "state": "SILENCED",
            "labels": ALERT["labels"],
        }
    ],
    "matched": 1,
}
CHANNEL: dict[str, Any] = {
    "name": "slack",
    "kind": "slack",
    "target": "channel #ops",
    "state": "FAILING",
    "waiting": 1,
    "sent": 41,
    "failed": 1,
    "dead": 0,
    "last_success_at": "2026-11-22T18:40:00Z",
    "last_failure_at": "2026-11-22T19:35:58Z",
    "last_error": "HTTP 503",
    "retry_at": "2026-11-22T19:36:08Z",
}
LETTER: dict[str, Any] = {
    "id": 118,
    "notification_id": "01f3c0de0f0e4d0b9a3c6d1e8b7a5c21",
    "channel": "webhook",
    "state": "dead",
    "occasion": "firing",
    "group": ALERT["rule"],
    "alerts": [
        {
            "id": ALERT["id"],
            "rule": ALERT["rule"],
            "severity": ALERT["severity"],
            "state": ALERT["state"],
            "labels": ALERT["labels"],
        }
    ],
    "omitted": 0,
    "attempts": 12,
    "created_at": "2026-11-22T19:32:52Z",
    "next_at": None,
    "settled_at": "2026-11-22T19:34:00Z",
    "last_error": "HTTP 403",
}
POOL: dict[str, Any] = {
    "name": "default",
    "status": "CRITICAL",
    "reasons": [POOL_REASON],
    "checked_at": NOW,
    "age_seconds": 0.4,
    "worker": "0",
    "db_pool_size": 5,
    "db_pool_capacity": 15,
    "db_pool_checked_out": 14,
    "db_pool_available": 1,
    "db_pool_utilization": 93.3,
    "db_pool_waiting": 0,
}
SERVER: dict[str, Any] = {
    "name": "cache",
    "status": "HEALTHY",
    "reasons": [],
    "checked_at": NOW,
    "age_seconds": 0.6,
    "role": "primary",
    "redis_connected": 1,
    "redis_memory_usage": 1048576,
    "redis_connected_clients": 12,
    "redis_hit_rate": 97.4,
}
HTTP = {"requests_per_second": 41.5, "errors_per_minute": 0.0, "in_progress": 3.0, "p95_seconds": 0.18}
HOST = {
    "host_cpu_utilization": 31.2,
    "host_memory_utilization": 58.0,
    'host_disk_utilization{mountpoint="/"}': 71.3,
}
COMPONENTS: dict[str, Any] = {
    "database": {"status": "CRITICAL", "reasons": [POOL_REASON]},
    "redis": {"status": "HEALTHY", "reasons": []},
    "http": {"status": "HEALTHY", "reasons": []},
    "host": {"status": "HEALTHY", "reasons": []},
    "dozor": {"status": "HEALTHY", "reasons": []},
}
WINDOW: dict[str, Any] = {
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


def example(shown: dict[str, Any], *, extra: Literal["allow", "forbid", "ignore"] = "ignore") -> ConfigDict:
    """The configuration of a model with this example."""
    return ConfigDict(json_schema_extra={"examples": [shown]}, extra=extra)
