"""An alert, and what happened to it, as JSON shows them."""

import math
from collections.abc import Mapping
from typing import Any

import msgspec

from dozor.api.rendering import date
from dozor.api.schemas import AcknowledgementModel, AlertModel, AlertSilenceModel, EventModel
from dozor.clock import Clock
from dozor.model.alert import Alert
from dozor.model.notification import AuditEntry
from dozor.model.silence import Silence


def alert_model(alert: Alert, clock: Clock, silences: Mapping[str, Silence]) -> AlertModel:
    """*alert* as it is shown. *silences*: those in force, by id."""
    return AlertModel(**alert_fields(alert, clock, silences))


def alert_fields(alert: Alert, clock: Clock, silences: Mapping[str, Silence]) -> dict[str, Any]:
    """The fields of an `AlertModel`."""
    acknowledged = alert.acknowledged
    return {
        "id": alert.id,
        "rule": alert.rule,
        "severity": alert.severity,
        "component": alert.component,
        "state": alert.state.value,
        "inhibited_by": list(alert.inhibited_by),
        "silenced_by": list(alert.silenced_by),
        "labels": dict(alert.labels),
        "annotations": dict(alert.annotations),
        "value": alert.value if math.isfinite(alert.value) else None,
        "threshold": alert.threshold,
        "active_at": clock.date(alert.active_at),
        "fired_at": date(clock, alert.fired_at),
        "resolved_at": date(clock, alert.resolved_at),
        "resolve_reason": alert.resolve_reason,
        "acknowledged": None
        if acknowledged is None
        else AcknowledgementModel(at=clock.date(acknowledged.at), by=acknowledged.by, comment=acknowledged.comment),
        "silenced": _silenced(alert, clock, silences),
        "flapping": alert.flaps > 0,
        "flaps": alert.flaps,
        "no_data": alert.no_data,
        "evidence": msgspec.to_builtins(dict(alert.evidence), enc_hook=str, str_keys=True),
    }


def _silenced(alert: Alert, clock: Clock, silences: Mapping[str, Silence]) -> AlertSilenceModel | None:
    """The alert's own silence; where it has none, the first of those that match it."""
    if own := alert.silenced:
        return AlertSilenceModel(at=clock.date(own.at), until=date(clock, own.until), by=own.by, comment=own.comment)
    found = next((silences[one] for one in alert.silenced_by if one in silences), None)
    if found is None:
        return None
    return AlertSilenceModel(
        at=clock.date(found.starts_at), until=date(clock, found.ends_at), by=found.by, comment=found.comment
    )


def event_model(entry: AuditEntry, clock: Clock) -> EventModel:
    """*entry* as it is shown."""
    return EventModel(at=clock.date(entry.at), event=entry.event, by=entry.by, comment=entry.comment)
