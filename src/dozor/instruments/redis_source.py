"""What was given as Redis: one server, a cluster, or what sentinels watch. Read from a URL, or from a redis-py client.

The client is only read: for addresses, TLS and credentials.
"""

import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote

from msgspec import Struct

from dozor.containment import report
from dozor.errors import ConfigurationError
from dozor.instruments.redis_target import RedisTarget
from dozor.instruments.redis_url import ManyHosts, names_many, parse_many

Place = tuple[str, int]

_CLUSTERS: Final = frozenset({"RedisCluster", "ValkeyCluster"})


@dataclass(frozen=True, slots=True)
class ClusterSource:
    """A cluster: some of its nodes, and where a node is to be found whose address others cannot reach (`address_remap`)."""

    seeds: tuple[RedisTarget, ...]
    remap: Callable[[Place], Place] | None = field(default=None, repr=False)

    def node(self, host: str, port: int) -> RedisTarget:
        """The node that says it is at that address."""
        try:
            found = (host, port) if self.remap is None else self.remap((host, port))
            return self.seeds[0].at(*found)
        except Exception:  # noqa: BLE001 - the application's code
            report("redis.address_remap")
            return self.seeds[0].at(host, port)


class SentinelSource(Struct, frozen=True):
    """Sentinels, and the name that they know a primary by. *server*: how to log in to that and its replicas, wherever they are."""

    service: str
    sentinels: tuple[RedisTarget, ...]
    server: RedisTarget


Source = RedisTarget | ClusterSource | SentinelSource


def source_of(given: object) -> Source:
    """What *given*, a URL or a client, names. Raises `ConfigurationError`."""
    if isinstance(given, str):
        return _of_url(given) if names_many(given) else RedisTarget.of(given)
    if _CLUSTERS & {base.__name__ for base in type(given).__mro__}:
        return _of_cluster_client(given)
    pool = getattr(given, "connection_pool", None)
    if hasattr(pool, "sentinel_manager"):
        return _of_sentinel_pool(pool)
    return RedisTarget.of(given)


def _of_url(url: str) -> ClusterSource | SentinelSource:
    try:
        said = parse_many(url)
    except ValueError as error:
        raise ConfigurationError(f"this Redis URL cannot be used: {error}") from None
    if said.kind == "cluster":
        return ClusterSource(tuple(_targets(said, said.login)))
    user, password = said.sentinel_login or (None, None)
    sentinels = tuple(one.logged_in(user, password) for one in _targets(said, ""))
    return SentinelSource(said.service, sentinels, next(_targets(said, said.login)))


def _targets(said: ManyHosts, login: str) -> Iterator[RedisTarget]:
    scheme, query = "rediss" if said.tls else "redis", f"/?{said.query}" if said.query else ""
    for host, port in said.hosts:
        shown = f"[{quote(host, safe=':')}]" if ":" in host else host
        yield RedisTarget.of(f"{scheme}://{login}{shown}:{port}{query}")


def _of_cluster_client(client: object) -> ClusterSource:
    manager = getattr(client, "nodes_manager", None)
    arguments = getattr(manager, "connection_kwargs", None)
    nodes = {
        str(name): node
        for known in ("nodes_cache", "startup_nodes")
        for name, node in dict(getattr(manager, known, None) or {}).items()
    }
    if not isinstance(arguments, Mapping) or not nodes:
        raise ConfigurationError(
            f"cannot watch this {type(client).__name__}: it names no nodes; give a URL (redis+cluster://host1:7000,host2:7000)"
        )
    # A synchronous client keeps ssl=True, an asynchronous one, and from_url, the class of its connections.
    kind = _encrypted(client) if arguments.get("ssl") else arguments.get("connection_class", object)
    log_in = RedisTarget.like({name: value for name, value in arguments.items() if name != "path"}, kind)
    return ClusterSource(
        tuple(log_in.at(str(node.host), int(node.port)) for node in nodes.values()),
        getattr(manager, "address_remap", None),
    )


def _encrypted(client: object) -> type:
    """The class of the encrypted connections of *client*'s library, which is loaded where there is a client of it."""
    library = next(base.__module__ for base in type(client).__mro__ if base.__name__ in _CLUSTERS).partition(".")[0]
    found: type = getattr(sys.modules.get(f"{library}.connection"), "SSLConnection", _SSLConnection)
    return found


class _SSLConnection:
    """One of a library that has none by that name."""


def _of_sentinel_pool(pool: Any) -> SentinelSource:
    sentinels = tuple(RedisTarget.of(each) for each in pool.sentinel_manager.sentinels)
    if not sentinels:
        raise ConfigurationError("cannot watch this client: its Sentinel names no sentinels")
    server = RedisTarget.like(pool.connection_kwargs, getattr(pool, "connection_class", object))
    return SentinelSource(str(pool.service_name), sentinels, server)
