"""A breaker: after some failures in a row nothing is asked for a while, then one caller may try."""

from dozor.clock import Clock


class Breaker:
    """Closed while things go well; open for *open_seconds* after *failures* in a row; then one trial decides.

    Belongs to one event loop's callers; its few steps do not await, so they need no lock.
    """

    def __init__(self, clock: Clock, *, failures: int = 5, open_seconds: float = 5.0) -> None:
        self._clock, self._limit, self._open_seconds = clock, failures, open_seconds
        self._failures = 0
        self._opened_at: float | None = None
        self._trying = False

    @property
    def is_open(self) -> bool:
        """Whether callers are turned away (but for a trial)."""
        return self._opened_at is not None

    def admits(self) -> bool:
        """Whether the caller may go ahead; who does must then say `succeeded`, `failed` or `abandoned`."""
        if self._opened_at is None:
            return True
        if self._trying or self._clock.monotonic() - self._opened_at < self._open_seconds:
            return False
        self._trying = True
        return True

    def succeeded(self) -> bool:
        """Close. True where the breaker was open until now."""
        reopened = self._opened_at is not None
        self._failures, self._opened_at, self._trying = 0, None, False
        return reopened

    def failed(self) -> bool:
        """Count a failure. True where this one opened the breaker."""
        self._failures += 1
        was_open = self._opened_at is not None
        if self._trying or (not was_open and self._failures >= self._limit):
            self._opened_at = self._clock.monotonic()
        self._trying = False
        return self._opened_at is not None and not was_open

    def abandoned(self) -> None:
        """The caller went away before there was an outcome."""
        self._trying = False
