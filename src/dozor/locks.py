"""Locks that the child of a fork finds open.

A fork copies a lock as it is at that moment, but not the thread that holds it: in the child it would never be released, and
the application's code would wait for it at its next statement or request.
"""

import os
import threading
from collections.abc import Callable
from typing import Any, Protocol
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


os.register_at_fork(after_in_child=_renew)
