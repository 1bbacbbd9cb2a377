"""The cache's own way to Redis: every operation within a limit, and none at all while Redis is in trouble."""

import asyncio
import logging
import weakref
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, TypeVar

import redis.asyncio as aredis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from dozor.clock import Clock
from dozor.errors import ConfigurationError
from dozor.response_cache.breaker import Breaker
from dozor.response_cache.metrics import Operation, ResponseCacheMetrics

logger = logging.getLogger("dozor.response_cache")

T = TypeVar("T")

_MAX_CONNECTIONS: Final = 32
# What a connection needs to reach the server that a given client talks to. Everything else (retries, decoding, limits)
# is the cache's own business.
_ADDRESS: Final = frozenset({"host", "port", "path", "db", "username", "password", "credential_provider"})


class CacheUnavailable(Exception):  # noqa: N818 - named for what is the case; never leaves the response cache
    """Redis did not do an operation, or was not asked."""


class CacheConnection:
    """GET, SET and DEL, each within *limit_seconds*. Reading and writing have a breaker each.

    A full server refuses to write and still reads well, so that a failed write must not stop the reading.
    Connections belong to the event loop that opened them; every loop gets its own.
    """

    def __init__(self, source: object, *, limit_seconds: float, clock: Clock, metrics: ResponseCacheMetrics) -> None:
        self._make_pool = _pool_factory(source, limit_seconds)
        self._limit_seconds, self._metrics = limit_seconds, metrics
        self._clients: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, aredis.Redis] = weakref.WeakKeyDictionary()
        self._reading, self._writing = Breaker(clock), Breaker(clock)

    async def read(self, key: str) -> bytes | None:
        """The value at *key*."""
        value = await self._run("read", self._reading, lambda client: client.get(key))
        return value.encode() if isinstance(value, str) else value  # never str: no decoding was asked for

    async def write(self, key: str, value: bytes, expire_seconds: int) -> None:
        """Set *key* for *expire_seconds*."""
        await self._run("write", self._writing, lambda client: client.set(key, value, ex=expire_seconds))

    async def delete(self, key: str) -> None:
        """Delete *key*. Asks even while the breaker for writing is open because the server is full: DEL still works."""
        await self._run("delete", self._reading, lambda client: client.delete(key))

    def garbage(self) -> None:
        """What `read` gave could not be understood."""
        self._metrics.count_error("read")

    async def aclose(self) -> None:
        """Close the connections of the running loop; the next operation opens new ones."""
        client = self._clients.pop(asyncio.get_running_loop(), None)
        if client is not None:
            await client.aclose()

    async def _run(self, operation: Operation, breaker: Breaker, call: Callable[[aredis.Redis], Awaitable[T]]) -> T:
        if not breaker.admits():
            raise CacheUnavailable("breaker is open")
        try:
            async with asyncio.timeout(self._limit_seconds):
                result = await call(self._client())
        except Exception as error:  # noqa: BLE001 - whatever Redis, the network or redis-py does, the handler answers
            self._metrics.count_error(operation)
            if breaker.failed():
                self._metrics.count_opened()
                logger.warning(
                    "response cache: Redis does not %s (%s); requests are answered without it, next trial in 5 s",
                    operation,
                    type(error).__name__,
                )
            raise CacheUnavailable(type(error).__name__) from None
        except BaseException:
            breaker.abandoned()
            raise
        if breaker.succeeded():
            logger.info("response cache: Redis can %s again", operation)
        return result

    def _client(self) -> aredis.Redis:
        loop = asyncio.get_running_loop()
        client = self._clients.get(loop)
        if client is None:
            client = self._clients[loop] = aredis.Redis.from_pool(self._make_pool())
        return client


def _pool_factory(source: object, limit_seconds: float) -> Callable[[], aredis.BlockingConnectionPool]:
    """How to make a connection pool to what *source*, a URL or a redis-py client, talks to."""
    pool = _pool_of_url(source) if isinstance(source, str) else getattr(source, "connection_pool", None)
    given: object = getattr(pool, "connection_kwargs", None)
    if not isinstance(given, Mapping) or not {"host", "path"} & given.keys():
        raise ConfigurationError(
            f"a URL (redis://…) or a redis-py client of one server is needed, not {type(source).__name__}", key="redis"
        )
    options = {key: value for key, value in given.items() if key in _ADDRESS or key.startswith("ssl_")}
    kind: type[aredis.Connection | aredis.UnixDomainSocketConnection] = aredis.Connection
    if "path" in options:
        kind = aredis.UnixDomainSocketConnection
    elif "SSL" in getattr(pool, "connection_class", object).__name__:  # redis-py's sync and async class share the name
        kind = aredis.SSLConnection
    return lambda: aredis.BlockingConnectionPool(
        connection_class=kind,
        max_connections=_MAX_CONNECTIONS,
        timeout=limit_seconds,
        socket_timeout=limit_seconds,
        socket_connect_timeout=limit_seconds,
        retry=Retry(NoBackoff(), 0),
        client_name="dozor-response-cache",
        **options,
    )


def _pool_of_url(url: str) -> aredis.ConnectionPool:
    try:
        # valkey:// and valkeys:// are what Valkey's own clients take; the protocol is the same.
        return aredis.ConnectionPool.from_url(url.replace("valkey", "redis", 1) if url.startswith("valkey") else url)
    except ValueError:  # its text may quote the URL, with the password
        raise ConfigurationError("not a Redis URL: write redis://, rediss:// or unix://", key="redis") from None
