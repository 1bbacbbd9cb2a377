"""redis/…: Redis servers, what they say about themselves, and their slow commands."""

from fastapi import APIRouter, Response

from dozor.api import problems
from dozor.api.backend import Backend
from dozor.api.parameters import Cursor, Limit, newest_first
from dozor.api.reading_schemas import (
    MetricList,
    RedisInfoAnswer,
    RedisInfoModel,
    RedisStatusAnswer,
    SlowCommandList,
    SlowCommandModel,
)
from dozor.api.rendering import answer, json_response, metrics_json
from dozor.api.targets import freshness, oldest, redis_target, summary
from dozor.clock import Clock
from dozor.overview import ServerCommand, assess
from dozor.overview.redis_slow import fingerprint
from dozor.overview.redis_words import missing


def add_routes(router: APIRouter, backend: Backend) -> None:
    """Put the routes under redis/ on *router*."""
    clock = backend.clock

    @router.get(
        "/redis/status",
        response_model=RedisStatusAnswer,
        responses=problems.documented(),
        summary="How the Redis servers are",
    )
    async def redis_status() -> Response:
        """The worst of all servers with its reasons, and each server with its figures."""

        def build() -> RedisStatusAnswer:
            at = clock.timestamp()
            overview = assess(backend.known(), at)
            fields = summary(overview.components["redis"], overview.servers, at, clock)
            return RedisStatusAnswer(**fields, servers=[redis_target(one, at, clock) for one in overview.servers])

        return await answer(backend, build)

    @router.get(
        "/redis/metrics",
        response_model=MetricList,
        responses=problems.documented(),
        summary="Metrics of the Redis servers",
    )
    async def redis_metrics() -> Response:
        """Every `redis_…` metric as it stands."""

        def write() -> bytes:
            families = [family for family in backend.families() if family.name.startswith("redis_")]
            return metrics_json(families, clock.now())

        return json_response(await backend.in_dozor(write))

    @router.get(
        "/redis/info",
        response_model=RedisInfoAnswer,
        responses=problems.documented(),
        summary="INFO as the servers last gave it",
    )
    async def redis_info() -> Response:
        """By section, and which commands Dozor may use on each server."""

        def build() -> RedisInfoAnswer:
            at = clock.timestamp()
            answered = {server.name: server.collected_at for server in backend.known().servers}
            servers = [
                RedisInfoModel(
                    name=server.name,
                    **freshness(answered.get(server.name), at, clock),
                    info={section: dict(values) for section, values in server.info.items()},
                    capabilities=dict(server.capabilities),
                    missing=missing(server.capabilities),
                )
                for server in backend.redis_details()
            ]
            return RedisInfoAnswer(servers=servers)

        return await answer(backend, build)

    @router.get(
        "/redis/slow-log",
        response_model=SlowCommandList,
        responses=problems.documented(422),
        summary="Commands in the servers' SLOWLOG",
    )
    async def redis_slow_log(limit: Limit = 100, cursor: Cursor = None) -> Response:
        """Newest first, each entry once. Arguments are redacted."""

        def build() -> SlowCommandList:
            recent = backend.slow_commands()
            shown, following = newest_first(recent.entries, recent.total, limit, cursor)
            entries = [_slow_command(entry, clock) for entry in shown]
            read = oldest(server.collected_at for server in backend.known().servers)
            age = freshness(read, clock.timestamp(), clock)
            return SlowCommandList(entries=entries, total=recent.total, next_cursor=following, **age)

        return await answer(backend, build)


def _slow_command(found: ServerCommand, clock: Clock) -> SlowCommandModel:
    entry = found.entry
    return SlowCommandModel(
        command=entry.command,
        shape=entry.shape or entry.command,
        fingerprint=fingerprint(entry.shape or entry.command),
        arguments=entry.arguments,
        duration_ms=round(entry.duration_seconds * 1000, 3),
        at=clock.date(entry.at),
        redis=found.redis,
        id=entry.id,
        client=entry.client_name or entry.client or None,
    )
