"""What is told to people, and the changes that cause it."""

from dataclasses import dataclass
from enum import StrEnum

from dozor.model.alert import Alert


class Occasion(StrEnum):
    """Why people are told now."""

    FIRING = "firing"
    ESCALATED = "escalated"
    REMINDER = "reminder"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True)
class Notification:
    """One message about one group of alerts, for every receiver.

    Attributes:
        id: the idempotency key (`webhook-id`): the same in every attempt at every receiver.
        group: the alerts' common rule.
        occasion: the weightiest reason in it; a message may hold firing and resolved alerts together.
        alerts: the group's alerts that this message is about, worst first.
        omitted: how many more there are than *alerts* shows.
        service, environment: who speaks (`DOZOR_NAME`, `DOZOR_ENVIRONMENT`).
        external_url: where people open Dozor, if it is known (`DOZOR_EXTERNAL_URL`).
        created_at: Unix seconds.
    """

    id: str
    group: str
    occasion: Occasion
    alerts: tuple[Alert, ...]
    created_at: float
    service: str = ""
    environment: str | None = None
    external_url: str | None = None
    omitted: int = 0


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One thing that happened to an alert: who (None: Dozor itself), when, what, why."""

    alert_id: str
    at: float
    event: str
    by: str | None = None
    comment: str | None = None


@dataclass(frozen=True, slots=True)
class Changes:
    """What one evaluation or one action changed. Committed in one transaction, so that no state is without its word.

    *alerts* replace what is kept under their ids; *dropped* are ids of pending alerts that ended without firing.
    """

    alerts: tuple[Alert, ...] = ()
    dropped: tuple[str, ...] = ()
    audit: tuple[AuditEntry, ...] = ()
    notifications: tuple[Notification, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.alerts or self.dropped or self.audit or self.notifications)
