"""Brings the visitors and lets things go wrong: on an event loop and a thread of its own, since the shop's will block."""

import asyncio
import contextlib
import random
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, repeat
from typing import Final

import httpx2

from dozor.demo.faults import FAULTS, TIMETABLE, Fault, Server, Stage
from dozor.demo.load import VISITORS, visit
from dozor.demo.narrator import Narrator

_STOP_SECONDS: Final = 2.0
# Before a fault that was asked for: long enough for a picture of health.
_SETTLE_SECONDS: Final = 3.0


class Director:
    """Starts visitors and faults. `start` and `stop` belong to one thread; `cause` and `end` may be called from any.

    Args:
        shop_url: where the visitors go.
        redis: the server that is stopped at times.
        narrator: says what happens.
        fault: cause only this one, once.
    """

    def __init__(self, shop_url: str, redis: Server, narrator: Narrator, *, fault: str | None = None) -> None:
        self._shop_url, self._redis, self._narrator, self._only = shop_url, redis, narrator, fault
        # Not "dozor-…": by that name Dozor knows its own threads, whose CPU time is its own cost.
        self._thread = threading.Thread(target=self._run, name="visitors", daemon=True)
        self._loop = asyncio.new_event_loop()
        self._ending: asyncio.Event = asyncio.Event()
        self._stage: Stage | None = None
        self._going_on: dict[str, asyncio.Task[None]] = {}

    def start(self) -> None:
        """Let visitors come and things go wrong."""
        self._thread.start()

    def stop(self) -> None:
        """End it all, and put right what is wrong."""
        if self._thread.ident is None:  # never started
            self._loop.close()
            return
        with contextlib.suppress(RuntimeError):  # it has just ended by itself
            self._loop.call_soon_threadsafe(self._ending.set)
        self._thread.join(_STOP_SECONDS)

    def names(self) -> list[str]:
        """The faults there are."""
        return list(FAULTS)

    def cause(self, name: str) -> bool:
        """Begin the fault *name*, unless it is on already. False: there is none of that name."""
        return self._have(self._begin, name)

    def end(self, name: str) -> bool:
        """Put the fault *name* right before its time, if it is on. False: there is none of that name."""
        return self._have(self._break_off, name)

    def _have(self, done: Callable[[Fault], object], name: str) -> bool:
        fault = FAULTS.get(name)
        if fault is None:
            return False
        with contextlib.suppress(RuntimeError):  # all is over
            self._loop.call_soon_threadsafe(done, fault)
        return True

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._direct())

    async def _direct(self) -> None:
        limits = httpx2.Limits(max_connections=None)
        async with (
            httpx2.AsyncClient(base_url=self._shop_url, timeout=15, limits=limits, trust_env=False) as visitors,
            httpx2.AsyncClient(base_url=self._shop_url, timeout=15, limits=limits, trust_env=False) as hand,
        ):
            self._stage = Stage(hand, self._redis, self._narrator.say)
            tasks = [
                asyncio.create_task(visit(visitors, random.Random(number)))  # noqa: S311 - visitors' whims
                for number in range(VISITORS)
            ]
            tasks.append(asyncio.create_task(self._follow(_plan(self._only))))
            await self._ending.wait()
            tasks += self._going_on.values()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _follow(self, plan: Iterable[tuple[float, str]]) -> None:
        for quiet_seconds, name in plan:
            await asyncio.sleep(quiet_seconds)
            await asyncio.wait({self._begin(FAULTS[name])})

    def _begin(self, fault: Fault) -> "asyncio.Task[None]":
        task = self._going_on.get(fault.name)
        if task is None or task.done():
            task = self._going_on[fault.name] = asyncio.create_task(self._cause(fault))
        return task

    def _break_off(self, fault: Fault) -> None:
        task = self._going_on.get(fault.name)
        if task is not None:
            task.cancel()

    async def _cause(self, fault: Fault) -> None:
        assert self._stage is not None
        began = time.monotonic()
        self._narrator.fault(fault)
        try:
            await fault.cause(self._stage)
        finally:
            self._narrator.over(fault, time.monotonic() - began)


def _plan(only: str | None) -> Iterator[tuple[float, str]]:
    if only is not None:
        return iter([(_SETTLE_SECONDS, only)])
    return chain(TIMETABLE, chain.from_iterable(repeat(TIMETABLE[1:])))
