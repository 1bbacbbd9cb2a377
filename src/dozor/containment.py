"""No exception of Dozor's reaches the watched application: it is contained, counted, and logged at most once a minute."""

import logging
import os
import threading
import time
from collections import Counter

logger = logging.getLogger("dozor")

_LOG_EVERY_SECONDS = 60.0
_lock = threading.Lock()
_counts: Counter[str] = Counter()
_logged_at: dict[str, float] = {}


def _renew_lock() -> None:
    # In the child of a fork the thread that may have held the lock does not exist, and it would never be released.
    global _lock  # noqa: PLW0603
    _lock = threading.Lock()


os.register_at_fork(after_in_child=_renew_lock)


def report(place: str) -> None:
    """Count the exception being handled under *place*, and log it unless one from there was logged in the last minute.

    *place* names code, not data (`redis.slowlog`), so that their number is bounded. Safe in any thread; never raises.
    """
    try:
        with _lock:
            _counts[place] += 1
            at = time.monotonic()
            quiet = at - _logged_at.get(place, -_LOG_EVERY_SECONDS) < _LOG_EVERY_SECONDS
            if not quiet:
                _logged_at[place] = at
        if not quiet:
            logger.warning(
                "internal error in %s (contained; repeats within a minute are counted only)",
                place,
                exc_info=True,  # noqa: LOG014 - called while the exception is being handled
            )
    except Exception:  # noqa: BLE001, S110 - a logging handler of the user's may raise; there is nobody left to tell
        pass


class contained:  # noqa: N801 - to be read as a word, as `suppress` is
    """Run the body; `report` what it raises. Cancellation and the like (BaseException) pass."""

    # No generator: it is entered hundreds of times in a second, once for each collector.
    __slots__ = ("_place",)

    def __init__(self, place: str) -> None:
        self._place = place

    def __enter__(self) -> None:
        return None

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> bool:
        if isinstance(error, Exception):  # this is the one place that catches everything
            report(self._place)
            return True
        return False


def counts() -> dict[str, int]:
    """How often something was contained since the process began, by place."""
    with _lock:
        return dict(_counts)
