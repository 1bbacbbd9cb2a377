"""Between what decides, which never waits, and the database, which may: changes are queued here and written in order."""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from dozor.containment import contained, report
from dozor.errors import StoreUnavailable
from dozor.model.notification import Changes

logger = logging.getLogger("dozor")

# Some hours of ordinary changes, or one storm of 10,000 alerts; about 40 MB of alerts at the worst.
_LIMIT: Final = 10_000
_RETRY_SECONDS: Final = 0.5
_LONGEST_RETRY_SECONDS: Final = 5.0
_HANGING_SECONDS: Final = 5.0


@dataclass(slots=True)
class _Entry:
    changes: Changes
    done: asyncio.Future[None]
    handed_on: bool = False


class Journal:
    """The queue of changes that are not committed yet. Belongs to Dozor's loop.

    While the database does not answer, changes wait here, up to a limit beyond which the oldest go and are counted. It
    counts as not answering when a commit fails, and when one takes longer than five seconds.

    Args:
        commit: writes changes; it may be asked to write the same ones again.
        on_commit: called after each commit.
        on_failing: called with all that waits once the database does not answer, with what comes while it does not, and
            with what is given up: each changes once, in their order. All but the last are committed later all the same.
    """

    def __init__(
        self,
        commit: Callable[[Changes], Awaitable[None]],
        on_commit: Callable[[], None],
        on_failing: Callable[[Changes], None] | None = None,
    ) -> None:
        self._commit, self._on_commit, self._on_failing = commit, on_commit, on_failing
        self._queue: deque[_Entry] = deque()
        self._filled = asyncio.Event()
        self.failing: str | None = None
        """Why changes wait, in words; None while the database answers."""
        self.dropped = 0
        """How many changes were given up."""

    @property
    def depth(self) -> int:
        """How many changes wait."""
        return len(self._queue)

    def waiting(self) -> list[Changes]:
        """What is not committed yet, oldest first."""
        return [entry.changes for entry in self._queue]

    def write(self, changes: Changes) -> "asyncio.Future[None]":
        """Queue *changes*; the answer is done once they are committed, and cancelled if they had to be given up."""
        entry = _Entry(changes, asyncio.get_running_loop().create_future())
        if len(self._queue) >= _LIMIT:
            self._give_up()
        self._queue.append(entry)
        self._filled.set()
        if self.failing is not None:
            self._hand_on(entry)
        return entry.done

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
        entry = self._queue[0]
        try:
            await self._committed(entry.changes)
        except StoreUnavailable as error:
            self._fail(str(error))
            return False
        except Exception:  # noqa: BLE001 - such changes would fail each time, and hold up all that come after them
            report("journal")
            if self._is_oldest(entry):
                self._give_up()
            return True
        if self._is_oldest(entry):
            self._queue.popleft()
        if not entry.done.done():
            entry.done.set_result(None)
        if self.failing is not None:
            logger.warning("the database answers again; %d changes still wait to be written", len(self._queue))
            self.failing = None
        self._on_commit()
        return True

    async def _committed(self, changes: Changes) -> None:
        # A call that hangs cannot be taken back: it is waited for, but what waits behind it is not kept from people.
        commit = asyncio.ensure_future(self._commit(changes))
        try:
            await asyncio.wait({commit}, timeout=_HANGING_SECONDS)
            if not commit.done():
                self._fail(f"Dozor's store has given no answer for {_HANGING_SECONDS:g} s")
            await commit
        finally:
            commit.cancel()

    def _fail(self, reason: str) -> None:
        if self.failing is None:
            logger.warning("alerts are kept in memory only until the database answers: %s", reason)
        self.failing = reason
        for entry in self._queue:
            self._hand_on(entry)

    def _hand_on(self, entry: _Entry) -> None:
        if self._on_failing is not None and not entry.handed_on:
            entry.handed_on = True
            with contained("journal.on_failing"):
                self._on_failing(entry.changes)

    def _is_oldest(self, entry: _Entry) -> bool:
        # While the commit was awaited the queue may have overflowed, and these changes with it.
        return bool(self._queue) and self._queue[0] is entry

    def _give_up(self) -> None:
        entry = self._queue.popleft()
        self._hand_on(entry)
        entry.done.cancel()
        self.dropped += 1
