"""When to try again."""

import math
import random
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

from msgspec import Struct

from dozor.errors import DeliveryError

LONGEST_WAIT_SECONDS: Final = 3600.0
"""However long a receiver asks to be left alone, it is tried again after this."""

Uniform = Callable[[float, float], float]


class RetryPolicy(Struct, frozen=True):
    """Exponential backoff with full jitter: a random part of a span that doubles with each attempt, up to a limit.

    The randomness keeps many senders, cut off by the same fault, from coming back in the same moment.

    Args:
        first_seconds: the span after the first attempt.
        longest_seconds: the longest span.
        give_up_after_seconds: how old a notification may grow before it becomes a dead letter.
        uniform: draws a number between two others.
    """

    first_seconds: float = 2.0
    longest_seconds: float = 300.0
    give_up_after_seconds: float = 86_400.0
    uniform: Uniform = random.uniform

    def next_attempt(self, failure: DeliveryError, *, attempts: int, created_at: float, at: float) -> float | None:
        """When to try again after *failure*, which ended attempt number *attempts* at *at*; None: never."""
        if not failure.recoverable:
            return None
        next_at = at + max(self._backoff(attempts), bounded(failure.retry_after_seconds))
        return None if next_at - created_at > self.give_up_after_seconds else next_at

    def _backoff(self, attempts: int) -> float:
        doublings = min(max(0, attempts - 1), 30)
        return self.uniform(0.0, min(self.longest_seconds, self.first_seconds * 2.0**doublings))


def bounded(seconds: float | None) -> float:
    """*seconds* of a wait that somebody asked for, made sensible: from none to an hour."""
    if seconds is None or math.isnan(seconds):
        return 0.0
    return min(max(seconds, 0.0), LONGEST_WAIT_SECONDS)


def retry_after_seconds(header: str | None, now: datetime) -> float | None:
    """The wait that a `Retry-After` *header* asks for, in seconds from 0 to 3600; None if it says nothing clear.

    Both forms of RFC 9110, section 10.2.3: a number of seconds, or a date.
    """
    if header is None:
        return None
    try:
        return bounded(float(header))
    except ValueError:
        pass
    try:
        date = parsedate_to_datetime(header)
    except (ValueError, TypeError, OverflowError):
        return None
    return bounded(((date if date.tzinfo else date.replace(tzinfo=UTC)) - now).total_seconds())
