"""Locks that the child of a fork finds open.

A fork copies a lock as it is at that moment, but not the thread that holds it: in the child it would never be released, and
the application's code would wait for it at its next statement or request.
"""

import os
import threading
from typing import Protocol
from weakref import WeakSet


class Locking(Protocol):
    """Something with a lock that is held for moments only."""

    _lock: threading.Lock


_locking: WeakSet[Locking] = WeakSet()


def open_in_child(owner: Locking) -> None:
    """Give *owner* a new lock in every child that this process forks. What the lock guards must bear a torn update."""
    _locking.add(owner)


def _renew() -> None:
    for owner in list(_locking):
        owner._lock = threading.Lock()


os.register_at_fork(after_in_child=_renew)
