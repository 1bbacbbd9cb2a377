"""Between what decides, which never waits, and the database, which may: changes are queued here and written in order."""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final

from dozor.containment import report
from dozor.errors import StoreUnavailable
from dozor.model.notification import Changes

logger = logging.getLogger("dozor")

# Some hours of ordinary changes, or one storm of 10,000 alerts; about 40 MB of alerts at the worst.
_LIMIT: Final = 10_000
_RETRY_SECONDS: Final = 0.5
_LONGEST_RETRY_SECONDS: Final = 5.0


class Journal:
    """The queue of changes that are not committed yet. Belongs to Dozor's loop.

    While the database does not answer, changes wait here, up to a limit beyond which the oldest go and are counted.
    """

    def __init__(self, commit: Callable[[Changes], Awaitable[None]], on_commit: Callable[[], None]) -> None:
        self._commit, self._on_commit = commit, on_commit
        self._queue: deque[tuple[Changes, asyncio.Future[None]]] = deque()
        self._filled = asyncio.Event()
        self.failing: str | None = None
        self.dropped = 0

    @property
    def depth(self) -> int:
        """How many changes wait."""
        return len(self._queue)

    def write(self, changes: Changes) -> "asyncio.Future[None]":
        """Queue *changes*; the answer is done once they are committed, and cancelled if they had to be given up."""
        done = asyncio.get_running_loop().create_future()
        if len(self._queue) >= _LIMIT:
            self._give_up()
        self._queue.append((changes, done))
        self._filled.set()
        return done

    async def run(self) -> None:
        """Write what is queued, for ever."""
        pause = _RETRY_SECONDS
        while True:
            if not self._queue:
                self._filled.clear()
                await self._filled.wait()
            if await self._write_oldest():
                pause = _RETRY_SECONDS
            else:
                await asyncio.sleep(pause)
                pause = min(2 * pause, _LONGEST_RETRY_SECONDS)

    async def flush(self) -> None:
        """Write what is queued and return; stops at the first failure."""
        while self._queue and await self._write_oldest():
            pass

    async def _write_oldest(self) -> bool:
        changes, done = self._queue[0]
        try:
            await self._commit(changes)
        except StoreUnavailable as error:
            if self.failing is None:
                logger.warning("alerts are kept in memory only until the database answers: %s", error)
            self.failing = str(error)
            return False
        except Exception:  # noqa: BLE001 - such changes would fail each time, and hold up all that come after them
            report("journal")
            self._give_up()
            return True
        # While the commit was awaited the queue may have overflowed, and these changes with it.
        if self._queue and self._queue[0][1] is done:
            self._queue.popleft()
        if not done.done():
            done.set_result(None)
        if self.failing is not None:
            logger.warning("the database answers again; %d changes still wait to be written", len(self._queue))
            self.failing = None
        self._on_commit()
        return True

    def _give_up(self) -> None:
        _, done = self._queue.popleft()
        done.cancel()
        self.dropped += 1
