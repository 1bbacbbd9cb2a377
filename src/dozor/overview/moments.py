"""Moments as people write them, on the clock that Dozor reckons with."""

from datetime import datetime

from dozor.clock import Clock


def undate(clock: Clock, moment: datetime) -> float:
    """The timestamp that `Clock.date` shows as *moment*."""
    offset = clock.offset()
    return moment.timestamp() - (offset if abs(offset) >= 1 else 0.0)
