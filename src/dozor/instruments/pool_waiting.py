"""Notes who waits for a connection, at the place where they wait: who gets one at once never comes by here.

A pool's queue is where callers stand: threads in `not_empty.wait`, tasks in the asyncio queue's `get`. Both are reached only
by callers for whom there was no connection.
"""

from threading import get_ident
from typing import Any

from sqlalchemy import Pool

from dozor.containment import contained, report
from dozor.instruments.patching import Patch, Replacement, accepts
from dozor.instruments.pool_tally import PoolTally, Timer, task_or_thread
from dozor.instruments.work import current_work


class PoolWaiting:
    """Puts itself around the queue of one pool, and comes off again. A pool without a queue has nobody waiting.

    Args:
        pool: any kind of `Pool`.
        tally: where to note them.
        timer: monotonic seconds.
    """

    def __init__(self, pool: Pool, tally: PoolTally, timer: Timer) -> None:
        self._tally, self._timer = tally, timer
        self._timeout_seconds = getattr(pool, "_timeout", None)
        self._queue: Any = getattr(pool, "_pool", None)
        self._patch: Patch | None = None

    def put_on(self) -> None:
        """Note who waits from now on."""
        queue = self._queue
        not_empty: Any = getattr(queue, "not_empty", None)
        if hasattr(not_empty, "wait") and hasattr(not_empty, "__dict__"):
            self._patch = Patch(not_empty)
            self._patch.put("wait", self._wait(not_empty.wait))
        elif hasattr(type(queue), "_queue") and accepts(getattr(queue, "get", None), 2):
            self._patch = Patch(queue)
            self._patch.put("get", self._get(queue.get))

    def take_off(self) -> None:
        """Leave the queue as it was found."""
        if self._patch is not None:
            self._patch.remove()

    def _wait(self, original: Replacement) -> Replacement:
        waiting, timer, limit = self._tally.waiting, self._timer, self._timeout_seconds

        def wait(timeout: float | None = None) -> Any:
            key = object()
            try:
                # Who is woken and finds the connection gone waits again, for what is left of its time.
                waited = max(0.0, limit - timeout) if limit is not None and timeout is not None else 0.0
                waiting[key] = (timer() - waited, get_ident(), current_work.get())
            except Exception:  # noqa: BLE001 - it waits whatever happens to the note
                report("pool.wait")
            try:
                return original(timeout)
            finally:
                with contained("pool.wait"):
                    waiting.pop(key, None)

        return wait

    def _get(self, original: Replacement) -> Replacement:
        waiting, timer = self._tally.waiting, self._timer

        def get(block: bool = True, timeout: float | None = None) -> Any:  # noqa: FBT001, FBT002 - the queue's signature
            if not block:
                return original(block, timeout)
            key = object()
            try:
                waiting[key] = (timer(), task_or_thread(), current_work.get())
            except Exception:  # noqa: BLE001 - it waits whatever happens to the note
                report("pool.wait")
            try:
                return original(block, timeout)
            finally:
                with contained("pool.wait"):
                    waiting.pop(key, None)

        return get
