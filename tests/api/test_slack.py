"""slack/actions: who may press, what a press does, and what whoever pressed is told."""

import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlencode

import anyio
import httpx2
import pytest
from fastapi import APIRouter, FastAPI
from fastapi.testclient import TestClient
from tests.api.fake_backend import AT, FakeBackend, an_alert
from tests.notify import receiver
from tests.notify.receiver import Behaviour, Receiver, answer, receiving
from tests.patience import PATIENCE_SECONDS, promised

from dozor.api import create_app, slack
from dozor.api.backend import Access
from dozor.api.problems import MonitoringRoute, Problem
from dozor.api.router import PREFIX
from dozor.api.slack import Signatures
from dozor.model.alert import AlertState
from dozor.notify.slack_blocks import ACKNOWLEDGE, SILENCE
from dozor.testing import FakeClock

SECRET = "s3cr3t-of-slack"
PATH = f"{PREFIX}/slack/actions"


def pressed(action: str = ACKNOWLEDGE, alert_id: str = "a1", **fields: Any) -> bytes:
    """What Slack sends for a button."""
    payload = {
        "type": "block_actions",
        "user": {"id": "U1", "username": "anna", "name": "anna.k", "team_id": "T1"},
        "actions": [{"type": "button", "action_id": action, "value": alert_id, "action_ts": f"{AT:.6f}"}],
        "response_url": "https://hooks.slack.com/actions/T1/1/s3cr3t",
        **fields,
    }
    return urlencode({"payload": json.dumps(payload)}).encode()


def signed(body: bytes, *, at: float = AT, secret: str = SECRET) -> dict[str, str]:
    digest = hmac.new(secret.encode(), b"v0:%d:%b" % (at, body), hashlib.sha256).hexdigest()
    return {
        "x-slack-request-timestamp": f"{at:.0f}",
        "x-slack-signature": f"v0={digest}",
        "content-type": "application/x-www-form-urlencoded",
    }


@pytest.fixture
def backend(clock: FakeClock) -> FakeBackend:
    made = FakeBackend(clock, Access(slack_signing_secret=SECRET))
    made.add(an_alert())
    return made


@pytest.fixture
def client(backend: FakeBackend) -> TestClient:
    return TestClient(with_buttons(backend), base_url="https://dozor.example")


def with_buttons(backend: FakeBackend, hooks: tuple[str, ...] = slack.HOOKS) -> FastAPI:
    """An application of this route alone."""
    router = APIRouter(prefix=PREFIX, route_class=MonitoringRoute)
    slack.add_routes(router, backend, hooks=hooks)
    app = FastAPI()
    app.router.routes += router.routes
    return app


def everything(backend: FakeBackend) -> TestClient:
    """All of Dozor, asked from elsewhere."""
    return TestClient(create_app(backend), base_url="https://dozor.example", client=("203.0.113.9", 4711))


def press(client: TestClient, body: bytes, **headers: str) -> int:
    return client.post(PATH, content=body, headers={**signed(body), **headers}).status_code


# -- what a press does ---------------------------------------------------------------------------------------------


def test_acknowledge_is_written_down_under_the_name_in_slack(client: TestClient, backend: FakeBackend) -> None:
    assert press(client, pressed()) == 200
    acknowledged = backend.alerts["a1"].acknowledged
    assert acknowledged is not None
    assert acknowledged.by == "slack:anna"


def test_silence_lasts_an_hour_from_the_press(client: TestClient, backend: FakeBackend) -> None:
    body = pressed(SILENCE)
    late = client.post(PATH, content=body, headers=signed(body, at=AT - 100))
    silenced = backend.alerts["a1"].silenced
    assert (late.status_code, late.content) == (200, b"")
    assert silenced is not None
    assert silenced.until == AT - 100 + 3600


def test_neither_key_nor_own_rule_nor_loopback_is_asked_for(backend: FakeBackend) -> None:
    backend.access = Access(api_key="key", slack_signing_secret=SECRET)
    client = everything(backend)
    assert client.get("/api/v1/monitoring/alerts/active").status_code == 401
    assert press(client, pressed()) == 200
    backend.access = Access(slack_signing_secret=SECRET)
    client = everything(backend)
    assert client.get("/api/v1/monitoring/alerts/active").status_code == 403
    assert press(client, pressed(SILENCE), **{"x-forwarded-for": "3.3.3.3"}) == 200


