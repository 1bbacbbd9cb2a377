"""On whose behalf something runs: the request that is being answered, and what it has spent in pools, database and Redis.

The HTTP middleware sets it, the other instruments add to it. A context variable carries it through tasks, through the threads
of a handler that is an ordinary function (anyio copies the context there), and into SQLAlchemy's greenlets.
"""

from collections.abc import MutableMapping
from contextvars import ContextVar
from typing import Any, Final

from dozor.containment import report
from dozor.instruments.work_finished import finished_works


class Work:
    """What one request has done so far. Whoever measures adds, once for each thing done.

    Additions are not locked: a request that works in several threads at once may lose one, which is cheaper than a lock
    for all others.

    Attributes:
        wait_seconds: waited for connections of pools.
        database_seconds: spent in statements, their waiting for a connection left out.
        statements: how many.
        sent: how often each of them, by what the query monitor keeps of a statement.
        repeated: those that came suspiciously often, and the line of code that sent them; None where there is none.
        redis_seconds: spent in commands of a watched client.
        redis_commands: how many.
        scope: what ASGI tells of the request, until that ends; None where it is none.
    """

    __slots__ = (
        "__weakref__",
        "database_seconds",
        "redis_commands",
        "redis_seconds",
        "repeated",
        "sent",
        "statements",
        "wait_seconds",
    )

    scope: MutableMapping[str, Any] | None = None

    def __init__(self) -> None:
        self.wait_seconds = self.database_seconds = self.redis_seconds = 0.0
        self.statements = self.redis_commands = 0
        self.sent: dict[Any, int] = {}
        self.repeated: dict[Any, str | None] | None = None

    @property
    def name(self) -> str:
        """What it is called, as in `GET /orders/{id}`. Never raises; may be called in any thread."""
        return ""

    def finish(self) -> None:
        """It has ended: hand over what statements it sent. Never raises."""
        try:
            if self.sent:
                finished_works.add(self.name, self.sent, self.repeated)
                self.sent, self.repeated = {}, None
        except Exception:  # noqa: BLE001 - whoever ends it has better to do than to deal with this
            report("work.finish")


current_work: Final[ContextVar[Work | None]] = ContextVar("dozor_work", default=None)
"""The work that the running code belongs to. A task that outlives its request still belongs to it."""
