"""Slack, against a Slack on a real socket that is as strict: webhook, app, and what goes wrong."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from msgspec.structs import replace
from tests.database.records import START, make_alert, make_notification
from tests.notify import receiver
from tests.notify.delivering import Deliver, add
from tests.notify.receiver import Behaviour, answer, limit_for, receiving
from tests.notify.slack_server import CHANNEL, TOKEN, SlackServer, buttons_of, slack, texts_of
from tests.patience import PATIENCE_SECONDS

from dozor.database import Database
from dozor.errors import ConfigurationError, DeliveryError
from dozor.model.alert import Acknowledgement, Alert, AlertSilence, Severity
from dozor.model.notification import Notification, Occasion, SentMessage
from dozor.notify.notifier import CorrespondingNotifier
from dozor.notify.slack import SlackAppNotifier, SlackChannel, SlackWebhookNotifier, standing
from dozor.notify.slack_api import IncomingWebhook, WebApi
from dozor.testing import FakeClock

pytestmark = pytest.mark.anyio

MINE = Acknowledgement(START + 5, "anna", "mine")


class Conversation:
    """A notifier, and what delivery remembers for it."""

    def __init__(self, server: SlackServer, **channel: Any) -> None:
        settings = {"token": TOKEN, "channel": "#alerts", "api_url": server.api_url, "signing_secret": "s3cr3t"}
        notifier = SlackChannel(**{**settings, **channel}).build("ops", FakeClock(START), "en")
        assert isinstance(notifier, SlackAppNotifier)
        self.notifier, self.kept = notifier, list[SentMessage]()

    async def tell(self, occasion: Occasion, *alerts: Alert, **given: Any) -> None:
        await self.attempt(make_notification(occasion=occasion, alerts=alerts, **given))

    async def attempt(self, notification: Notification) -> None:
        ids = {alert.id for alert in notification.alerts}
        earlier = [message for message in self.kept if ids & {alert.id for alert in message.alerts}]
        self.keep(await self.notifier.correspond(notification, earlier))

    def keep(self, messages: Sequence[SentMessage]) -> None:
        replaced = {alert.id for message in messages for alert in message.alerts}
        rest = (replace(m, alerts=tuple(a for a in m.alerts if a.id not in replaced)) for m in self.kept)
        self.kept = [*(message for message in rest if message.alerts), *messages]


@pytest.fixture
async def server() -> AsyncIterator[SlackServer]:
    async with slack() as running:
        yield running


@pytest.fixture
async def ops(server: SlackServer) -> AsyncIterator[Conversation]:
    conversation = Conversation(server)
    yield conversation
    await conversation.notifier.aclose()


# -- the webhook ---------------------------------------------------------------------------------------------------


async def test_a_webhook_gets_a_message_in_blocks_and_a_text_for_where_there_are_none(server: SlackServer) -> None:
    channel = SlackChannel(webhook_url=server.webhook_url)
    notifier = channel.build("ops", FakeClock(START), "en")
    assert isinstance(notifier, SlackWebhookNotifier)
    assert not isinstance(notifier, CorrespondingNotifier)
    await notifier.prepare()
    await notifier.send(make_notification())
    await notifier.aclose()
    [message] = server.posted
    assert message["text"] == "[CRITICAL] shop: PoolUtilizationHigh firing: Pool main is 95 % in use"
    assert "*Where*\npool=main" in texts_of(message["blocks"])
    assert buttons_of(message) == []
    assert "s3cr3t" not in f"{notifier!r} {notifier.target} {channel!r}"


async def posted_to(behaviour: Behaviour, limit: float = PATIENCE_SECONDS) -> DeliveryError:
    async with receiving(behaviour) as at:
        channel = SlackChannel(webhook_url=at.url)
        notifier = channel.build("ops", FakeClock(START), "en")
        assert isinstance(notifier, SlackWebhookNotifier)
        notifier._webhook = IncomingWebhook("ops", at.url, FakeClock(START), timeout_seconds=limit)
        with pytest.raises(DeliveryError) as caught:
            await notifier.send(make_notification())
        await notifier.aclose()
    assert "s3cr3t" not in str(caught.value)
    return caught.value


@pytest.mark.parametrize(
    ("status", "said", "word"),
    [
        (403, b"action_prohibited", "administrators"),
        (403, b"invalid_token", "make a new one"),
        (404, b"no_service", "make a new one"),
        (404, b"channel_not_found", "check the channel"),
        (410, b"channel_is_archived", "choose another"),
        (404, b"<html>nginx</html>", "answered 404"),
        (302, b"", "redirect"),
    ],
)
async def test_what_a_webhook_refuses_for_good_says_what_to_do(status: int, said: bytes, word: str) -> None:
    error = await posted_to(answer(status, said))
    assert not error.recoverable
    assert word in error.reason


@pytest.mark.parametrize(
    "behaviour",
    [
        answer(500, b"rollup_error"),
        answer(200, b"<html>log in to the guest network"),
        receiver.close_early,
        receiver.garbage,
        receiver.hang,
    ],
    ids=["500", "a portal", "closed", "garbage", "hang"],
)
async def test_what_may_pass_is_to_be_tried_again(behaviour: Behaviour) -> None:
    assert (await posted_to(behaviour, limit=limit_for(behaviour))).recoverable


async def test_a_webhook_that_is_called_too_often_says_for_how_long_to_wait() -> None:
    error = await posted_to(answer(429, b"rate_limited", retry_after="37"))
    assert (error.recoverable, error.retry_after_seconds) == (True, 37.0)


async def test_a_webhook_that_takes_no_blocks_gets_plain_text(
    server: SlackServer, caplog: pytest.LogCaptureFixture
) -> None:
    server.faults.append(answer(400, b"invalid_blocks"))
    notifier = SlackChannel(webhook_url=server.webhook_url).build("ops", FakeClock(START), "en")
    await notifier.send(make_notification())
    [message] = server.posted
    assert "blocks" not in message
    assert "Where: pool=main" in message["text"]
    assert "it goes as plain text" in caplog.text


# -- the app: one message for an alert -----------------------------------------------------------------------------


async def test_a_message_can_be_told_apart_from_its_repetition(server: SlackServer, ops: Conversation) -> None:
    await ops.tell(Occasion.FIRING, make_alert(), id="msg-7")
    assert server.message()["metadata"] == {"event_type": "dozor_notification", "event_payload": {"id": "msg-7"}}
    assert server.message()["unfurl_links"] is False


@pytest.mark.parametrize(
    ("occasion", "fields", "word"),
    [
        (Occasion.ACKNOWLEDGED, {"acknowledged": MINE}, "acknowledged"),
        (Occasion.SILENCED, {"silenced": AlertSilence(START, None, "anna")}, "silenced"),
        (Occasion.RESOLVED, {"resolved_at": START + 60}, "RESOLVED"),
    ],
)
async def test_news_that_call_nobody_change_the_message_in_place(
    server: SlackServer, ops: Conversation, occasion: Occasion, fields: dict[str, Any], word: str
) -> None:
    alert = make_alert()
    await ops.tell(Occasion.FIRING, alert)
    assert len(buttons_of(server.message())) == 2
    await ops.tell(occasion, replace(alert, **fields))
    assert server.calls == ["chat.postMessage", "chat.update"]
    assert word in server.message()["text"]
    assert len(buttons_of(server.message())) == (1 if occasion is Occasion.ACKNOWLEDGED else 0)
    assert server.message()["metadata"]["event_payload"]["id"], "what it was posted for stays with it"


@pytest.mark.parametrize("occasion", [Occasion.ESCALATED, Occasion.REMINDER, Occasion.FIRING])
async def test_news_that_call_for_people_are_also_said_below_it_for_the_whole_channel(
    server: SlackServer, ops: Conversation, occasion: Occasion
) -> None:
    alert = make_alert()
    await ops.tell(Occasion.FIRING, alert)
    await ops.tell(occasion, replace(alert, severity=Severity.EMERGENCY, value=99.0))
    first, below = server.message(0), server.message(1)
    assert "[EMERGENCY]" in first["text"]
    assert (below["thread_ts"], below["reply_broadcast"]) == ("1800000000.000000", True)
    assert "[EMERGENCY]" in below["text"]
    await ops.tell(Occasion.RESOLVED, replace(alert, resolved_at=START + 60))
    assert "RESOLVED" in server.message(0)["text"]
    assert len(server.messages) == 2


async def test_a_message_shows_all_its_alerts_whichever_changes(server: SlackServer, ops: Conversation) -> None:
    one, two = make_alert(), make_alert()
    await ops.tell(Occasion.FIRING, one, two, omitted=3)
    await ops.tell(Occasion.RESOLVED, replace(one, resolved_at=START + 60))
    said = "\n".join(texts_of(server.message()["blocks"]))
    assert "PoolUtilizationHigh firing, 5 alerts" in said
    assert said.count("(firing)") == said.count("(resolved)") == 1
    await ops.tell(Occasion.ACKNOWLEDGED, replace(two, acknowledged=MINE))
    assert "PoolUtilizationHigh acknowledged, 5 alerts" in server.message()["text"]
    await ops.tell(Occasion.RESOLVED, replace(two, resolved_at=START + 90))
    assert server.message()["text"].startswith("[RESOLVED]")
    assert len(server.messages) == 1


async def test_a_new_alert_of_the_group_has_a_message_of_its_own(server: SlackServer, ops: Conversation) -> None:
    one, two = make_alert(), make_alert()
    await ops.tell(Occasion.FIRING, one)
    await ops.tell(Occasion.FIRING, replace(one, resolved_at=START + 60), two)
    assert [("thread_ts" in message) for message in server.posted] == [False, False]
    assert server.message(0)["text"].startswith("[RESOLVED]")
    assert buttons_of(server.message(1))[0][1] == two.id


async def test_an_update_about_what_was_never_shown_is_not_posted_but_an_end_is(
    server: SlackServer, ops: Conversation
) -> None:
    await ops.tell(Occasion.ACKNOWLEDGED, make_alert(acknowledged=MINE))
    assert (server.calls, ops.kept) == ([], [])
    await ops.tell(Occasion.RESOLVED, make_alert(resolved_at=START + 60))
    assert server.message()["text"].startswith("[RESOLVED]")


async def test_what_has_not_changed_is_not_written_again(server: SlackServer, ops: Conversation) -> None:
    alert = make_alert()
    await ops.tell(Occasion.FIRING, alert)
    await ops.tell(Occasion.ACKNOWLEDGED, alert)
    assert server.calls == ["chat.postMessage"]


# -- the app: what goes wrong --------------------------------------------------------------------------------------


async def test_a_message_that_somebody_deleted_is_posted_anew_where_people_must_hear(
    server: SlackServer, ops: Conversation
) -> None:
    alert = make_alert()
    await ops.tell(Occasion.FIRING, alert)
    server.messages.clear()
    await ops.tell(Occasion.ACKNOWLEDGED, replace(alert, acknowledged=MINE))
    assert not server.messages
    await ops.tell(Occasion.ESCALATED, replace(alert, severity=Severity.EMERGENCY))
    assert ["thread_ts" in message for message in server.posted] == [False, False]
    assert ops.kept[-1].alerts[0].severity is Severity.EMERGENCY


async def test_what_cannot_be_changed_keeps_nobody_from_being_told_and_nothing_is_said_twice(
    server: SlackServer, ops: Conversation
) -> None:
    alert = make_alert()
    await ops.tell(Occasion.FIRING, alert)
    worse = make_notification(
        occasion=Occasion.ESCALATED, alerts=(replace(alert, severity=Severity.EMERGENCY), make_alert())
    )
    server.faults += ["internal_error"]
    with pytest.raises(DeliveryError) as caught:
        await ops.attempt(worse)
    assert caught.value.recoverable
    told = len(server.messages)
    assert told == 3, "the first, the one with the new alert, and the answer"
    await ops.attempt(worse)
    assert len(server.messages) == told
    assert "[EMERGENCY]" in server.message(0)["text"]
    assert {alert.id for message in ops.kept for alert in message.alerts} == {alert.id for alert in worse.alerts}


async def test_an_attempt_that_is_cut_short_is_gone_on_with(server: SlackServer, ops: Conversation) -> None:
    alert = make_alert()
    await ops.tell(Occasion.FIRING, alert)
    worse = make_notification(
        occasion=Occasion.ESCALATED, alerts=(replace(alert, severity=Severity.EMERGENCY), make_alert())
    )
    server.faults += [None, None, receiver.hang]
    attempt = asyncio.create_task(ops.attempt(worse))
    async with asyncio.timeout(PATIENCE_SECONDS):
        while server.faults:  # until the last has been met: it hangs
            await asyncio.sleep(0.005)
    attempt.cancel()
    with pytest.raises(asyncio.CancelledError):
        await attempt
    await ops.attempt(worse)
    assert len(server.messages) == 3


@pytest.mark.parametrize(
    ("word", "recoverable", "advice"),
    [
        ("invalid_auth", False, "bot token"),
        ("account_inactive", False, "bot token"),
        ("missing_scope", False, "chat:write"),
        ("channel_not_found", False, "/invite"),
        ("not_in_channel", False, "/invite"),
        ("is_archived", False, "choose another"),
        ("restricted_action", False, "administrators"),
        ("internal_error", True, "internal_error"),
        ("fatal_error", True, "fatal_error"),
        ("ratelimited", True, "ratelimited"),
        ("something_new", True, "something_new"),
        ("<b>not a word</b> " + TOKEN, True, "did not name"),
    ],
)
async def test_what_slack_refuses_says_what_to_do(
    server: SlackServer, ops: Conversation, word: str, recoverable: bool, advice: str
) -> None:
    server.faults.append(word)
    with pytest.raises(DeliveryError) as caught:
        await ops.tell(Occasion.FIRING, make_alert())
    assert (caught.value.recoverable, TOKEN in str(caught.value)) == (recoverable, False)
    assert advice in caught.value.reason


@pytest.mark.parametrize(
    ("behaviour", "wait"),
    [
        (answer(429, b'{"ok":false,"error":"ratelimited"}', retry_after="12"), 12.0),
        (answer(503, b"", retry_after="5"), 5.0),
        (answer(200, b"<html>log in to the guest network"), None),
        (answer(200, b'["ok"]'), None),
        (answer(200, f"{{{TOKEN}".encode()), None),
        (receiver.close_in_body, None),
        (receiver.close_early, None),
    ],
    ids=["429", "503", "a portal", "a list", "an echo of the token", "half a body", "closed"],
)
async def test_no_answer_of_slacks_is_tried_again(
    server: SlackServer, ops: Conversation, behaviour: Behaviour, wait: float | None
) -> None:
    server.faults.append(behaviour)
    with pytest.raises(DeliveryError) as caught:
        await ops.tell(Occasion.FIRING, make_alert())
    assert (caught.value.recoverable, caught.value.retry_after_seconds) == (True, wait)
    assert "s3cr3t" not in str(caught.value)


async def test_an_app_that_hangs_is_left_after_the_limit(server: SlackServer) -> None:
    api = WebApi("ops", TOKEN, server.api_url, FakeClock(START), timeout_seconds=0.2)
    server.faults.append(receiver.hang)
    with pytest.raises(DeliveryError, match=r"no answer within 0\.2 s"):
        await api.call("chat.postMessage", {})
    await api.aclose()


@pytest.mark.parametrize("word", ["invalid_blocks", "msg_blocks_too_long"])
async def test_an_app_whose_blocks_are_refused_posts_and_updates_plain_text(
    server: SlackServer, ops: Conversation, word: str
) -> None:
    alert = make_alert()
    server.faults.append(word)
    await ops.tell(Occasion.FIRING, alert)
    assert "blocks" not in server.message()
    server.faults.append(word)
    await ops.tell(Occasion.RESOLVED, replace(alert, resolved_at=START + 60))
    assert "Resolved: 2027-01-15" in server.message()["text"]


async def test_an_answer_that_is_too_long_to_read_still_says_where_the_message_is(
    server: SlackServer, ops: Conversation
) -> None:
    alert = make_alert()
    body = f'{{"ok":true,"channel":"{CHANNEL}","ts":"1800000000.000000","message":"{"x" * 70_000}"}}'
    server.faults.append(answer(200, body.encode()))
    await ops.tell(Occasion.FIRING, alert)
    assert [message.reference for message in ops.kept] == [f"{CHANNEL}:1800000000.000000:0"]


async def test_the_longest_message_in_russian_is_remembered_too(server: SlackServer) -> None:
    notifier = SlackChannel(token=TOKEN, channel="#alerts", api_url=server.api_url).build("ops", FakeClock(START), "ru")
    assert isinstance(notifier, SlackAppNotifier)
    alerts = tuple(make_alert(annotations={"summary": "ы" * 999, "description": "щ" * 999}) for _ in range(40))
    [message] = await notifier.correspond(make_notification(alerts=alerts), ())
    await notifier.aclose()
    assert (len(message.alerts), message.reference) == (40, f"{CHANNEL}:1800000000.000000:0")


async def test_an_alerts_whole_life_by_the_outbox_is_one_message_and_one_answer(
    server: SlackServer, ops: Conversation, store: Database, deliver: Deliver, clock: FakeClock
) -> None:
    delivery = deliver(ops=ops.notifier)
    alert = make_alert()
    worse = replace(alert, severity=Severity.EMERGENCY)
    life = (
        (Occasion.FIRING, alert),
        (Occasion.ESCALATED, worse),
        (Occasion.ACKNOWLEDGED, replace(worse, acknowledged=MINE)),
        (Occasion.RESOLVED, replace(worse, acknowledged=MINE, resolved_at=START + 90)),
    )
    server.faults += [None, "internal_error"]
    for occasion, then in life:
        add(store, delivery, make_notification(occasion=occasion, alerts=(then,)))
        await delivery.step()
        clock.advance(60)
        await delivery.step()
    assert store.outbox_depth() == 0
    assert ["thread_ts" in message for message in server.posted] == [False, True]
    assert server.message(0)["text"].startswith("[RESOLVED]")


async def test_send_posts_a_message(server: SlackServer, ops: Conversation) -> None:
    await ops.notifier.prepare()
    await ops.notifier.send(make_notification())
    assert len(server.messages) == 1


# -- settings ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "key", "word"),
    [
        ({}, "token", "webhook_url instead"),
        ({"channel": "#alerts"}, "token", "a channel alone is not enough"),
        ({"token": TOKEN}, "channel", "where the app is to post"),
        ({"token": TOKEN, "webhook_url": "https://hooks.slack.com/services/x"}, "webhook_url", "not both"),
        ({"webhook_url": "hooks.slack.com"}, "webhook_url", "http"),
        ({"token": "xoxb-s3cr3t\n", "channel": "#alerts"}, "token", "no token"),
        ({"token": TOKEN, "channel": "#alerts", "api_url": "slack"}, "api_url", "http"),
    ],
)
def test_half_a_channel_says_what_is_missing(fields: dict[str, Any], key: str, word: str) -> None:
    with pytest.raises(ConfigurationError, match=word) as caught:
        SlackChannel(**fields)
    assert caught.value.key == key
    assert "s3cr3t" not in str(caught.value)


def test_secrets_are_never_shown() -> None:
    channel = SlackChannel(token=TOKEN, channel="#alerts", signing_secret="s3cr3t-too")
    notifier = channel.build("ops", FakeClock(START), "en")
    assert isinstance(notifier, SlackAppNotifier)
    assert "s3cr3t" not in f"{channel!r} {notifier!r} {notifier.target}"
    assert notifier.follows_updates


FIRES, DONE = make_alert(), make_alert(resolved_at=START)
TAKEN, QUIET = make_alert(acknowledged=MINE), make_alert(silenced_by=("s",))


@pytest.mark.parametrize(
    ("alerts", "occasion"),
    [
        ((DONE,), Occasion.RESOLVED),
        ((DONE, FIRES), Occasion.FIRING),
        ((TAKEN, FIRES), Occasion.FIRING),
        ((TAKEN, DONE), Occasion.ACKNOWLEDGED),
        ((TAKEN, QUIET), Occasion.ACKNOWLEDGED),
        ((QUIET, DONE), Occasion.SILENCED),
    ],
)
def test_how_a_group_stands(alerts: tuple[Alert, ...], occasion: Occasion) -> None:
    assert standing(alerts) is occasion
