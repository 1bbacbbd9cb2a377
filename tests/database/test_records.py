"""Alerts and notifications as JSON: what the round trips through the databases do not show."""

import json

import pytest
from tests.database.records import make_alert

from dozor.database.records import decode_alert, decode_notification, encode_alert


def test_a_record_of_an_earlier_release_gets_the_defaults_of_later_fields() -> None:
    alert = make_alert()
    plain = json.loads(encode_alert(alert))
    for name in ("holds", "no_data", "evidence", "told_resolved"):
        del plain[name]
    plain["a_field_that_is_no_more"] = 1
    assert decode_alert(json.dumps(plain)) == alert


@pytest.mark.parametrize("text", ["{}", "[]", "3", '{"value": "x"}', '{"id": 1}'])
def test_what_is_no_alert_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        decode_alert(text)


@pytest.mark.parametrize("text", ["{}", "[]", "3", '{"alerts": 3}', '{"alerts": [3]}', '{"alerts": [{"value": "x"}]}'])
def test_what_is_no_notification_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        decode_notification(text)
