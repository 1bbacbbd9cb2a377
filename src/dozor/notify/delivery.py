"""Carries the rows of the outbox to their receivers: claims, sends, settles.

Delivery is at least once. A row is settled as sent only after the receiver took it, so a kill between the two sends it
again, under the same id. Each receiver has a worker of its own: one that hangs delays nobody else.
"""

import asyncio
import inspect
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, Generic, Protocol, TypeVar

from dozor.clock import Clock
from dozor.containment import report
from dozor.errors import StoreUnavailable
from dozor.metrics import Children, Counter
from dozor.model.labels import Labels
from dozor.model.notification import Notification
from dozor.model.sample import Family, MetricType, Sample
from dozor.notify.message import plain
from dozor.notify.notifier import AnyNotifier
from dozor.notify.retry import RetryPolicy
from dozor.notify.sending import SEND_LIMIT_SECONDS, Sender

logger = logging.getLogger("dozor.notify")

T = TypeVar("T")

_STORE_TIMEOUT_SECONDS: Final = 10.0
_POLL_SECONDS: Final = 5.0
# After the send's own limit a claim must hold for as long as it takes to say what came of it.
_LEASE_MARGIN_SECONDS: Final = 20.0
_CALL_SECONDS: Final = 1.0


class ClaimedRow(Protocol):
    """A notification that is ours for now."""

    @property
    def notification(self) -> Notification:
        """What to send."""

    @property
    def attempts(self) -> int:
        """How often it was claimed, this time included."""

    @property
    def created_at(self) -> float:
        """Unix seconds."""


class Counts(Protocol):
    """How full the outbox is."""

    @property
    def pending(self) -> int:
        """Rows on their way."""

    @property
    def dead(self) -> int:
        """Rows that were given up and are kept."""


Row = TypeVar("Row", bound=ClaimedRow)


class Outbox(Protocol[Row]):
    """The rows; calls that block. `dozor.database.Database` is one."""

    def claim(self, at: float, lease_seconds: float, limit: int, receiver: str | None = None) -> list[Row]:
        """Rows that are due."""

    def next_due(self, receiver: str | None = None) -> float | None:
        """When the next row can be claimed."""

    def settle_sent(self, row: Row, at: float) -> None:
        """It arrived."""

    def settle_retry(self, row: Row, next_at: float, error: str) -> None:
        """It is to be tried again."""

    def settle_dead(self, row: Row, at: float, error: str) -> None:
        """It is given up."""

    def bury(self, at: float, created_before: float, receivers: Sequence[str]) -> int:
        """Give up what waits for receivers that are no more."""

    def outbox_counts(self) -> Counts:
        """How full it is."""


class RunInStore(Protocol):
    """Runs a call that blocks where it may; `StoreThread.run` does."""

    async def __call__(self, call: Callable[..., T], *args: Any, timeout: float) -> T:  # noqa: ASYNC109 - by the name it has there
        """Its result; raises `StoreUnavailable` after *timeout* seconds."""


