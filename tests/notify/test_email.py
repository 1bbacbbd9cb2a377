"""Mail, against a real server and against hostile ones."""

import asyncio
import logging
import ssl
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import trustme
from tests.database.records import START, make_alert, make_notification
from tests.notify.mail_server import PASSWORD, USER, mail_server, scripted_server
from tests.patience import promised

from dozor.errors import ConfigurationError, DeliveryError
from dozor.notify.email import EmailChannel, EmailNotifier
from dozor.testing import FakeClock

pytestmark = pytest.mark.anyio

CREDENTIALS = f"{USER}:{quote(PASSWORD, safe='')}@"
LIMIT = 0.3


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def tls(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


@pytest.fixture(scope="module")
def ca_file(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("ca") / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return path


def notifier(url: str, *to: str, locale: str = "en", **given: Any) -> EmailNotifier:
    given = {"timeout_seconds": 5.0, "sender": "Dozor <dozor@shop.example>", **given}
    channel = EmailChannel(smtp_url=url, to=to or ("ops@example.com",), **given)
    return channel.build("mail", FakeClock(START), locale)


async def failure(sender: EmailNotifier) -> DeliveryError:
    with pytest.raises(DeliveryError) as raised:
        await sender.send(make_notification())
    return raised.value


# What arrives


async def test_a_mail_arrives_in_text_and_html_with_all_that_makes_a_thread() -> None:
    alerts = (make_alert(id="a1", annotations={"summary": "Pool <main> & more"}), make_alert(id="a2"))
    notification = make_notification(id="n-1", alerts=alerts, environment="prod", external_url="https://d.example")
    async with mail_server() as box:
        await notifier(f"smtp://127.0.0.1:{box.port}", "ops@example.com", "Dev <dev@example.com>").send(notification)
    ((recipients, mail),) = box.mails
    assert recipients == ["ops@example.com", "dev@example.com"]
    assert mail["Subject"] == "[CRITICAL] shop (prod): PoolUtilizationHigh firing, 2 alerts"
    assert mail["From"] == "Dozor <dozor@shop.example>"
    assert mail["To"] == "ops@example.com, Dev <dev@example.com>"
    assert mail["Date"] == "Fri, 15 Jan 2027 08:00:00 +0000"
    assert mail["Message-ID"] == "<n-1@shop.example>"
    assert mail["References"] == "<alert.a1@shop.example> <alert.a2@shop.example>"
    assert mail["In-Reply-To"] == "<alert.a1@shop.example>"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["X-Dozor-Notification-Id"] == "n-1"
    assert mail.get_content_type() == "multipart/alternative"
    plain, page = mail.iter_parts()
    assert "Pool <main> & more" in plain.get_content()
    assert "Pool &lt;main&gt; &amp; more" in page.get_content()
    assert '<a href="https://d.example/alert/a1">' in page.get_content()


async def test_in_russian() -> None:
    async with mail_server() as box:
        await notifier(f"smtp://127.0.0.1:{box.port}", locale="ru").send(make_notification())
    mail = box.mails[0][1]
    assert mail["Subject"] == "[КРИТИЧНО] shop: PoolUtilizationHigh: сработало"
    assert "Началось: " in mail.get_body(("plain",)).get_content()  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "text", ["x\r\nBcc: evil@example.com", "x\n.\r\nMAIL FROM:<e@x>", "\u202e\x00\ud800", "я" * 3000]
)
async def test_nothing_that_a_stranger_named_becomes_a_header_or_a_command(text: str) -> None:
    alert = make_alert(id=text, rule=text, annotations={"summary": text, "description": text, "runbook_url": text})
    notification = make_notification(id=text, group=text, service=text, environment=text, alerts=(alert,))
    async with mail_server() as box:
        await notifier(f"smtp://127.0.0.1:{box.port}").send(notification)
    ((recipients, mail),) = box.mails
    assert recipients == ["ops@example.com"]
    assert mail["Bcc"] is None
    assert not mail.defects
    assert all(len(str(mail[name]).splitlines()) == 1 for name in ("Subject", "Message-ID", "References"))


# TLS and who it is


async def test_starttls_and_a_password(tls: ssl.SSLContext, ca_file: Path) -> None:
    async with mail_server(starttls=tls, login=True) as box:
        sender = notifier(f"smtp://{CREDENTIALS}127.0.0.1:{box.port}", ca_file=ca_file)
        await sender.prepare()
        await sender.send(make_notification())
    assert (box.logins, box.encrypted) == (["good"], [True])
    assert PASSWORD not in repr(sender)
    assert sender.target == f"ops@example.com by 127.0.0.1:{box.port}"


async def test_tls_from_the_beginning(tls: ssl.SSLContext, ca_file: Path) -> None:
    async with mail_server(tls=tls) as box:
        await notifier(f"smtps://127.0.0.1:{box.port}", ca_file=ca_file).send(make_notification())
    assert len(box.mails) == 1


async def test_starttls_is_used_where_it_is_offered_and_not_required(tls: ssl.SSLContext, ca_file: Path) -> None:
    async with mail_server(starttls=tls) as box:
        await notifier(f"smtp://127.0.0.1:{box.port}", ca_file=ca_file).send(make_notification())
    assert box.encrypted == [True]


@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
async def test_a_certificate_that_nobody_trusts_is_refused(scheme: str, tls: ssl.SSLContext) -> None:
    given = {"starttls": tls, "login": True} if scheme == "smtp" else {"tls": tls}
    async with mail_server(**given) as box:
        failed = await failure(notifier(f"{scheme}://{CREDENTIALS}127.0.0.1:{box.port}"))
    assert "certificate" in failed.reason
    assert "ca_file" in failed.reason
    assert failed.recoverable
    assert (box.mails, box.logins) == ([], [])


async def test_a_certificate_for_another_host_is_refused(authority: trustme.CA, ca_file: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("mail.example").configure_cert(context)
    async with mail_server(starttls=context) as box:
        assert "certificate" in (await failure(notifier(f"smtp://127.0.0.1:{box.port}", ca_file=ca_file))).reason
    assert box.mails == []


async def test_a_wrong_password_is_hopeless_and_not_repeated(tls: ssl.SSLContext, ca_file: Path) -> None:
    async with mail_server(starttls=tls, login=True) as box:
        failed = await failure(notifier(f"smtp://{USER}:wr0ng@127.0.0.1:{box.port}", ca_file=ca_file))
    assert "refused the user name or password: 535" in failed.reason
    assert "wr0ng" not in failed.reason
    assert not failed.recoverable


async def test_where_starttls_has_been_dropped_nothing_is_said() -> None:
    async with scripted_server(answers={"EHLO": b"250-mail\r\n250 AUTH PLAIN LOGIN\r\n"}) as server:
        failed = await failure(notifier(f"smtp://{CREDENTIALS}127.0.0.1:{server.port}"))
    assert "offers no STARTTLS" in failed.reason
    assert [command.split()[0] for command in server.heard] == ["EHLO"]


async def test_where_starttls_is_refused_nothing_is_said() -> None:
    answers = {"EHLO": b"250-mail\r\n250-STARTTLS\r\n250 AUTH PLAIN\r\n", "STARTTLS": b"502 not today\r\n"}
    async with scripted_server(answers=answers) as server:
        failed = await failure(notifier(f"smtp://{CREDENTIALS}127.0.0.1:{server.port}"))
    assert "502 not today" in failed.reason
    assert failed.recoverable
    assert [command.split()[0] for command in server.heard[:2]] == ["EHLO", "STARTTLS"]
    assert not any("AUTH" in command for command in server.heard)


async def test_a_server_that_repeats_the_password_does_not_get_it_into_the_error() -> None:
    answers = {"EHLO": b"250-mail\r\n250 AUTH PLAIN\r\n"}
    async with scripted_server(answers=answers) as server:
        sender = notifier(f"smtp://{CREDENTIALS}127.0.0.1:{server.port}", starttls="never")
        server.answers["AUTH"] = f"535 {PASSWORD} AGRvem9yAHMzY3IzdC9wP3Nz\r\n".encode()
        failed = await failure(sender)
    assert "535 *** ***" in failed.reason
    assert server.heard[1] == "AUTH PLAIN AGRvem9yAHMzY3IzdC9wP3Nz"


# Refusals


async def test_a_recipient_refused_for_good_does_not_keep_the_mail_from_the_others(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with mail_server(recipients={"gone@example.com": "550 no such user"}) as box:
        await notifier(f"smtp://127.0.0.1:{box.port}", "gone@example.com", "ops@example.com").send(make_notification())
    assert box.mails[0][0] == ["ops@example.com"]
    (record,) = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert "gone@example.com: 550 no such user; the others have the mail" in record.getMessage()


async def test_one_who_is_put_off_gets_it_later_and_the_others_once() -> None:
    notification = make_notification()
    answers = {"grey@example.com": "451 later", "gone@example.com": "550 no such user"}
    async with mail_server(recipients=answers) as box:
        sender = notifier(f"smtp://127.0.0.1:{box.port}", "ops@example.com", "gone@example.com", "grey@example.com")
        with pytest.raises(DeliveryError, match="451 later") as raised:
            await sender.send(notification)
        assert raised.value.recoverable
        box.recipients.clear()
        await sender.send(notification)
        await sender.send(make_notification())
    assert [recipients for recipients, _ in box.mails[:2]] == [["ops@example.com"], ["grey@example.com"]]
    assert len({mail["Message-ID"] for _, mail in box.mails[:2]}) == 1
    assert len(box.mails[2][0]) == 3


async def test_who_was_put_off_and_is_then_refused_leaves_nobody_with_the_mail() -> None:
    notification = make_notification()
    async with mail_server(recipients={"a@example.com": "550 no", "b@example.com": "450 later"}) as box:
        sender = notifier(f"smtp://127.0.0.1:{box.port}", "a@example.com", "b@example.com")
        with pytest.raises(DeliveryError) as raised:
            await sender.send(notification)
        assert raised.value.recoverable
        box.recipients["b@example.com"] = "551 gone"
        with pytest.raises(DeliveryError) as raised:
            await sender.send(notification)
    assert not raised.value.recoverable
    assert box.mails == []


@pytest.mark.parametrize(
    ("answers", "words", "recoverable"),
    [
        ({"RCPT": b"550 nobody here\r\n"}, "ops@example.com: 550 nobody here", False),
        ({"RCPT": b"451 greylisted\r\n"}, "ops@example.com: 451 greylisted", True),
        ({"MAIL": b"553 not yours\r\n"}, "refused the sender: 553 not yours", False),
        ({"MAIL": b"452 disk full\r\n"}, "refused the sender: 452 disk full", True),
        ({"DATA": b"554 no\r\n"}, "refused the mail: 554 no", False),
        ({"MESSAGE": b"552 too big\r\n"}, "refused the mail: 552 too big", False),
        ({"MESSAGE": b"421 going down\r\n"}, "refused the mail: 421 going down", True),
        ({"EHLO": b"421 too busy\r\n"}, "answered 421 too busy", True),
        ({"MAIL": b"hello\r\n"}, "Malformed SMTP response", True),
        ({"RCPT": b"250" + b"x" * 100_000 + b"\r\n"}, "too long", True),
    ],
)
async def test_what_a_refusal_means(answers: dict[str, bytes], words: str, recoverable: bool) -> None:
    async with scripted_server(answers=answers) as server:
        failed = await failure(notifier(f"smtp://127.0.0.1:{server.port}"))
    assert words in failed.reason
    assert failed.recoverable is recoverable
    assert len(failed.reason) < 400


# Hostile servers


@pytest.mark.parametrize(
    "script",
    [
        {"greeting": b""},
        {"greeting": b"220-wait\r\n"},
        {"drips": True},
        {"hangs_after": "EHLO"},
        {"hangs_after": "RCPT"},
        {"hangs_after": "DATA"},
        {"hangs_after": "MESSAGE"},
        {"answers": {"EHLO": b"250-mail\r\n250 STARTTLS\r\n", "STARTTLS": b"220 go\r\n"}},
    ],
    ids=str,
)
async def test_a_tarpit_holds_nobody_longer_than_the_limit(script: dict[str, Any]) -> None:
    async with scripted_server(**script) as server:
        sender = notifier(f"smtp://127.0.0.1:{server.port}", timeout_seconds=LIMIT)
        await sender.prepare()
        started = time.monotonic()
        failed = await failure(sender)
        took = time.monotonic() - started
    assert f"did not take the mail within {LIMIT} s" in failed.reason
    assert failed.recoverable
    assert took < promised(1.2 * LIMIT + 0.3)


@pytest.mark.parametrize("verb", ["EHLO", "MAIL", "DATA"])
async def test_a_server_that_hangs_up_is_tried_again(verb: str) -> None:
    async with scripted_server(closes_after=verb) as server:
        assert (await failure(notifier(f"smtp://127.0.0.1:{server.port}"))).recoverable


async def test_a_server_that_is_no_mail_server() -> None:
    async with scripted_server(greeting=b"HTTP/1.1 400 Bad Request\r\n\r\n") as server:
        failed = await failure(notifier(f"smtp://127.0.0.1:{server.port}"))
    assert "Malformed SMTP response line: HTTP/1.1 400" in failed.reason


async def test_nobody_listens() -> None:
    async with scripted_server() as server:
        port = server.port
    failed = await failure(notifier(f"smtp://127.0.0.1:{port}"))
    assert f"127.0.0.1:{port}: " in failed.reason
    assert failed.recoverable


async def test_a_mail_that_is_taken_is_not_sent_again_for_a_goodbye_without_answer() -> None:
    async with scripted_server(hangs_after="QUIT") as server:
        await notifier(f"smtp://127.0.0.1:{server.port}").send(make_notification())
    assert server.heard[-1] == "QUIT"


async def test_no_task_is_left_behind() -> None:
    before = asyncio.all_tasks()
    async with scripted_server(hangs_after="MAIL") as server:
        await failure(notifier(f"smtp://127.0.0.1:{server.port}", timeout_seconds=0.1))
    assert {task for task in asyncio.all_tasks() - before if not task.done()} == set()


# Settings


@pytest.mark.parametrize(
    ("given", "key", "words"),
    [
        ({"smtp_url": "http://mail"}, "smtp_url", "must begin with smtp:// or smtps://"),
        ({"smtp_url": "smtp://"}, "smtp_url", "name a host"),
        ({"smtp_url": "smtp://mail:port"}, "smtp_url", "not a URL"),
        ({"smtp_url": "smtp://[mail"}, "smtp_url", "not a URL"),
        ({"smtp_url": "smtp://u:s3cr3t/x@mail"}, "smtp_url", ""),
        ({"smtp_url": "smtp://mail/?tls=no"}, "smtp_url", "nothing may stand behind"),
        ({"smtp_url": "smtp://user@mail"}, "smtp_url", "a user needs a password"),
        ({"starttls": "maybe"}, "starttls", "there are required, optional, never"),
        ({"smtp_url": "smtp://u:s3cr3t@mail", "starttls": "never"}, "starttls", "is required"),
        ({"smtp_url": "smtp://u:s3cr3t@mail", "starttls": "optional"}, "starttls", "is required"),
        ({"ca_file": Path("/nowhere/ca.pem")}, "ca_file", "/nowhere/ca.pem cannot be used"),
        ({"ca_file": Path(__file__)}, "ca_file", "it holds no certificates"),
        ({"sender": "nobody"}, "sender", "is no address"),
        ({"sender": "a@b\r\nBcc: c@d"}, "sender", "is no address"),
        ({"to": ()}, "to", "at least one"),
        ({"to": ("ops@example.com", "ops")}, "to", "'ops' is no address"),
        ({"to": ("a@example.com, b@example.com",)}, "to", "is no address"),
    ],
)
def test_mistakes_are_named(given: dict[str, Any], key: str, words: str) -> None:
    fields = {"smtp_url": "smtp://mail.example", "sender": "a@example.com", "to": ("b@example.com",), **given}
    with pytest.raises(ConfigurationError) as raised:
        EmailChannel(**fields)
    assert raised.value.key == key
    assert words in str(raised.value)
    assert "s3cr3t" not in str(raised.value)


@pytest.mark.parametrize(
    ("url", "given", "port", "mode"),
    [
        ("smtp://mail.example", {}, 587, "required"),
        ("smtps://mail.example", {}, 465, "required"),
        ("smtp://mail.example:25", {"starttls": "never"}, 25, "never"),
        ("smtp://mail.example", {"starttls": "optional"}, 25, "optional"),
        ("smtp://localhost", {}, 25, "optional"),
        ("smtp://[::1]:2525", {}, 2525, "optional"),
        ("smtp://u:p@localhost", {}, 587, "required"),
        ("smtp://u:p@localhost", {"starttls": "never"}, 25, "never"),
    ],
)
def test_what_is_assumed(url: str, given: dict[str, str], port: int, mode: str) -> None:
    channel = EmailChannel(smtp_url=url, sender="a@example.com", to=("b@example.com",), **given)  # type: ignore[arg-type]
    server = channel._server()
    assert (server.port, server.starttls.value) == (port, mode)
    assert "u:p" not in repr(channel)
