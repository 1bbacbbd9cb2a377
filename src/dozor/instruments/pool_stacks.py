"""Where connections are taken: at which checkouts the stack is walked, so that most leaks have theirs and a busy pool pays little.

A walk costs as much as five checkouts. So there is a budget, refilled in each cycle: an application that takes fewer connections
than that has the stack of each; a busier one those of a sample. First come requests of a kind that was never seen, those
of a kind that has leaked or holds long, and all while the pool is nearly used up.
"""

import threading
from collections import deque
from collections.abc import Callable
from typing import Final, Literal

from dozor.containment import report
from dozor.instruments.detail import DETAIL
from dozor.instruments.pool_places import PoolPlaces, Taken, UsualPlace
from dozor.instruments.pool_tally import NO_KIND, Kind, PoolTally, kind_of
from dozor.instruments.query_caller import Place, take_stack
from dozor.instruments.work import Work
from dozor.locks import open_in_child

StackMode = Literal["off", "auto", "all"]

STACKS_EACH_SECOND: Final = 200
"""At some 5 us each, a thousandth of a core; see docs/adr/0022-stacks-by-budget.md and benchmarks/pool_stacks.py."""
_MOST_LEFT: Final = 2 * STACKS_EACH_SECOND
"""At an interval of a second; as many for each second of a longer one, but no more than are kept until it ends."""
_MOST_FRESH: Final = 10 * _MOST_LEFT
_KEPT_BACK: Final = STACKS_EACH_SECOND // 2
"""For what comes first, when the sample has had its part."""
_FOR_NEW: Final = STACKS_EACH_SECOND // 10
"""The last of that, for kinds of which nothing was seen yet."""
_LOOK_COST: Final = 0.125
"""What it costs to look and take none, in stacks."""
_BUSY_SHARE: Final = 0.8
_MOST_SUSPECTS: Final = 100
_SUSPECT_SECONDS: Final = 600.0
_MOST_KINDS: Final = 4096
_NEVER: Final = 1 << 62


class PoolStacks:
    """Decides at which checkouts the stack is taken, and takes it; also keeps the peak, for it is what looks at checkouts.

    Args:
        tally: whose `level` and `seen` it sets.
        mode: `off`: none; `all`: of every checkout; `auto`: see above.
        take: walks the stack.
    """

    def __init__(self, tally: PoolTally, mode: StackMode, take: Callable[[], tuple[Place, ...]] = take_stack) -> None:
        self._tally, self._mode, self._take = tally, mode, take
        self._lock = threading.Lock()
        open_in_child(self)
        self._fresh: deque[Taken] = deque(maxlen=_MOST_FRESH)
        self._places = PoolPlaces()
        self._left: float = _MOST_LEFT
        self._taken: dict[Kind, int] = {}
        self._missed: set[Kind] = set()
        self._elapsed = 0.0
        self._suspects: dict[str, tuple[Kind, float]] = {}
        self._suspect_kinds: frozenset[Kind] = frozenset()
        self._busy_from = _NEVER
        tally.look = self.look
        self._set_level()

    def begin_cycle(self, seconds: float, capacity: int | None) -> None:
        """A cycle begins, *seconds* after the one before, of a pool with that *capacity* (None: no limit)."""
        self._tally.begin_cycle()
        self._places.fold(self._fresh)
        seen = self._tally.seen
        with self._lock:
            most = min(_MOST_FRESH, _MOST_LEFT * max(1.0, seconds))
            self._left = min(most, max(0.0, self._left) + seconds * STACKS_EACH_SECOND)
            self._busy_from = _NEVER if capacity is None else max(1, int(capacity * _BUSY_SHARE))
            self._taken.clear()
            self._elapsed += seconds
            self._suspects = {name: one for name, one in self._suspects.items() if one[1] > self._elapsed}
            self._note_suspect_kinds()
            if len(seen) > _MOST_KINDS:
                seen.clear()
            seen.difference_update(self._missed, self._suspect_kinds)
            seen.add(NO_KIND)
            self._missed.clear()
            self._set_level()

    def suspect(self, endpoint: str) -> None:
        """*endpoint* (`""`: none) leaks connections or holds them long: look at all that it takes in the next ten minutes."""
        self._places.fold(self._fresh)
        with self._lock:
            self._suspects.pop(endpoint, None)
            self._suspects[endpoint] = (self._places.kind(endpoint), self._elapsed + _SUSPECT_SECONDS)
            if len(self._suspects) > _MOST_SUSPECTS:
                del self._suspects[next(iter(self._suspects))]
            self._note_suspect_kinds()

    def usual(self, endpoint: str) -> tuple[UsualPlace, ...]:
        """Where *endpoint* was seen to take connections; see `PoolPlaces`."""
        self._places.fold(self._fresh)
        return self._places.usual(endpoint)

    def look(self, work: Work | None) -> tuple[Place, ...] | None:
        """The stack of the checkout that is under way, if it is wanted. Called on the hot path; never raises."""
        try:
            with self._lock:
                self._tally.raise_peak()
                kind = kind_of(work)
                wanted = self._wants(work, kind)
                self._pay(kind, taken=wanted)
                self._set_level()
            stack = self._take() if wanted else ()
            if stack:
                self._fresh.append((work, kind, stack))
                return stack
        except Exception:  # noqa: BLE001 - the connection is handed out and counted whatever happens to the stack
            report("pool.stack")
        return None

    def _wants(self, work: Work | None, kind: Kind) -> bool:
        if self._mode != "auto":
            return self._mode == "all"
        if self._left <= 0 or not DETAIL.lines:
            return False
        if kind not in self._tally.seen and kind not in self._suspect_kinds:
            return True
        if self._is_suspect(work) or len(self._tally.holders) + 1 >= self._busy_from:
            return self._left > _FOR_NEW
        # Who takes most has half, who takes the most of the rest half of that, and so on.
        return self._taken.get(kind, 0) < self._left - _KEPT_BACK

    def _is_suspect(self, work: Work | None) -> bool:
        return bool(self._suspects) and ("" if work is None else work.name) in self._suspects

    def _note_suspect_kinds(self) -> None:
        self._suspect_kinds = frozenset(kind for kind, _ in self._suspects.values())

    def _pay(self, kind: Kind, *, taken: bool) -> None:
        seen = self._tally.seen
        if taken:
            self._left -= 1
            self._taken[kind] = self._taken.get(kind, 0) + 1
            if kind not in self._suspect_kinds:
                seen.add(kind)
        else:
            self._left -= _LOOK_COST
            if kind not in seen:  # nothing is left for it: to be seen in the next cycle
                seen.add(kind)
                self._missed.add(kind)

    def _set_level(self) -> None:
        level = self._tally.peak_held
        if self._mode == "all":
            level = 0
        elif self._mode == "auto" and self._left > _FOR_NEW and DETAIL.lines:
            # A suspect that is no request does not come to be looked at by its kind.
            sampled = NO_KIND in self._suspect_kinds or self._left > _KEPT_BACK
            level = 0 if sampled else min(level, self._busy_from - 1)
        self._tally.level[0] = level
