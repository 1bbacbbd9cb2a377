"""Alerts, notifications and silences as JSON, and back exactly.

JSON has no NaN and no infinity, which an alert's value may be: that one number is written as text when it is not finite.
Text that UTF-8 cannot carry (a lone surrogate out of somebody's SQL) is repaired rather than refused: one odd byte
must not keep a whole commit from the disk for ever.
"""

import math
from collections.abc import Mapping
from typing import Any

import msgspec

from dozor.database.schema import clean
from dozor.model.alert import Alert
from dozor.model.labels import Labels
from dozor.model.notification import Notification
from dozor.model.silence import Silence


def encode_alert(alert: Alert) -> str:
    """*alert* as JSON text."""
    return _encode(_plain(alert))


def decode_alert(text: str) -> Alert:
    """The alert that `encode_alert` wrote, in this release or an earlier one.

    Raises:
        ValueError: it is no alert, or of a release that kept less than is needed now.
    """
    plain = msgspec.json.decode(text)
    _restore_value(plain)
    return msgspec.convert(plain, Alert, dec_hook=_from_plain)


def encode_notification(notification: Notification) -> str:
    """*notification* with its alerts as JSON text."""
    return _encode(_plain(notification))


def decode_notification(text: str) -> Notification:
    """The notification that `encode_notification` wrote. Raises as `decode_alert` does."""
    plain = msgspec.json.decode(text)
    alerts = plain.get("alerts") if isinstance(plain, dict) else None
    for alert in alerts if isinstance(alerts, list) else ():
        _restore_value(alert)
    return msgspec.convert(plain, Notification, dec_hook=_from_plain)


def encode_silence(silence: Silence) -> str:
    """*silence* as JSON text."""
    return _encode(msgspec.to_builtins(silence))


def decode_silence(text: str) -> Silence:
    """The silence that `encode_silence` wrote. Raises as `decode_alert` does."""
    return msgspec.json.decode(text, type=Silence)


def _plain(record: Alert | Notification) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(record, enc_hook=_to_plain, str_keys=True)
    for alert in [plain] if isinstance(record, Alert) else plain["alerts"]:
        if not math.isfinite(alert["value"]):
            alert["value"] = repr(alert["value"])
    return plain


def _restore_value(plain: Any) -> None:
    if isinstance(plain, dict) and isinstance(plain.get("value"), str):
        plain["value"] = float(plain["value"])


def _encode(plain: dict[str, Any]) -> str:
    try:
        return msgspec.json.encode(plain).decode()
    except UnicodeEncodeError:
        return msgspec.json.encode(_repaired(plain)).decode()


def _repaired(value: Any) -> Any:
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, dict):
        return {clean(key): _repaired(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_repaired(item) for item in value]
    return value


def _to_plain(value: Any) -> Any:
    # Labels and other mappings; then whatever evidence an instrument attached, which may be shown but not kept whole.
    return dict(value) if isinstance(value, Mapping) else str(value)


def _from_plain(kind: type, value: Any) -> Any:
    # Asked for what msgspec does not know: labels, and `object`, which evidence is of.
    return Labels(value) if kind is Labels else value
