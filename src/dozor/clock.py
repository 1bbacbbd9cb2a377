"""Two clocks, named for their use: one dates, one measures.

Everything that decides (rules, alerts, PromQL) is handed a time as an argument. Only loops own a `Clock`.
"""

import time
from datetime import UTC, datetime


class Clock:
    """The time of day, for people, and the time that passes, for measuring. Safe to share between threads.

    `timestamp()` is what samples and the `for` of rules run on: the time of day at which this clock was made plus the
    monotonic time since. It agrees with the time of day until somebody sets that, and then it does not jump with it.
    """

    def __init__(self) -> None:
        self._started_wall = time.time()
        self._started_monotonic = time.monotonic()

    def now(self) -> datetime:
        """The time of day, UTC. Dates things; unfit for durations, since it may be set forward and back."""
        return datetime.fromtimestamp(self._wall(), UTC)

    def monotonic(self) -> float:
        """Seconds since some fixed moment; never runs backward. Measures; unfit for dates."""
        return time.monotonic()

    def timestamp(self) -> float:
        """Unix seconds that never jump: the time of day at start plus the monotonic time since."""
        return self._started_wall + (self.monotonic() - self._started_monotonic)

    def offset(self) -> float:
        """Seconds that the time of day has been set forward (or, negative, back) since this clock was made."""
        return self._wall() - self.timestamp()

    def date(self, timestamp: float) -> datetime:
        """The time of day, UTC, that *timestamp* (of `timestamp()`) is shown as, after any setting of the clock."""
        offset = self.offset()
        return datetime.fromtimestamp(timestamp + (offset if abs(offset) >= 1 else 0.0), UTC)

    def _wall(self) -> float:
        return time.time()
