"""How fast a receiver is spoken to: a bucket of tokens, one for each message, that fills at the rate it bears."""

import math

from dozor.clock import Clock


class TokenBucket:
    """Full at first. Belongs to one event loop.

    Args:
        clock: the time by which it fills.
        per_second: how many messages a second are borne in the long run; infinite: any number.
        burst: how many at once.
    """

    def __init__(self, clock: Clock, per_second: float, burst: int) -> None:
        self._clock, self._per_second, self._burst = clock, per_second, float(burst)
        self._tokens, self._filled_at = self._burst, clock.timestamp()

    @property
    def wait_seconds(self) -> float:
        """How long until the next message may go; 0 if it may now."""
        if math.isinf(self._per_second):
            return 0.0
        self._fill()
        # What is missing by rounding alone must not make anybody wait for a moment that never quite comes.
        missing = 1.0 - self._tokens
        return missing / self._per_second if missing > 1e-9 else 0.0

    def take(self) -> None:
        """A message goes now. One that goes without waiting makes those after it wait the longer."""
        if not math.isinf(self._per_second):
            self._fill()
            self._tokens -= 1.0

    def _fill(self) -> None:
        at = self._clock.timestamp()
        self._tokens = min(self._burst, self._tokens + (at - self._filled_at) * self._per_second)
        self._filled_at = at
