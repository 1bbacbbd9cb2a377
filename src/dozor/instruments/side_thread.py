"""Blocking calls beside Dozor's event loop: one at a time, awaited no longer than the caller likes."""

import asyncio
import os
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import AbstractContextManager, nullcontext
from typing import TypeVar

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
    """

    def __init__(self, name: str, *, section: Callable[[], AbstractContextManager[None]] = nullcontext) -> None:
        self._name, self._section = name, section
        self._running: Future[object] | None = None
        self._pid = os.getpid()

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
        self._pid = os.getpid()
        self._running = future  # type: ignore[assignment]  # of which only done() is asked

        def work() -> None:
            try:
                with self._section():
                    result = call()
                future.set_result(result)
            except BaseException as error:  # noqa: BLE001 - handed to the caller
                future.set_exception(error)

        threading.Thread(target=work, name=self._name, daemon=True).start()
        return await asyncio.wait_for(asyncio.wrap_future(future), limit_seconds)
