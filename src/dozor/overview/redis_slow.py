"""Slow commands, summed up: by command, shape and client as the servers tell, and by request and line as the application does."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b

from dozor.instruments.redis_client_monitor import SlowCall
from dozor.overview.evidence import RedisDetails


@dataclass(slots=True)
class SlowCaller:
    """Where the application's slow calls of one command come from. Durations are the application's: with waiting and network."""

    work: str | None
    caller: str | None
    calls: int = 0
    total_seconds: float = 0.0
    max_seconds: float = 0.0
    last_at: float = 0.0


@dataclass(slots=True)
class SlowGroup:
    """Entries of one server's slow log that are alike, among those that are kept.

    Attributes:
        fingerprint: tells groups of one shape apart from others, everywhere and for ever.
        client: the name that the client gave itself, else its host.
        callers: of the application's client, the costliest first; empty where Dozor does not watch it.
    """

    redis: str
    command: str
    shape: str
    fingerprint: str
    client: str | None
    calls: int = 0
    total_seconds: float = 0.0
    max_seconds: float = 0.0
    first_at: float = 0.0
    last_at: float = 0.0
    callers: Sequence[SlowCaller] = ()


def slow_groups(servers: Iterable[RedisDetails]) -> list[SlowGroup]:
    """What is kept of the slow logs of *servers*, the costliest group first."""
    groups: dict[tuple[str, str, str | None], SlowGroup] = {}
    for server in servers:
        callers = _callers(server.slow_calls)
        for entry in server.slow_log:
            client = entry.client_name or entry.client.rpartition(":")[0] or None
            shape = entry.shape or entry.command
            key = (server.name, shape, client)
            group = groups.get(key)
            if group is None:
                group = groups[key] = SlowGroup(server.name, entry.command, shape, fingerprint(shape), client)
                group.first_at = entry.at
                group.callers = callers.get(entry.command, ())
            group.calls += 1
            group.total_seconds += entry.duration_seconds
            group.max_seconds = max(group.max_seconds, entry.duration_seconds)
            group.first_at, group.last_at = min(group.first_at, entry.at), max(group.last_at, entry.at)
    return sorted(groups.values(), key=lambda group: (-group.total_seconds, group.redis, group.shape))


def fingerprint(shape: str) -> str:
    """Of a command's *shape*: 16 hexadecimal digits."""
    return blake2b(shape.encode("utf-8", "backslashreplace"), digest_size=8).hexdigest()


def _callers(calls: Iterable[SlowCall]) -> dict[str, list[SlowCaller]]:
    found: dict[str, dict[tuple[str | None, str | None], SlowCaller]] = {}
    for call in calls:
        callers = found.setdefault(call.command, {})
        caller = callers.setdefault((call.work, call.caller), SlowCaller(call.work, call.caller))
        caller.calls += 1
        caller.total_seconds += call.duration_seconds
        caller.max_seconds = max(caller.max_seconds, call.duration_seconds)
        caller.last_at = max(caller.last_at, call.at)
    return {command: sorted(callers.values(), key=lambda one: -one.total_seconds) for command, callers in found.items()}
