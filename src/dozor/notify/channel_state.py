"""How a channel fares, as the API and the page show it."""

from enum import StrEnum

from msgspec import Struct


class ChannelCondition(StrEnum):
    """How a channel stands."""

    OK = "OK"
    """The last attempt succeeded."""
    FAILING = "FAILING"
    """The last attempt failed; the next is made in its time."""
    OPEN = "OPEN"
    """So many failed that it is left alone for a while."""
    UNUSED = "UNUSED"
    """Nothing was sent since Dozor started."""


class ChannelState(Struct, frozen=True):
    """One channel at one moment. Times are Unix seconds of `Clock.timestamp()`; counts are since Dozor started.

    Attributes:
        kind: its type: `slack`; `log` for the log and `own` for a notifier of the application's.
        target: where it leads, without secrets; empty where that is not known.
        state: `OK`, `FAILING`, `OPEN` or `UNUSED`.
        waiting: notifications on their way to it.
        sent, failed, dead: attempts that succeeded, that failed and were to be repeated, that were the last.
        retry_at: when the next attempt is made at the earliest, while it is left alone.
    """

    name: str
    kind: str
    target: str
    state: ChannelCondition
    waiting: int = 0
    sent: int = 0
    failed: int = 0
    dead: int = 0
    last_success_at: float | None = None
    last_failure_at: float | None = None
    last_error: str | None = None
    retry_at: float | None = None