class Delivery(Generic[Row]):
    """One worker for each receiver. Lives on Dozor's loop; `families` may be called from any thread.

    Args:
        outbox: where the notifications are.
        notifiers: the receivers, by the name that their rows carry.
        clock: the time of claims and attempts.
        run_in_store: how to call *outbox*.
        policy: when to try again, and when no more.
        send_limit_seconds: how long one attempt may take.
    """

    def __init__(
        self,
        outbox: Outbox[Row],
        notifiers: Mapping[str, AnyNotifier],
        clock: Clock,
        run_in_store: RunInStore,
        *,
        policy: RetryPolicy | None = None,
        send_limit_seconds: float = SEND_LIMIT_SECONDS,
    ) -> None:
        self._outbox, self._notifiers, self._clock, self._run_in_store = outbox, dict(notifiers), clock, run_in_store
        self._policy = policy or RetryPolicy()
        self._lease_seconds = send_limit_seconds + _LEASE_MARGIN_SECONDS
        self._senders = [
            Sender(name, notifier, limit_seconds=send_limit_seconds) for name, notifier in self._notifiers.items()
        ]
        self._awake = {sender.name: asyncio.Event() for sender in self._senders}
        self._workers: list[asyncio.Task[None]] = []
        self._stopping = False
        self._results = Children(("receiver", "result"), Counter)
        self._counts: Counts | None = None

    @property
    def receivers(self) -> tuple[str, ...]:
        """The names under which rows are to be written."""
        return tuple(self._notifiers)

    def start(self) -> None:
        """Begin to deliver, on the running loop."""
        self._stopping = False
        self._workers = [
            asyncio.create_task(self._work(sender), name=f"dozor.deliver.{sender.name}") for sender in self._senders
        ]

    def wake(self) -> None:
        """Look into the outbox now: new rows were committed. Call it on Dozor's loop."""
        for awake in self._awake.values():
            awake.set()

    async def step(self) -> None:
        """Deliver, once, all that is due now to every receiver."""
        await asyncio.gather(*(self._drain(sender) for sender in self._senders))
        await self._measure()

    async def stop(self, timeout_seconds: float) -> None:
        """Let attempts that are under way end, for at most *timeout_seconds*. The rest stays in the outbox."""
        self._stopping = True
        self.wake()
        workers, self._workers = self._workers, []
        if workers:
            _, late = await asyncio.wait(workers, timeout=timeout_seconds)
            for worker in late:
                worker.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        for notifier in self._notifiers.values():
            await _call(notifier, "aclose")

    def families(self) -> Iterable[Family]:
        """Notifications by receiver and result, and how full the outbox was when last looked at."""
        sent = [Sample("dozor_notifications_total", labels, each.value) for labels, each in self._results.items()]
        yield Family(
            "dozor_notifications_total",
            MetricType.COUNTER,
            "Attempts to deliver a notification: sent, failed (and tried again later) or dead (given up).",
            "attempts",
            tuple(sent),
        )
        if self._counts is not None:
            yield _gauge("dozor_outbox_depth", "Notifications that wait to be delivered.", self._counts.pending)
            yield _gauge("dozor_dead_letters", "Notifications that were given up and are kept.", self._counts.dead)

    # --- a worker ---

    async def _work(self, sender: Sender) -> None:
        await _call(self._notifiers[sender.name], "prepare")
        awake = self._awake[sender.name]
        while not self._stopping:
            awake.clear()
            pause = _POLL_SECONDS
            try:
                due = await self._drain(sender)
                await self._measure()
                if due is not None:
                    pause = min(max(due - self._clock.timestamp(), 0.01), _POLL_SECONDS)
            except StoreUnavailable as error:
                logger.debug("delivery to %s waits for the store: %s", sender.name, error)
            except Exception:  # noqa: BLE001 - a worker that ended would leave its receiver without word for ever
                report(f"delivery.{sender.name}")
            if not self._stopping:
                await _wait(awake, pause)

    async def _drain(self, sender: Sender) -> float | None:
        """Send what is due to *sender*; when the next row will be, None if there is none."""
        while not self._stopping:
            rows = await self._store(self._outbox.claim, self._clock.timestamp(), self._lease_seconds, 1, sender.name)
            if not rows:
                return await self._store(self._outbox.next_due, sender.name)
            for row in rows:
                await self._deliver(sender, row)
        return None

    async def _deliver(self, sender: Sender, row: Row) -> None:
        failure = await sender.attempt(row.notification)
        at = self._clock.timestamp()
        if failure is None:
            self._count(sender, "sent")
            await self._settle(self._outbox.settle_sent, row, at)
            return
        reason = plain(failure.reason)
        next_at = self._policy.next_attempt(failure, attempts=row.attempts, created_at=row.created_at, at=at)
        if next_at is None:
            self._count(sender, "dead")
            logger.error(
                "notification %s was not delivered to %s and is given up after %d attempts: %s",
                row.notification.id,
                sender.name,
                row.attempts,
                reason,
            )
            await self._settle(self._outbox.settle_dead, row, at, reason)
        else:
            self._count(sender, "failed")
            self._warn(sender, row, reason, next_at - at)
            await self._settle(self._outbox.settle_retry, row, next_at, reason)

    async def _settle(self, settle: Callable[..., None], *args: object) -> None:
        # What came of an attempt must not be forgotten because the store is away: it would be sent once more.
        pause = 0.1
        while True:
            try:
                return await self._store(settle, *args)
            except StoreUnavailable:
                await asyncio.sleep(pause)
                pause = min(pause * 2, _POLL_SECONDS)

    async def _measure(self) -> None:
        self._counts = await self._store(self._outbox.outbox_counts)

    async def bury_orphans(self) -> int:
        """Give up what is as old as anything may grow and waits for a receiver that is set up no longer; how many."""
        at = self._clock.timestamp()
        before = at - self._policy.give_up_after_seconds
        return await self._store(self._outbox.bury, at, before, self.receivers)

    async def _store(self, call: Callable[..., T], *args: object) -> T:
        return await self._run_in_store(call, *args, timeout=_STORE_TIMEOUT_SECONDS)

    def _count(self, sender: Sender, result: str) -> None:
        self._results.get(sender.name, result).inc()

    def _warn(self, sender: Sender, row: Row, reason: str, wait_seconds: float) -> None:
        # Once at the first attempt; after that the counter and the dead letter tell the story.
        level = logging.WARNING if row.attempts == 1 else logging.DEBUG
        logger.log(
            level,
            "notification %s was not delivered to %s (attempt %d, again in %.0f s): %s",
            row.notification.id,
            sender.name,
            row.attempts,
            wait_seconds,
            reason,
        )


def _gauge(name: str, help_: str, value: float) -> Family:
    return Family(name, MetricType.GAUGE, help_, "notifications", (Sample(name, Labels(), float(value)),))


async def _wait(awake: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await awake.wait()
    except TimeoutError:
        pass


async def _call(notifier: AnyNotifier, name: str) -> None:
    """Await the coroutine method *name*, `prepare` or `aclose`, of a notifier that has one; bounded and contained."""
    method = getattr(notifier, name, None)
    if not inspect.iscoroutinefunction(method):
        return
    try:
        async with asyncio.timeout(_CALL_SECONDS):
            await method()
    except TimeoutError:
        pass  # the first notification then waits for what was to be prepared, or a connection closes with the process
    except Exception:  # noqa: BLE001 - a notifier of the user's; delivery goes on
        report(f"delivery.{name}")
