"""PagerDuty's Events API v2, as a receiver on a real socket plays it."""

from typing import Any

import pytest
from msgspec.structs import replace
from tests.database.records import START, make_alert, make_notification
from tests.notify import receiver
from tests.notify.receiver import Behaviour, Receiver, answer, limit_for, receiving
from tests.patience import PATIENCE_SECONDS

from dozor.errors import ConfigurationError, DeliveryError
from dozor.model.alert import Acknowledgement, AlertSilence, Severity
from dozor.model.notification import Notification, Occasion
from dozor.notify.pagerduty import PagerDutyChannel, PagerDutyNotifier
from dozor.testing import FakeClock

pytestmark = pytest.mark.anyio

KEY = "s3cr3t0123456789s3cr3t0123456789"
ACCEPTED = b'{"status": "success", "message": "Event processed", "dedup_key": "x"}'
INVALID = (
    b'{"status": "invalid event", "errors": ["Length of \'routing_key\' is incorrect"], "key": "%b"}' % KEY.encode()
)


def notifier(server: Receiver, limit: float = PATIENCE_SECONDS, locale: str = "en") -> PagerDutyNotifier:
    channel = PagerDutyChannel(KEY, f"http://127.0.0.1:{server.port}")
    return PagerDutyNotifier(channel, FakeClock(START), timeout_seconds=limit, locale=locale)


async def events(notification: Notification, locale: str = "en") -> list[dict[str, Any]]:
    async with receiving(answer(202, ACCEPTED)) as server:
        pager = notifier(server, locale=locale)
        await pager.send(notification)
        await pager.aclose()
    assert {(request.method, request.target) for request in server.requests} <= {("POST", "/v2/enqueue")}
    return [request.json for request in server.requests]


async def test_an_alert_that_fires_opens_an_incident() -> None:
    alert = make_alert(
        id="a1",
        annotations={
            "summary": "Pool main is 95 % in use",
            "description": "See who holds connections.",
            "runbook_url": "https://runbooks.example/pool",
        },
        threshold="> 90",
    )
    (event,) = await events(
        make_notification(alerts=(alert,), environment="production", external_url="https://dozor.example")
    )
    payload = event.pop("payload")
    details = payload.pop("custom_details")
    assert event == {
        "routing_key": KEY,
        "event_action": "trigger",
        "dedup_key": "a1",
        "client": "Dozor",
        "client_url": "https://dozor.example/alert/a1",
        "links": [
            {"href": "https://dozor.example/alert/a1", "text": "Open in Dozor"},
            {"href": "https://runbooks.example/pool", "text": "Read"},
        ],
    } | {"links": event["links"]}
    assert [link["href"] for link in event["links"]] == [
        "https://dozor.example/alert/a1",
        "https://runbooks.example/pool",
    ]
    assert payload == {
        "summary": "[CRITICAL] shop (production): Pool main is 95 % in use",
        "source": "shop (production)",
        "severity": "critical",
        "timestamp": "2027-01-15T08:00:00.000+00:00",
        "component": "database",
        "group": "PoolUtilizationHigh",
        "class": "PoolUtilizationHigh",
    }
    assert "See who holds connections." in details.values()
    assert any("90" in value for value in details.values() if isinstance(value, str))


@pytest.mark.parametrize(
    ("severity", "said"),
    [
        (Severity.INFO, "info"),
        (Severity.WARNING, "warning"),
        (Severity.CRITICAL, "critical"),
        (Severity.EMERGENCY, "critical"),
    ],
)
async def test_severities_are_pagerdutys(severity: Severity, said: str) -> None:
    (event,) = await events(make_notification(alerts=(make_alert(severity=severity),)))
    assert event["payload"]["severity"] == said


