"""A silence by matchers: nobody is told of the alerts that it matches, for a time."""

from enum import StrEnum

from msgspec import Struct


class SilenceState(StrEnum):
    """Where a silence is in its life; follows from the time."""

    SCHEDULED = "SCHEDULED"
    ACTIVE = "ACTIVE"
    EXPIRED = "EXPIRED"


class Silence(Struct, frozen=True):
    """One silence. Times are Unix seconds of `Clock.timestamp()`.

    Attributes:
        matchers: all must match an alert's labels (`alertname` and `severity`, the one in force, among them), each in
            Alertmanager's notation: `pool="main"`, `severity=~"info|warning"`.
        starts_at: when it begins; in the future for a maintenance window.
        ends_at: when it ends; None: when the alerts that it has silenced have all resolved.
        matched: whether it has silenced any alert yet, which is what *ends_at* None waits for.
        ended_at: when it ended: by a person, because its time was over, or because its alerts resolved; None before that.
    """

    id: str
    matchers: tuple[str, ...]
    starts_at: float
    ends_at: float | None
    created_at: float
    updated_at: float
    by: str | None = None
    comment: str | None = None
    matched: bool = False
    ended_at: float | None = None

    def state(self, at: float) -> SilenceState:
        """How it stands at *at*."""
        if self.ended_at is not None or (self.ends_at is not None and self.ends_at <= at):
            return SilenceState.EXPIRED
        return SilenceState.SCHEDULED if at < self.starts_at else SilenceState.ACTIVE
