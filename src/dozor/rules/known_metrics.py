"""The names of Dozor's own metrics, for checking rules where no Dozor runs that could be asked."""

import re
from typing import Final

from dozor.instruments.redis_fields import FIELDS
from dozor.instruments.redis_labelled import LABELLED

PERCENT: Final = frozenset({
    "db_pool_utilization", "db_server_cache_hit_rate", "host_cpu_utilization", "host_disk_utilization", "host_memory_utilization", "redis_hit_rate",
})  # fmt: skip
"""From 0 to 100."""

YES_OR_NO: Final = frozenset({
    "db_up", "dozor_receiver_open", "dozor_receiver_up", "dozor_rules_reload_success", "pgbouncer_up", "redis_connected",
    "redis_cluster_state", "redis_master_link_up", "redis_sentinel_master_ckquorum_status", "redis_up", "up",
})  # fmt: skip
"""1 or 0."""

_HISTOGRAMS: Final = frozenset({
    "db_pool_create_seconds", "db_pool_use_seconds", "db_pool_wait_seconds", "db_query_seconds",
    "dozor_notification_latency_seconds", "dozor_notification_seconds", "http_request_duration_seconds",
    "event_loop_delay_seconds", "redis_client_command_seconds",
})  # fmt: skip

_OTHERS: Final = frozenset({
    "ALERTS", "ALERTS_FOR_STATE", "active_alerts_count", "total_alerts_count",
    "db_connection_budget_available", "db_connection_budget_others", "db_connection_budget_planned",
    "db_pool_endpoint_held_seconds_total", "db_pool_endpoint_timeouts_total", "db_pool_endpoint_wait_seconds_total",
    "db_pool_garbage_collected_total", "db_pool_idle_in_transaction", "db_pool_longest_idle_in_transaction_seconds",
    "dozor_pool_drift_total", "dozor_pool_unaccounted",
    "db_pool_available", "db_pool_capacity", "db_pool_checked_out", "db_pool_checkouts_total", "db_pool_connects_total",
    "db_pool_disconnects_total", "db_pool_errors_total", "db_pool_idle", "db_pool_idle_min", "db_pool_leaked",
    "db_pool_overflow", "db_pool_size", "db_pool_slow_queries_total", "db_pool_timeouts_total", "db_pool_waiting",
    "db_query_n_plus_one_total", "db_query_slow_fetches_total",
    "db_server_connections", "db_server_longest_transaction_seconds", "db_server_max_connections",
    "db_server_waiting_locks",
    "dozor_alerts", "dozor_cpu_budget", "dozor_cpu_seconds_total", "dozor_cpu_utilization", "dozor_detail_shed",
    "dozor_hot_path_cpu_seconds_total", "dozor_hot_path_seconds", "dozor_stage_seconds_total",
    "dozor_collector_age_seconds", "dozor_collector_duration_seconds", "dozor_collector_errors_total",
    "dozor_collector_interval_seconds", "dozor_dead_letters", "dozor_history_limit_bytes", "dozor_history_retention_seconds", "dozor_history_size_bytes",
    "dozor_early_collections_total", "dozor_heartbeats_total",
    "dozor_http_requests_folded_total", "dozor_intake_samples_total", "dozor_intake_series", "dozor_internal_errors_total", "dozor_journal_depth",
    "dozor_notifications_postponed_total", "dozor_notifications_total", "dozor_outbox_depth",
    "dozor_outbox_oldest_seconds", "dozor_query_texts_folded_total", "dozor_rules_reload_timestamp_seconds", "dozor_store_samples", "dozor_store_series",
    "dozor_store_evicted_samples_total", "dozor_store_limit_bytes", "dozor_store_retention_seconds",
    "dozor_store_size_bytes", "dozor_store_unavailable_seconds",
    "event_loop_lag_seconds", "event_loop_stall_seconds_total", "event_loop_stalls_total", "event_loop_tasks", "event_loop_watched_seconds",
    "http_request_database_seconds_total", "http_request_pool_wait_seconds_total",
    "http_request_redis_commands_total", "http_request_redis_seconds_total", "http_request_statements_total",
    "http_requests_in_progress", "http_requests_total", "http_slow_requests_total",
    "pg_stat_database_blks_hit", "pg_stat_database_blks_read", "pg_stat_database_conflicts", "pg_stat_database_deadlocks",
    "pg_stat_database_temp_bytes", "pg_stat_database_temp_files", "pg_stat_database_tup_deleted",
    "pg_stat_database_tup_fetched", "pg_stat_database_tup_inserted", "pg_stat_database_tup_returned",
    "pg_stat_database_tup_updated", "pg_stat_database_xact_commit", "pg_stat_database_xact_rollback",
    "pgbouncer_config_default_pool_size", "pgbouncer_config_max_client_connections",
    "pgbouncer_pools_client_active_connections", "pgbouncer_pools_client_maxwait_seconds",
    "pgbouncer_pools_client_waiting_connections", "pgbouncer_pools_server_active_connections",
    "pgbouncer_pools_server_idle_connections", "pgbouncer_pools_server_login_connections",
    "pgbouncer_pools_server_used_connections", "pgbouncer_stats_client_wait_seconds_total",
    "pgbouncer_stats_queries_duration_seconds_total", "pgbouncer_stats_queries_pooled_total",
    "pgbouncer_stats_received_bytes_total", "pgbouncer_stats_sent_bytes_total",
    "pgbouncer_stats_sql_transactions_pooled_total",
    "process_cpu_seconds_total", "process_max_fds", "process_open_fds", "process_resident_memory_bytes",
    "process_start_time_seconds", "process_virtual_memory_bytes",
    "python_gc_collections_total", "python_gc_pause_seconds_total", "python_gc_objects_collected_total", "python_gc_objects_uncollectable_total",
    "python_info", "python_threads",
    "redis_blocked_clients", "redis_client_errors_total", "redis_client_pool_available", "redis_client_pool_idle",
    "redis_client_pool_in_use", "redis_client_pool_max", "redis_client_pool_waiting", "redis_commands_processed_total", "redis_connected_clients", "redis_evicted_keys_total",
    "redis_expired_keys_total", "redis_instance_info", "redis_keyspace_hits_total", "redis_keyspace_misses_total",
    "redis_memory_fragmentation_ratio", "redis_memory_limit", "redis_memory_peak", "redis_memory_usage",
    "redis_operations_per_second", "redis_rejected_connections_total", "redis_slow_commands_total",
    "redis_uptime_in_seconds",
    "response_cache_breaker_opened_total", "response_cache_errors_total", "response_cache_requests_total",
    "response_cache_stored_total",
    "scrape_duration_seconds", "scrape_samples_scraped",
})  # fmt: skip

OWN: Final = (
    PERCENT
    | YES_OR_NO
    | _OTHERS
    | {field.name for field in FIELDS.values()}
    | LABELLED.keys()
    | {f"{name}_{suffix}" for name in _HISTOGRAMS for suffix in ("bucket", "sum", "count")}
)
"""Every name that a series of Dozor's own can have."""

_RATIO: Final = re.compile(r"(?:utili[sz]ation|usage|used|hit|error)_ratio$")
_ONLY_GROWS: Final = re.compile(r"_(?:total|count|bucket)$")


def extremes(metric: str) -> tuple[float, float]:
    """Between what the values of *metric* lie, as far as its name tells."""
    if metric in PERCENT:
        return 0.0, 100.0
    if metric in YES_OR_NO or metric.endswith("_up") or _RATIO.search(metric):
        return 0.0, 1.0
    return (0.0 if _ONLY_GROWS.search(metric) else float("-inf")), float("inf")
