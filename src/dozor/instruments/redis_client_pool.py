"""The connection pools of a redis-py client, read without touching them. Sync and async, redis-py 5 to 8.

A client of a cluster has one for each node. redis-py has no public way to ask; its pools have looked like this since version 2, and what one does not have is unknown.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from dozor.model.sample import MetricType

UNLIMITED: Final = 2**31
"""The `max_connections` of a pool that was given none, before redis-py 8."""

POOL_METRICS: Final = {
    "redis_client_pool_in_use": (
        MetricType.GAUGE,
        "connections",
        "Connections of the application's client in use now.",
    ),
    "redis_client_pool_idle": (MetricType.GAUGE, "connections", "Connections open and in the pool."),
    "redis_client_pool_max": (MetricType.GAUGE, "connections", "The most that the pool opens: its max_connections."),
    "redis_client_pool_available": (
        MetricType.GAUGE,
        "connections",
        "Connections that could be taken without waiting.",
    ),
    "redis_client_pool_waiting": (MetricType.GAUGE, "callers", "Callers that wait for a connection now."),
}


def is_cluster(client: Any) -> bool:
    """Whether *client* is a cluster's, which has a pool for each node."""
    return hasattr(client, "nodes_manager")


def cluster_figures(client: Any) -> dict[str, dict[str, float]]:
    """The figures of the pools of a cluster's *client*, by node and metric name; what is unknown is absent."""
    nodes = dict(client.nodes_manager.nodes_cache)
    # A synchronous node has a client of its own, once it was needed; an asynchronous one is its own pool.
    found = {
        str(name): _of_node(node) if hasattr(node, "_connections") else pool_figures(node.redis_connection)
        for name, node in nodes.items()
    }
    return {name: figures for name, figures in found.items() if figures}


def together(pools: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """The sums of the figures of *pools*."""
    found: dict[str, float] = {}
    for figures in pools:
        for name, value in figures.items():
            found[name] = found.get(name, 0.0) + value
    return found


def pool_figures(client: Any) -> dict[str, float]:
    """The figures of *client*'s pool by metric name; what is unknown is absent.

    Only a `BlockingConnectionPool` lets callers wait; any other raises when it is exhausted.
    """
    pool = getattr(client, "connection_pool", None)
    if pool is None:
        return {}
    queue = getattr(pool, "pool", None)
    return _with_limit(_of_queue(pool, queue) if queue is not None else _of_lists(pool), pool)


def _of_node(node: Any) -> dict[str, float]:
    """The pool that an asynchronous client of a cluster has for one node: when it is exhausted, it raises."""
    idle = len(node._free)
    figures = {
        "redis_client_pool_in_use": float(max(0, len(node._connections) - idle)),
        "redis_client_pool_idle": float(idle),
        "redis_client_pool_waiting": 0.0,
    }
    return _with_limit(figures, node)


def _with_limit(figures: dict[str, float], pool: Any) -> dict[str, float]:
    limit = getattr(pool, "max_connections", None)
    if isinstance(limit, int) and limit < UNLIMITED:
        figures["redis_client_pool_max"] = float(limit)
        if (in_use := figures.get("redis_client_pool_in_use")) is not None:
            figures["redis_client_pool_available"] = max(0.0, limit - in_use)
    return figures


def _of_lists(pool: Any) -> dict[str, float]:
    in_use, idle = getattr(pool, "_in_use_connections", None), getattr(pool, "_available_connections", None)
    if in_use is None or idle is None:
        return {}
    waiters = _waiters(getattr(pool, "_condition", None))  # of an asynchronous BlockingConnectionPool
    return {
        "redis_client_pool_in_use": float(len(in_use)),
        "redis_client_pool_idle": float(len(idle)),
        "redis_client_pool_waiting": 0.0 if waiters is None else waiters,
    }


def _of_queue(pool: Any, queue: Any) -> dict[str, float]:
    """A synchronous `BlockingConnectionPool`: the queue holds idle connections, and None for each not yet opened."""
    connections, places = getattr(pool, "_connections", None), getattr(queue, "queue", None)
    if connections is None or places is None:
        return {}
    idle = sum(place is not None for place in list(places))
    figures = {
        "redis_client_pool_in_use": float(max(0, len(connections) - idle)),
        "redis_client_pool_idle": float(idle),
    }
    waiters = _waiters(getattr(queue, "not_empty", None))
    return figures if waiters is None else {**figures, "redis_client_pool_waiting": waiters}


def _waiters(condition: Any) -> float | None:
    waiters = getattr(condition, "_waiters", None)  # of threading.Condition and asyncio.Condition alike
    return float(len(waiters)) if waiters is not None else None
