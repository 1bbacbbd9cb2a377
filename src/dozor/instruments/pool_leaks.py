"""Connections that were held too long, or dropped without being given back: told once for each place, and remembered."""

import logging
from collections import deque
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace

from dozor.clock import Clock
from dozor.instruments.pool_holders import Holder, Usual, identify, thread_names
from dozor.instruments.pool_tally import Held
from dozor.instruments.query_caller import own_lines
from dozor.instruments.redaction import redact

logger = logging.getLogger("dozor")

_KEPT: Final = 200
_MOST_PLACES: Final = 1000


class Outcome(StrEnum):
    """What has become of a leaked connection."""

    HELD = "held"
    RETURNED = "returned"
    COLLECTED = "garbage collected"


class Leak(Struct, frozen=True):
    """A connection that was held beyond the threshold, or that the garbage collector took.

    Attributes:
        at: when it was noticed, a timestamp.
        outcome: what has become of it so far.
        holder: who had it, as of then; its `held_seconds` as of its end where that has come.
    """

    at: float
    outcome: Outcome
    holder: Holder


class PoolLeaks:
    """The last leaks of one pool. Not thread-safe: its user has a lock.

    Args:
        pool_name: named in the log.
        clock: dates them.
        leak_after_seconds: the threshold.
        dialect: how statements are redacted.
        on_leak: told the endpoint of each, `""` where there is none.
        usual: where an endpoint was seen to take connections.
    """

    def __init__(
        self,
        pool_name: str,
        clock: Clock,
        leak_after_seconds: float,
        dialect: str,
        *,
        on_leak: Callable[[str], None],
        usual: Usual,
    ) -> None:
        self._pool_name, self._clock, self._dialect = pool_name, clock, dialect
        self._on_leak, self._usual = on_leak, usual
        self._leak_after_seconds = leak_after_seconds
        self._kept: deque[int] = deque()
        self._leaks: dict[int, Leak] = {}
        self._out: dict[int, tuple[Held, int]] = {}
        self._told: set[str] = set()
        self._number = 0
        self.collected_total = 0

    def entries(self) -> list[Leak]:
        """The last 200, newest first."""
        return [self._leaks[number] for number in reversed(self._kept)]

    def overdue(self, holding: Mapping[Any, Held], now: float) -> dict[Any, Held]:
        """Those of *holding* that have become leaks and are not known as such yet; *now* is monotonic."""
        limit = now - self._leak_after_seconds
        return {record: held for record, held in holding.items() if held[0] < limit and id(held) not in self._out}

    def add(self, held: Held, holder: Holder) -> None:
        """*holder* has gone beyond the threshold."""
        self._out[id(held)] = (held, self._remember(Leak(self._clock.timestamp(), Outcome.HELD, holder)))
        self._tell(holder, f"has been held for {holder.held_seconds:.0f} s")

    def settle(self, holding: Mapping[Any, Held], now: float) -> None:
        """Take note of those that are out no longer: *holding* is all that is."""
        still = {id(held) for held in holding.values()}
        for key in self._out.keys() - still:
            held, number = self._out.pop(key)
            leak = self._leaks.get(number)
            if leak is not None and leak.outcome is Outcome.HELD:
                holder = replace(leak.holder, held_seconds=now - held[0], now_at=())
                self._leaks[number] = replace(leak, outcome=Outcome.RETURNED, holder=holder)

    def collect(self, held: Held, last: "list[Any] | None", ended: float) -> None:
        """The garbage collector took the connection of *held* at the monotonic time *ended*; *last* is its last statement."""
        self.collected_total += 1
        taken, who, work, stack = held
        identity = identify(who, work, thread_names())
        holder = Holder(
            who=identity.who,
            held_seconds=ended - taken,
            leaked=True,
            endpoint=identity.endpoint,
            task=identity.task,
            thread=identity.thread,
            statement=redact(last[0], self._dialect) if last is not None and last[1] >= taken else None,
            taken_at=() if stack is None else own_lines(stack),
            usually_taken_at=self._usual(identity.endpoint or "") if stack is None else (),
        )
        _, number = self._out.pop(id(held), (held, None))
        leak = Leak(self._clock.timestamp(), Outcome.COLLECTED, holder)
        if number in self._leaks:
            self._leaks[number] = leak
        else:
            self._remember(leak)
        self._tell(holder, "was never given back, and the garbage collector took it")

    def _remember(self, leak: Leak) -> int:
        self._number += 1
        self._leaks[self._number] = leak
        self._kept.append(self._number)
        if len(self._kept) > _KEPT:
            del self._leaks[self._kept.popleft()]
        return self._number

    def _tell(self, holder: Holder, what: str) -> None:
        self._on_leak(holder.endpoint or "")
        usual = [place.lines for place in holder.usually_taken_at]
        key = f"{what[:8]} {holder.endpoint or holder.task or holder.thread} {holder.place}"
        if key in self._told or len(self._told) >= _MOST_PLACES:
            return
        self._told.add(key)
        parts = [f"pool {self._pool_name}: a connection taken by {holder.who} {what}"]
        if holder.taken_at:
            parts.append(f"taken at {' from '.join(holder.taken_at)}")
        elif usual:
            parts.append(f"usually taken at {' or '.join(' from '.join(lines) for lines in usual)}")
        if holder.now_at:
            parts.append(f"now at {' from '.join(holder.now_at)}")
        if holder.statement:
            parts.append(f"last statement: {holder.statement}")
        logger.warning("%s (told once for each place)", "; ".join(parts))
