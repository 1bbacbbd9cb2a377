"""One attempt at one receiver, whatever its notifier does: raise anything, block, hang, ignore its cancellation."""

import asyncio
import inspect
import logging
import threading
from collections.abc import Awaitable
from contextlib import suppress
from typing import Final

from dozor.errors import DeliveryError
from dozor.model.notification import Notification
from dozor.notify.notifier import AnyNotifier

logger = logging.getLogger("dozor.notify")

SEND_LIMIT_SECONDS: Final = 10.0

_Outcome = tuple[object, BaseException | None]


class Sender:
    """Sends to one receiver, one notification at a time. Used on Dozor's loop.

    Args:
        name: the receiver's.
        notifier: what sends; where its `send` is an ordinary function, that runs in a thread.
        limit_seconds: how long it may take. What takes longer is left behind, and no other is begun beside it.
    """

    def __init__(self, name: str, notifier: AnyNotifier, *, limit_seconds: float = SEND_LIMIT_SECONDS) -> None:
        self.name, self._notifier, self._limit_seconds = name, notifier, limit_seconds
        self._left_behind: asyncio.Task[DeliveryError | None] | None = None
        self._thread: threading.Thread | None = None

    @property
    def busy(self) -> bool:
        """Whether something that was left behind still runs."""
        task, thread = self._left_behind, self._thread
        return (task is not None and not task.done()) or (thread is not None and thread.is_alive())

    async def attempt(self, notification: Notification) -> DeliveryError | None:
        """Send *notification*; what went wrong, None if it arrived."""
        if self.busy:
            return DeliveryError(self.name, "its notifier is still busy with an earlier notification")
        task = asyncio.create_task(self._contained(notification), name=f"dozor.send.{self.name}")
        try:
            await asyncio.wait([task], timeout=self._limit_seconds)
        finally:
            # Not awaited: a coroutine may take its cancellation for a hint. Until it ends it counts as busy.
            if not task.done():
                self._left_behind = task
                task.cancel()
        if not task.done() or task.cancelled():
            return DeliveryError(self.name, f"its notifier did not finish within {self._limit_seconds:g} s")
        return task.result()

    async def _contained(self, notification: Notification) -> DeliveryError | None:
        # BaseException too: SystemExit in a task would end Dozor's loop, and with it all watching.
        try:
            error = await self._send(notification)
        except asyncio.CancelledError as cancelled:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            error = cancelled
        except BaseException as raised:  # noqa: BLE001
            error = raised
        if error is None or isinstance(error, DeliveryError):
            return error
        # Only the class is shown: the text may hold a token, and to ask for it may raise again.
        logger.debug("the notifier %s failed", self.name, exc_info=error)
        return DeliveryError(self.name, f"its notifier raised {type(error).__name__}")

    async def _send(self, notification: Notification) -> BaseException | None:
        if inspect.iscoroutinefunction(self._notifier.send):
            await self._notifier.send(notification)
            return None
        outcome, error = await self._in_thread(notification)
        if isinstance(outcome, Awaitable):  # a plain function that made a coroutine, as a decorator may
            await outcome
        return error

    async def _in_thread(self, notification: Notification) -> _Outcome:
        """What `send` returned and what it raised, called in a daemon thread, which cannot keep the process from ending."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[_Outcome] = loop.create_future()

        def settle(outcome: _Outcome) -> None:
            if not answer.done():
                answer.set_result(outcome)

        def work() -> None:
            try:
                outcome: _Outcome = (self._notifier.send(notification), None)
            except BaseException as error:  # noqa: BLE001 - it is handed to whoever waits
                outcome = (None, error)
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(settle, outcome)

        self._thread = threading.Thread(target=work, name=f"dozor-send-{self.name}", daemon=True)
        self._thread.start()
        return await answer
