"""What requests that have ended had sent to databases, until a query monitor looks at it."""

import threading
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from itertools import repeat, starmap
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

    def add(
        self,
        name: str,
        sent: Sequence[Any],
        times: Mapping[Any, int] | None = None,
        lines: Mapping[Any, str | None] | None = None,
    ) -> None:
        """The request called *name* has ended, and sent each of *sent*, or each of *times* that often; see `Many` for *lines*."""
        if len(self._row) < _MOST_KEPT:
            # Atomic, with the GIL and without: what one request sent stands together.
            if times is None:
                self._row.extend((name, None, len(sent), *sent))
            else:
                self._row.extend((name, (tuple(times.items()), tuple((lines or {}).items())), 0))

    def take(self) -> Counter[FinishedWork]:
        """All that there is, which is then no longer here: how often each came."""
        found: Counter[tuple[Any, ...]] = Counter()
        take = self._row.popleft
        with self._lock:
            until = len(self._row)
            while until > 0:
                name, many, sent = take(), take(), take()
                found[name, many, tuple(starmap(take, repeat((), sent)))] += 1
                until -= 3 + sent
        works: Counter[FinishedWork] = Counter()
        for (name, many, texts), requests in found.items():
            works[FinishedWork(name, *(many or (tuple(Counter(texts).items()), ())))] += requests
        return works

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self._row.clear()

    def _begin_anew(self) -> threading.Lock:
        # In the child of a fork: the parent may have been taking them, and counts them.
        self._row.clear()
        return threading.Lock()


finished_works: Final = FinishedWorks()
