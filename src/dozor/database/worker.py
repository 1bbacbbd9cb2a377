"""The thread in which Dozor talks to its own database."""

import asyncio
import os
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, ParamSpec, TypeVar

from dozor.errors import StoreUnavailable
from dozor.locks import FORKS

P = ParamSpec("P")
T = TypeVar("T")


class StoreThread:
    """Runs calls one after another in a daemon thread of its own, so that a database that hangs stops nobody else.

    The thread begins with the first call, and anew in the child of a fork. Safe to use from any thread.

    Args:
        name: the thread's name.
        max_waiting: how many calls may wait; while a database hangs, more are refused at once instead of piling up.
    """

    def __init__(self, name: str = "dozor-store", *, max_waiting: int = 1000) -> None:
        self._name, self._max_waiting = name, max_waiting
        self._closed = False
        self._begin_anew()

    def _begin_anew(self) -> None:
        self._pid = os.getpid()
        self._thread: threading.Thread | None = None
        self._waiting: deque[tuple[Future[Any], Callable[[], Any]]] = deque()
        self._wake = threading.Condition()

    @property
    def waiting(self) -> int:
        """How many calls have not begun."""
        return len(self._waiting)

    def submit(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> "Future[T]":
        """Run *call* after those submitted before it. The future can be cancelled until the call begins.

        Raises:
            StoreUnavailable: the thread is closed, or too many calls wait.
        """
        if os.getpid() != self._pid:  # the parent's thread is not in this process, and its lock may be held for ever
            self._begin_anew()
        future: Future[T] = Future()
        with self._wake:
            if self._closed:
                raise StoreUnavailable("Dozor's store is closed")
            if len(self._waiting) >= self._max_waiting:
                raise StoreUnavailable(f"Dozor's store does not answer: {self._max_waiting} calls are waiting for it")
            self._waiting.append((future, lambda: call(*args, **kwargs)))
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                self._thread.start()
            self._wake.notify()
        return future

    async def run(self, call: Callable[..., T], *args: Any, timeout: float) -> T:  # noqa: ASYNC109 - of the answer, below
        """The result of *call*, run in the thread, or what it raised.

        A call that has not begun within *timeout* seconds never will; one that has goes on, unheard.

        Raises:
            StoreUnavailable: no answer within *timeout* seconds; or as `submit`.
        """
        future = self.submit(call, *args)
        try:
            async with asyncio.timeout(timeout) as limit:
                return await asyncio.wrap_future(future)
        except asyncio.CancelledError:
            asker = asyncio.current_task()
            if asker is not None and asker.cancelling():
                raise
            raise StoreUnavailable("Dozor's store is closed") from None  # before it came to this call
        except TimeoutError:
            if not limit.expired():
                raise  # the call's own
            raise StoreUnavailable(f"Dozor's store gave no answer within {timeout:g} s") from None

    def close(self, timeout: float) -> bool:
        """Let the calls that wait finish, for at most *timeout* seconds; whether they did. Later ones are refused."""
        with self._wake:
            self._closed = True
            self._wake.notify()
            thread = self._thread if os.getpid() == self._pid else None
        if thread is None:
            return True
        thread.join(timeout)
        with self._wake:
            for future, _ in self._waiting:
                future.cancel()
        return not thread.is_alive()

    def _run(self) -> None:
        while True:
            with self._wake:
                while not self._waiting:
                    if self._closed:
                        return
                    self._wake.wait()
                future, call = self._waiting.popleft()
            if future.set_running_or_notify_cancel():
                _settle(future, call)
            del future, call  # or the last result would be kept until the next call


def _settle(future: "Future[Any]", call: Callable[[], Any]) -> None:
    try:
        with FORKS.section():
            result = call()
    except BaseException as error:  # noqa: BLE001 - it belongs to whoever asked
        future.set_exception(error)
    else:
        future.set_result(result)
