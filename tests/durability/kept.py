"""What is in a store, read past Dozor, straight from its tables."""

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import NullPool, create_engine, inspect, select

from dozor.database.schema import alerts, audit, outbox


@dataclass(frozen=True)
class KeptAlert:
    rule: str
    labels: str
    fired_at: float | None
    resolved_at: float | None


@dataclass(frozen=True)
class Kept:
    """Everything committed at one moment. *messages*: by notification id and receiver, their state."""

    alerts: dict[str, KeptAlert] = field(default_factory=dict)
    audit: dict[str, tuple[str, str, str | None]] = field(default_factory=dict)
    messages: dict[tuple[str, str], str] = field(default_factory=dict)

    def audited(self, event: str) -> set[tuple[str, str | None]]:
        """The ids of the alerts that *event* happened to, and by whom."""
        return {(alert_id, by) for alert_id, what, by in self.audit.values() if what == event}

    def ids(self, receiver: str) -> set[str]:
        """The ids of the notifications to *receiver*."""
        return {notification for notification, name in self.messages if name == receiver}

    def states(self, receiver: str) -> list[str]:
        """Those of the notifications to *receiver*."""
        return [state for (_, name), state in self.messages.items() if name == receiver]


def read(url: str) -> Kept:
    """What the store at *url* holds; nothing where there is no store yet."""
    engine = create_engine(url, poolclass=NullPool)
    try:
        if not inspect(engine).has_table(outbox.name):
            return Kept()
        with engine.connect() as connection:
            found: dict[str, Any] = {
                "alerts": {
                    row.id: KeptAlert(row.rule, str(sorted(row.labels.items())), row.fired_at, row.resolved_at)
                    for row in connection.execute(select(alerts))
                },
                "audit": {row.digest: (row.alert_id, row.event, row.by) for row in connection.execute(select(audit))},
                "messages": {
                    (row.notification_id, row.receiver): row.state for row in connection.execute(select(outbox))
                },
            }
        return Kept(**found)
    finally:
        engine.dispose()


def nothing_lost(before: Kept, after: Kept) -> None:
    """Fail unless all that was committed *before* is there *after*, and has at most gone on."""
    # One that is pending may end without a trace.
    fired = {alert_id: alert for alert_id, alert in before.alerts.items() if alert.fired_at is not None}
    for alert_id, alert in fired.items():
        now = after.alerts.get(alert_id)
        assert now is not None, f"alert {alert_id} of {alert.rule} is gone"
        assert now.fired_at == alert.fired_at
        assert now.resolved_at == alert.resolved_at or alert.resolved_at is None
    assert before.audit.items() <= after.audit.items(), "an audit entry is gone"
    for key, state in before.messages.items():
        assert key in after.messages, "a notification is gone"
        assert state != "sent" or after.messages[key] == "sent", "what was settled is not any more"


def nothing_twice(kept: Kept) -> None:
    """Fail if one thing is two alerts at once, or a notification was given up."""
    open_now = [(alert.rule, alert.labels) for alert in kept.alerts.values() if alert.resolved_at is None]
    assert len(open_now) == len(set(open_now)), "an alert is open twice"
    assert "dead" not in kept.messages.values(), "a notification was given up"
