"""Where a Redis is and how to log in: read from a URL, or from a redis-py client that the application uses.

The client is only read, and redis-py is not imported for it. Dozor opens a connection of its own, with limits of its own.
"""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final
from urllib.parse import parse_qs, unquote, urlsplit

from dozor.errors import ConfigurationError
from dozor.instruments.redis_connection import RedisConnection
from dozor.instruments.redis_failure import RedisFailure
from dozor.instruments.redis_tls import TlsSettings
from dozor.instruments.redis_url import HOW as MANY

CLIENT_NAME: Final = "dozor"

_TLS: Final[Mapping[str, bool]] = {"redis": False, "rediss": True, "unix": False, "valkey": False, "valkeys": True}
"""Whether the connection is encrypted, by the scheme of a URL."""
_HOW: Final = (
    "give a URL (redis://HOST:6379, rediss://…, unix:///PATH, redis+cluster://…, redis+sentinel://…) or a redis-py client "
    "(Redis or RedisCluster, sync or async)"
)
# Those of redis-py's parameters that are no text. Dozor has no use for most, but says where one is wrong.
_NUMBERS: Final[Mapping[str, Callable[[str], float]]] = {
    **dict.fromkeys(("db", "port", "protocol", "max_connections", "socket_read_size", "health_check_interval"), int),
    **dict.fromkeys(("timeout", "socket_timeout", "socket_connect_timeout"), float),
}


@dataclass(frozen=True, slots=True)
class RedisTarget:
    """The address of one Redis, and what it takes to log in. Its text forms hold no credentials.

    Attributes:
        path: of a Unix socket; without one it is at *host* and *port*.
        provider: the application's own, which is asked for user and password at each connection.
        tls: how the connection is encrypted; None for one that is not.
    """

    host: str = "localhost"
    port: int = 6379
    path: str = ""
    username: str | bytes | None = field(default=None, repr=False)
    password: str | bytes | None = field(default=None, repr=False)
    provider: Any = field(default=None, repr=False)
    tls: TlsSettings | None = None

    @classmethod
    def of(cls, source: object) -> "RedisTarget":
        """The target that *source*, a URL or a client, names. Raises `ConfigurationError`."""
        return cls._of_url(source) if isinstance(source, str) else cls._of_client(source)

    @classmethod
    def _of_url(cls, url: str) -> "RedisTarget":
        scheme, separator, _ = url.partition("://")
        if not separator or scheme not in _TLS:
            raise ConfigurationError(f"{scheme if separator else 'this'!r} is not the scheme of a Redis URL: {_HOW}")
        try:
            parts = urlsplit(url)
            host, port, netloc = parts.hostname, parts.port, parts.netloc
        except ValueError as error:
            # The words of the error may repeat the URL, and with it a password.
            raise ConfigurationError(f"not a valid Redis URL ({type(error).__name__}): {_HOW}") from None
        if scheme != "unix" and "," in netloc:
            raise ConfigurationError(f"there are several hosts in one redis:// URL; several have those like {MANY}")
        query: dict[str, Any] = {name: values[0] for name, values in parse_qs(parts.query).items()}
        for name, number in _NUMBERS.items():
            if name in query:
                query[name] = _number(name, query[name], number)
        here = {"username": parts.username, "password": parts.password, "host": host, "path": parts.path}
        said = {
            **query,
            **{name: unquote(text) for name, text in here.items() if text},
            "port": port or query.get("port"),
        }
        said.pop("credential_provider", None)  # which is no text
        if scheme != "unix":
            said.pop("path", None)  # the number of a database, which makes no difference here
        elif not said.get("path"):
            raise ConfigurationError(f"a unix:// URL needs the path of a socket: {_HOW}")
        return cls._with(said, tls=_TLS[scheme])

    @classmethod
    def _of_client(cls, client: object) -> "RedisTarget":
        pool = getattr(client, "connection_pool", None)
        arguments = getattr(pool, "connection_kwargs", None)
        if pool is None or not isinstance(arguments, Mapping):
            raise ConfigurationError(f"cannot watch a {type(client).__name__} as Redis: {_HOW}")
        return cls.like(arguments, getattr(pool, "connection_class", object))

    @classmethod
    def like(cls, arguments: Mapping[str, Any], used_by_client: type) -> "RedisTarget":
        """The target of a client whose connections are of that class, with those *arguments*. Raises `ConfigurationError`."""
        tls = any("SSL" in base.__name__ for base in used_by_client.__mro__)
        return cls._with({**_defaults(used_by_client), **arguments}, tls=tls and not arguments.get("path"))

    @classmethod
    def _with(cls, arguments: Mapping[str, Any], *, tls: bool) -> "RedisTarget":
        try:
            settings = TlsSettings.of(arguments) if tls else None
        except ValueError as error:
            raise ConfigurationError(f"the value of {error} is none that a Redis connection can have: {_HOW}") from None
        return cls(
            host=str(arguments.get("host") or "localhost"),
            port=int(arguments.get("port") or 6379),
            path=str(arguments.get("path") or ""),
            username=arguments.get("username"),
            password=arguments.get("password"),
            provider=arguments.get("credential_provider"),
            tls=settings,
        )

    def at(self, host: str, port: int) -> "RedisTarget":
        """The server at that address, with the same way to log in."""
        return replace(self, host=host, port=port)

    def logged_in(self, username: str | None, password: str | None) -> "RedisTarget":
        """The same server, with another way to log in."""
        return replace(self, username=username, password=password)

    @property
    def place(self) -> tuple[str, int]:
        """Host and port."""
        return self.host, self.port

    @property
    def address(self) -> str:
        """`HOST:PORT` or the path of the socket."""
        return self.path or address_of(*self.place)

    async def connect(self) -> RedisConnection:
        """A connection, on which nothing has been said. Raises OSError, UnicodeError, RedisFailure."""
        connection = RedisConnection()
        if self.path:
            await connection.unix(self.path)
            return connection
        try:
            context = self.tls.context() if self.tls is not None else None
        except (OSError, TypeError, ValueError):  # a file that is not there, or no certificate
            raise RedisFailure("tls", self.address) from None
        await connection.tcp(self.host, self.port, context)
        return connection

    async def credentials(self) -> tuple[str | bytes, ...]:
        """What to say after AUTH; nothing where there is nothing to say. Raises RedisFailure: the application's provider failed."""
        if self.provider is None:
            return self._own_login()
        try:
            ask = getattr(self.provider, "get_credentials_async", None)  # redis-py before 5.1 asks for the other one
            said = tuple((await ask() if ask is not None else self.provider.get_credentials()) or ())
        except Exception:  # noqa: BLE001 - the application's code
            raise RedisFailure("credentials", self.address) from None
        if not all(isinstance(each, str | bytes) for each in said):
            raise RedisFailure("credentials", self.address)
        return said

    def _own_login(self) -> tuple[str | bytes, ...]:
        if self.username:
            return self.username, self.password or ""
        return (self.password,) if self.password else ()


def address_of(host: str, port: int) -> str:
    """`HOST:PORT`."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _number(name: str, text: str, number: Callable[[str], float]) -> float:
    try:
        return number(text)
    except ValueError:
        raise ConfigurationError(f"the value of {name} in the Redis URL is no number: {_HOW}") from None


def _defaults(kind: type) -> dict[str, Any]:
    """What connections of that class do where they are told nothing: whether the host's name is checked changed in redis-py 6."""
    for base in kind.__mro__:
        known = inspect.signature(base).parameters.get("ssl_check_hostname") if "SSL" in base.__name__ else None
        if known is not None:
            return {"ssl_check_hostname": known.default}
    return {}
