"""What the fields of `INFO` are called as metrics: the names that redis_exporter has made the field's.

Dashboards and rules that were written for it find their series here too. A field that is among Dozor's own sixteen under the
same name (connected clients, hits, misses …) is not repeated.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

from dozor.model.sample import MetricType


class Field(NamedTuple):
    """One field as a metric: name, type, unit in words, what it says, and what to multiply its value by."""

    name: str
    type: MetricType
    unit: str
    text: str
    scale: float = 1.0


def _gauge(name: str, unit: str, text: str, scale: float = 1.0) -> Field:
    return Field(f"redis_{name}", MetricType.GAUGE, unit, text, scale)


def _counter(name: str, unit: str, text: str) -> Field:
    return Field(f"redis_{name}", MetricType.COUNTER, unit, text)


OWN: Final[Mapping[str, tuple[str, str]]] = {
    "redis_connected": ("", "Whether the Redis answers: 1 or 0."),
    "redis_memory_usage": ("bytes", "Memory in use by data and buffers, in bytes."),
    "redis_memory_limit": ("bytes", "maxmemory, in bytes; absent where none is set."),
    "redis_memory_peak": ("bytes", "The most memory in use since the server started, in bytes."),
    "redis_memory_fragmentation_ratio": ("", "Resident memory divided by memory in use."),
    "redis_connected_clients": ("connections", "Client connections now."),
    "redis_blocked_clients": ("connections", "Clients now waiting in a blocking command."),
    "redis_rejected_connections_total": ("connections", "Connections refused because maxclients was reached."),
    "redis_hit_rate": (
        "percent",
        "Lookups of the last 5 minutes that found a key, in percent; absent without lookups.",
    ),
    "redis_keyspace_hits_total": ("lookups", "Lookups that found a key."),
    "redis_keyspace_misses_total": ("lookups", "Lookups that found none."),
    "redis_operations_per_second": (
        "operations",
        "Commands a second since the collection before, without Dozor's own.",
    ),
    "redis_commands_processed_total": ("commands", "Commands processed."),
    "redis_evicted_keys_total": ("keys", "Keys evicted because maxmemory was reached."),
    "redis_expired_keys_total": ("keys", "Keys that expired."),
    "redis_slow_commands_total": ("commands", "Entries that appeared in the slow log, each counted once."),
    "redis_uptime_in_seconds": ("seconds", "Time since the server started, in seconds."),
    "redis_up": ("", "Whether the server's figures could be read: 1 or 0."),
    "redis_instance_info": ("", "What kind of server it is; always 1."),
}
"""Metrics that Dozor makes from more than one field, or by names of its own: unit and what each says."""

STATES: Final[Mapping[str, float]] = {"ok": 1.0, "true": 1.0, "err": 0.0, "fail": 0.0, "false": 0.0}
"""What stands for a number where a field is a word."""

NEVER: Final = frozenset(
    {"rdb_last_bgsave_time_sec", "rdb_current_bgsave_time_sec", "aof_last_rewrite_time_sec"}
    | {"aof_current_rewrite_time_sec", "second_repl_offset", "master_last_io_seconds_ago"}
)
"""Fields in which -1 means that there is none: those are absent then, like all that is unknown."""

FIELDS: Final[Mapping[str, Field]] = {
    # server
    "process_id": _gauge("process_id", "", "Process id of the server."),
    "io_threads_active": _gauge("io_threads_active", "", "Whether threads for input and output are at work: 1 or 0."),
    "hz": _gauge("hz", "", "How often a second the server does its housekeeping."),
    "configured_hz": _gauge("configured_hz", "", "How often a second the server is set to do its housekeeping."),
    "server_threads": _gauge("server_threads_total", "threads", "Threads that serve clients."),
    # clients
    "maxclients": _gauge("max_clients", "connections", "The most client connections that the server takes."),
    "tracking_clients": _gauge("tracking_clients", "connections", "Clients that are told when keys they read change."),
    "clients_in_timeout_table": _gauge("clients_in_timeout_table", "connections", "Clients that wait with a timeout."),
    "pubsub_clients": _gauge("pubsub_clients", "connections", "Clients that have subscribed."),
    "watching_clients": _gauge("watching_clients", "connections", "Clients that watch keys for a transaction."),
    "total_watched_keys": _gauge("total_watched_keys", "keys", "Keys watched for transactions."),
    "total_blocking_keys": _gauge("total_blocking_keys", "keys", "Keys that blocked clients wait for."),
    "total_blocking_keys_on_nokey": _gauge(
        "total_blocking_keys_on_nokey", "keys", "Keys whose removal would wake blocked clients."
    ),
    "client_longest_output_list": _gauge("client_longest_output_list", "", "Longest output list among the clients."),
    "client_biggest_input_buf": _gauge(
        "client_biggest_input_buf", "bytes", "Largest input buffer of a client, in bytes."
    ),
    "client_recent_max_input_buffer": _gauge(
        "client_recent_max_input_buffer_bytes", "bytes", "Largest input buffer of a client lately, in bytes."
    ),
    "client_recent_max_output_buffer": _gauge(
        "client_recent_max_output_buffer_bytes", "bytes", "Largest output buffer of a client lately, in bytes."
    ),
    # memory
    "used_memory": _gauge("memory_used_bytes", "bytes", "Memory in use by data and buffers, in bytes."),
    "used_memory_rss": _gauge("memory_used_rss_bytes", "bytes", "Memory that the system has given, in bytes."),
    "used_memory_peak": _gauge("memory_used_peak_bytes", "bytes", "The most memory in use since the start, in bytes."),
    "used_memory_lua": _gauge("memory_used_lua_bytes", "bytes", "Memory of the Lua engine, in bytes."),
    "used_memory_vm_eval": _gauge("memory_used_vm_eval_bytes", "bytes", "Memory of the engine of EVAL, in bytes."),
    "used_memory_scripts_eval": _gauge("memory_used_scripts_eval_bytes", "bytes", "Scripts of EVAL, in bytes."),
    "used_memory_vm_functions": _gauge("memory_used_vm_functions_bytes", "bytes", "Engine of functions, in bytes."),
    "used_memory_vm_total": _gauge("memory_used_vm_total", "bytes", "Memory of all script engines, in bytes."),
    "used_memory_functions": _gauge("memory_used_functions_bytes", "bytes", "Overhead of functions, in bytes."),
    "used_memory_scripts": _gauge("memory_used_scripts_bytes", "bytes", "Overhead of scripts and functions, in bytes."),
    "used_memory_overhead": _gauge("memory_used_overhead_bytes", "bytes", "Memory for all but the data, in bytes."),
    "used_memory_startup": _gauge("memory_used_startup_bytes", "bytes", "Memory in use after the start, in bytes."),
    "used_memory_dataset": _gauge("memory_used_dataset_bytes", "bytes", "Memory of the data, in bytes."),
    "number_of_cached_scripts": _gauge("number_of_cached_scripts", "scripts", "Scripts that EVAL has cached."),
    "number_of_functions": _gauge("number_of_functions", "functions", "Functions that are loaded."),
    "number_of_libraries": _gauge("number_of_libraries", "libraries", "Function libraries that are loaded."),
    "maxmemory": _gauge("memory_max_bytes", "bytes", "maxmemory, in bytes; 0: no limit is set."),
    "total_system_memory": _gauge("total_system_memory_bytes", "bytes", "Memory of the server's machine, in bytes."),
    "allocator_active": _gauge("allocator_active_bytes", "bytes", "Allocator's active pages, in bytes."),
    "allocator_allocated": _gauge("allocator_allocated_bytes", "bytes", "What the allocator has handed out, in bytes."),
    "allocator_resident": _gauge("allocator_resident_bytes", "bytes", "Allocator's resident pages, in bytes."),
    "allocator_muzzy": _gauge("allocator_muzzy_bytes", "bytes", "Pages that the system may take back, in bytes."),
    "allocator_frag_ratio": _gauge("allocator_frag_ratio", "", "Allocator's active memory by what it handed out."),
    "allocator_frag_bytes": _gauge("allocator_frag_bytes", "bytes", "Memory lost to fragments, in bytes."),
    "allocator_rss_ratio": _gauge("allocator_rss_ratio", "", "Allocator's resident memory by its active memory."),
    "allocator_rss_bytes": _gauge("allocator_rss_bytes", "bytes", "Memory that the allocator could return, in bytes."),
    "mem_fragmentation_ratio": _gauge("mem_fragmentation_ratio", "", "Resident memory divided by memory in use."),
    "mem_fragmentation_bytes": _gauge("mem_fragmentation_bytes", "bytes", "Resident less used memory, in bytes."),
    "mem_clients_slaves": _gauge("mem_clients_slaves", "bytes", "Buffers of replicas, in bytes."),
    "mem_clients_normal": _gauge("mem_clients_normal", "bytes", "Buffers of clients, in bytes."),
    "mem_cluster_links": _gauge("mem_cluster_links_bytes", "bytes", "Buffers of cluster links, in bytes."),
    "mem_aof_buffer": _gauge("mem_aof_buffer_bytes", "bytes", "Buffers of the append-only file, in bytes."),
    "mem_replication_backlog": _gauge("mem_replication_backlog_bytes", "bytes", "Replication backlog, in bytes."),
    "mem_total_replication_buffers": _gauge(
        "mem_total_replication_buffers_bytes", "bytes", "All buffers of replication, in bytes."
    ),
    "mem_not_counted_for_evict": _gauge(
        "mem_not_counted_for_eviction_bytes", "bytes", "Memory in use that maxmemory does not count, in bytes."
    ),
    "mem_overhead_db_hashtable_rehashing": _gauge(
        "mem_overhead_db_hashtable_rehashing_bytes", "bytes", "Hash tables that are being resized, in bytes."
    ),
    "lazyfree_pending_objects": _gauge("lazyfree_pending_objects", "objects", "Objects that wait to be freed."),
    "lazyfreed_objects": _gauge("lazyfreed_objects", "objects", "Objects freed in the background."),
    "active_defrag_running": _gauge("active_defrag_running", "percent", "CPU that defragmentation uses, in percent."),
    "active_defrag_hits": _gauge("defrag_hits", "allocations", "Allocations moved by defragmentation."),
    "active_defrag_misses": _gauge("defrag_misses", "allocations", "Allocations that were not moved."),
    "active_defrag_key_hits": _gauge("defrag_key_hits", "keys", "Keys defragmented."),
    "active_defrag_key_misses": _gauge("defrag_key_misses", "keys", "Keys passed over by defragmentation."),
    "migrate_cached_sockets": _gauge("migrate_cached_sockets_total", "sockets", "Sockets kept open for MIGRATE."),
    "expired_stale_perc": _gauge(
        "expired_stale_percentage", "percent", "Keys that expired and are still there, in percent."
    ),
    # persistence
    "loading": _gauge("loading_dump_file", "", "Whether a dump is being loaded: 1 or 0."),
    "async_loading": _gauge("async_loading", "", "Whether data is loaded while old data is served: 1 or 0."),
    "rdb_changes_since_last_save": _gauge("rdb_changes_since_last_save", "changes", "Changes since the last dump."),
    "rdb_bgsave_in_progress": _gauge("rdb_bgsave_in_progress", "", "Whether a dump is being written: 1 or 0."),
    "rdb_last_save_time": _gauge("rdb_last_save_timestamp_seconds", "seconds", "Last good dump, in Unix seconds."),
    "rdb_last_bgsave_status": _gauge("rdb_last_bgsave_status", "", "Whether the last dump succeeded: 1 or 0."),
    "rdb_last_bgsave_time_sec": _gauge("rdb_last_bgsave_duration_sec", "seconds", "Time of the last dump, in seconds."),
    "rdb_current_bgsave_time_sec": _gauge(
        "rdb_current_bgsave_duration_sec", "seconds", "Time that the dump under way has taken, in seconds."
    ),
    "rdb_saves": _counter("rdb_saves_total", "dumps", "Dumps written since the start."),
    "rdb_last_cow_size": _gauge("rdb_last_cow_size_bytes", "bytes", "Memory copied during the last dump, in bytes."),
    "rdb_last_load_keys_expired": _gauge("rdb_last_load_expired_keys", "keys", "Keys left out at loading: expired."),
    "rdb_last_load_keys_loaded": _gauge("rdb_last_load_loaded_keys", "keys", "Keys loaded from the dump."),
    "aof_enabled": _gauge("aof_enabled", "", "Whether an append-only file is kept: 1 or 0."),
    "aof_rewrite_in_progress": _gauge("aof_rewrite_in_progress", "", "Whether that file is being rewritten: 1 or 0."),
    "aof_rewrite_scheduled": _gauge("aof_rewrite_scheduled", "", "Whether a rewrite comes after the dump: 1 or 0."),
    "aof_last_rewrite_time_sec": _gauge("aof_last_rewrite_duration_sec", "seconds", "Last rewrite, in seconds."),
    "aof_current_rewrite_time_sec": _gauge(
        "aof_current_rewrite_duration_sec", "seconds", "Time that the rewrite under way has taken, in seconds."
    ),
    "aof_last_cow_size": _gauge("aof_last_cow_size_bytes", "bytes", "Memory copied during the last rewrite, in bytes."),
    "aof_current_size": _gauge("aof_current_size_bytes", "bytes", "Size of the append-only file, in bytes."),
    "aof_base_size": _gauge("aof_base_size_bytes", "bytes", "Its size after the last rewrite, in bytes."),
    "aof_pending_rewrite": _gauge("aof_pending_rewrite", "", "Whether a rewrite waits: 1 or 0."),
    "aof_buffer_length": _gauge("aof_buffer_length", "bytes", "What waits to be appended, in bytes."),
    "aof_rewrite_buffer_length": _gauge("aof_rewrite_buffer_length", "bytes", "Changes during a rewrite, in bytes."),
    "aof_pending_bio_fsync": _gauge("aof_pending_bio_fsync", "jobs", "Calls of fsync that wait."),
    "aof_delayed_fsync": _gauge("aof_delayed_fsync", "events", "Writes that waited for an fsync since the start."),
    "aof_last_bgrewrite_status": _gauge("aof_last_bgrewrite_status", "", "Whether the last rewrite succeeded: 1 or 0."),
    "aof_last_write_status": _gauge("aof_last_write_status", "", "Whether the last append succeeded: 1 or 0."),
    "module_fork_in_progress": _gauge("module_fork_in_progress", "", "Whether a module has forked: 1 or 0."),
    "module_fork_last_cow_size": _gauge("module_fork_last_cow_size", "bytes", "Copied in a module's fork, in bytes."),
    # statistics
    "total_connections_received": _counter("connections_received_total", "connections", "Connections accepted."),
    "total_net_input_bytes": _counter("net_input_bytes_total", "bytes", "Read from the network, in bytes."),
    "total_net_output_bytes": _counter("net_output_bytes_total", "bytes", "Written to the network, in bytes."),
    "total_net_repl_input_bytes": _counter("net_repl_input_bytes_total", "bytes", "Read for replication, in bytes."),
    "total_net_repl_output_bytes": _counter(
        "net_repl_output_bytes_total", "bytes", "Written for replication, in bytes."
    ),
    "expired_subkeys": _counter("expired_subkeys_total", "fields", "Fields of hashes that expired."),
    "expired_time_cap_reached_count": _counter(
        "expired_time_cap_reached_total", "events", "Rounds of expiry that ran out of their time."
    ),
    "expire_cycle_cpu_milliseconds": _counter(
        "expire_cycle_cpu_time_ms_total", "milliseconds", "CPU time of expiry, in milliseconds."
    ),
    "evicted_clients": _counter("evicted_clients_total", "connections", "Clients closed for their buffers' memory."),
    "evicted_scripts": _counter("evicted_scripts_total", "scripts", "Scripts evicted from the cache."),
    "total_eviction_exceeded_time": _counter(
        "eviction_exceeded_time_ms_total", "milliseconds", "Time above maxmemory since the start, in milliseconds."
    ),
    "current_eviction_exceeded_time": _gauge(
        "current_eviction_exceeded_time_ms", "milliseconds", "Time above maxmemory up to now, in milliseconds."
    ),
    "pubsub_channels": _gauge("pubsub_channels", "channels", "Channels with subscribers."),
    "pubsub_patterns": _gauge("pubsub_patterns", "patterns", "Patterns with subscribers."),
    "pubsubshard_channels": _gauge("pubsubshard_channels", "channels", "Shard channels with subscribers."),
    "latest_fork_usec": _gauge("latest_fork_seconds", "seconds", "Time of the last fork, in seconds.", 1e-6),
    "tracking_total_keys": _gauge("tracking_total_keys", "keys", "Keys tracked for clients."),
    "tracking_total_items": _gauge("tracking_total_items", "items", "Pairs of key and client that are tracked."),
    "tracking_total_prefixes": _gauge("tracking_total_prefixes", "prefixes", "Prefixes tracked for clients."),
    "instantaneous_eventloop_cycles_per_sec": _gauge(
        "instantaneous_eventloop_cycles_per_sec", "cycles", "Turns of the server's event loop a second."
    ),
    "instantaneous_eventloop_duration_usec": _gauge(
        "instantaneous_eventloop_duration_usec", "microseconds", "Time of a turn of that loop, in microseconds."
    ),
    "eventloop_cycles": _counter("eventloop_cycles_total", "cycles", "Turns of the server's event loop."),
    "eventloop_duration_sum": _counter(
        "eventloop_duration_sum_usec_total", "microseconds", "Time in that loop, in microseconds."
    ),
    "eventloop_duration_cmd_sum": _counter(
        "eventloop_duration_cmd_sum_usec_total", "microseconds", "Time in commands, in microseconds."
    ),
    "unexpected_error_replies": _counter("unexpected_error_replies", "errors", "Errors where none is expected."),
    "total_error_replies": _counter("total_error_replies", "errors", "Errors answered."),
    "dump_payload_sanitizations": _counter("dump_payload_sanitizations", "payloads", "Payloads that were checked."),
    "total_reads_processed": _counter("total_reads_processed", "reads", "Reads from clients."),
    "total_writes_processed": _counter("total_writes_processed", "writes", "Writes to clients."),
    "io_threaded_reads_processed": _counter("io_threaded_reads_processed", "reads", "Reads done by threads."),
    "io_threaded_writes_processed": _counter("io_threaded_writes_processed", "writes", "Writes done by threads."),
    "client_query_buffer_limit_disconnections": _counter(
        "client_query_buffer_limit_disconnections_total", "connections", "Clients closed for a too long request."
    ),
    "client_output_buffer_limit_disconnections": _counter(
        "client_output_buffer_limit_disconnections_total", "connections", "Clients closed for what they did not fetch."
    ),
    "reply_buffer_shrinks": _counter("reply_buffer_shrinks_total", "events", "Reply buffers made smaller."),
    "reply_buffer_expands": _counter("reply_buffer_expands_total", "events", "Reply buffers made larger."),
    "acl_access_denied_auth": _counter("acl_access_denied_auth_total", "events", "Log-ins refused."),
    "acl_access_denied_cmd": _counter("acl_access_denied_cmd_total", "events", "Commands refused by ACL."),
    "acl_access_denied_key": _counter("acl_access_denied_key_total", "events", "Keys refused by ACL."),
    "acl_access_denied_channel": _counter("acl_access_denied_channel_total", "events", "Channels refused by ACL."),
    "cached_keys": _counter("cached_keys_total", "keys", "Keys cached (KeyDB)."),
    "long_lock_waits": _counter("long_lock_waits_total", "events", "Long waits for the lock (KeyDB)."),
    # replication
    "connected_slaves": _gauge("connected_slaves", "replicas", "Replicas that are connected."),
    "repl_backlog_size": _gauge("replication_backlog_bytes", "bytes", "Size of the replication backlog, in bytes."),
    "repl_backlog_active": _gauge("repl_backlog_is_active", "", "Whether there is a replication backlog: 1 or 0."),
    "repl_backlog_first_byte_offset": _gauge(
        "repl_backlog_first_byte_offset", "bytes", "Offset where it begins, in bytes."
    ),
    "repl_backlog_histlen": _gauge("repl_backlog_history_bytes", "bytes", "What the backlog holds, in bytes."),
    "master_repl_offset": _gauge("master_repl_offset", "bytes", "Offset in the stream of replication, in bytes."),
    "second_repl_offset": _gauge("second_repl_offset", "bytes", "Up to where a former primary's id holds, in bytes."),
    "slave_expires_tracked_keys": _gauge("slave_expires_tracked_keys", "keys", "Expiring keys a replica tracks."),
    "slave_priority": _gauge("slave_priority", "", "Priority at a failover; 0: never promoted."),
    "sync_full": _gauge("replica_resyncs_full", "events", "Replicas that copied everything."),
    "sync_partial_ok": _gauge("replica_partial_resync_accepted", "events", "Replicas that only caught up."),
    "sync_partial_err": _gauge("replica_partial_resync_denied", "events", "Replicas that could not just catch up."),
    # CPU
    "used_cpu_sys": _counter("cpu_sys_seconds_total", "seconds", "CPU time in the kernel, in seconds."),
    "used_cpu_user": _counter("cpu_user_seconds_total", "seconds", "CPU time in the server, in seconds."),
    "used_cpu_sys_children": _counter(
        "cpu_sys_children_seconds_total", "seconds", "Of its children in the kernel, in seconds."
    ),
    "used_cpu_user_children": _counter(
        "cpu_user_children_seconds_total", "seconds", "Of its children themselves, in seconds."
    ),
    "used_cpu_sys_main_thread": _counter(
        "cpu_sys_main_thread_seconds_total", "seconds", "Main thread in the kernel, in seconds."
    ),
    "used_cpu_user_main_thread": _counter(
        "cpu_user_main_thread_seconds_total", "seconds", "Main thread itself, in seconds."
    ),
    "used_active_time_main_thread": _counter(
        "active_time_main_thread_seconds_total", "seconds", "Time that the main thread was not idle, in seconds."
    ),
    # sentinel
    "sentinel_masters": _gauge("sentinel_masters", "primaries", "Primaries that this sentinel watches."),
    "sentinel_tilt": _gauge("sentinel_tilt", "", "Whether this sentinel distrusts its clock (TILT): 1 or 0."),
    "sentinel_running_scripts": _gauge("sentinel_running_scripts", "scripts", "Scripts that run."),
    "sentinel_scripts_queue_length": _gauge("sentinel_scripts_queue_length", "scripts", "Scripts that wait."),
    "sentinel_simulate_failure_flags": _gauge("sentinel_simulate_failure_flags", "", "Failures being simulated."),
    # CLUSTER INFO
    "cluster_enabled": _gauge("cluster_enabled", "", "Whether the server is a node of a cluster: 1 or 0."),
    "cluster_state": _gauge("cluster_state", "", "Whether the cluster serves all slots: 1 or 0."),
    "cluster_slots_assigned": _gauge("cluster_slots_assigned", "slots", "Slots that some node serves."),
    "cluster_slots_ok": _gauge("cluster_slots_ok", "slots", "Slots whose node is well."),
    "cluster_slots_pfail": _gauge("cluster_slots_pfail", "slots", "Slots whose node does not answer this one."),
    "cluster_slots_fail": _gauge("cluster_slots_fail", "slots", "Slots whose node has failed."),
    "cluster_known_nodes": _gauge("cluster_known_nodes", "nodes", "Nodes that are known."),
    "cluster_size": _gauge("cluster_size", "nodes", "Primaries that serve slots."),
    "cluster_current_epoch": _gauge("cluster_current_epoch", "", "Epoch of the cluster."),
    "cluster_my_epoch": _gauge("cluster_my_epoch", "", "Epoch of this node."),
    "cluster_stats_messages_sent": _counter("cluster_messages_sent_total", "messages", "Messages sent to nodes."),
    "cluster_stats_messages_received": _counter("cluster_messages_received_total", "messages", "Messages from nodes."),
}
