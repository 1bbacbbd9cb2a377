"""On whose behalf something runs: the request that is being answered, and what it has spent in pools, database and Redis.

The HTTP middleware sets it, the other instruments add to it. A context variable carries it through tasks, through the threads
of a handler that is an ordinary function (anyio copies the context there), and into SQLAlchemy's greenlets.
"""

from collections import Counter
from collections.abc import MutableMapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Final

from dozor.containment import report
from dozor.instruments.work_finished import finished_works


@dataclass(slots=True)
class Many:
    """What a work sends that sends much: how often each statement, and the line of code for those sent suspiciously often."""

    times: dict[Any, int]
    lines: dict[Any, str | None] = field(default_factory=dict)


class Work:
    """What one request has done so far. Whoever measures adds, once for each thing done.

    Additions are not locked: a request that works in several threads at once may lose one, which is cheaper than a lock
    for all others.

    Attributes:
        wait_seconds: waited for connections of pools.
        database_seconds: spent in statements, their waiting for a connection left out.
        sent: the first few statements, one after the other, by what the query monitor keeps of each; None before the first.
        many: all of them, the first few included, once they are more; None before that.
        redis_seconds: spent in commands of a watched client.
        redis_commands: how many.
        scope: what ASGI tells of the request, until that ends; None where it is none.
    """

    __slots__ = (
        "database_seconds",
        "many",
        "redis_commands",
        "redis_seconds",
        "sent",
        "wait_seconds",
    )

    scope: MutableMapping[str, Any] | None = None

    def __init__(self) -> None:
        self.wait_seconds = self.database_seconds = self.redis_seconds = 0.0
        self.redis_commands = 0
        self.sent: list[Any] | None = None
        self.many: Many | None = None

    @property
    def name(self) -> str:
        """What it is called, as in `GET /orders/{id}`. Never raises; may be called in any thread."""
        return ""

    @property
    def statements(self) -> int:
        """How many it has sent."""
        sent, many = self.sent, self.many
        if many is not None:
            return sum(many.times.copy().values())
        return 0 if sent is None else len(sent)

    def add_sent(self, text: Any, few: int) -> int:
        """It has sent *text*: how often by now, or 0 while all its statements together are no more than *few*."""
        sent = self.sent
        if sent is None:
            self.sent = [text]
        elif len(sent) < few:
            sent.append(text)
        else:
            times = (self.many or self.sends_many()).times
            times[text] = count = times.get(text, 0) + 1
            return count
        return 0

    def sends_many(self) -> Many:
        """The first few were not all: from now on statements are counted in what this returns."""
        self.many = many = Many(dict(Counter(self.sent)))
        return many

    def finish(self, name: str | None = None) -> None:
        """It has ended: hand over what statements it sent. Never raises. *name* is its own, where that is at hand."""
        try:
            sent, many = self.sent, self.many
            if sent is not None:
                self.sent = self.many = None
                if name is None:
                    name = self.name
                if many is None:
                    finished_works.add(name, sent)
                else:
                    finished_works.add(name, (), many.times, many.lines)
        except Exception:  # noqa: BLE001 - whoever ends it has better to do than to deal with this
            report("work.finish")


current_work: Final[ContextVar[Work | None]] = ContextVar("dozor_work", default=None)
"""The work that the running code belongs to. A task that outlives its request still belongs to it."""
