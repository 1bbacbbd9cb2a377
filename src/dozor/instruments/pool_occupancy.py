"""Who occupies a pool: holders and waiters now, leaks so far, and transactions that are open without a need."""

from collections.abc import Mapping
from typing import Any, Final

from dozor.instruments.driver_state import ABORTED, IN_TRANSACTION
from dozor.instruments.pool_holders import Holder, Observer, Usual, Waiter, identify, state_of, thread_names
from dozor.instruments.pool_leaks import Leak, PoolLeaks
from dozor.instruments.pool_tally import Held, PoolTally, Timer

_LONG_SECONDS: Final = 5.0


class PoolOccupancy:
    """Looks at what *tally* has noted, and keeps *leaks*. Not thread-safe where leaks are concerned: its user has a lock.

    Args:
        tally: who has connections and who waits.
        leaks: where leaked connections are remembered.
        leak_after_seconds: a connection held longer than this counts as leaked.
        dialect: how statements are redacted.
        usual: where an endpoint was seen to take connections.
        timer: monotonic seconds.
    """

    def __init__(
        self,
        tally: PoolTally,
        leaks: PoolLeaks,
        leak_after_seconds: float,
        dialect: str,
        *,
        usual: Usual,
        timer: Timer,
    ) -> None:
        self._tally, self._leaks, self._timer = tally, leaks, timer
        self._leak_after_seconds, self._dialect, self._usual = leak_after_seconds, dialect, usual

    def holders(self) -> list[Holder]:
        """Who has connections out, longest first."""
        observer, statements = self._observer(self._timer()), self._tally.statements
        found = [observer.holder(record, held, statements.get(record)) for record, held in self._holding().items()]
        return sorted(found, key=lambda holder: -holder.held_seconds)

    def waiters(self) -> list[Waiter]:
        """Who waits for a connection now, longest first."""
        observer = self._observer(self._timer())
        found = [observer.waiter(*waiting) for waiting in self._tally.waiting.copy().values()]
        return sorted(found, key=lambda waiter: -waiter.waited_seconds)

    def leaks(self) -> list[Leak]:
        """The last 200 connections that were held too long or never given back, newest first."""
        self.note_collected()
        return self._leaks.entries()

    @property
    def collected_total(self) -> int:
        """How many connections the garbage collector took."""
        self.note_collected()
        return self._leaks.collected_total

    def leaked(self) -> list[Held]:
        """Those that are held for too long now."""
        now = self._timer()
        return [held for held in self._holding().values() if now - held[0] > self._leak_after_seconds]

    def long_holding(self, now: float) -> set[str]:
        """The endpoints (`""`: none) that hold connections longer than most do; *now* is monotonic."""
        limit = now - _LONG_SECONDS
        return {"" if held[2] is None else held[2].name for held in self._holding().values() if held[0] < limit}

    def idle_in_transaction(self) -> list[float] | None:
        """For how many seconds each connection of that state has sent nothing; None where no driver tells its state."""
        now, holding = self._timer(), self._holding()
        states = {record: state_of(record) for record in holding}
        if states and all(state is None for state in states.values()):
            return None
        idle_since = [
            self._idle_since(record, holding[record])
            for record, state in states.items()
            if state in (IN_TRANSACTION, ABORTED)
        ]
        return [now - since for since in idle_since if since is not None]

    def note_leaks(self, now: float) -> None:
        """Take note of what has become of leaks, and of new ones; *now* is monotonic."""
        holding = self._holding()
        self.note_collected()
        self._leaks.settle(holding, now)
        overdue = self._leaks.overdue(holding, now)
        if overdue:
            observer = self._observer(now)
            for record, held in overdue.items():
                self._leaks.add(held, observer.holder(record, held, self._tally.statements.get(record)))

    def note_collected(self) -> None:
        """Take note of what the garbage collector has taken."""
        collected, statements = self._tally.collected, self._tally.statements
        for _ in range(len(collected)):
            record, held, ended = collected.popleft()
            self._leaks.collect(held, statements.get(record), ended)

    def complaint(self) -> str | None:
        """How many connections are leaked, and who has the oldest, in a sentence."""
        leaked = self.leaked()
        if not leaked:
            return None
        taken, who, work, _ = min(leaked, key=lambda held: held[0])
        return (
            f"{len(leaked)} connection(s) held longer than {self._leak_after_seconds:g} s, "
            f"longest by {identify(who, work, thread_names()).who} for {self._timer() - taken:.0f} s"
        )

    def _holding(self) -> Mapping[Any, Held]:
        return self._tally.holders.copy()

    def _observer(self, now: float) -> Observer:
        return Observer(now, self._leak_after_seconds, self._dialect, self._usual)

    def _idle_since(self, record: Any, held: Held) -> float | None:
        """Since when (monotonic) nothing has been sent; None: a statement runs."""
        taken, last = held[0], self._tally.statements.get(record)
        if last is not None and last[2] is None and last[1] >= taken:
            return None
        return max(taken, last[2] if last is not None and last[2] is not None else 0.0)
