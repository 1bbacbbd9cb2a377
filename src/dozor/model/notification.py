"""What is told to people, and the changes that cause it."""

from enum import StrEnum
from typing import Final, NamedTuple

from msgspec import Struct

from dozor.model.alert import Alert
from dozor.model.annotation import Annotation
from dozor.model.silence import Silence


class Occasion(StrEnum):
    """Why people are told now."""

    FIRING = "firing"
    ESCALATED = "escalated"
    REMINDER = "reminder"
    RESOLVED = "resolved"
    ACKNOWLEDGED = "acknowledged"
    SILENCED = "silenced"

    @property
    def update(self) -> bool:
        """Whether it calls nobody: it only brings what was said up to date, for receivers that can do so in place."""
        return self in (Occasion.ACKNOWLEDGED, Occasion.SILENCED)


class Notification(Struct, frozen=True):
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


NOTE: Final = "note"


class AuditEntry(Struct, frozen=True):
    """One thing that happened to an alert, or to a silence: who (None: Dozor itself), when, what, why.

    *alert_id* is the id of the alert, or of the silence. A person's note is an entry too: its *event* is `NOTE`.
    """

    alert_id: str
    at: float
    event: str
    by: str | None = None
    comment: str | None = None


class Changes(Struct, frozen=True):
    """What one evaluation or one action changed. Committed in one transaction, so that no state is without its word.

    *alerts* replace what is kept under their ids, as do *silences*; *dropped* are ids of pending alerts that ended without
    firing.
    """

    alerts: tuple[Alert, ...] = ()
    dropped: tuple[str, ...] = ()
    audit: tuple[AuditEntry, ...] = ()
    notifications: tuple[Notification, ...] = ()
    silences: tuple[Silence, ...] = ()
    annotations: tuple[Annotation, ...] = ()

    def __bool__(self) -> bool:
        return bool(
            self.alerts or self.dropped or self.audit or self.notifications or self.silences or self.annotations
        )


class Outgoing(NamedTuple):
    """A notification for one receiver, to be written with the changes that caused it.

    *sent_at* (Unix seconds): it was delivered already, from memory, while the database was away.
    """

    receiver: str
    notification: Notification
    sent_at: float | None = None


class SentMessage(Struct, frozen=True):
    """A message at a receiver that lets it be changed or answered later.

    Attributes:
        reference: what the receiver calls it; only its notifier can read that.
        alerts: what it shows now.
    """

    reference: str
    alerts: tuple[Alert, ...]
