"""A fork in the midst of a locked section leaves the child working."""

import os
import signal
import threading
from collections.abc import Callable
from typing import Any

import pytest

from dozor.locks import open_in_child


class Owner:
    """Something with a lock."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self._lock = make()
        open_in_child(self, make)

    def work(self) -> None:
        with self._lock:
            pass


@pytest.mark.parametrize("make", [threading.Lock, threading.RLock])
def test_the_child_finds_the_lock_open_that_another_thread_holds(make: Callable[[], Any]) -> None:
    owner = Owner(make)
    held, done = threading.Event(), threading.Event()

    def hold() -> None:
        with owner._lock:
            held.set()
            done.wait()

    holder = threading.Thread(target=hold)
    holder.start()
    held.wait()
    pid = os.fork()
    if pid == 0:
        signal.alarm(10)  # ends the child where the lock is never released
        owner.work()
        os._exit(0)
    status = os.waitpid(pid, 0)[1]
    done.set()
    holder.join()
    assert os.waitstatus_to_exitcode(status) == 0
