"""Where connections are taken: stacks at checkout, only while they pay for themselves.

To walk a stack costs more than all the rest of a checkout. So, unless all are asked for, stacks are taken of one checkout in
each cycle, of all while the pool is nearly used up, and of all by requests that have leaked before; and never for more than
a thousandth of the time.
"""

import threading
from collections.abc import Callable
from typing import Final, Literal

from dozor.containment import report
from dozor.instruments.pool_tally import PoolTally, Timer
from dozor.instruments.query_caller import Place, take_stack
from dozor.instruments.work import Work
from dozor.locks import open_in_child

StackMode = Literal["off", "auto", "all"]

_BUSY_SHARE: Final = 0.8
_SHARE_OF_TIME: Final = 0.001
_MOST_SUSPECTS: Final = 100
_NEVER: Final = 1 << 62


class PoolStacks:
    """Decides at which checkouts the stack is taken, and takes it; also keeps the peak, for it is what looks at checkouts.

    Args:
        tally: whose `level` it sets.
        mode: `off`: none; `all`: of every checkout; `auto`: see above.
        timer: monotonic seconds.
        take: walks the stack.
    """

    def __init__(
        self,
        tally: PoolTally,
        mode: StackMode,
        timer: Timer,
        take: Callable[[], tuple[Place, ...]] = take_stack,
    ) -> None:
        self._tally, self._mode, self._timer, self._take = tally, mode, timer, take
        self._lock = threading.Lock()
        open_in_child(self)
        self._suspects: set[str] = set()
        self._busy_from = _NEVER
        self._left_seconds = 0.0
        self._sample = False
        tally.look = self.look

    def begin_cycle(self, seconds: float, capacity: int | None) -> None:
        """A cycle of that many *seconds* begins, of a pool with that *capacity* (None: no limit)."""
        self._tally.begin_cycle()
        self._left_seconds = seconds * _SHARE_OF_TIME
        self._sample = self._mode == "auto"
        self._busy_from = _NEVER if capacity is None else max(1, int(capacity * _BUSY_SHARE))
        self._set_level()

    def suspect(self, endpoint: str) -> None:
        """*endpoint* (`""`: whatever has none) has leaked a connection: look at what it takes from now on."""
        if len(self._suspects) < _MOST_SUSPECTS:
            self._suspects.add(endpoint)

    def look(self, work: Work | None) -> tuple[Place, ...] | None:
        """The stack of the checkout that is under way, if it is wanted. Called on the hot path; never raises."""
        try:
            with self._lock:
                self._tally.raise_peak()
                began = self._timer()
                stack = self._take() if self._wants(work) else None
                self._left_seconds -= self._timer() - began
                self._set_level()
                return stack
        except Exception:  # noqa: BLE001 - the connection is handed out and counted whatever happens to the stack
            report("pool.stack")
            return None

    def _wants(self, work: Work | None) -> bool:
        if self._mode != "auto":
            return self._mode == "all"
        if self._left_seconds <= 0:
            return False
        sample, self._sample = self._sample, False
        return sample or len(self._tally.holders) + 1 >= self._busy_from or self._is_suspect(work)

    def _is_suspect(self, work: Work | None) -> bool:
        return bool(self._suspects) and ("" if work is None else work.name) in self._suspects

    def _set_level(self) -> None:
        level = self._tally.peak_held
        if self._mode == "all":
            level = 0
        elif self._mode == "auto" and self._left_seconds > 0:
            level = 0 if self._sample or self._suspects else min(level, self._busy_from - 1)
        self._tally.level[0] = level