@pytest.mark.parametrize(
    ("user", "by"),
    [
        ({"id": "U1"}, "slack:U1"),
        ({"name": "boris\n[CRITICAL]"}, "slack:boris [CRITICAL]"),
        ({"username": "x" * 500}, "slack:" + "x" * 79 + "…"),
        ("U1", "slack:somebody"),
        (None, "slack:somebody"),
    ],
)
def test_the_name_is_made_fit_to_be_shown(client: TestClient, backend: FakeBackend, user: Any, by: str) -> None:
    assert press(client, pressed(user=user)) == 200
    acknowledged = backend.alerts["a1"].acknowledged
    assert acknowledged is not None
    assert acknowledged.by == by


def test_the_same_request_again_changes_nothing(client: TestClient, backend: FakeBackend) -> None:
    body = pressed()
    assert press(client, body) == 200
    taken_over = pressed(user={"username": "boris"})
    assert press(client, taken_over) == 200
    assert press(client, body) == 200
    acknowledged = backend.alerts["a1"].acknowledged
    assert acknowledged is not None
    assert acknowledged.by == "slack:boris"


def test_what_failed_for_want_of_the_store_may_come_again(client: TestClient, backend: FakeBackend) -> None:
    backend.running = False
    assert press(client, pressed()) == 503
    backend.running = True
    assert press(client, pressed()) == 200
    assert backend.alerts["a1"].state is AlertState.ACKNOWLEDGED


@pytest.mark.parametrize(
    "body",
    [
        pressed("somebody_elses"),
        pressed(type="view_submission"),
        pressed(actions=[]),
        pressed(actions=["x"]),
        pressed(actions=None),
        b"payload=%5B%5D",
    ],
)
def test_what_is_not_one_of_our_buttons_is_none_of_our_business(
    client: TestClient, backend: FakeBackend, body: bytes
) -> None:
    assert press(client, body) == 200
    assert backend.alerts["a1"].state is AlertState.FIRING


def test_an_alert_that_has_ended_or_is_not_known_is_no_error_of_slacks(
    client: TestClient, backend: FakeBackend
) -> None:
    backend.add(an_alert(id="ended", resolved_at=AT))
    assert press(client, pressed(alert_id="ended")) == 200
    assert press(client, pressed(alert_id="nobody's")) == 200


# -- who may press -------------------------------------------------------------------------------------------------


def test_without_a_signing_secret_there_are_no_buttons(backend: FakeBackend) -> None:
    backend.access = Access()
    body = pressed()
    refused = everything(backend).post(PATH, content=body, headers=signed(body))
    assert refused.status_code == 404
    assert "DOZOR_SLACK_SIGNING_SECRET" in refused.json()["detail"]


@pytest.mark.parametrize(
    "headers",
    [
        signed(pressed(), secret="another"),
        signed(pressed(SILENCE)),
        signed(pressed(), at=AT - 301),
        signed(pressed(), at=AT + 301),
        {**signed(pressed()), "x-slack-request-timestamp": f"{AT - 1:.0f}"},
        {**signed(pressed()), "x-slack-signature": "v0=ä".encode()},
        {"x-slack-signature": signed(pressed())["x-slack-signature"]},
        {},
    ],
    ids=["other secret", "other body", "old", "from the future", "other time", "no ASCII", "no time", "none"],
)
def test_what_slack_did_not_sign_just_now_is_refused(
    client: TestClient, backend: FakeBackend, headers: dict[str, Any]
) -> None:
    refused = client.post(PATH, content=pressed(), headers=headers)
    assert refused.status_code == 401
    assert SECRET not in refused.text
    assert backend.alerts["a1"].state is AlertState.FIRING


@pytest.mark.parametrize("timestamp", ["NaN", "-1", "1e9", "", "٣", "1" * 400])
def test_a_time_that_is_none_is_refused_even_if_it_is_signed(timestamp: str) -> None:
    digest = hmac.new(SECRET.encode(), b"v0:%b:" % timestamp.encode("latin-1", "replace"), hashlib.sha256).hexdigest()
    with pytest.raises(Problem) as caught:
        Signatures().check(SECRET, timestamp, f"v0={digest}", b"", AT)
    assert caught.value.status_code == 401