async def test_an_incident_is_taken_and_closed_with_its_alert() -> None:
    alert = make_alert(id="a1")
    taken = replace(alert, acknowledged=Acknowledgement(START, "ann"))
    silenced = replace(alert, silenced=AlertSilence(START))
    for occasion, now, action in [
        (Occasion.FIRING, alert, "trigger"),
        (Occasion.REMINDER, alert, "trigger"),
        (Occasion.ESCALATED, taken, "trigger"),
        (Occasion.ACKNOWLEDGED, taken, "acknowledge"),
        (Occasion.SILENCED, silenced, "acknowledge"),
        (Occasion.RESOLVED, replace(taken, resolved_at=START + 1), "resolve"),
        (Occasion.ACKNOWLEDGED, replace(taken, resolved_at=START + 1), "resolve"),
    ]:
        (event,) = await events(make_notification(alerts=(now,), occasion=occasion))
        assert (event["event_action"], event["dedup_key"]) == (action, "a1")


def test_it_wants_updates() -> None:
    assert PagerDutyNotifier.follows_updates


async def test_each_alert_of_a_group_has_an_incident_of_its_own() -> None:
    sent = await events(make_notification(alerts=tuple(make_alert(id=f"a{n}") for n in range(3))))
    assert [event["dedup_key"] for event in sent] == ["a0", "a1", "a2"]


async def test_it_speaks_russian() -> None:
    (event,) = await events(make_notification(), locale="ru")
    assert any("\u0400" <= char <= "\u04ff" for label in event["payload"]["custom_details"] for char in label)


async def test_a_long_summary_is_cut() -> None:
    (event,) = await events(make_notification(alerts=(make_alert(annotations={"summary": "x" * 5000}),)))
    assert len(event["payload"]["summary"]) <= 1024


async def test_what_arrived_is_not_sent_again_when_the_rest_is_retried() -> None:
    notification = make_notification(alerts=tuple(make_alert(id=f"a{n}") for n in range(4)))
    async with receiving(answer(202), answer(202), answer(429, Retry_After="7"), answer(202)) as server:
        pager = notifier(server)
        with pytest.raises(DeliveryError) as caught:
            await pager.send(notification)
        assert (caught.value.recoverable, caught.value.retry_after_seconds) == (True, 7)
        await pager.send(notification)
        await pager.aclose()
    assert [request.json["dedup_key"] for request in server.requests] == ["a0", "a1", "a2", "a2", "a3"]


async def test_an_event_that_is_refused_does_not_keep_the_others_back() -> None:
    notification = make_notification(alerts=tuple(make_alert(id=f"a{n}") for n in range(3)))
    async with receiving(answer(202), answer(400, INVALID), answer(202)) as server:
        pager = notifier(server)
        with pytest.raises(DeliveryError, match="1 of 3 events were refused") as caught:
            await pager.send(notification)
        await pager.aclose()
    assert [request.json["dedup_key"] for request in server.requests] == ["a0", "a1", "a2"]
    assert not caught.value.recoverable
    assert "integration key" in caught.value.reason
    assert KEY not in str(caught.value)


@pytest.mark.parametrize(
    ("behaviour", "recoverable"),
    [
        (answer(400, INVALID), False),
        (answer(403), False),
        (answer(429), True),
        (answer(500), True),
        (receiver.hang, True),
        (receiver.close_early, True),
        (receiver.garbage, True),
    ],
)
async def test_what_may_pass_is_tried_again(behaviour: Behaviour, recoverable: bool) -> None:
    async with receiving(behaviour) as server:
        pager = notifier(server, limit=limit_for(behaviour))
        with pytest.raises(DeliveryError) as caught:
            await pager.send(make_notification())
        await pager.aclose()
    assert caught.value.recoverable is recoverable
    assert KEY not in f"{caught.value} {pager!r}"


@pytest.mark.parametrize("key", ["", "with space", "k\n", "ключ"])
def test_a_key_that_is_none_is_refused(key: str) -> None:
    with pytest.raises(ConfigurationError, match="routing_key: this is no key"):
        PagerDutyChannel(key)


def test_a_channel_hides_its_key_and_shows_its_region() -> None:
    channel = PagerDutyChannel(KEY, "https://events.eu.pagerduty.com")
    built = channel.build("pagerduty", FakeClock(START), "en")
    assert KEY not in f"{channel!r} {built!r}"
    assert built.target == "https://events.eu.pagerduty.com"
    with pytest.raises(ConfigurationError, match="url: the URL must begin"):
        PagerDutyChannel(KEY, "events.pagerduty.com")
