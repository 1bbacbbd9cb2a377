"""Telegram, against a Bot API on a real socket that is as strict."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.database.records import START, make_alert, make_notification, notifications
from tests.notify import receiver
from tests.notify.receiver import Behaviour, answer, limit_for
from tests.notify.telegram_server import CHAT, TOKEN, TelegramServer, read_html, refuses, says, telegram

from dozor.errors import ConfigurationError, DeliveryError
from dozor.model.alert import Severity
from dozor.model.labels import Labels
from dozor.model.notification import Notification, Occasion, SentMessage
from dozor.notify.message import compose
from dozor.notify.telegram import TelegramChannel, TelegramNotifier, render
from dozor.testing import FakeClock

pytestmark = pytest.mark.anyio


@pytest.fixture
async def server() -> AsyncIterator[TelegramServer]:
    async with telegram() as running:
        yield running


@pytest.fixture
async def notifier(server: TelegramServer) -> AsyncIterator[TelegramNotifier]:
    made = a_notifier(server)
    yield made
    await made.aclose()


def a_notifier(server: TelegramServer, chat: str = CHAT) -> TelegramNotifier:
    made = TelegramChannel(token=TOKEN, chat=chat, api_url=server.api_url).build("ops", FakeClock(START), "en")
    assert isinstance(made, TelegramNotifier)
    return made


def html(notification: Notification, locale: str = "en") -> str:
    return render(compose(notification, FakeClock(START).date, locale), notification.external_url)


# -- what is written -----------------------------------------------------------------------------------------------


def test_a_message_says_who_what_since_when_how_bad_what_to_do_and_what_was_seen() -> None:
    alert = make_alert(
        threshold="> 90",
        annotations={
            "summary": "Pool <main> is 95 % in use",
            "description": "Look for a leak first.",
            "runbook_url": "https://docs.example/pool?a=1&b=2",
        },
        evidence={"holders": [{"who": "GET /orders", "held_seconds": 41.0, "statement": "SELECT a < 1"}]},
    )
    said = html(make_notification(alerts=(alert,), environment="production", external_url="https://dozor.example"))
    read_html(said)
    for part in (
        "<b>[CRITICAL] shop (production): PoolUtilizationHigh firing</b>",
        "🔴 <b>PoolUtilizationHigh</b> (firing)\nPool &lt;main&gt; is 95 % in use\n",
        "\nWhere: pool=main\n",
        "\nValue: 95 (limit &gt; 90)\n",
        "\nWhat to do first: Look for a leak first.\n",
        "\nSeen when it fired:\n<pre>GET /orders has held a connection for 41 s",
        "SELECT a &lt; 1</pre>",
        f'<a href="https://dozor.example/alert/{alert.id}">Open in Dozor</a>',
        '<a href="https://docs.example/pool?a=1&amp;b=2">Runbook</a>',
    ):
        assert part in said


def test_a_storm_keeps_to_the_limit_and_counts_the_rest() -> None:
    alerts = tuple(
        make_alert(
            annotations={"summary": f"alert {number} <{'😀' * 400}", "description": "d" * 2000},
            labels=Labels(alertname="PoolUtilizationHigh", pool="p" * 900),
            evidence={"holders": [{"who": "w" * 300, "held_seconds": 1.0, "statement": "s" * 900}] * 5},
        )
        for number in range(15)
    )
    notification = make_notification(alerts=alerts, omitted=85, external_url="https://dozor.example")
    said = html(notification)
    found = read_html(said)
    assert all(f"alert {number} &lt;" in said for number in range(15))
    assert "… and 85 more alerts\n" in said
    assert found.links.count("https://dozor.example") == 1
    assert len([link for link in found.links if "/alert/" in link]) == 5


@given(notifications, st.sampled_from(["en", "ru"]))
def test_telegram_takes_whatever_an_alert_holds(notification: Notification, locale: str) -> None:
    found = read_html(html(notification, locale))
    assert found.entities <= 100
    assert all(link.startswith(("http://", "https://")) for link in found.links)


@given(st.lists(st.sampled_from(["<b>", "</pre>", "&amp", '"', "😀", "\x00"]) | st.text(), min_size=1, max_size=6))
def test_no_text_of_a_stranger_becomes_markup(hostile: list[str]) -> None:
    text = " ".join(hostile) * 3
    alert = make_alert(
        labels=Labels(alertname="R", path=text),
        rule=text,
        annotations={"summary": text, "description": text, "runbook_url": f"https://x/{text}"},
        evidence={"holders": [{"who": text, "held_seconds": 1.0, "statement": text}]},
    )
    found = read_html(html(make_notification(alerts=(alert,), service=text)))
    assert found.entities <= 4


# -- what is sent --------------------------------------------------------------------------------------------------


async def test_what_follows_answers_the_first_message(server: TelegramServer, notifier: TelegramNotifier) -> None:
    alert = make_alert()
    await notifier.prepare()
    [kept] = await notifier.correspond(make_notification(alerts=(alert,)), ())
    assert kept == SentMessage(f"{CHAT}:100", (alert,))
    worse = replace(alert, severity=Severity.EMERGENCY)
    [kept] = await notifier.correspond(make_notification(occasion=Occasion.ESCALATED, alerts=(worse,)), [kept])
    ended = replace(worse, resolved_at=START + 60)
    [kept] = await notifier.correspond(make_notification(occasion=Occasion.RESOLVED, alerts=(ended,)), [kept])
    assert kept == SentMessage(f"{CHAT}:100", (ended,))
    first, second, third = server.messages.values()
    assert "reply_parameters" not in first
    assert second["reply_parameters"] == third["reply_parameters"]
    assert third["reply_parameters"] == {"message_id": 100, "allow_sending_without_reply": True}
    assert [each["disable_notification"] for each in (first, second, third)] == [False, False, True]
    assert first["link_preview_options"] == {"is_disabled": True}


async def test_a_group_answers_the_message_of_its_worst_and_remembers_what_is_new(
    server: TelegramServer, notifier: TelegramNotifier
) -> None:
    one, two, three = make_alert(), make_alert(), make_alert()
    server.messages = {number: {} for number in range(8)}
    earlier = [SentMessage(f"{CHAT}:7", (one,)), SentMessage(f"{CHAT}:5", (two, make_alert()))]
    ended = replace(one, resolved_at=START + 1)
    kept = await notifier.correspond(make_notification(alerts=(two, three, ended)), earlier)
    assert [message.reference for message in kept] == [f"{CHAT}:7", f"{CHAT}:5", f"{CHAT}:108"]
    assert [message.alerts[0] for message in kept] == [ended, two, three]
    assert server.message(-1)["reply_parameters"]["message_id"] == 5


async def test_a_message_of_another_chat_is_not_answered(server: TelegramServer, notifier: TelegramNotifier) -> None:
    alert = make_alert()
    await notifier.correspond(make_notification(alerts=(alert,)), [SentMessage("@elsewhere:100", (alert,))])
    assert "reply_parameters" not in server.message()


async def test_a_group_that_became_a_supergroup_is_followed(
    server: TelegramServer, caplog: pytest.LogCaptureFixture
) -> None:
    old = a_notifier(server, chat="-4711")
    alert = make_alert()
    earlier = [SentMessage("-4711:100", (alert,))]
    server.faults.append(
        refuses(400, "Bad Request: group chat was upgraded to a supergroup chat", migrate_to_chat_id=int(CHAT))
    )
    await old.correspond(make_notification(alerts=(alert,)), earlier)
    await old.send(make_notification())
    await old.aclose()
    assert [message["chat_id"] for message in server.messages.values()] == [CHAT, CHAT]
    assert "reply_parameters" not in server.message(), "messages have other numbers there"
    assert f"became the supergroup {CHAT}" in caplog.text


async def test_a_message_whose_markup_is_refused_goes_as_plain_text(
    server: TelegramServer, notifier: TelegramNotifier, caplog: pytest.LogCaptureFixture
) -> None:
    server.faults.append(refuses(400, "Bad Request: can't parse entities: Unsupported start tag"))
    alerts = tuple(make_alert(annotations={"description": "😀" * 900}) for _ in range(9))
    await notifier.send(make_notification(alerts=alerts))
    assert "parse_mode" not in server.message()
    assert "Where: pool=main" in server.message()["text"]
    assert "it goes as plain text" in caplog.text


# -- what goes wrong -----------------------------------------------------------------------------------------------


async def failed(server: TelegramServer, behaviour: Behaviour | None, **channel: Any) -> DeliveryError:
    if behaviour is not None:
        server.faults.append(behaviour)
    notifier = a_notifier(server, **channel)
    notifier._http._timeout_seconds = limit_for(behaviour)
    with pytest.raises(DeliveryError) as caught:
        await notifier.send(make_notification())
    await notifier.aclose()
    assert "s3cr3t" not in f"{caught.value} {notifier!r}"
    return caught.value


@pytest.mark.parametrize(
    ("status", "description", "advice"),
    [
        (401, "Unauthorized", "@BotFather"),
        (404, "Not Found", "@BotFather"),
        (403, "Forbidden: bot was blocked by the user", "add the bot"),
        (403, "Forbidden: bot was kicked from the supergroup chat", "add the bot"),
        (400, "Bad Request: chat not found", "add the bot"),
        (400, f"Bad Request: something about {TOKEN}", "something about ***"),
    ],
)
async def test_what_telegram_refuses_for_good_says_what_to_do(
    server: TelegramServer, status: int, description: str, advice: str
) -> None:
    error = await failed(server, refuses(status, description))
    assert not error.recoverable
    assert advice in error.reason


async def test_a_chat_that_is_not_there_is_said(server: TelegramServer) -> None:
    assert "chat not found" in (await failed(server, None, chat="@nobody")).reason


@pytest.mark.parametrize(
    ("behaviour", "wait"),
    [
        (refuses(429, "Too Many Requests: retry after 14", retry_after=14), 14.0),
        (answer(429, b'{"ok":false,"description":"Too Many Requests"}', retry_after="9"), 9.0),
        (refuses(500, "Internal Server Error"), None),
        (answer(502, b"<html>Bad Gateway"), None),
        (answer(200, b"<html>log in to the guest network"), None),
        (answer(200, b"[]"), None),
        (receiver.close_in_body, None),
        (receiver.close_early, None),
        (receiver.garbage, None),
        (receiver.hang, None),
    ],
    ids=["429", "429 by header", "500", "502", "a portal", "a list", "half a body", "closed", "garbage", "hang"],
)
async def test_what_may_pass_is_to_be_tried_again(
    server: TelegramServer, behaviour: Behaviour, wait: float | None
) -> None:
    error = await failed(server, behaviour)
    assert (error.recoverable, error.retry_after_seconds) == (True, wait)


async def test_an_answer_without_a_number_is_an_arrival_that_is_not_remembered(
    server: TelegramServer, notifier: TelegramNotifier
) -> None:
    server.faults.append(says({"ok": True, "result": True}))
    assert list(await notifier.correspond(make_notification(), ())) == []


# -- settings ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "key"),
    [
        ({}, "token"),
        ({"token": "s3cr3t", "chat": CHAT}, "token"),
        ({"token": TOKEN}, "chat"),
        ({"token": TOKEN, "chat": "t.me/alerts"}, "chat"),
        ({"token": TOKEN, "chat": CHAT, "api_url": "telegram"}, "api_url"),
    ],
)
def test_a_mistake_is_named(fields: dict[str, Any], key: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        TelegramChannel(**fields)
    assert caught.value.key == key
    assert "s3cr3t" not in str(caught.value)


def test_the_token_is_never_shown() -> None:
    channel = TelegramChannel(token=TOKEN, chat="@alerts")
    notifier = channel.build("ops", FakeClock(START), "en")
    assert isinstance(notifier, TelegramNotifier)
    assert "s3cr3t" not in f"{channel!r} {notifier!r} {notifier.target}"
    assert notifier.target == "@alerts"
