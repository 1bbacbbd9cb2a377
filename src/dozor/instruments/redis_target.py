"""Where a Redis is and how to log in: read from a URL, or from a redis-py client that the application uses.

The client is only read. Dozor opens a connection of its own, with limits of its own and no retry.
"""

import asyncio
import inspect
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from redis.asyncio import connection as redis_connection
from redis.asyncio.connection import AbstractConnection, Connection, SSLConnection, UnixDomainSocketConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.credentials import CredentialProvider
from redis.exceptions import RedisError
from typing_extensions import override

from dozor.errors import ConfigurationError
from dozor.instruments.redis_failure import RedisFailure
from dozor.instruments.redis_url import HOW as MANY

CLIENT_NAME: Final = "dozor"

_SCHEMES: Final = {
    "redis": "redis",
    "rediss": "rediss",
    "unix": "unix",
    "valkey": "redis",
    "valkeys": "rediss",
}
_KEPT: Final = frozenset({"host", "port", "path", "username", "password", "credential_provider"})
_TLS_PARAMETERS: Final = frozenset(
    name for name in inspect.signature(SSLConnection.__init__).parameters if name.startswith("ssl_")
)
_HOW: Final = (
    "give a URL (redis://HOST:6379, rediss://…, unix:///PATH, redis+cluster://…, redis+sentinel://…) or a redis-py client "
    "(Redis or RedisCluster, sync or async)"
)


class RedisTarget:
    """The address of one Redis, and what it takes to log in. Its text forms hold no credentials."""

    def __init__(self, kind: type[AbstractConnection], arguments: Mapping[str, Any]) -> None:
        self._kind, self._given = kind, arguments
        self._arguments = dict(arguments)
        if provider := self._arguments.get("credential_provider"):
            self._arguments["credential_provider"] = _Credentials(provider, self.address)

    @classmethod
    def of(cls, source: object) -> "RedisTarget":
        """The target that *source*, a URL or a client, names. Raises `ConfigurationError`."""
        return cls._of_url(source) if isinstance(source, str) else cls._of_client(source)

    @classmethod
    def _of_url(cls, url: str) -> "RedisTarget":
        scheme, separator, rest = url.partition("://")
        if not separator or scheme not in _SCHEMES:
            raise ConfigurationError(f"{scheme if separator else 'this'!r} is not the scheme of a Redis URL: {_HOW}")
        if scheme != "unix" and "," in urlsplit(url).netloc:
            raise ConfigurationError(f"there are several hosts in one redis:// URL; several have those like {MANY}")
        try:
            arguments: dict[str, Any] = dict(redis_connection.parse_url(f"{_SCHEMES[scheme]}://{rest}"))
        except ValueError as error:
            # The words of the error may repeat the URL, and with it a password.
            raise ConfigurationError(f"not a valid Redis URL ({type(error).__name__}): {_HOW}") from None
        kind: type[AbstractConnection] = arguments.pop("connection_class", Connection)
        target = cls(kind, _kept(arguments, tls=issubclass(kind, SSLConnection)))
        try:
            target.connection(1.0)  # which is not opened: it checks what stands after the URL's question mark
        except (RedisError, ValueError) as error:
            raise ConfigurationError(
                f"what stands after the ? in the Redis URL cannot be used ({type(error).__name__}): {_HOW}"
            ) from None
        return target

    @classmethod
    def _of_client(cls, client: object) -> "RedisTarget":
        pool = getattr(client, "connection_pool", None)
        arguments = getattr(pool, "connection_kwargs", None)
        if pool is None or not isinstance(arguments, Mapping):
            raise ConfigurationError(f"cannot watch a {type(client).__name__} as Redis: {_HOW}")
        return cls.like(arguments, getattr(pool, "connection_class", Connection))

    @classmethod
    def like(cls, arguments: Mapping[str, Any], used_by_client: type) -> "RedisTarget":
        """The target of a client whose connections are of that class, with those *arguments*."""
        tls = any("SSL" in base.__name__ for base in used_by_client.__mro__)
        if "path" in arguments:
            return cls(UnixDomainSocketConnection, _kept(arguments, tls=False))
        return cls(SSLConnection if tls else Connection, _kept(arguments, tls=tls))

    def at(self, host: str, port: int) -> "RedisTarget":
        """The server at that address, with the same way to log in."""
        return RedisTarget(self._kind, {**self._given, "host": host, "port": port})

    def logged_in(self, username: str | None, password: str | None) -> "RedisTarget":
        """The same server, with another way to log in."""
        return RedisTarget(self._kind, {**self._given, "username": username, "password": password})

    @property
    def place(self) -> tuple[str, int]:
        """Host and port."""
        return str(self._arguments.get("host", "localhost")), int(self._arguments.get("port", 6379))

    @property
    def address(self) -> str:
        """`HOST:PORT` or the path of the socket."""
        path = self._arguments.get("path")
        return str(path) if path else address_of(*self.place)

    @property
    def tls(self) -> bool:
        """Whether the connection is encrypted."""
        return issubclass(self._kind, SSLConnection)

    def connection(self, limit_seconds: float) -> AbstractConnection:
        """A connection, not yet opened, of which no single step takes longer than *limit_seconds*."""
        return self._kind(
            **self._arguments,
            socket_timeout=limit_seconds,
            socket_connect_timeout=limit_seconds,
            retry=Retry(NoBackoff(), 0),
            protocol=2,
            **_ANONYMOUS,
        )

    def __repr__(self) -> str:
        return f"RedisTarget({self.address})"


class _Credentials(CredentialProvider):
    """The application's provider of credentials; that it failed is told apart from what the server does."""

    def __init__(self, provider: CredentialProvider, address: str) -> None:
        self._provider, self._address = provider, address

    @override
    def get_credentials(self) -> Any:  # what redis-py before 5.1 asks for
        try:
            return self._provider.get_credentials()
        except Exception:  # noqa: BLE001 - the application's code
            raise RedisFailure("credentials", self._address) from None

    @override
    async def get_credentials_async(self) -> Any:
        try:
            return await self._provider.get_credentials_async()
        except Exception:  # noqa: BLE001 - the application's code
            raise RedisFailure("credentials", self._address) from None


def abort(connection: AbstractConnection) -> None:
    """Close *connection* at once. TLS would otherwise wait half a minute for a server that hangs to say goodbye."""
    writer: asyncio.StreamWriter | None = getattr(connection, "_writer", None)
    if writer is not None:
        writer.transport.abort()
        connection._reader = connection._writer = None  # or it warns of a connection left open


def _anonymous() -> dict[str, Any]:
    # The library's own CLIENT SETINFO: two commands more at each connect, which some users may not run.
    known = inspect.signature(AbstractConnection.__init__).parameters
    names = ("driver_info",) if "driver_info" in known else ("lib_name", "lib_version")
    return dict.fromkeys(name for name in names if name in known)


_ANONYMOUS: Final = _anonymous()


def address_of(host: str, port: int) -> str:
    """`HOST:PORT`."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _kept(arguments: Mapping[str, Any], *, tls: bool) -> dict[str, Any]:
    names = _KEPT | _TLS_PARAMETERS if tls else _KEPT
    return {name: value for name, value in arguments.items() if name in names and value is not None}
