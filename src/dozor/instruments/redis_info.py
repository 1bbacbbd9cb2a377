"""What `INFO` says, typed and by section; and what follows from two of its answers.

Redis 6 to 8 and Valkey differ in what they name, not in how they write it: `key:value` lines under `# Section` headings.
What a version does not report is absent here.
"""

import re
from collections import deque
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final, NamedTuple

from dozor.instruments.text import printable

InfoValue = str | int | float
Info = Mapping[str, Mapping[str, InfoValue]]

WINDOW_SECONDS: Final = 300.0
_KEY_RATES_SECONDS: Final = 60.0

_INTEGER: Final = re.compile(r"-?(?:0|[1-9][0-9]{0,18})")
_DECIMAL: Final = re.compile(r"-?[0-9]{1,18}\.[0-9]{1,18}")
# Texts that may happen to look like numbers: a version 8.0, a hash of digits only.
_TEXT_SUFFIXES: Final = ("_version", "_sha1", "build_id", "run_id", "replid", "replid2", "_host", "_name", "_file")

_INSTANCE_SECTIONS: Final = ("server", "replication")
_INSTANCE_LABELS: Final = (
    *("redis_version", "redis_build_id", "os", "tcp_port", "run_id", "process_id", "master_replid"),
    *("valkey_version", "valkey_release_stage"),
)

# metric: (section, key). Those ending in _total are counters and start anew with the server or CONFIG RESETSTAT.
FIGURES: Final[Mapping[str, tuple[str, str]]] = {
    "redis_memory_usage": ("memory", "used_memory"),
    "redis_memory_peak": ("memory", "used_memory_peak"),
    "redis_memory_fragmentation_ratio": ("memory", "mem_fragmentation_ratio"),
    "redis_connected_clients": ("clients", "connected_clients"),
    "redis_blocked_clients": ("clients", "blocked_clients"),
    "redis_rejected_connections_total": ("stats", "rejected_connections"),
    "redis_keyspace_hits_total": ("stats", "keyspace_hits"),
    "redis_keyspace_misses_total": ("stats", "keyspace_misses"),
    "redis_commands_processed_total": ("stats", "total_commands_processed"),
    "redis_evicted_keys_total": ("stats", "evicted_keys"),
    "redis_expired_keys_total": ("stats", "expired_keys"),
    "redis_uptime_in_seconds": ("server", "uptime_in_seconds"),
}


def parse_info(raw: bytes) -> dict[str, dict[str, InfoValue]]:
    """The answer to `INFO`: section (lower case) to key to value. Lines that are neither are passed over.

    Whole and decimal numbers become numbers; all else stays text (`99.15%`, `keys=118,expires=0`), with what cannot be
    printed escaped.
    """
    sections: dict[str, dict[str, InfoValue]] = {}
    section: dict[str, InfoValue] | None = None
    heading = ""
    for line in raw.decode("utf-8", "backslashreplace").split("\n"):
        key, value = _read(line)
        if key is None:
            if value is not None:
                heading, section = value, sections.get(value)
            continue
        if section is None:  # one without a line is none
            section = sections[heading] = {}
        section[key] = value
    return sections


def figures(info: Info) -> dict[str, float]:
    """The metrics that are one figure of *info* each, by name; absent where the server does not report it."""
    found = {name: _number(info, *place) for name, place in FIGURES.items()}
    limit = _number(info, "memory", "maxmemory")
    found["redis_memory_limit"] = limit or None  # 0 is Redis' word for "no limit"
    return {name: value for name, value in found.items() if value is not None}


def instance(info: Info) -> dict[str, str]:
    """What kind of server it is, as the labels of `redis_instance_info`.

    Valkey reports the Redis version it is compatible with as `redis_version`; `version` is its own.
    """
    server = info.get("server", {})
    name = str(server.get("server_name", "redis"))
    return {
        "maxmemory_policy": str(info.get("memory", {}).get("maxmemory_policy", "")),
        "mode": str(server.get("redis_mode", server.get("server_mode", ""))),
        "role": str(info.get("replication", {}).get("role", "")),
        "server": name,
        "version": str(server.get(f"{name}_version", server.get("redis_version", ""))),
    }


def exporter_instance(info: Info) -> dict[str, str]:
    """`instance` with the labels that redis_exporter gives to `redis_instance_info` besides."""
    said = {key: value for section in _INSTANCE_SECTIONS for key, value in info.get(section, {}).items()}
    own = instance(info)
    return {"redis_mode": own["mode"], **{key: str(said[key]) for key in _INSTANCE_LABELS if key in said}, **own}


def pairs(value: InfoValue) -> dict[str, str]:
    """What stands in one line of several figures: `keys=118,expires=0` by key."""
    parts = (part.partition("=") for part in str(value).split(","))
    return {key: found for key, equals, found in parts if equals}


def run_id(info: Info) -> str:
    """What changes when the server is restarted."""
    return str(info.get("server", {}).get("run_id", ""))


