"""redis/…: what commands cost, where memory goes, what keys there are, who replicates whom, what the application's client sees."""

from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any, Final, TypeVar

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel

from dozor.api import problems
from dozor.api import redis_schemas as models
from dozor.api.backend import Backend
from dozor.api.parameters import Limit
from dozor.api.rendering import answer, date
from dozor.api.targets import finite, freshness, oldest
from dozor.clock import Clock
from dozor.instruments.redis_commands import CommandCost
from dozor.instruments.redis_view import Role
from dozor.overview import RedisDetails, RedisWhole
from dozor.overview.redis_keyspace import keyspace
from dozor.overview.redis_memory import memory_picture
from dozor.overview.redis_slow import SlowGroup, slow_groups
from dozor.overview.redis_topology import topology, whole_problems
from dozor.overview.redis_words import event_words

_MOST: Final = 100
_MOST_CALLERS: Final = 20

Window = Annotated[
    models.CommandWindowName,
    Query(description="The last so long; or all since the server started or CONFIG RESETSTAT."),
]
M = TypeVar("M", bound=BaseModel)


def add_routes(router: APIRouter, backend: Backend) -> None:
    """Put the routes on *router*."""
    _add_slow_commands(router, backend)
    _add_commands(router, backend)
    _add_latency(router, backend)
    for path, kind, model, summary in (
        ("memory", models.MemoryAnswer, _memory, "Where the servers' memory goes"),
        ("keyspace", models.KeyspaceAnswer, _keyspace, "What keys the servers have"),
    ):
        _add_per_server(router, backend, path, kind=kind, model=model, summary=summary)
    _add_topology(router, backend)
    _add_clients(router, backend)


def _add_slow_commands(router: APIRouter, backend: Backend) -> None:
    clock = backend.clock

    @router.get(
        "/redis/slow-commands",
        response_model=models.SlowCommandGroups,
        responses=problems.documented(422),
        summary="Slow commands by what, by whom, and for which request",
    )
    async def redis_slow_commands(limit: Limit = 100) -> Response:
        """Entries of SLOWLOG that are alike, with the application's endpoints and lines. Arguments are redacted."""

        def build() -> models.SlowCommandGroups:
            servers = backend.redis_details()
            groups = slow_groups(servers)
            read = oldest(server.collected_at for server in backend.known().servers)
            thresholds = {one.name: (one.surveyed.settings or {}).get("slowlog-log-slower-than") for one in servers}
            return models.SlowCommandGroups(
                commands=[_group(one, clock) for one in groups[:limit]],
                total=len(groups),
                slower_than_ms={name: None if value is None else value / 1000 for name, value in thresholds.items()},
                **freshness(read, clock.timestamp(), clock),
            )

        return await answer(backend, build)


def _add_commands(router: APIRouter, backend: Backend) -> None:
    @router.get(
        "/redis/commands",
        response_model=models.CommandsAnswer,
        responses=problems.documented(422),
        summary="What the servers' commands cost",
    )
    async def redis_commands(window: Window = "5m") -> Response:
        """By command, the costliest first; looked at every ten seconds."""

        def model(server: RedisDetails) -> dict[str, Any]:
            found = server.windows.get(window)
            total = sum(cost.seconds for cost in found.commands) if found is not None else 0.0
            seconds = found.seconds if found is not None else None
            commands = [_cost(cost, total, seconds) for cost in found.commands] if found is not None else []
            return {"window": window, "seconds": seconds, "commands": commands}

        return await answer(backend, lambda: models.CommandsAnswer(servers=_servers(backend, model)))