def test_the_signature_is_the_one_of_slacks_own_example() -> None:
    """From https://docs.slack.dev/authentication/verifying-requests-from-slack."""
    body = (
        b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V"
        b"&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text="
        b"&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN"
        b"&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
    )
    signature = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"
    Signatures().check("8f742231b10e8888abcd99yyyzzz85a5", "1531420618", signature, body, 1531420618.0)


@pytest.mark.parametrize("body", [b"", b"payload=", b"payload=%7B", b"x=1", b"\xff", b'{"type":"block_actions"}'])
def test_what_is_no_form_of_slacks_is_said_to_be_none(client: TestClient, body: bytes) -> None:
    assert press(client, body) == 422


def test_a_message_of_slacks_own_size_passes_and_a_larger_body_does_not(client: TestClient) -> None:
    assert press(client, pressed(message={"text": "ы" * 40_000})) == 200
    assert press(client, b"payload=" + b"x" * 600_000) == 413


def test_the_route_is_described(client: TestClient, backend: FakeBackend) -> None:
    backend.access = Access(api_key="key", slack_signing_secret=SECRET)
    described = everything(backend).get("/openapi.json", headers={"x-api-key": "key"}).json()["paths"][PATH]["post"]
    assert set(described["responses"]) >= {"200", "401", "404", "413", "422", "503"}
    assert "application/x-www-form-urlencoded" in described["requestBody"]["content"]


# -- what whoever pressed is told ----------------------------------------------------------------------------------


@pytest.fixture
async def hook() -> AsyncIterator[Receiver]:
    async with receiving(answer(200)) as running:
        yield running


async def told(backend: FakeBackend, hook: Receiver, body: bytes, *, hooks: tuple[str, ...] | None = None) -> int:
    app = with_buttons(backend, hooks or (hook.url,))
    began = time.monotonic()
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="https://dozor.example") as client:
        status = (await client.post(PATH, content=body, headers=signed(body))).status_code
    assert time.monotonic() - began < promised(3), "Slack waits no longer"
    return status


async def received(hook: Receiver) -> dict[str, Any]:
    with anyio.fail_after(PATIENCE_SECONDS):
        while not hook.requests:
            await anyio.sleep(0.005)
    [request] = hook.requests
    assert isinstance(request.json, dict)
    return request.json


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("action", "alert_id", "durable", "text"),
    [
        (ACKNOWLEDGE, "a1", True, "Acknowledged, for everyone."),
        (SILENCE, "a1", True, "Silenced for 1 h, for everyone."),
        (ACKNOWLEDGE, "a1", False, "Acknowledged, but Dozor's database does not answer: it is kept in memory so far."),
        (SILENCE, "ended", True, "Cannot silence alert ended: it is RESOLVED."),
        (ACKNOWLEDGE, "<!here>", True, "No alert has the id '&lt;!here&gt;'."),
    ],
)
async def test_who_pressed_is_told_what_came_of_it_and_nobody_else(
    backend: FakeBackend, hook: Receiver, action: str, alert_id: str, durable: bool, text: str
) -> None:
    backend.durable = durable
    backend.add(an_alert(id="ended", resolved_at=AT))
    assert await told(backend, hook, pressed(action, alert_id, response_url=hook.url)) == 200
    assert await received(hook) == {"response_type": "ephemeral", "replace_original": False, "text": text}


@pytest.mark.anyio
@pytest.mark.parametrize("behaviour", [answer(500), receiver.close_early], ids=["500", "closed"])
async def test_what_cannot_be_said_harms_nothing(backend: FakeBackend, behaviour: Behaviour) -> None:
    async with receiving(behaviour) as hook:
        assert await told(backend, hook, pressed(response_url=hook.url)) == 200
        await received(hook)
    assert backend.alerts["a1"].state is AlertState.ACKNOWLEDGED


@pytest.mark.anyio
async def test_nothing_is_sent_anywhere_but_to_slack(backend: FakeBackend, hook: Receiver) -> None:
    assert await told(backend, hook, pressed(response_url=hook.url), hooks=slack.HOOKS) == 200
    assert await told(backend, hook, pressed(SILENCE, response_url=None)) == 200
    await anyio.lowlevel.checkpoint()
    assert not slack._replies
    assert hook.requests == []
