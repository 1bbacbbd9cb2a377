"""Carries the rows of the outbox to their receivers: claims, sends, settles.

Delivery is at least once. A row is settled as sent only after the receiver took it, so a kill between the two sends it
again, under the same id. Each receiver has a lane of its own: one that hangs delays nobody else. While the database is
away, what cannot be committed is sent from memory.
"""

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Final, Generic, TypeVar

from dozor.clock import Clock
from dozor.containment import report
from dozor.errors import ChannelNotFound, DeliveryError, StoreUnavailable
from dozor.model.alert import Alert
from dozor.model.notification import Notification, Outgoing, SentMessage
from dozor.model.sample import Family
from dozor.notify.breaker import DEFAULT_POLICY, BreakerPolicy
from dozor.notify.channel_state import ChannelState
from dozor.notify.figures import lane_families, outbox_families
from dozor.notify.lane import DEAD, FAILED, Lane, Settlement
from dozor.notify.notifier import AnyNotifier, Receiver
from dozor.notify.outbox import Counts, Outbox, Row, RunInStore
from dozor.notify.plain import plain
from dozor.notify.retry import RetryPolicy
from dozor.notify.routing import Route, Router
from dozor.notify.sending import SEND_LIMIT_SECONDS
from dozor.notify.standin import StandIn
from dozor.notify.trial import NOBODY, Speaker, end_of, firing, trial

logger = logging.getLogger("dozor.notify")

T = TypeVar("T")

_STORE_TIMEOUT_SECONDS: Final = 10.0
# Of the messages sent before, memory has those that matter most; an alert that fires does not wait long for the others.
_MESSAGES_TIMEOUT_SECONDS: Final = 3.0
_POLL_SECONDS: Final = 5.0
# After the send's own limit a claim must hold for as long as it takes to say what came of it.
_LEASE_MARGIN_SECONDS: Final = 20.0
_CALL_SECONDS: Final = 1.0