def _add_latency(router: APIRouter, backend: Backend) -> None:
    clock = backend.clock

    @router.get(
        "/redis/latency",
        response_model=models.LatencyAnswer,
        responses=problems.documented(),
        summary="Delays that the servers noticed",
    )
    async def redis_latency() -> Response:
        """The events of each server's latency monitor, the last first; looked at every ten seconds."""

        def model(server: RedisDetails) -> dict[str, Any]:
            events = sorted(server.surveyed.latency_events or (), key=lambda event: -event.at)
            threshold = (server.surveyed.settings or {}).get("latency-monitor-threshold")
            return {
                "threshold_ms": threshold,
                "hint": _latency_hint(server, threshold),
                "events": [
                    models.LatencyEventModel(
                        event=event.name,
                        last_at=clock.date(event.at),
                        last_ms=event.last_seconds * 1000,
                        max_ms=event.max_seconds * 1000,
                        text=event_words(event.name),
                        history=[(at, round(seconds * 1000, 3)) for at, seconds in event.history],
                    )
                    for event in events
                ],
            }

        return await answer(backend, lambda: models.LatencyAnswer(servers=_servers(backend, model)))


def _add_per_server(
    router: APIRouter,
    backend: Backend,
    path: str,
    *,
    kind: type[M],
    model: Callable[[RedisDetails], Mapping[str, Any]],
    summary: str,
) -> None:
    @router.get(f"/redis/{path}", response_model=kind, responses=problems.documented(), summary=summary)
    async def redis_insight() -> Response:
        return await answer(backend, lambda: kind(servers=_servers(backend, model)))

    redis_insight.__name__ = f"redis_{path}"


def _add_topology(router: APIRouter, backend: Backend) -> None:
    @router.get(
        "/redis/topology",
        response_model=models.TopologyAnswer,
        responses=problems.documented(),
        summary="Replication, persistence, cluster, sentinel",
    )
    async def redis_topology() -> Response:
        """Each server among the others, and each cluster, and what sentinels watch, as a whole."""

        def build() -> models.TopologyAnswer:
            groups = [_whole(one, backend.clock) for one in backend.redis_groups()]
            return models.TopologyAnswer(servers=_servers(backend, _topology), groups=groups)

        return await answer(backend, build)


def _add_clients(router: APIRouter, backend: Backend) -> None:
    clock = backend.clock

    @router.get(
        "/redis/clients",
        response_model=models.ClientsAnswer,
        responses=problems.documented(),
        summary="The application's own redis-py clients",
    )
    async def redis_clients() -> Response:
        """Their pools, and calls of 10 ms and more with the request and the line of code that they were for."""

        def build() -> models.ClientsAnswer:
            return models.ClientsAnswer(
                clients=[
                    models.ClientModel(
                        redis=one.name,
                        pool=finite(one.pool),
                        pools={node: finite(figures) for node, figures in one.pools.items()},
                        slow_calls=[
                            models.ClientCallModel(
                                command=call.command,
                                duration_ms=_ms(call.duration_seconds),
                                at=clock.date(call.at),
                                endpoint=call.work,
                                caller=call.caller,
                            )
                            for call in one.slow_calls[:_MOST]
                        ],
                    )
                    for one in backend.redis_clients()
                ]
            )

        return await answer(backend, build)


def _servers(backend: Backend, model: Callable[[RedisDetails], Mapping[str, Any]]) -> list[Any]:
    """Each server by *model*, with its name and how old what it said is."""
    clock = backend.clock
    at = clock.timestamp()
    answered = {server.name: server.collected_at for server in backend.known().servers}
    return [
        {"name": one.name, **freshness(answered.get(one.name), at, clock), **model(one)}
        for one in backend.redis_details()
    ]


def _memory(server: RedisDetails) -> dict[str, Any]:
    found = memory_picture(server.info)
    return {
        "used_bytes": found.used,
        "limit_bytes": found.limit,
        "peak_bytes": found.peak,
        "resident_bytes": found.resident,
        "fragmentation_ratio": found.fragmentation_ratio,
        "maxmemory_policy": found.policy,
        "parts": [
            {"part": one.name, "bytes": one.bytes, "share": round(one.share, 4), "text": one.text}
            for one in found.parts
        ],
        "advice": [one._asdict() for one in found.advice],
    }


