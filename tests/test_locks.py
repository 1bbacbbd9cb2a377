"""A fork in the midst of a locked section leaves the child working."""

import os
import signal
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from dozor.locks import FORKS, ForkGate, open_in_child


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


def test_a_fork_waits_for_what_must_not_be_under_way() -> None:
    inside, leave, forked = threading.Event(), threading.Event(), threading.Event()

    def work() -> None:
        with FORKS.section(), FORKS.section():
            inside.set()
            leave.wait()

    def fork() -> None:
        pid = os.fork()
        if pid == 0:
            signal.alarm(10)
            with FORKS.section():
                os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        forked.set()

    worker, forker = threading.Thread(target=work), threading.Thread(target=fork)
    worker.start()
    inside.wait()
    forker.start()
    assert not forked.wait(0.1)
    leave.set()
    worker.join()
    forker.join()
    assert forked.is_set()


def test_a_fork_does_not_wait_for_ever_nor_for_its_own_thread() -> None:
    gate, inside, leave = ForkGate(), threading.Event(), threading.Event()

    def hang() -> None:
        with gate.section():
            inside.set()
            leave.wait()

    hanging = threading.Thread(target=hang)
    hanging.start()
    inside.wait()
    with gate.section():
        before = time.monotonic()
        gate.close()
        waited = time.monotonic() - before
        gate.open()
    assert waited >= 0.5
    leave.set()
    hanging.join()


def test_no_section_begins_while_the_process_forks() -> None:
    gate, begun = ForkGate(), threading.Event()

    def work() -> None:
        with gate.section():
            begun.set()

    gate.close()
    worker = threading.Thread(target=work)
    worker.start()
    assert not begun.wait(0.1)
    gate.open()
    worker.join()
    assert begun.is_set()