class _Counts(NamedTuple):
    at: float
    run_id: str
    commands: float
    hits: float
    misses: float
    uptime: float

    def before(self, later: "_Counts") -> "_Counts | None":
        """Where *later* began to count from, as far as it was seen: here, or at 0; None if that cannot be said."""
        rising = self.commands <= later.commands and self.hits <= later.hits and self.misses <= later.misses
        if self.run_id == later.run_id and rising:
            return self
        # A restart in the meantime, or CONFIG RESETSTAT: what is counted has come since. Otherwise another server has
        # taken over the address, and what it counted in its earlier life is none of this window's.
        seen = self.run_id == later.run_id or later.uptime <= later.at - self.at + 1.0
        return later._replace(commands=0.0, hits=0.0, misses=0.0) if seen else None


class Rates:
    """What follows from successive counters: hit rate over the last five minutes, operations in the last interval."""

    def __init__(self) -> None:
        self._last: _Counts | None = None
        self._hits = self._misses = 0.0
        # (when, hits and misses up to then); counted here, so that they do not start anew with the server.
        self._window: deque[tuple[float, float, float]] = deque()

    def update(self, info: Info, at: float, own_commands: int) -> dict[str, float]:
        """The two rates after an answer that came *at* (monotonic seconds).

        *own_commands* is how many of the server's commands since the answer before were Dozor's; they are left out.
        """
        found = figures(info)
        names = ("redis_commands_processed_total", "redis_keyspace_hits_total", "redis_keyspace_misses_total")
        if not all(name in found for name in names):
            return {}
        uptime = found.get("redis_uptime_in_seconds", 0.0)
        commands, hits, misses = (found[name] for name in names)
        last, now = self._last, _Counts(at, run_id(info), commands, hits, misses, uptime)
        self._last = now
        rates: dict[str, float | None] = {"redis_hit_rate": self._hit_rate(last, now)}
        if last is not None and last.before(now) is last and now.at > last.at:
            operations = max(0.0, now.commands - last.commands - own_commands) / (now.at - last.at)
            rates["redis_operations_per_second"] = operations
        else:
            rates["redis_operations_per_second"] = _number(info, "stats", "instantaneous_ops_per_sec")
        return {name: value for name, value in rates.items() if value is not None}

    def _hit_rate(self, last: _Counts | None, now: _Counts) -> float | None:
        if last is None or now.at - last.at > WINDOW_SECONDS:
            self._window.clear()
        elif (before := last.before(now)) is not None:
            self._hits += now.hits - before.hits
            self._misses += now.misses - before.misses
        self._window.append((now.at, self._hits, self._misses))
        while now.at - self._window[0][0] > WINDOW_SECONDS:
            self._window.popleft()
        _, hits_before, misses_before = self._window[0]
        hits, misses = self._hits - hits_before, self._misses - misses_before
        return 100.0 * hits / (hits + misses) if hits + misses > 0 else None


class KeyRates:
    """How many keys were evicted, and how many expired, a second over the last minute."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, str, float, float]] = deque()
        self.per_second: Mapping[str, float] = {}
        """By the field of INFO: `evicted_keys`, `expired_keys`; empty before the second answer. May be read in any thread."""

    def update(self, info: Info, at: float) -> None:
        """Take in an answer that came *at* (monotonic seconds)."""
        evicted, expired = _number(info, "stats", "evicted_keys"), _number(info, "stats", "expired_keys")
        if evicted is None or expired is None:
            return
        if self._seen and (
            self._seen[-1][1] != run_id(info) or evicted < self._seen[-1][2] or expired < self._seen[-1][3]
        ):
            self._seen.clear()
        self._seen.append((at, run_id(info), evicted, expired))
        while at - self._seen[0][0] > _KEY_RATES_SECONDS:
            self._seen.popleft()
        began, _, evicted_before, expired_before = self._seen[0]
        seconds = at - began
        self.per_second = (
            {"evicted_keys": (evicted - evicted_before) / seconds, "expired_keys": (expired - expired_before) / seconds}
            if seconds > 0
            else {}
        )


@lru_cache(maxsize=1024)  # most of the some 230 lines are the same a second later
def _read(line: str) -> tuple[str | None, Any]:
    """Key and value; without a key, the name of a section that begins, or None for a line that is neither."""
    text = line.strip()
    if text.startswith("#"):
        return None, printable(text[1:].strip().lower())
    key, separator, value = text.partition(":")
    return (printable(key), _typed(key, value)) if separator else (None, None)


def _typed(key: str, value: str) -> InfoValue:
    if not key.endswith(_TEXT_SUFFIXES):
        if _INTEGER.fullmatch(value):
            return int(value)
        if _DECIMAL.fullmatch(value):
            return float(value)
    return printable(value)


def _number(info: Info, section: str, key: str) -> float | None:
    value = info.get(section, {}).get(key)
    return float(value) if isinstance(value, int | float) else None
