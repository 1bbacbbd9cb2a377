"""Work that makes many objects and drops them again, without setting off the garbage collector's runs over all that there is.

Such a run stops every thread of the process, for 100 ms and more in an application of some size. Python begins one when a quarter as
many objects as there are have outlived two shorter runs; and those come with every 700 new objects, so that what a query over
thousands of series holds for a moment counts as lasting.
"""

import gc
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

RARE: Final = 50_000
"""New objects between two short runs, meanwhile. Garbage in cycles, the application's too, waits for that long."""


class _Sparing:
    """How many are at it, and what the application's own threshold was."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._depth = 0
        self._before: tuple[int, int, int] | None = None

    def begin(self) -> None:
        with self._lock:
            self._depth += 1
            first, second, third = gc.get_threshold()
            if self._depth == 1 and 0 < first < RARE:  # 0: it is switched off
                self._before = first, second, third
                gc.set_threshold(RARE, second, third)

    def end(self) -> None:
        with self._lock:
            self._depth -= 1
            if self._depth == 0:
                self._restore()

    def renew(self) -> None:
        """In the child of a fork, which has none of the threads that are at it."""
        self._lock, self._depth = threading.Lock(), 0
        self._restore()

    def _restore(self) -> None:
        before, self._before = self._before, None
        if before is not None and gc.get_threshold()[0] == RARE:  # else the application has set another meanwhile
            gc.set_threshold(*before)


_sparing: Final = _Sparing()
os.register_at_fork(after_in_child=_sparing.renew)


@contextmanager
def seldom_collected() -> Iterator[None]:
    """What is done here makes many objects, of which few last. For bounded work; may be nested, in any thread."""
    _sparing.begin()
    try:
        yield
    finally:
        _sparing.end()
