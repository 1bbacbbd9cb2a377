"""What a pool says of itself at this moment. Gauges are read, never counted: counting them from events drifts."""

from typing import Any

from msgspec import Struct
from sqlalchemy import Pool, QueuePool, SingletonThreadPool


class PoolGauges(Struct, frozen=True):
    """Connections of one pool; None is unknown, or does not exist for this kind of pool.

    `capacity` is `size` + `max_overflow`, None where there is no limit. `waiting` are callers.
    """

    size: int | None = None
    capacity: int | None = None
    checked_out: int | None = None
    idle: int | None = None
    overflow: int | None = None
    waiting: int | None = None

    @property
    def available(self) -> int | None:
        """How many more could be handed out without waiting."""
        if self.capacity is None or self.checked_out is None:
            return None
        return max(0, self.capacity - self.checked_out)

    @property
    def utilization(self) -> float | None:
        """Percent of the capacity that is in use."""
        if not self.capacity or self.checked_out is None:
            return None
        return 100.0 * self.checked_out / self.capacity


def read_gauges(pool: Pool, held: int) -> PoolGauges:
    """The gauges of *pool* now, from any thread. *held* is how many are out as counted, for pools that cannot say."""
    if isinstance(pool, QueuePool):
        return _read_queue_pool(pool)
    size = pool.size if isinstance(pool, SingletonThreadPool) else None
    return PoolGauges(size=size, checked_out=held)


def _read_queue_pool(pool: QueuePool) -> PoolGauges:
    size = pool.size()
    if _is_unused(pool):
        idle = checked_out = 0
    else:
        idle, checked_out = pool.checkedin(), max(0, pool.checkedout())
    return PoolGauges(
        # size 0 is SQLAlchemy's way to say "no limit"
        size=size or None,
        capacity=_capacity(pool, size),
        checked_out=checked_out,
        idle=idle,
        overflow=max(0, pool.overflow()),
        waiting=_waiting(pool),
    )


def _capacity(pool: QueuePool, size: int) -> int | None:
    max_overflow = getattr(pool, "_max_overflow", None)
    if not isinstance(max_overflow, int) or max_overflow < 0 or size == 0:
        return None
    return size + max_overflow


def _is_unused(pool: QueuePool) -> bool:
    # The asyncio queue is made at its first use. Two threads that make it at once would each get one, and the connections
    # in the one that loses are never seen again; so this thread never is the first.
    queue: Any = getattr(pool, "_pool", None)
    return hasattr(type(queue), "_queue") and "_queue" not in vars(queue)


def _waiting(pool: QueuePool) -> int | None:
    # There is no public way to ask. Where the inside is another than expected, the figure is unknown and left out.
    queue: Any = getattr(pool, "_pool", None)
    try:
        if not hasattr(type(queue), "_queue"):
            return len(queue.not_empty._waiters)
        made = vars(queue).get("_queue")
        return 0 if made is None else len(made._getters)
    except (AttributeError, TypeError):
        return None
