"""Leaves a receiver alone that fails again and again, and asks it now and then whether it is well."""

from typing import Final

from msgspec import Struct

from dozor.clock import Clock
from dozor.notify.retry import bounded


class BreakerPolicy(Struct, frozen=True):
    """When a breaker opens, after how many *failures* in a row, and for how long: at first, and at the most."""

    failures: int = 5
    first_seconds: float = 30.0
    longest_seconds: float = 300.0


DEFAULT_POLICY: Final = BreakerPolicy()


class Breaker:
    """Closed while things go well; open after some failures in a row, for a span that doubles each time.

    When the span is over, one attempt is a probe: it closes the breaker or opens it for the next span. Closed or open,
    the wait that a receiver asks for (`Retry-After`) is kept. Belongs to one event loop, and its caller makes one
    attempt at a time.
    """

    def __init__(self, clock: Clock, policy: BreakerPolicy = DEFAULT_POLICY) -> None:
        self._clock, self._policy = clock, policy
        self._failures = 0
        self._span_seconds = 0.0
        self._rest_until = 0.0

    @property
    def is_open(self) -> bool:
        """Whether it has opened and no attempt has succeeded since."""
        return self._span_seconds > 0

    @property
    def wait_seconds(self) -> float:
        """How long the receiver is to be left alone; 0: an attempt may be made."""
        return max(0.0, self._rest_until - self._clock.timestamp())

    @property
    def retry_at(self) -> float | None:
        """Until when the receiver is left alone, Unix seconds; None where it is not."""
        return self._rest_until if self.wait_seconds > 0 else None

    def succeeded(self) -> None:
        """The receiver answered: close."""
        self._failures, self._span_seconds, self._rest_until = 0, 0.0, 0.0

    def failed(self, retry_after_seconds: float | None) -> None:
        """The receiver could not take it now, and asked to be left alone for *retry_after_seconds*, if it did."""
        self._failures += 1
        rest = bounded(retry_after_seconds)
        if self.is_open or self._failures >= self._policy.failures:
            longest = self._policy.longest_seconds
            self._span_seconds = min(longest, 2 * self._span_seconds or self._policy.first_seconds)
            rest = max(rest, self._span_seconds)
        # Whoever tries all the same, as a test does, does not shorten what was asked for before.
        self._rest_until = max(self._rest_until, self._clock.timestamp() + rest)
