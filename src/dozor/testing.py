"""For tests of applications that use Dozor, and for Dozor's own: time that moves when told, a notifier that remembers."""

from datetime import UTC, datetime

from typing_extensions import override

from dozor.clock import Clock
from dozor.model.notification import Notification

__all__ = ["FakeClock", "RecordingNotifier"]


class FakeClock(Clock):
    """A clock that stands still until `advance` or `set_wall` moves it."""

    def __init__(self, start: float = 1_800_000_000.0) -> None:
        self._start = self._wall_seconds = start
        self._elapsed = 0.0
        super().__init__()
        self._started_wall, self._started_monotonic = start, 0.0

    def advance(self, seconds: float) -> None:
        """Let *seconds* pass, on both clocks."""
        self._elapsed += seconds
        self._wall_seconds += seconds

    def set_wall(self, seconds: float) -> None:
        """Set the time of day forward (or back) by *seconds*, as an administrator or NTP would; no time passes."""
        self._wall_seconds += seconds

    @override
    def now(self) -> datetime:
        return datetime.fromtimestamp(self._wall_seconds, UTC)

    @override
    def monotonic(self) -> float:
        return self._elapsed

    @override
    def _wall(self) -> float:
        return self._wall_seconds


class RecordingNotifier:
    """A notifier that keeps what it was sent, in `notifications`; it fails with `failure` while that is set."""

    def __init__(self) -> None:
        self.notifications: list[Notification] = []
        self.failure: Exception | None = None

    async def send(self, notification: Notification) -> None:
        """Keep *notification*, or raise `failure`."""
        if self.failure is not None:
            raise self.failure
        self.notifications.append(notification)
