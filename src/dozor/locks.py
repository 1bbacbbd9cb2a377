"""Locks that the child of a fork finds open.

A fork copies a lock as it is at that moment, but not the thread that holds it: in the child it would never be released, and
the application's code would wait for it at its next statement or request. Dozor's own locks are made anew in the child;
those inside a library (SQLite has one around the opening of files) cannot be, so a fork waits until no thread of Dozor's is in it.
"""

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, Protocol
from weakref import WeakKeyDictionary


class Locking(Protocol):
    """Something with a lock that is held for moments only."""

    _lock: Any


_locking: WeakKeyDictionary[Locking, Callable[[], Any]] = WeakKeyDictionary()


def open_in_child(owner: Locking, make: Callable[[], Any] = threading.Lock) -> None:
    """Give *owner* a new lock in every child that this process forks. What the lock guards must bear a torn update."""
    _locking[owner] = make


def _renew() -> None:
    for owner, make in list(_locking.items()):
        owner._lock = make()


class ForkGate:
    """Lets forks pass between the sections that must not be in one."""

    # A call that hangs, as to a server that is frozen, must not keep the application from forking.
    _LONGEST_WAIT_SECONDS: Final = 0.5

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._inside: set[int] = set()
        self._forking = False

    @contextmanager
    def section(self) -> Iterator[None]:
        """What is done here is not under way in any other thread when this process forks. May be nested."""
        me = threading.get_ident()
        if me in self._inside:
            yield
            return
        with self._changed:
            self._changed.wait_for(lambda: not self._forking)
            self._inside.add(me)
        try:
            yield
        finally:
            with self._changed:
                self._inside.discard(me)
                self._changed.notify_all()

    def close(self) -> None:
        """Wait for the sections of other threads, for half a second at most, and let none begin. Before a fork."""
        me, until = threading.get_ident(), time.monotonic() + self._LONGEST_WAIT_SECONDS
        self._changed.acquire()
        self._forking = True
        while self._inside - {me} and (left := until - time.monotonic()) > 0:
            self._changed.wait(left)

    def open(self) -> None:
        """Let sections begin again. After a fork, in the parent."""
        self._forking = False
        self._changed.notify_all()
        self._changed.release()

    def renew(self) -> None:
        """Begin anew. After a fork, in the child: of its threads only the one that forked is there."""
        self._changed, self._forking = threading.Condition(), False
        self._inside &= {threading.get_ident()}


FORKS: Final = ForkGate()

os.register_at_fork(before=FORKS.close, after_in_parent=FORKS.open, after_in_child=FORKS.renew)
os.register_at_fork(after_in_child=_renew)
