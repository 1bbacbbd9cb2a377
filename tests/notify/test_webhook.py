"""The webhook, against a receiver on a real socket."""

import base64
import inspect
import time
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook
from tests.database.records import START, make_alert, make_notification
from tests.notify import receiver
from tests.notify.receiver import Behaviour, answer, limit_for, receiving
from tests.patience import PATIENCE_SECONDS

from dozor.clock import Clock
from dozor.errors import ConfigurationError, DeliveryError
from dozor.model.alert import Severity
from dozor.model.labels import Labels
from dozor.model.notification import Notification
from dozor.notify.sending import SEND_LIMIT_SECONDS
from dozor.notify.webhook import WebhookChannel, WebhookNotifier, body, fingerprint
from dozor.testing import FakeClock

pytestmark = pytest.mark.anyio

SECRET = base64.b64encode(b"a secret of twenty-four b").decode()


async def refused(behaviour: Behaviour, limit: float = PATIENCE_SECONDS) -> DeliveryError:
    async with receiving(behaviour) as server:
        webhook = WebhookNotifier(server.url, FakeClock(START), timeout_seconds=limit)
        with pytest.raises(DeliveryError) as caught:
            await webhook.send(make_notification())
        await webhook.aclose()
        assert len(server.requests) == 1
    assert "s3cr3t" not in f"{caught.value} {webhook!r}"
    return caught.value


def test_the_body_is_alertmanagers() -> None:
    firing = make_alert(
        id="a1",
        rule="PoolTimeouts",
        labels=Labels(alertname="PoolTimeouts", pool="main", worker="0"),
        annotations={"summary": "s", "description": "one"},
        fired_at=START,
    )
    ended = make_alert(
        id="a2",
        rule="PoolTimeouts",
        labels=Labels(alertname="PoolTimeouts", pool="main", worker="1"),
        annotations={"summary": "s", "description": "two"},
        severity=Severity.EMERGENCY,
        resolved_at=START + 1.5,
    )
    notification = make_notification(
        group="PoolTimeouts", alerts=(firing, ended), service="", omitted=4, external_url="https://dozor.example"
    )
    assert body(notification, FakeClock(START), receiver="webhook") == {
        "version": "4",
        "groupKey": '{}:{alertname="PoolTimeouts"}',
        "truncatedAlerts": 4,
        "status": "firing",
        "receiver": "webhook",
        "groupLabels": {"alertname": "PoolTimeouts"},
        "commonLabels": {"alertname": "PoolTimeouts", "pool": "main"},
        "commonAnnotations": {"summary": "s"},
        "externalURL": "https://dozor.example",
        "alerts": [
            {
                "id": "a1",
                "status": "firing",
                "labels": {"alertname": "PoolTimeouts", "pool": "main", "worker": "0", "severity": "critical"},
                "annotations": {"summary": "s", "description": "one"},
                "startsAt": "2027-01-15T08:00:00.000Z",
                "endsAt": "0001-01-01T00:00:00Z",
                "generatorURL": "https://dozor.example/alert/a1",
                "fingerprint": fingerprint(firing.labels),
            },
            {
                "id": "a2",
                "status": "resolved",
                "labels": {"alertname": "PoolTimeouts", "pool": "main", "worker": "1", "severity": "emergency"},
                "annotations": {"summary": "s", "description": "two"},
                "startsAt": "2027-01-15T08:00:00.000Z",
                "endsAt": "2027-01-15T08:00:01.500Z",
                "generatorURL": "https://dozor.example/alert/a2",
                "fingerprint": fingerprint(ended.labels),
            },
        ],
    }


def test_who_speaks_is_told_as_prometheus_does_by_labels_that_all_alerts_have() -> None:
    """Else the receiver of two applications, or of production and staging, would take their alerts for one."""

    def told(speaker: str, environment: str | None, **labels: str) -> dict[str, Any]:
        alert = make_alert(rule="PoolTimeouts", labels=Labels(labels))
        notification = make_notification(
            group="PoolTimeouts", alerts=(alert,), service=speaker, environment=environment
        )
        return body(notification, FakeClock(START), receiver="webhook")

    shop, staging, bank = told("shop", "production"), told("shop", "staging"), told("bank", None)
    assert shop["groupKey"] == '{}:{alertname="PoolTimeouts", environment="production", service="shop"}'
    assert shop["groupLabels"] == {"alertname": "PoolTimeouts", "environment": "production", "service": "shop"}
    assert shop["groupLabels"].items() <= shop["commonLabels"].items() <= shop["alerts"][0]["labels"].items()
    assert bank["groupLabels"] == {"alertname": "PoolTimeouts", "service": "bank"}
    assert len({each["alerts"][0]["fingerprint"] for each in (shop, staging, bank)}) == 3
    own = told("shop", None, service="till")["alerts"][0]["labels"]
    assert own["service"] == "till", "a label of the alert's own takes precedence"


def test_a_group_of_which_all_have_ended_is_resolved() -> None:
    ended = make_notification(alerts=(make_alert(resolved_at=START + 1),))
    assert body(ended, FakeClock(START), receiver="w")["status"] == "resolved"
    empty = body(make_notification(alerts=()), FakeClock(START), receiver="w")
    assert (empty["commonLabels"], empty["alerts"]) == ({}, [])


