"""The metrics of a pool: name, type, unit and text."""

from typing import Final

from dozor.model.sample import MetricType

_GAUGE, _COUNTER = MetricType.GAUGE, MetricType.COUNTER
METRICS: Final = {
    "db_pool_size": (_GAUGE, "connections", "Connections that the pool keeps open: its pool_size."),
    "db_pool_capacity": (_GAUGE, "connections", "Connections that may be out at once: pool_size + max_overflow."),
    "db_pool_checked_out": (_GAUGE, "connections", "Connections in use now."),
    "db_pool_available": (_GAUGE, "connections", "Connections that could be handed out without waiting."),
    "db_pool_utilization": (_GAUGE, "percent", "Connections in use, in percent of the capacity."),
    "db_pool_idle": (_GAUGE, "connections", "Connections open and in the pool."),
    "db_pool_idle_min": (
        _GAUGE,
        "connections",
        "Connections that the pool opens before anybody asks and keeps idle: always 0, SQLAlchemy opens them when asked.",
    ),
    "db_pool_overflow": (_GAUGE, "connections", "Connections open beyond pool_size."),
    "db_pool_waiting": (_GAUGE, "callers", "Threads or tasks that wait for a connection now."),
    "db_pool_leaked": (_GAUGE, "connections", "Connections held longer than the leak threshold."),
    "db_pool_idle_in_transaction": (
        _GAUGE,
        "connections",
        "Connections in use with an open transaction and no statement running.",
    ),
    "db_pool_longest_idle_in_transaction_seconds": (
        _GAUGE,
        "seconds",
        "For how long a connection in use with an open transaction has sent no statement, the longest, in seconds; 0: none.",
    ),
    "db_pool_timeouts_total": (_COUNTER, "events", "Callers that gave up waiting for a connection."),
    "db_pool_checkouts_total": (_COUNTER, "events", "Connections handed out."),
    "db_pool_connects_total": (_COUNTER, "events", "Database connections opened."),
    "db_pool_disconnects_total": (_COUNTER, "events", "Connections closed, detached or invalidated."),
    "db_pool_errors_total": (_COUNTER, "events", "Attempts to get a connection that failed, timeouts left out."),
    "db_pool_garbage_collected_total": (
        _COUNTER,
        "events",
        "Connections that were never given back and that the garbage collector took.",
    ),
    "dozor_pool_drift_total": (
        _COUNTER,
        "connections",
        "Connections that Dozor counted as in use although they were not; put right when noticed.",
    ),
    "dozor_pool_unaccounted": (
        _GAUGE,
        "connections",
        "Connections that the pool has in use and whose taking Dozor did not see, as those out at attachment.",
    ),
}
HISTOGRAMS: Final = {
    "db_pool_wait_seconds": "Time from asking for a connection to having it, in seconds.",
    "db_pool_use_seconds": "Time a connection was held, in seconds.",
    "db_pool_create_seconds": "Time to open a database connection, in seconds.",
}
