"""The ASGI middleware: which requests concern the cache at all."""

from collections.abc import Iterable
from contextlib import suppress
from typing import Final
from urllib.parse import quote

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dozor.clock import Clock
from dozor.containment import contained
from dozor.errors import ConfigurationError
from dozor.instruments.http_route import RouteNames
from dozor.response_cache.connection import CacheConnection, CacheUnavailable
from dozor.response_cache.entries import EntryStore
from dozor.response_cache.exchange import Cache, Exchange
from dozor.response_cache.metrics import METRICS, ResponseCacheMetrics

_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})


class ResponseCacheMiddleware:
    """Keeps responses of GET handlers in Redis by RFC 9111, as a shared cache, and answers without it in any trouble.

    Only a response that says for how long it is fresh (`Cache-Control: max-age=…`, `s-maxage`, `Expires`) is kept, or,
    with *default_ttl*, also one that says nothing about caching. Never kept: responses with `Set-Cookie`, `private`,
    `no-store` or `Vary: *`; such to requests with `Authorization`, but for those marked `public`, `s-maxage` or
    `must-revalidate`; bodies over *max_body_bytes*. A request that changes something (POST, PUT, PATCH, DELETE) and
    succeeds makes the cache forget that URL. Every response to a GET says in `Cache-Status` what the cache did.

    Args:
        app: the application.
        redis: a URL (`redis://`, `rediss://`, `unix://`) or a redis-py client, sync or async, of one server. The client
            is only read for address, credentials and TLS: the cache opens connections of its own.
        paths: below which paths to look at requests at all. Every GET that the cache looks at costs a look-up in Redis, so
            in an application of which a few routes are cached, name those.
        default_ttl: seconds for responses without any word on caching; None: do not keep them.
        max_body_bytes: the longest body that is kept, and the most that is held of a streaming response.
        key_prefix: begins all keys in Redis; give each application on one server its own.
        timeout_seconds: how long one operation may take before the handler is asked instead. Redis on another
            continent needs more than the default.
        metrics: where to count; the process's counters, which Dozor collects, unless given.
        clock: what the breaker measures with.

    Raises:
        ConfigurationError: an argument is wrong.
    """

    def __init__(
        self,
        app: ASGIApp,
        redis: object,
        *,
        paths: Iterable[str] = ("/",),
        default_ttl: int | None = None,
        max_body_bytes: int = 2**20,
        key_prefix: str = "dozor:cache:",
        timeout_seconds: float = 0.05,
        metrics: ResponseCacheMetrics = METRICS,
        clock: Clock | None = None,
    ) -> None:
        for key, value in (("default_ttl", default_ttl), ("max_body_bytes", max_body_bytes)):
            if value is not None and value <= 0:
                raise ConfigurationError(f"must be above 0, not {value}", key=key)
        self._app = app
        self._paths = tuple(path.rstrip("/") for path in paths)
        self._connection = CacheConnection(
            redis, limit_seconds=timeout_seconds, clock=clock or Clock(), metrics=metrics
        )
        self._store = EntryStore(self._connection, key_prefix)
        self._cache = Cache(app, self._store, metrics, default_ttl, max_body_bytes, RouteNames())
        metrics.attach()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection, as ASGI demands."""
        if scope["type"] == "lifespan":
            try:
                await self._app(scope, receive, send)
            finally:
                await self.aclose()
        elif scope["type"] != "http" or not self._concerned(scope["path"]):
            await self._app(scope, receive, send)
        elif scope["method"] == "GET":
            await Exchange(self._cache, _url(scope), scope, receive, send).run()
        elif scope["method"] in _SAFE:
            await self._app(scope, receive, send)
        else:
            await self._change(scope, receive, send)

    async def aclose(self) -> None:
        """Close the connections to Redis. Happens by itself at the end of the application's lifespan."""
        with contained("response_cache.close"):
            await self._connection.aclose()

    def _concerned(self, path: str) -> bool:
        return any(path == below or path.startswith(f"{below}/") for below in self._paths)

    async def _change(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on a request that may change what is kept, and forget that before its success is told."""

        async def forget_and_send(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] < 400:
                # Where Redis does not answer, what is kept ends by its own freshness.
                with contained("response_cache.invalidate"), suppress(CacheUnavailable):
                    await self._store.forget(_url(scope))
            await send(message)

        await self._app(scope, receive, forget_and_send)


def _url(scope: Scope) -> str:
    """The URL by which a request is known to the cache: with its host, undecoded path and query."""
    host = next((value.decode("latin-1") for name, value in scope["headers"] if name.lower() == b"host"), "")
    if not host:
        name, port = scope.get("server") or ("localhost", None)
        host = f"{name}:{port}" if port is not None else str(name)
    raw_path: bytes | None = scope.get("raw_path")
    path = raw_path.decode("latin-1") if raw_path else quote(scope["path"])
    query: str = scope.get("query_string", b"").decode("latin-1")
    return f"{scope.get('scheme', 'http')}://{host.lower()}{path}" + (f"?{query}" if query else "")