@pytest.mark.parametrize(
    ("labels", "value"), [(Labels(), 14_695_981_039_346_656_037), (Labels(x="y"), 8_241_431_561_484_471_700)]
)
def test_the_fingerprint_is_the_one_that_prometheus_computes(labels: Labels, value: int) -> None:
    assert fingerprint(labels) == f"{value:016x}"


def test_the_fingerprint_tells_label_sets_apart() -> None:
    sets = [Labels(a="bc"), Labels(ab="c"), Labels(a="b", c="d"), Labels(a="b")]
    assert len({fingerprint(labels) for labels in sets}) == 4


@pytest.mark.parametrize("secret", [SECRET, f"whsec_{SECRET}"], ids=["bare", "prefixed"])
async def test_a_receiver_can_verify_the_signature(secret: str) -> None:
    async with receiving(answer(202)) as server:
        webhook = WebhookNotifier(server.url, Clock(), secret=secret)
        await webhook.send(make_notification(id="msg-1", service="shöp"))
        await webhook.aclose()
    (request,) = server.requests
    verified = Webhook(f"whsec_{SECRET}").verify(request.body, request.headers)
    assert verified["version"] == "4"
    assert request.headers["webhook-id"] == "msg-1"
    assert abs(int(request.headers["webhook-timestamp"]) - time.time()) < 60
    assert request.headers["content-type"] == "application/json"


async def test_without_a_secret_there_is_an_id_and_a_time_but_no_signature() -> None:
    async with receiving(answer(200)) as server:
        webhook = WebhookNotifier(server.url, FakeClock(START))
        await webhook.send(make_notification(id="msg-2"))
        await webhook.aclose()
    (request,) = server.requests
    assert request.headers["webhook-id"] == "msg-2"
    assert request.headers["webhook-timestamp"] == str(int(START))
    assert "webhook-signature" not in request.headers


@pytest.mark.parametrize("secret", ["", "whsec_", "abcde"])
def test_a_secret_that_is_none_is_refused(secret: str) -> None:
    with pytest.raises(ConfigurationError, match="secret: the secret must be base64"):
        WebhookChannel("http://x/", secret)


async def test_a_channel_builds_its_notifier() -> None:
    async with receiving() as server:
        channel = WebhookChannel(server.url, SECRET)
        notifier = channel.build("ops", Clock(), "en")
        await notifier.send(make_notification())
        await notifier.aclose()
    (request,) = server.requests
    assert request.json["receiver"] == "ops"
    assert "webhook-signature" in request.headers
    assert notifier.target == f"http://127.0.0.1:{server.port}/***"
    assert "s3cr3t" not in f"{channel!r}"
    assert SECRET not in f"{channel!r}"


def test_a_channel_without_a_url_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="url: the URL must begin with http"):
        WebhookChannel("ftp://x")


@pytest.mark.parametrize(
    ("status", "recoverable"),
    [
        (301, False),
        (302, False),
        (307, False),
        (400, False),
        (401, False),
        (403, False),
        (404, False),
        (408, True),
        (410, False),
        (413, False),
        (422, False),
        (425, True),
        (429, True),
        (500, True),
        (502, True),
        (503, True),
        (504, True),
    ],
)
async def test_what_may_pass_is_tried_again(status: int, recoverable: bool) -> None:
    error = await refused(answer(status, b"because", Location="/elsewhere"))
    assert error.recoverable is recoverable
    assert f"answered {status}" in error.reason
    assert ("redirect" in error.reason) == (status < 400)


@pytest.mark.parametrize("status", [200, 201, 202, 204])
async def test_every_2xx_is_taken_for_delivered(status: int) -> None:
    async with receiving(answer(status, b"")) as server:
        await WebhookNotifier(server.url, FakeClock(START)).send(make_notification())


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("30", 30),
        ("-30", 0),
        ("99999999999", 3600),
        ("Fri, 15 Jan 2027 08:05:00 GMT", 300),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
        ("later", None),
    ],
)
@pytest.mark.parametrize("status", [429, 503])
async def test_retry_after_is_passed_on(status: int, header: str, seconds: float | None) -> None:
    assert (await refused(answer(status, Retry_After=header))).retry_after_seconds == seconds


def test_it_ends_by_itself_before_it_is_left_behind() -> None:
    """Else what was taken, but whose answer never ends, would be sent again."""
    assert inspect.signature(WebhookNotifier).parameters["timeout_seconds"].default < SEND_LIMIT_SECONDS


@pytest.mark.parametrize("behaviour", [receiver.hang, receiver.drip, receiver.close_early, receiver.garbage])
async def test_a_receiver_that_does_not_answer_is_tried_again(behaviour: Behaviour) -> None:
    assert (await refused(behaviour, limit=limit_for(behaviour))).recoverable


def test_any_alert_makes_a_body() -> None:
    odd: Notification = make_notification(
        alerts=(make_alert(fired_at=None, labels=Labels(a="\0\u2028"), value=float("nan")),)
    )
    assert body(odd, FakeClock(START), receiver="w")["alerts"][0]["labels"]["a"] == "\0\u2028"