def _keyspace(server: RedisDetails) -> dict[str, Any]:
    found = keyspace(server.info)
    return {
        "keys": found.keys,
        "expiring": found.expiring,
        "evicted_per_second": server.key_rates.get("evicted_keys"),
        "expired_per_second": server.key_rates.get("expired_keys"),
        "hit_rate": server.figures.get("redis_hit_rate"),
        "databases": [
            {
                "database": one.name,
                "keys": one.keys,
                "expiring": one.expiring,
                "average_ttl_seconds": one.average_ttl_seconds,
            }
            for one in found.databases
        ],
        "sizes": [one._asdict() for one in found.sizes],
    }


def _topology(server: RedisDetails) -> dict[str, Any]:
    found = topology(server.info, server.surveyed.cluster, server.surveyed.primaries)
    return {
        "mode": found.mode,
        "role": found.role,
        "server": found.server,
        "version": found.version,
        "replicas": [one._asdict() for one in found.replicas],
        "primary": found.primary._asdict() if found.primary is not None else None,
        "sentinel": [one._asdict() for one in found.sentinel],
        "cluster": None if found.cluster is None else dict(found.cluster),
        "persistence": None if found.persistence is None else dict(found.persistence),
        "problems": list(found.problems),
    }


def _whole(whole: RedisWhole, clock: Clock) -> models.WholeModel:
    addresses = {node.id: node.address for _, node in whole.nodes}
    return models.WholeModel(
        name=whole.name,
        kind="cluster" if whole.kind == "cluster" else "sentinel",
        nodes=[
            models.NodeModel(
                name=name,
                address=node.address,
                role=node.role.value,
                state=node.state,
                primary=None if node.primary is None else addresses.get(node.primary, node.primary),
                slots=node.slots if whole.kind == "cluster" and node.role is Role.PRIMARY else None,
            )
            for name, node in whole.nodes
        ],
        cluster=dict(whole.figures) or None,
        collected_at=date(clock, whole.at),
        problems=list(whole_problems(whole)),
    )


def _latency_hint(server: RedisDetails, threshold: int | None) -> str | None:
    if server.capabilities.get("latency|latest") is False:
        return "LATENCY LATEST is forbidden: allow it with ACL SETUSER NAME +latency|latest +latency|history"
    if threshold == 0:
        return "The server's latency monitor is off; turn it on with CONFIG SET latency-monitor-threshold 100 (milliseconds)."
    return None


def _group(group: SlowGroup, clock: Clock) -> models.SlowCommandGroup:
    callers: Iterable[Any] = group.callers[:_MOST_CALLERS]
    return models.SlowCommandGroup(
        redis=group.redis,
        command=group.command,
        shape=group.shape,
        fingerprint=group.fingerprint,
        client=group.client,
        calls=group.calls,
        total_ms=_ms(group.total_seconds),
        mean_ms=_ms(group.total_seconds / group.calls),
        max_ms=_ms(group.max_seconds),
        first_at=clock.date(group.first_at),
        last_at=clock.date(group.last_at),
        callers=[
            models.SlowCallerModel(
                endpoint=one.work,
                caller=one.caller,
                calls=one.calls,
                total_ms=_ms(one.total_seconds),
                max_ms=_ms(one.max_seconds),
                last_at=clock.date(one.last_at),
            )
            for one in callers
        ],
    )


def _cost(cost: CommandCost, total_seconds: float, window_seconds: float | None) -> models.CommandCostModel:
    return models.CommandCostModel(
        command=cost.command,
        calls=cost.calls,
        calls_per_second=round(cost.calls / window_seconds, 3) if window_seconds else None,
        total_seconds=round(cost.seconds, 6),
        mean_seconds=cost.seconds / cost.calls if cost.calls else None,
        share=round(cost.seconds / total_seconds, 4) if total_seconds else None,
        errors=cost.errors,
        p50_seconds=cost.p50_seconds,
        p99_seconds=cost.p99_seconds,
    )


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 3)
