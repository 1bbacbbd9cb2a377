"""A program: `dozor serve`, which does not wait long for a retry.

`DOZOR_DURABILITY_KILL=PLACE:TIMES` has it kill itself when it comes to that place for the so-manieth time:
`before-commit`, `after-commit`, `before-send`, `before-settle`.
"""

import os
import signal
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

from dozor import session
from dozor.cli import main
from dozor.database import Database
from dozor.notify import RetryPolicy, delivery
from dozor.notify.breaker import BreakerPolicy
from dozor.notify.webhook import WebhookChannel

PLACES = ("before-commit", "after-commit", "before-send", "before-settle")
VARIABLE = "DOZOR_DURABILITY_KILL"
_METHODS = {"before-commit": "commit", "after-commit": "commit", "before-send": "claim", "before-settle": "settle_sent"}


def hasten() -> None:
    """Shorten every wait that a test would have to sit out; nothing else is other than it is for users."""
    WebhookChannel.rate = (10_000.0, 10_000)
    hasty = partial(
        delivery.Delivery,
        policy=RetryPolicy(first_seconds=0.05, longest_seconds=0.3),
        breaker=BreakerPolicy(failures=5, first_seconds=0.1, longest_seconds=0.3),
        send_limit_seconds=1.0,
    )
    setattr(session, "Delivery", hasty)  # noqa: B010 - a name that the module does not export


def kill_at(place: str, times: int) -> None:
    """Have this process killed at *place*, the moment it gets there for the time number *times*."""
    name, left = _METHODS[place], times
    real: Callable[..., Any] = getattr(Database, name)

    def count_and_kill() -> None:
        nonlocal left
        left -= 1
        if left <= 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def hooked(self: Database, *args: Any, **options: Any) -> Any:
        # The log is told as well; what counts is the receiver that remembers.
        if place == "before-commit" or (place == "before-settle" and args[0].receiver == "webhook"):
            count_and_kill()
        result = real(self, *args, **options)
        if place == "after-commit" or (place == "before-send" and result and result[0].receiver == "webhook"):
            count_and_kill()
        return result

    setattr(Database, name, hooked)


if __name__ == "__main__":
    hasten()
    if wanted := os.environ.pop(VARIABLE, ""):
        at, _, number = wanted.partition(":")
        kill_at(at, int(number))
    sys.exit(main())
