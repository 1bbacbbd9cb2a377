"""What requests that have ended had sent to databases, until a query monitor looks at it."""

import threading
from collections import Counter, deque
from collections.abc import Mapping
from itertools import chain
from typing import Any, Final, NamedTuple

from dozor.locks import open_in_child

_MOST_KEPT: Final = 50_000


class FinishedWork(NamedTuple):
    """What one request sent: (text, how often) of each statement, and (text, line of code) of those that came suspiciously often."""

    name: str
    sent: tuple[tuple[Any, int], ...]
    repeated: tuple[tuple[Any, str | None], ...]


class FinishedWorks:
    """Any thread adds; whichever query monitor comes first takes what there is, for all. Bounded: what finds no room is left out.

    They are kept as one row of texts and numbers. An object for each, which lives until somebody reads, would be one more for
    the garbage collector to visit, again and again: that costs the application more than all the rest.
    """

    def __init__(self) -> None:
        self._row: deque[Any] = deque()
        self._lock = threading.Lock()
        open_in_child(self, self._begin_anew)

    def __len__(self) -> int:
        return len(self._row)

    def add(self, name: str, sent: Mapping[Any, int], repeated: Mapping[Any, str | None] | None) -> None:
        """The request called *name* has ended; see `Work` for *sent* and *repeated*."""
        if len(self._row) < _MOST_KEPT:
            lines = None if repeated is None else tuple(repeated.items())
            # Atomic, with the GIL and without: what one request sent stands together.
            self._row.extend((name, lines, len(sent), *chain.from_iterable(sent.items())))

    def take(self) -> Counter[FinishedWork]:
        """All that there is, which is then no longer here: how often each came."""
        found: Counter[FinishedWork] = Counter()
        take = self._row.popleft
        with self._lock:
            until = len(self._row)
            while until > 0:
                name, lines, texts = take(), take(), take()
                found[FinishedWork(name, tuple((take(), take()) for _ in range(texts)), lines or ())] += 1
                until -= 3 + 2 * texts
        return found

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self._row.clear()

    def _begin_anew(self) -> threading.Lock:
        # In the child of a fork: the parent may have been taking them, and counts them.
        self._row.clear()
        return threading.Lock()


finished_works: Final = FinishedWorks()
