"""What changes during one evaluation or action, on its way into one transaction."""

from dozor.model.alert import Alert
from dozor.model.notification import AuditEntry, Changes, Notification
from dozor.model.silence import Silence


class Journal:
    """Collects; of an alert that changes several times the last version counts."""

    def __init__(self) -> None:
        self._alerts: dict[str, Alert] = {}
        self._dropped: dict[str, None] = {}
        self._audit: list[AuditEntry] = []
        self._notifications: list[Notification] = []
        self._silences: dict[str, Silence] = {}

    def keep(self, alert: Alert) -> None:
        """*alert* is now so."""
        self._alerts[alert.id] = alert

    def drop(self, alert: Alert) -> None:
        """*alert* ended before it fired and leaves no history."""
        self._alerts.pop(alert.id, None)
        self._dropped[alert.id] = None

    def keep_silence(self, silence: Silence) -> None:
        """*silence* is now so."""
        self._silences[silence.id] = silence

    def note(self, entry: AuditEntry) -> None:
        """This happened."""
        self._audit.append(entry)

    def tell(self, notification: Notification) -> None:
        """People are to be told this."""
        self._notifications.append(notification)

    def changes(self) -> Changes:
        """All of it."""
        return Changes(
            tuple(self._alerts.values()),
            tuple(self._dropped),
            tuple(self._audit),
            tuple(self._notifications),
            tuple(self._silences.values()),
        )
