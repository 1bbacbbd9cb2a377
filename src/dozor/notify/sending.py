"""One attempt at one receiver, whatever its notifier does: raise anything, block, hang, ignore its cancellation."""

import asyncio
import inspect
import logging
import threading
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Final

from dozor.errors import DeliveryError
from dozor.model.notification import Notification, SentMessage
from dozor.notify.notifier import AnyNotifier, CorrespondingNotifier

logger = logging.getLogger("dozor.notify")

SEND_LIMIT_SECONDS: Final = 12.0
"""Longer than what Dozor's channels allow themselves, ten seconds: they know what happened, and whether it arrived."""

_Call = Callable[..., object]
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
        self._left_behind: asyncio.Task[_Outcome] | None = None
        self._thread: threading.Thread | None = None

    @property
    def busy(self) -> bool:
        """Whether something that was left behind still runs."""
        task, thread = self._left_behind, self._thread
        return (task is not None and not task.done()) or (thread is not None and thread.is_alive())

    async def send(self, notification: Notification, earlier: Sequence[SentMessage] = ()) -> tuple[SentMessage, ...]:
        """Send *notification*, whose alerts are shown in the messages *earlier*; the messages to be remembered.

        Raises:
            DeliveryError: it did not arrive, as far as is known.
        """
        if isinstance(self._notifier, CorrespondingNotifier):
            return _messages(await self.call(self._notifier.correspond, notification, tuple(earlier)))
        await self.call(self._notifier.send, notification)
        return ()

    async def call(self, method: _Call, *args: object) -> object:
        """What *method* of the notifier returns for *args*, awaited where that is to be.

        Raises:
            DeliveryError: whatever it raised, in other words if need be; or it took too long.
        """
        if self.busy:
            raise DeliveryError(self.name, "its notifier is still busy with an earlier notification")
        task = asyncio.create_task(self._contained(method, args), name=f"dozor.send.{self.name}")
        try:
            await asyncio.wait([task], timeout=self._limit_seconds)
        finally:
            # Not awaited: a coroutine may take its cancellation for a hint. Until it ends it counts as busy.
            if not task.done():
                self._left_behind = task
                task.cancel()
        if not task.done() or task.cancelled():
            raise DeliveryError(self.name, f"its notifier did not finish within {self._limit_seconds:g} s")
        result, error = task.result()
        if error is None:
            return result
        raise error if isinstance(error, DeliveryError) else self._unexpected(error)

    async def _contained(self, method: _Call, args: tuple[object, ...]) -> _Outcome:
        # BaseException too: SystemExit in a task would end Dozor's loop, and with it all watching.
        try:
            return await self._called(method, args)
        except asyncio.CancelledError as cancelled:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            return None, cancelled
        except BaseException as raised:  # noqa: BLE001
            return None, raised

    def _unexpected(self, error: BaseException) -> DeliveryError:
        # Only the class is shown: the text may hold a token, and to ask for it may raise again.
        logger.debug("the notifier %s failed", self.name, exc_info=error)
        return DeliveryError(self.name, f"its notifier raised {type(error).__name__}")

    async def _called(self, method: _Call, args: tuple[object, ...]) -> _Outcome:
        outcome: _Outcome = (
            (method(*args), None) if inspect.iscoroutinefunction(method) else await self._in_thread(method, args)
        )
        result, error = outcome
        if isinstance(result, Awaitable):  # also of a plain function that made a coroutine, as a decorator may
            result = await result
        return result, error

    async def _in_thread(self, method: _Call, args: tuple[object, ...]) -> _Outcome:
        """What *method* returned and what it raised, called in a daemon thread, which cannot keep the process from ending."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[_Outcome] = loop.create_future()

        def settle(outcome: _Outcome) -> None:
            if not answer.done():
                answer.set_result(outcome)

        def work() -> None:
            try:
                outcome: _Outcome = (method(*args), None)
            except BaseException as error:  # noqa: BLE001 - it is handed to whoever waits
                outcome = (None, error)
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(settle, outcome)

        self._thread = threading.Thread(target=work, name=f"dozor-send-{self.name}", daemon=True)
        self._thread.start()
        return await answer


def _messages(result: object) -> tuple[SentMessage, ...]:
    """What a notifier that corresponds returned. The notification has arrived, whatever that is."""
    if isinstance(result, Sequence) and all(isinstance(each, SentMessage) for each in result):
        return tuple(result)
    logger.warning("a notifier's correspond() returned a %s, not the messages that it sent", type(result).__name__)
    return ()
