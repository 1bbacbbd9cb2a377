"""One attempt, whatever the notifier does."""

import asyncio
import threading
import time
from collections.abc import Awaitable

import pytest
from tests.database.records import make_notification
from tests.patience import PATIENCE_SECONDS

from dozor.errors import DeliveryError
from dozor.model.notification import Notification
from dozor.notify.sending import Sender
from dozor.testing import RecordingNotifier

pytestmark = pytest.mark.anyio

NOTE = make_notification()


async def attempt(sender: Sender) -> DeliveryError | None:
    """What went wrong, None if it arrived."""
    try:
        await sender.send(NOTE)
    except DeliveryError as failure:
        return failure
    return None


class Raising:
    """Raises from a coroutine, or, with `Blocking` below, from a thread."""

    def __init__(self, error: BaseException) -> None:
        self.error = error

    async def send(self, notification: Notification) -> None:
        raise self.error


class RaisingInThread(Raising):
    def send(self, notification: Notification) -> None:  # type: ignore[override]  # not a coroutine, on purpose
        raise self.error


class Unprintable(Exception):
    """As hostile as an exception gets."""

    def __str__(self) -> str:
        raise RuntimeError("s3cr3t")

    __repr__ = __str__


async def test_what_arrived_has_no_error() -> None:
    notifier = RecordingNotifier()
    assert await attempt(Sender("own", notifier)) is None
    assert notifier.notifications == [NOTE]


@pytest.mark.parametrize("kind", [Raising, RaisingInThread])
@pytest.mark.parametrize(
    "error",
    [
        ValueError("s3cr3t"),
        Unprintable(),
        KeyboardInterrupt(),
        SystemExit(3),
        GeneratorExit(),
        StopIteration(),
        asyncio.CancelledError(),
        TimeoutError(),
        MemoryError(),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_whatever_is_raised_becomes_an_error_that_may_pass(kind: type[Raising], error: BaseException) -> None:
    failure = await attempt(Sender("own", kind(error)))
    assert failure is not None
    assert failure.recoverable
    assert "its notifier raised" in failure.reason
    assert "s3cr3t" not in str(failure)


@pytest.mark.parametrize("kind", [Raising, RaisingInThread])
async def test_a_delivery_error_is_taken_as_it_is(kind: type[Raising]) -> None:
    error = DeliveryError("own", "no such chat", recoverable=False, retry_after_seconds=7)
    assert await attempt(Sender("own", kind(error))) is error


async def test_a_plain_function_runs_in_a_thread_of_its_own() -> None:
    class Blocking:
        def send(self, notification: Notification) -> None:
            self.thread = threading.current_thread()

    notifier = Blocking()
    assert await attempt(Sender("own", notifier)) is None
    assert notifier.thread.name == "dozor-send-own"
    assert notifier.thread.daemon


async def test_a_plain_function_that_makes_a_coroutine_is_awaited() -> None:
    recording = RecordingNotifier()

    class Wrapped:
        def send(self, notification: Notification) -> Awaitable[None]:
            return recording.send(notification)

    assert await attempt(Sender("own", Wrapped())) is None  # type: ignore[arg-type]  # promises more than it is
    assert recording.notifications == [NOTE]


async def test_one_that_hangs_is_left_at_the_limit() -> None:
    class Hanging:
        async def send(self, notification: Notification) -> None:
            await asyncio.Event().wait()

    sender = Sender("own", Hanging(), limit_seconds=0.05)
    failure = await attempt(sender)
    assert failure is not None
    assert failure.reason == "its notifier did not finish within 0.05 s"
    assert failure.recoverable


async def test_one_that_ignores_its_cancellation_is_left_behind_and_not_doubled() -> None:
    release = asyncio.Event()

    class Stubborn:
        calls = 0

        async def send(self, notification: Notification) -> None:
            self.calls += 1
            while not release.is_set():
                try:
                    await release.wait()
                except asyncio.CancelledError:
                    continue

    notifier = Stubborn()
    sender = Sender("own", notifier, limit_seconds=0.05)
    assert await attempt(sender) is not None
    busy = await attempt(sender)
    assert busy is not None
    assert "still busy" in busy.reason
    assert notifier.calls == 1
    release.set()
    while sender.busy:
        await asyncio.sleep(0)
    assert await attempt(sender) is None


async def test_a_thread_that_hangs_is_left_behind_and_not_doubled() -> None:
    release = threading.Event()

    class Blocking:
        calls = 0

        def send(self, notification: Notification) -> None:
            self.calls += 1
            release.wait(2 * PATIENCE_SECONDS)

    notifier = Blocking()
    sender = Sender("own", notifier, limit_seconds=0.05)
    began = time.monotonic()
    assert await attempt(sender) is not None
    assert time.monotonic() - began < PATIENCE_SECONDS
    busy = await attempt(sender)
    assert busy is not None
    assert "still busy" in busy.reason
    assert notifier.calls == 1
    release.set()
    while sender.busy:
        await asyncio.sleep(0.001)
    assert await attempt(sender) is None


async def test_cancelling_the_attempt_cancels_the_notifier() -> None:
    cancelled = asyncio.Event()
    begun = asyncio.Event()

    class Hanging:
        async def send(self, notification: Notification) -> None:
            begun.set()
            try:
                await asyncio.Event().wait()
            finally:
                cancelled.set()

    sending = asyncio.create_task(Sender("own", Hanging()).send(NOTE))
    await begun.wait()
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    await asyncio.wait_for(cancelled.wait(), PATIENCE_SECONDS)
