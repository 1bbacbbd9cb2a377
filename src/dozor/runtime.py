"""Dozor's own thread and event loop, and the work that runs on it.

A monitor must not stall with the loop it watches, and must work where there is no loop at all (architecture, decision 1).
"""

import asyncio
import concurrent.futures
import logging
import os
import threading
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

from dozor.clock import Clock
from dozor.containment import contained, report

logger = logging.getLogger("dozor")

T = TypeVar("T")

_LONGEST_RESTART_PAUSE_SECONDS = 30.0

# Tasks that ignored their cancellation. Kept, since Python complains of a pending task that is collected.
_left_behind: list["asyncio.Task[Any]"] = []


@dataclass(slots=True)
class TaskStats:
    """How a task of the runtime fares. Written on Dozor's loop, read from any thread."""

    name: str
    interval_seconds: float | None
    runs: int = 0
    errors: int = 0
    timeouts: int = 0
    overruns: int = 0
    last_duration_seconds: float | None = None


class Runtime:
    """One daemon thread with one event loop. `start` and `stop` may be called from any thread but its own.

    What is started first is stopped last; stopping takes at most its timeout, whatever hangs. After a fork the child has
    no such thread, and `running` says so; it starts its own.
    """

    def __init__(self, clock: Clock, *, name: str = "dozor") -> None:
        self._clock, self._name = clock, name
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._pid: int | None = None
        self._teardowns: list[tuple[str, Callable[[], Awaitable[None]]]] = []
        self.stats: list[TaskStats] = []

    @property
    def running(self) -> bool:
        """Whether the thread lives, in this process."""
        return self._pid == os.getpid() and self._thread is not None and self._thread.is_alive()

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """Dozor's loop; only while `running`."""
        if self._loop is None:
            raise RuntimeError("Dozor is not running")
        return self._loop

    def start(self) -> None:
        """Start the thread, if it does not run."""
        if self.running:
            return
        self._teardowns, self.stats = [], []
        self._pid = os.getpid()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, args=(self._loop,), name=self._name, daemon=True)
        self._thread.start()

    def stop(self, timeout_seconds: float = 5.0) -> None:
        """Tear down in reverse, cancel what is left, end the thread. Returns within *timeout_seconds*, whatever hangs.

        What does not end in time is left behind in its daemon thread, and one line in the log says so. A loop that hung
        and goes on later is then still torn down, and its thread ends.
        """
        loop, thread, running = self._loop, self._thread, self.running
        self._loop = self._thread = self._pid = None
        if not running or loop is None or thread is None:
            return
        deadline = self._clock.monotonic() + timeout_seconds
        unwound = asyncio.run_coroutine_threadsafe(self._unwind_and_end(loop, deadline), loop)
        try:
            unwound.result(timeout_seconds)
        except (TimeoutError, concurrent.futures.CancelledError):
            logger.warning("Dozor did not stop within %.1f s; its thread is left behind", timeout_seconds)
        thread.join(max(0.1, deadline - self._clock.monotonic()))

    def submit(self, work: Coroutine[Any, Any, T]) -> "concurrent.futures.Future[T]":
        """Run the coroutine *work* on Dozor's loop. Thread-safe.

        Raises:
            RuntimeError: Dozor does not run.
        """
        if not self.running:
            work.close()
            raise RuntimeError("Dozor is not running")
        return asyncio.run_coroutine_threadsafe(work, self.loop)

    async def run(self, work: Callable[..., T], *args: Any) -> T:
        """Call *work* in Dozor's thread and await its result, from whatever loop."""
        return await self.run_async(_as_coroutine(work, *args))

    async def run_async(self, work: Coroutine[Any, Any, T]) -> T:
        """Await *work*, which runs on Dozor's loop, from whatever loop."""
        if asyncio.get_running_loop() is self._loop:
            return await work
        return await asyncio.wrap_future(self.submit(work))

    def on_stop(self, name: str, teardown: Callable[[], Awaitable[None]]) -> None:
        """Await *teardown* when stopping, before what was registered earlier."""
        self._teardowns.append((name, teardown))

    def every(
        self, seconds: float, name: str, step: Callable[[], Awaitable[None]], *, timeout_seconds: float | None = None
    ) -> TaskStats:
        """Await *step* now and then every *seconds* of monotonic time, until stopping. Call it on Dozor's loop.

        A step that takes longer than *timeout_seconds* is cancelled. One that outlasts its interval makes no burst: the
        missed turns are counted as overruns and left out. What a step raises is contained.
        """
        stats = TaskStats(name, seconds)
        self._supervise(self._periodic(seconds, step, timeout_seconds, stats), name, stats)
        return stats

    def always(self, name: str, work: Callable[[], Awaitable[None]]) -> TaskStats:
        """Keep *work* running until stopping: when it ends or raises, it is begun again after a growing pause."""
        stats = TaskStats(name, None)
        self._supervise(self._restarting(work, stats), name, stats)
        return stats

    def _supervise(self, work: Coroutine[Any, Any, None], name: str, stats: TaskStats) -> None:
        self.stats.append(stats)
        task = self.loop.create_task(work, name=f"{self._name}.{name}")

        async def cancel() -> None:
            task.cancel()
            await asyncio.wait([task])

        self.on_stop(name, cancel)

    async def _periodic(
        self, seconds: float, step: Callable[[], Awaitable[None]], timeout_seconds: float | None, stats: TaskStats
    ) -> None:
        due = self._clock.monotonic()
        while True:
            began = self._clock.monotonic()
            await self._guarded(step, timeout_seconds, stats)
            now = self._clock.monotonic()
            stats.last_duration_seconds = now - began
            due += seconds
            if due < now:
                missed = int((now - due) // seconds) + 1
                stats.overruns += missed
                due += missed * seconds
            await asyncio.sleep(due - now)

    async def _restarting(self, work: Callable[[], Awaitable[None]], stats: TaskStats) -> None:
        pause = 0.1
        while True:
            began = self._clock.monotonic()
            await self._guarded(work, None, stats)
            if self._clock.monotonic() - began > _LONGEST_RESTART_PAUSE_SECONDS:
                pause = 0.1
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_RESTART_PAUSE_SECONDS)

    async def _guarded(
        self, step: Callable[[], Awaitable[None]], timeout_seconds: float | None, stats: TaskStats
    ) -> None:
        stats.runs += 1
        limit = asyncio.timeout(timeout_seconds)
        try:
            async with limit:
                await step()
        except Exception:  # noqa: BLE001 - supervised: the next turn comes in any case
            if limit.expired():
                stats.timeouts += 1
            else:
                stats.errors += 1
                report(f"task.{stats.name}")

    async def _unwind_and_end(self, loop: asyncio.AbstractEventLoop, deadline: float) -> None:
        # The loop is ended from here, not by `stop`: what comes after its end must not be under way together with the
        # unwinding, which cancels every task that it finds.
        try:
            await self._unwind(deadline)
        finally:
            loop.stop()

    async def _unwind(self, deadline: float) -> None:
        while self._teardowns:
            name, teardown = self._teardowns.pop()
            task = asyncio.ensure_future(teardown())
            # A teardown that hangs may use half of what is left, so that those after it have their turn. It is waited for
            # from outside, since what hangs may also ignore that it is cancelled.
            await asyncio.wait([task], timeout=max(0.05, (deadline - self._clock.monotonic()) / 2))
            if not task.done():
                logger.warning("stopping: %s did not end in time", name)
                task.cancel()
            elif not task.cancelled() and task.exception() is not None:
                with contained(f"stop.{name}"):
                    task.result()
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        if tasks:
            _, stubborn = await asyncio.wait(tasks, timeout=max(0.05, (deadline - self._clock.monotonic()) / 2))
            _left_behind.extend(stubborn)

    def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        asyncio.set_event_loop(loop)
        try:
            loop.run_forever()
            loop.run_until_complete(loop.shutdown_asyncgens())
        finally:
            loop.close()


async def _as_coroutine(work: Callable[..., T], *args: Any) -> T:
    return work(*args)
