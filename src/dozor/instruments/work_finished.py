"""What requests that have ended had sent to databases, until a query monitor looks at it."""

import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from dozor.locks import open_in_child
from dozor.metrics.instruments import take_all

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
        self._row: list[Any] = []
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
                self._row.extend([name, None, len(sent), *sent])
            else:
                self._row.extend((name, (tuple(times.items()), tuple((lines or {}).items())), 0))

    def take(self) -> Counter[FinishedWork]:
        """All that there is, which is then no longer here: how often each came."""
        with self._lock:
            row = tuple(take_all(self._row))
        found = Counter(_stretches(row))
        works: Counter[FinishedWork] = Counter()
        for (name, many, _, *texts), requests in found.items():
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


def _stretches(row: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
    """What each request has added to *row*."""
    start, end = 0, len(row)
    while start < end:
        until = start + 3 + row[start + 2]
        yield row[start:until]
        start = until


finished_works: Final = FinishedWorks()
