"""Metrics of Redis that have labels of their own: by database, command, replica, primary; named as redis_exporter names them."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from dozor.model.labels import Labels
from dozor.model.sample import Family, MetricType, Sample

Found = tuple[str, Labels, float]
"""A sample's name, labels and value."""

PERCENTILES: Final = "redis_latency_percentiles_usec"
"""redis_exporter calls it a summary, with quantiles from 0 to 100, which OpenMetrics does not allow: here it is three metrics."""

_GAUGE, _COUNTER = MetricType.GAUGE, MetricType.COUNTER

LABELLED: Final[Mapping[str, tuple[MetricType, str, str]]] = {
    # of the server itself, worked out
    "redis_start_time_seconds": (_GAUGE, "seconds", "When the server started, in Unix seconds."),
    "redis_config_maxclients": (_GAUGE, "connections", "The most client connections that the server takes."),
    "redis_config_maxmemory": (_GAUGE, "bytes", "maxmemory, in bytes; 0: no limit is set."),
    "redis_active_time_io_thread_seconds_total": (
        _COUNTER,
        "seconds",
        "Time that the thread was not idle, in seconds.",
    ),
    "redis_slowlog_length": (_GAUGE, "commands", "Entries in the server's slow log."),
    "redis_slowlog_last_id": (_GAUGE, "", "Number of the newest entry of the slow log that is not Dozor's own."),
    "redis_last_slow_execution_duration_seconds": (_GAUGE, "seconds", "How long that entry's command ran, in seconds."),
    # by database
    "redis_db_keys": (_GAUGE, "keys", "Keys in the database."),
    "redis_db_keys_expiring": (_GAUGE, "keys", "Keys with an expiry in the database."),
    "redis_db_keys_cached": (_GAUGE, "keys", "Keys of the database that are in memory (KeyDB)."),
    "redis_db_avg_ttl_seconds": (_GAUGE, "seconds", "Estimated mean time to live of those that expire, in seconds."),
    # by error and by command
    "redis_errors_total": (_COUNTER, "errors", "Errors answered, by the word they begin with."),
    "redis_commands_total": (_COUNTER, "calls", "Calls of the command, without Dozor's own."),
    "redis_commands_duration_seconds_total": (_COUNTER, "seconds", "Time spent in the command, in seconds."),
    "redis_commands_rejected_calls_total": (_COUNTER, "calls", "Calls refused before they were executed."),
    "redis_commands_failed_calls_total": (_COUNTER, "calls", "Calls that failed while they were executed."),
    PERCENTILES: (_GAUGE, "microseconds", "Time of that percentile of the command's calls, in microseconds."),
    f"{PERCENTILES}_sum": (_COUNTER, "microseconds", "Time of all calls of the command, in microseconds."),
    f"{PERCENTILES}_count": (_COUNTER, "calls", "Calls of the command, without Dozor's own."),
    "redis_latency_spike_last": (_GAUGE, "seconds", "When such a delay was last noticed, in Unix seconds."),
    "redis_latency_spike_duration_seconds": (_GAUGE, "seconds", "How long the last such delay was, in seconds."),
    # replication
    "redis_connected_slave_offset_bytes": (_GAUGE, "bytes", "How many bytes of the stream the replica has."),
    "redis_connected_slave_lag_seconds": (_GAUGE, "seconds", "Since the replica was last heard of, in seconds."),
    "redis_master_link_up": (_GAUGE, "", "Whether this replica is connected to its primary: 1 or 0."),
    "redis_master_last_io_seconds_ago": (_GAUGE, "seconds", "Since the primary was last heard of, in seconds."),
    "redis_master_sync_in_progress": (_GAUGE, "", "Whether this replica copies its primary's data: 1 or 0."),
    "redis_slave_repl_offset": (_GAUGE, "bytes", "How many bytes of the stream this replica has."),
    "redis_slave_info": (_GAUGE, "", "Whose replica this is; always 1."),
    # by primary that a sentinel watches
    "redis_sentinel_master_status": (_GAUGE, "", "Whether the sentinel finds the primary well: 1 or 0."),
    "redis_sentinel_master_slaves": (_GAUGE, "replicas", "Replicas of the primary that the sentinel knows."),
    "redis_sentinel_master_sentinels": (_GAUGE, "sentinels", "Sentinels that watch the primary."),
    "redis_sentinel_master_ok_slaves": (
        _GAUGE,
        "replicas",
        "Replicas of the primary that the sentinel does not find down.",
    ),
    "redis_sentinel_master_ok_sentinels": (
        _GAUGE,
        "sentinels",
        "Sentinels of the primary that are not found down, the one asked counted.",
    ),
    "redis_sentinel_master_ckquorum_status": (_GAUGE, "", "Whether enough sentinels are there to fail over: 1 or 0."),
    "redis_sentinel_master_setting_ckquorum": (_GAUGE, "sentinels", "Sentinels that must find the primary down."),
    "redis_sentinel_master_setting_failover_timeout": (_GAUGE, "milliseconds", "Failover timeout, in milliseconds."),
    "redis_sentinel_master_setting_parallel_syncs": (
        _GAUGE,
        "replicas",
        "Replicas that follow a new primary at a time.",
    ),
    "redis_sentinel_master_setting_down_after_milliseconds": (
        _GAUGE,
        "milliseconds",
        "After how long without an answer the primary counts as down, in milliseconds.",
    ),
    "redis_sentinel_master_config_epoch": (_GAUGE, "", "Rises with each failover."),
    "redis_sentinel_master_last_ok_ping_reply_seconds": (_GAUGE, "seconds", "Since it last answered, in seconds."),
    # of Dozor's own
    "dozor_redis_folded": (_GAUGE, "", "Items that are not shown one by one because there are too many, by kind."),
}


def families(found: Iterable[Found]) -> Iterator[Family]:
    """The families of *found*, whose names stand in LABELLED."""
    grouped: dict[str, list[Sample]] = {}
    for name, labels, value in found:
        grouped.setdefault(name, []).append(Sample(name, labels, value))
    for name, samples in grouped.items():
        kind, unit, text = LABELLED[name]
        yield Family(name, kind, text, unit, tuple(samples))
