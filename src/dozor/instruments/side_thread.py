"""Blocking calls beside Dozor's event loop: one at a time, awaited no longer than the caller likes."""

import asyncio
import os
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import AbstractContextManager, nullcontext
from queue import Empty, SimpleQueue
from typing import TypeVar

from dozor.locks import open_in_child

R = TypeVar("R")


class StillBusyError(Exception):
    """The call before has not returned yet."""


class SideThread:
    """Runs a blocking call in a daemon thread. While one hangs no other is begun, so that hung calls do not pile up.

    The executors of asyncio will not do: the interpreter waits for their threads when it ends. `run` belongs to one
    event loop at a time.

    Args:
        name: the thread's.
        section: what a call is made in.
        idle_seconds: how long the thread waits for one more call before it ends. To start one, Dozor waits until it runs, and the
            application meanwhile does not: who calls each second keeps it.
    """

    def __init__(
        self,
        name: str,
        *,
        section: Callable[[], AbstractContextManager[None]] = nullcontext,
        idle_seconds: float = 0.0,
    ) -> None:
        self._name, self._section, self._idle_seconds = name, section, idle_seconds
        self._running: Future[object] | None = None
        self._calls: SimpleQueue[Callable[[], None] | None] | None = None
        self._pid = os.getpid()
        self._lock = threading.Lock()
        open_in_child(self)

    @property
    def busy(self) -> bool:
        """Whether a call is under way, be it one whose caller has given up; one of a process that forked this is not."""
        return self._pid == os.getpid() and self._running is not None and not self._running.done()

    async def run(self, call: Callable[[], R], limit_seconds: float) -> R:
        """The result of *call*. Raises `TimeoutError` after *limit_seconds*, `StillBusyError` while one before hangs."""
        if self.busy:
            raise StillBusyError
        future: Future[R] = Future()
        future.set_running_or_notify_cancel()  # or giving up would count as its end
        if self._pid != os.getpid():
            self._pid, self._calls = os.getpid(), None
        self._running = future  # type: ignore[assignment]  # of which only done() is asked

        def work() -> None:
            try:
                with self._section():
                    result = call()
                future.set_result(result)
            except BaseException as error:  # noqa: BLE001 - handed to the caller
                future.set_exception(error)

        self._begin(work)
        return await asyncio.wait_for(asyncio.wrap_future(future), limit_seconds)

    def end(self) -> None:
        """Let the thread end as soon as it has nothing to do; a later call has another one."""
        with self._lock:
            if self._calls is not None and self._pid == os.getpid():
                self._calls.put(None)
            self._calls = None

    def _begin(self, work: Callable[[], None]) -> None:
        with self._lock:
            if self._calls is not None:
                self._calls.put(work)
                return
            calls: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
            calls.put(work)
            threading.Thread(target=self._serve, args=(calls,), name=self._name, daemon=True).start()
            self._calls = calls

    def _serve(self, calls: "SimpleQueue[Callable[[], None] | None]") -> None:
        while True:
            try:
                work = calls.get(timeout=self._idle_seconds)
            except Empty:
                with self._lock:
                    if calls.empty():
                        if self._calls is calls:
                            self._calls = None
                        return
                continue
            if work is None:
                return
            work()
            del work  # with what it was called for, which would be kept until the next call