class Delivery(Generic[Row]):
    """Delivers to all receivers. Lives on Dozor's loop; `families` and `channels` may be called from any thread.

    Args:
        outbox: where the notifications are.
        receivers: by the name that their rows carry; a notifier alone is used as one of the application's own.
        clock: the time of claims and attempts.
        run_in_store: how to call *outbox*.
        routes: who is told of which alert; none: everybody of every one.
        speaker: who speaks in what is not a notification of an alert: tests, and what is said again and again.
        policy: when to try again, and when no more.
        breaker: when to leave a receiver alone.
        send_limit_seconds: how long one attempt may take, of a receiver that does not allow itself longer.

    Raises:
        ConfigurationError: a route leads to a receiver that is not there.
    """

    def __init__(
        self,
        outbox: Outbox[Row],
        receivers: Mapping[str, AnyNotifier | Receiver],
        clock: Clock,
        run_in_store: RunInStore,
        *,
        routes: Sequence[Route] = (),
        speaker: Speaker = NOBODY,
        policy: RetryPolicy | None = None,
        breaker: BreakerPolicy = DEFAULT_POLICY,
        send_limit_seconds: float = SEND_LIMIT_SECONDS,
    ) -> None:
        self._outbox, self._clock, self._run_in_store = outbox, clock, run_in_store
        self._policy, self._speaker = policy or RetryPolicy(), speaker
        known = {name: each if isinstance(each, Receiver) else Receiver(each) for name, each in receivers.items()}
        self._router = Router(routes, known)
        self._lanes = {
            name: Lane(name, receiver, clock, breaker=breaker, send_limit_seconds=send_limit_seconds)
            for name, receiver in known.items()
        }
        self._lease_seconds = max(lane.send_limit_seconds for lane in self._lanes.values()) + _LEASE_MARGIN_SECONDS
        self._workers: list[asyncio.Task[None]] = []
        self._stand_in = StandIn(clock, self._policy)
        self._counts: Counts | None = None

    @property
    def receivers(self) -> tuple[str, ...]:
        """Their names."""
        return tuple(self._lanes)

    @property
    def refreshes(self) -> bool:
        """Whether some receiver forgets what is not said again."""
        return any(lane.receiver.refresher is not None for lane in self._lanes.values())

    def start(self) -> None:
        """Begin to deliver, on the running loop."""
        for lane in self._lanes.values():
            lane.stopping = False
        self._workers = [
            asyncio.create_task(work(lane), name=f"dozor.{verb}.{lane.name}")
            for lane in self._lanes.values()
            for verb, work in (("deliver", self._work), ("stand-in", self._work_from_memory))
        ]

    def wake(self) -> None:
        """Look into the outbox now: there are new rows, or dead ones were revived. Call it on Dozor's loop."""
        for lane in self._lanes.values():
            lane.awake.set()

    def route(self, notifications: Iterable[Notification]) -> list[Outgoing]:
        """What each receiver is to be told of *notifications*, to be committed with their changes; on Dozor's loop.

        What has been delivered from memory meanwhile comes with the time at which it was.
        """
        outgoing = []
        for notification in notifications:
            for name, shown in self._router.split(notification):
                letters = self._lanes[name].letters
                letters.expect(shown)
                arrival = letters.arrival(shown.id)
                # Messages that are to be remembered are written when the row is settled, so that must come to pass.
                sent_at = arrival.at if arrival is not None and not arrival.messages else None
                outgoing.append(Outgoing(name, shown, sent_at))
        return outgoing

    def stand_in(self, notifications: Iterable[Notification]) -> None:
        """Deliver *notifications* from memory, since they cannot be committed now. Call it on Dozor's loop."""
        for notification in notifications:
            for name, shown in self._router.split(notification):
                lane = self._lanes[name]
                lane.letters.release(shown)
                lane.released.set()

    async def step(self) -> None:
        """Deliver, once, all that is due now to every receiver."""
        await asyncio.gather(*(self._step(lane) for lane in self._lanes.values()))

    async def stop(self, timeout_seconds: float) -> None:
        """Let attempts that are under way end, for at most *timeout_seconds*. The rest stays in the outbox."""
        for lane in self._lanes.values():
            lane.stopping = True
            lane.awake.set()
            lane.released.set()
        workers, self._workers = self._workers, []
        if workers:
            _, late = await asyncio.wait(workers, timeout=timeout_seconds)
            for worker in late:
                worker.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        for lane in self._lanes.values():
            await _call(lane.receiver.notifier, "aclose")

    async def refresh(self, alerts: Sequence[Alert]) -> None:
        """Say of *alerts*, which people were told of and which still fire, that they do, where that must be said again.

        Call it often; it never raises, and it waits for as long as the receivers take.
        """

        def of(lane: Lane) -> Callable[[], Notification]:
            told = (alert for alert in alerts if lane.name in self._router.receivers_of(alert))
            return lambda: firing(tuple(told), self._clock.timestamp(), self._speaker)

        await asyncio.gather(*(lane.refresh(of(lane)) for lane in self._lanes.values()))

    async def test(self, name: str) -> float:
        """Send a message that says that it is a test to the receiver *name*, at once; how many seconds it took.

        A receiver that keeps track of alerts is told of the end as well, so that nothing stays open there.

        Raises:
            ChannelNotFound: there is none of that name.
            DeliveryError: it did not arrive.
        """
        lane = self._lanes.get(name)
        if lane is None:
            raise ChannelNotFound(name, self._lanes)
        began = self._clock.monotonic()
        first = trial(self._clock.timestamp(), self._speaker)
        async with lane.lock:
            messages = await lane.attempt(first, ())
            if lane.receiver.follows_updates or lane.receiver.refresher is not None:
                await lane.attempt(end_of(first, self._clock.timestamp()), messages)
        lane.awake.set()
        return self._clock.monotonic() - began

    def channels(self) -> tuple[ChannelState, ...]:
        """How each receiver fares. What waits is as it was when the outbox was last looked at."""
        waiting = self._counts.waiting if self._counts is not None else {}
        return tuple(lane.state(waiting.get(lane.name, 0)) for lane in self._lanes.values())

    def families(self) -> Iterable[Family]:
        """Notifications by receiver and result, how receivers stand, and how full the outbox was when last looked at."""
        yield from lane_families(tuple(self._lanes.values()))
        if self._counts is not None:
            yield from outbox_families(self._counts, self._clock.timestamp())

    async def bury_orphans(self) -> int:
        """Give up what is as old as anything may grow and waits for a receiver that is set up no longer; how many."""
        at = self._clock.timestamp()
        before = at - self._policy.give_up_after_seconds
        return await self._store(self._outbox.bury, at, before, self.receivers)

    # --- from the outbox ---

    async def _work_from_memory(self, lane: Lane) -> None:
        await self._repeat(lane, lane.released, self._stand_in.drain)

    async def _work(self, lane: Lane) -> None:
        await _call(lane.receiver.notifier, "prepare")
        await self._repeat(lane, lane.awake, self._drain_and_measure)

    async def _repeat(self, lane: Lane, awake: asyncio.Event, drain: Callable[[Lane], Awaitable[float | None]]) -> None:
        """Call *drain* when *awake* is set, when something is due, and now and then."""
        while not lane.stopping:
            awake.clear()
            pause = _POLL_SECONDS
            try:
                due = await drain(lane)
                if due is not None:
                    pause = min(max(due - self._clock.timestamp(), 0.01), _POLL_SECONDS)
            except StoreUnavailable as error:
                logger.debug("delivery to %s waits for the store: %s", lane.name, error)
            except Exception:  # noqa: BLE001 - a worker that ended would leave its receiver without word for ever
                report(f"delivery.{lane.name}")
            if not lane.stopping:
                await _wait(awake, pause)

    async def _drain_and_measure(self, lane: Lane) -> float | None:
        # Mostly nothing waits: one question, and not three, of a database that is asked every few seconds.
        self._counts = counts = await self._store(self._outbox.outbox_counts)
        if not lane.owed and not counts.waiting.get(lane.name):
            return None
        due = await self._drain(lane)
        self._counts = await self._store(self._outbox.outbox_counts)
        return due

    async def _drain(self, lane: Lane) -> float | None:
        """Send what is due to *lane*; when there will be more to do, None if nothing waits."""
        while not lane.stopping:
            await self._pay(lane)
            at = self._clock.timestamp()
            wait = lane.wait_seconds
            if wait > 0:  # nothing is claimed meanwhile: a claim counts as an attempt
                return at + wait
            rows = await self._store(self._outbox.claim, at, self._lease_seconds, 1, lane.name)
            if not rows:
                return await self._store(self._outbox.next_due, lane.name)
            for row in rows:
                await self._deliver(lane, row)
        return None

    async def _deliver(self, lane: Lane, row: Row) -> None:
        notification = row.notification
        async with lane.lock:
            arrival = lane.letters.arrival(notification.id)
            if arrival is not None:  # from memory, while the database was away
                settlement: Settlement = (self._outbox.settle_sent, (row, arrival.at, arrival.messages))
            else:
                lane.letters.expect(notification, oldest=True)
                settlement = await self._attempt(lane, row)
        lane.owed.append((notification.id, settlement))
        await self._pay(lane)

    async def _attempt(self, lane: Lane, row: Row) -> Settlement:
        """Send *row*; what is to be said of it."""
        notification = row.notification
        earlier = await self._earlier(lane, notification)
        try:
            at, messages = await lane.deliver(notification, earlier)
        except DeliveryError as failure:
            return self._failed(lane, row, failure)
        return self._outbox.settle_sent, (row, at, messages)

    def _failed(self, lane: Lane, row: Row, failure: DeliveryError) -> Settlement:
        at, reason = self._clock.timestamp(), plain(failure.reason)
        next_at = self._policy.next_attempt(failure, attempts=row.attempts, created_at=row.since, at=at)
        if next_at is None:
            lane.results[DEAD].inc()
            _log_end(lane, row, reason)
            return self._outbox.settle_dead, (row, at, reason)
        lane.results[FAILED].inc()
        lane.letters.postpone(row.notification.id, next_at)
        _log_failure(lane, row, reason, next_at - at)
        return self._outbox.settle_retry, (row, next_at, reason)

    async def _pay(self, lane: Lane) -> None:
        """Tell the outbox what it does not know yet. What came of an attempt must not be forgotten: it would be repeated."""
        while lane.owed:
            notification_id, (settle, args) = lane.owed[0]
            try:
                await self._store(settle, *args)
            except StoreUnavailable:
                raise
            except Exception:
                lane.owed.popleft()  # it would fail each time; the row's claim runs out
                raise
            lane.owed.popleft()
            if settle != self._outbox.settle_retry:
                lane.letters.forget(notification_id)

    async def _earlier(self, lane: Lane, notification: Notification) -> tuple[SentMessage, ...]:
        """The messages that show one of the notification's alerts, for a receiver that cares."""
        if lane.receiver.correspondent is None:
            return ()
        ids = tuple(alert.id for alert in notification.alerts)
        try:
            stored = await self._run_in_store(self._outbox.messages, lane.name, ids, timeout=_MESSAGES_TIMEOUT_SECONDS)
        except StoreUnavailable:
            stored = []
        return lane.letters.shown(frozenset(ids), stored)

    async def _step(self, lane: Lane) -> None:
        try:
            await self._drain_and_measure(lane)
        except StoreUnavailable as error:
            logger.debug("delivery to %s waits for the store: %s", lane.name, error)
        await self._stand_in.drain(lane)

    async def _store(self, call: Callable[..., T], *args: object) -> T:
        return await self._run_in_store(call, *args, timeout=_STORE_TIMEOUT_SECONDS)


def _log_end(lane: Lane, row: Row, reason: str) -> None:
    logger.error(
        "notification %s was not delivered to %s and is given up after %d attempts: %s",
        row.notification.id,
        lane.name,
        row.attempts,
        reason,
    )


def _log_failure(lane: Lane, row: Row, reason: str, wait_seconds: float) -> None:
    # Once at the first attempt; after that the counter and the dead letter tell the story.
    logger.log(
        logging.WARNING if row.attempts == 1 else logging.DEBUG,
        "notification %s was not delivered to %s (attempt %d, again in %.0f s): %s",
        row.notification.id,
        lane.name,
        row.attempts,
        wait_seconds,
        reason,
    )


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
