"""Alerts and notifications for tests: single ones, and any that Hypothesis can think of."""

from collections.abc import Iterable
from itertools import count
from typing import Any

from hypothesis import strategies as st

from dozor.model.alert import Acknowledgement, Alert, AlertSilence, Severity
from dozor.model.labels import Labels
from dozor.model.notification import Notification, Occasion, Outgoing

START = 1_800_000_000.0

_numbers = count(1)


def make_alert(**given: Any) -> Alert:
    """A firing alert with an id of its own; *given* fields differ."""
    number = next(_numbers)
    fields: dict[str, Any] = {
        "id": f"alert-{number:06d}",
        "rule": "PoolUtilizationHigh",
        "labels": Labels(alertname=given.get("rule", "PoolUtilizationHigh"), pool="main"),
        "severity": Severity.CRITICAL,
        "component": "database",
        "annotations": {"summary": "Pool main is 95 % in use"},
        "value": 95.0,
        "active_at": START - 60,
        "fired_at": START,
    }
    return Alert(**{**fields, **given})


def make_notification(**given: Any) -> Notification:
    """A notification with an id of its own about one firing alert; *given* fields differ."""
    fields: dict[str, Any] = {
        "id": f"msg-{next(_numbers):06d}",
        "group": "PoolUtilizationHigh",
        "occasion": Occasion.FIRING,
        "alerts": (),
        "created_at": START,
        "service": "shop",
    }
    if "alerts" not in given:
        fields["alerts"] = (make_alert(),)
    return Notification(**{**fields, **given})


def to(receivers: Iterable[str], *notifications: Notification) -> list[Outgoing]:
    """Each of *notifications* for each of *receivers*."""
    names = tuple(receivers)
    return [Outgoing(receiver, notification) for notification in notifications for receiver in names]


_texts = st.text(max_size=20)
_times = st.floats(min_value=0, max_value=4e9)
_who = st.none() | _texts
_json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | _texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_texts, inner, max_size=3),
    max_leaves=6,
)

alerts = st.builds(
    Alert,
    id=st.uuids().map(str),
    rule=_texts,
    labels=st.dictionaries(_texts, _texts, max_size=4).map(Labels),
    severity=st.sampled_from(Severity),
    component=_texts,
    annotations=st.dictionaries(_texts, _texts, max_size=3),
    value=st.floats(),
    active_at=_times,
    fired_at=st.none() | _times,
    resolved_at=st.none() | _times,
    acknowledged=st.none() | st.builds(Acknowledgement, _times, _who, _who),
    silenced=st.none() | st.builds(AlertSilence, _times, st.none() | _times, _who, _who),
    inhibited_by=st.lists(_texts, max_size=2).map(tuple),
    told_severity=st.none() | st.sampled_from(Severity),
    evidence=st.dictionaries(_texts, _json, max_size=3),
)

notifications = st.builds(
    Notification,
    id=st.uuids().map(str),
    group=_texts,
    occasion=st.sampled_from(Occasion),
    alerts=st.lists(alerts, max_size=3).map(tuple),
    created_at=_times,
    service=_texts,
    environment=st.none() | _texts,
    external_url=st.none() | _texts,
    omitted=st.integers(0, 10_000),
)
