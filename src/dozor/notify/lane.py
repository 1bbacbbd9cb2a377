"""The way to one receiver: how fast it is gone, when it is closed, and how those fared who went it."""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from dozor.clock import Clock
from dozor.errors import DeliveryError
from dozor.metrics import Counter, Histogram
from dozor.model.labels import Labels
from dozor.model.notification import Notification, SentMessage
from dozor.notify.breaker import DEFAULT_POLICY, Breaker, BreakerPolicy
from dozor.notify.channel_state import ChannelCondition, ChannelState
from dozor.notify.letters import Letters
from dozor.notify.notifier import Receiver
from dozor.notify.plain import plain
from dozor.notify.rate import TokenBucket
from dozor.notify.sending import SEND_LIMIT_SECONDS, Sender

SENT: Final = "sent"
FAILED: Final = "failed"
DEAD: Final = "dead"

# Who has a limit of their own is to say what happened when it is over.
_TIMEOUT_MARGIN_SECONDS: Final = 2.0
_ATTEMPT_BOUNDS: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_LATENCY_BOUNDS: Final = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0, 7200.0, 86_400.0)

Settlement = tuple[Callable[..., None], tuple[object, ...]]
"""What is to be said to the outbox of a row: the method, and its arguments."""


class Lane:
    """One receiver, and all that is known of it. Used on Dozor's loop; `state` may be called from any thread.

    Attributes:
        lock: held during an attempt, so that there is one at a time.
        awake: set when there may be something new in the outbox.
        released: set when there is something to be sent from memory.
        stopping: set when no more is to be sent.
        send_limit_seconds: how long one attempt may take.
        letters: what is on its way.
        owed: what the outbox has not been told yet, with the notification's id, since it did not answer.
        results: attempts that ended so, by `SENT`, `FAILED` and `DEAD`; labels_of: the labels of their series; labels: of others.
        attempt_seconds: how long attempts took; latency_seconds: from the writing of a notification to its arrival.
    """

    def __init__(
        self,
        name: str,
        receiver: Receiver,
        clock: Clock,
        *,
        breaker: BreakerPolicy = DEFAULT_POLICY,
        send_limit_seconds: float = SEND_LIMIT_SECONDS,
    ) -> None:
        self.name, self.receiver, self._clock = name, receiver, clock
        self.lock, self.awake, self.released = asyncio.Lock(), asyncio.Event(), asyncio.Event()
        self.stopping = False
        self.letters = Letters()
        self.owed: deque[tuple[str, Settlement]] = deque()
        self.send_limit_seconds = send_limit_seconds
        if receiver.timeout_seconds is not None:
            self.send_limit_seconds = max(send_limit_seconds, receiver.timeout_seconds + _TIMEOUT_MARGIN_SECONDS)
        self.sender = Sender(name, receiver.notifier, limit_seconds=self.send_limit_seconds)
        self._bucket = TokenBucket(clock, *receiver.rate)
        self._breaker = Breaker(clock, breaker)
        self.results: Mapping[str, Counter] = {result: Counter() for result in (SENT, FAILED, DEAD)}
        self.labels = Labels(receiver=name)
        self.labels_of = {result: self.labels.with_({"result": result}) for result in self.results}
        self.attempt_seconds, self.latency_seconds = Histogram(_ATTEMPT_BOUNDS), Histogram(_LATENCY_BOUNDS)
        self._last_success_at: float | None = None
        self._last_failure_at: float | None = None
        self._last_error: str | None = None
        self._refresh_at = 0.0

    @property
    def wait_seconds(self) -> float:
        """How long until the next attempt may be made; 0 if it may now."""
        return max(self._bucket.wait_seconds, self._breaker.wait_seconds)

    @property
    def is_open(self) -> bool:
        """Whether so much has failed that the receiver is left alone, but for a probe now and then."""
        return self._breaker.is_open

    @property
    def up(self) -> bool | None:
        """Whether the last attempt succeeded; None if there was none."""
        if self._last_success_at is None and self._last_failure_at is None:
            return None
        return self._last_error is None

    async def deliver(
        self, notification: Notification, earlier: Sequence[SentMessage]
    ) -> tuple[float, tuple[SentMessage, ...]]:
        """Send *notification* now; when it arrived, and the messages to be remembered. The caller holds the lock.

        Raises:
            DeliveryError: it did not arrive. The caller decides whether that counts as `FAILED` or `DEAD`.
        """
        self._bucket.take()
        began = self._clock.monotonic()
        try:
            messages = await self.attempt(notification, earlier)
        finally:
            self.attempt_seconds.observe(self._clock.monotonic() - began)
        at = self._clock.timestamp()
        self.results[SENT].inc()
        self.latency_seconds.observe(max(0.0, at - notification.created_at))
        self.letters.arrived(notification.id, at, messages)
        self.letters.remember(messages)
        return at, messages

    async def attempt(self, notification: Notification, earlier: Sequence[SentMessage]) -> tuple[SentMessage, ...]:
        """As `deliver`, for a notification that nothing else is to know of."""
        try:
            messages = await self.sender.send(notification, earlier)
        except DeliveryError as failure:
            self._failed(failure)
            raise
        self._succeeded()
        return messages

    async def refresh(self, firing: Callable[[], Notification]) -> None:
        """Say again what fires, to a receiver that wants that, if it is time to. Never raises.

        It is left out while an attempt is under way: that may be just telling the end of one of them.
        """
        refresher = self.receiver.refresher
        at = self._clock.timestamp()
        if refresher is None or at < self._refresh_at or self.lock.locked() or self._breaker.wait_seconds > 0:
            return
        self._refresh_at = at + refresher.refresh_seconds
        async with self.lock:
            try:
                await self.sender.call(refresher.refresh, firing())
            except DeliveryError as failure:
                self._failed(failure)
            else:
                self._succeeded()

    def state(self, waiting: int) -> ChannelState:
        """How it fares, with *waiting* notifications on their way."""
        return ChannelState(
            name=self.name,
            kind=self.receiver.kind,
            target=plain(self.receiver.target),
            state=self._condition(),
            waiting=waiting,
            sent=int(self.results[SENT].value),
            failed=int(self.results[FAILED].value),
            dead=int(self.results[DEAD].value),
            last_success_at=self._last_success_at,
            last_failure_at=self._last_failure_at,
            last_error=self._last_error,
            retry_at=self._breaker.retry_at,
        )

    def _condition(self) -> ChannelCondition:
        if self.is_open:
            return ChannelCondition.OPEN
        if self.up is None:
            return ChannelCondition.UNUSED
        return ChannelCondition.OK if self.up else ChannelCondition.FAILING

    def _succeeded(self) -> None:
        self._breaker.succeeded()
        self._last_success_at, self._last_error = self._clock.timestamp(), None

    def _failed(self, failure: DeliveryError) -> None:
        self._last_failure_at, self._last_error = self._clock.timestamp(), plain(failure.reason)
        if failure.recoverable:
            self._breaker.failed(failure.retry_after_seconds)
        else:
            self._breaker.succeeded()  # it answered, and what it said is about this one notification
