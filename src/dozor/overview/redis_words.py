"""What a person should know of what a Redis tells: what is missing for want of permission, what a delay means."""

from collections.abc import Mapping
from typing import Final

_MISSING: Final[Mapping[str, tuple[str, str]]] = {
    "info": ("INFO", "nearly everything"),
    "slowlog": ("SLOWLOG GET", "slow commands"),
    "slowlog|len": ("SLOWLOG LEN", "the length of the slow log"),
    "commandstats": ("INFO", "what commands cost"),
    "latencystats": ("INFO", "percentiles of commands"),
    "latency|latest": ("LATENCY LATEST", "latency events"),
    "latency|histogram": ("LATENCY HISTOGRAM", "percentiles of commands by window"),
    "config|get": ("CONFIG GET", "from when on a command is slow, and whether latency events are recorded"),
    "cluster|info": ("CLUSTER INFO", "the state of the cluster"),
    "sentinel|masters": ("SENTINEL MASTERS", "quorum and settings of what the sentinel watches"),
    "sentinel|replicas": ("SENTINEL REPLICAS", "how many replicas are at work"),
    "sentinel|sentinels": ("SENTINEL SENTINELS", "how many sentinels are at work"),
    "sentinel|ckquorum": ("SENTINEL CKQUORUM", "whether the sentinels could fail over"),
}
# https://redis.io/docs/latest/operate/oss_and_stack/management/optimization/latency-monitor/
_EVENTS: Final[Mapping[str, str]] = {
    "command": "A command was slow: see redis/slow-commands.",
    "fast-command": "A command that is quick by nature was slow: the machine, or the memory allocator, was busy.",
    "fork": "The server copied itself for a dump or a rewrite: less memory, or transparent huge pages off, makes that quicker.",
    "expire-cycle": "Many keys expired at once: spread their expiries.",
    "eviction-cycle": "Many keys were evicted at once: memory is full.",
    "eviction-del": "Evicting a key took long: it was large.",
    "aof-write": "The append-only file was written slowly: the disk is busy.",
    "aof-write-pending-fsync": "The disk was still busy with an fsync when more was to be appended.",
    "aof-write-active-child": "The disk was busy with a dump or rewrite when more was to be appended.",
    "aof-write-alone": "Appending took long though nothing else was writing: the disk is slow.",
    "aof-fsync-always": "fsync took long, and appendfsync is always.",
    "aof-fstat": "The file system answered slowly.",
    "rdb-unlink-temp-file": "Deleting a temporary file took long.",
    "active-defrag-cycle": "Defragmentation took long: lower active-defrag-cycle-max.",
    "module-acquire-GIL": "A module held the server.",
    "while-blocked-cron": "Housekeeping came late, since a script or command held the server.",
}


def missing(capabilities: Mapping[str, bool]) -> list[str]:
    """A sentence for each command that the server's ACL forbids Dozor: what is missing, and how to allow it."""
    found = []
    for name, allowed in sorted(capabilities.items()):
        if not allowed and name in _MISSING:
            command, what = _MISSING[name]
            grant = "slowlog|get" if name == "slowlog" else name
            found.append(
                f"{command} is forbidden, so Dozor does not know {what}: allow it with ACL SETUSER NAME +{grant}"
            )
    return found


def event_words(name: str) -> str | None:
    """What the delays that the latency monitor calls *name* come from; None where that is not known."""
    return _EVENTS.get(name)
