"""Apprise, with a service of its own that posts JSON to a receiver on a real socket."""

import asyncio
import logging
import socket
import subprocess
import sys

import pytest
from tests.database.records import START, make_alert, make_notification
from tests.notify import receiver
from tests.notify.receiver import Behaviour, Receiver, answer, receiving
from tests.patience import PATIENCE_SECONDS

from dozor.errors import ConfigurationError, DeliveryError
from dozor.model.alert import Severity
from dozor.notify.apprise import AppriseChannel, AppriseNotifier, shown
from dozor.notify.sending import Sender
from dozor.testing import FakeClock

pytestmark = pytest.mark.anyio


def url(server: Receiver, options: str = "") -> str:
    return f"json://user:s3cr3t@127.0.0.1:{server.port}/t0ken-of-mine/{options}"


def notifier(*urls: str, locale: str = "en") -> AppriseNotifier:
    return AppriseChannel(urls).build("apprise", FakeClock(START), locale)


async def test_a_message_has_a_subject_and_a_text() -> None:
    async with receiving() as server:
        await asyncio.to_thread(notifier(url(server)).send, make_notification(environment="production"))
    (request,) = server.requests
    assert request.target == "/t0ken-of-mine/"
    assert request.json["title"] == "[CRITICAL] shop (production): PoolUtilizationHigh firing"
    assert request.json["message"].startswith("Pool main is 95 % in use\n")
    assert request.json["type"] == "failure"


async def test_it_speaks_russian() -> None:
    async with receiving() as server:
        await asyncio.to_thread(notifier(url(server), locale="ru").send, make_notification())
    assert any("\u0400" <= char <= "\u04ff" for char in server.requests[0].json["message"])


@pytest.mark.parametrize(
    ("alerts", "kind"),
    [
        ((make_alert(severity=Severity.INFO),), "info"),
        ((make_alert(severity=Severity.WARNING),), "warning"),
        ((make_alert(severity=Severity.EMERGENCY), make_alert(severity=Severity.INFO)), "failure"),
        ((make_alert(resolved_at=START), make_alert(severity=Severity.WARNING)), "warning"),
        ((make_alert(resolved_at=START),), "success"),
    ],
)
async def test_how_bad_it_is_is_said_in_apprises_words(alerts: tuple[object, ...], kind: str) -> None:
    async with receiving() as server:
        await asyncio.to_thread(notifier(url(server)).send, make_notification(alerts=alerts))
    assert server.requests[0].json["type"] == kind


async def test_a_service_that_took_it_does_not_get_it_again() -> None:
    async with receiving() as good, receiving(answer(500), answer(200)) as bad:
        sender = notifier(url(good), url(bad))
        notification = make_notification()
        with pytest.raises(DeliveryError, match=r"could not send to json://\*\*\* \(1 of 2\)") as caught:
            await asyncio.to_thread(sender.send, notification)
        assert caught.value.recoverable
        await asyncio.to_thread(sender.send, notification)
    assert (len(good.requests), len(bad.requests)) == (1, 2)


@pytest.mark.parametrize("behaviour", [answer(404), answer(500), receiver.close_early, receiver.garbage])
async def test_no_secret_is_in_the_log_or_in_the_error(behaviour: Behaviour, caplog: pytest.LogCaptureFixture) -> None:
    async with receiving(behaviour) as server:
        with caplog.at_level(1):
            sender = notifier(url(server))
            with pytest.raises(DeliveryError) as caught:
                await asyncio.to_thread(sender.send, make_notification())
    said = f"{caplog.text} {caught.value} {sender!r} {AppriseChannel((url(server),))!r}"
    assert "s3cr3t" not in said
    assert "t0ken" not in said


async def test_the_applications_own_use_of_apprise_is_logged_as_ever(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        logging.getLogger("apprise").warning("hello")
    assert "hello" in caplog.text


async def test_a_service_that_hangs_is_left_behind_by_its_sender() -> None:
    async with receiving(receiver.hang) as server:
        sender = Sender("apprise", notifier(url(server, "?rto=1&cto=1")), limit_seconds=0.2)
        with pytest.raises(DeliveryError, match=r"did not finish within 0\.2 s"):
            await sender.send(make_notification())
        async with asyncio.timeout(PATIENCE_SECONDS):
            while sender.busy:
                await asyncio.sleep(0.05)


def test_a_service_without_end_does_not_keep_the_process_from_ending() -> None:
    """Apprise's own pool of threads is waited for by the interpreter when it ends."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        program = (
            "import asyncio\n"
            "from tests.database.records import make_notification\n"
            "from dozor.clock import Clock\n"
            "from dozor.notify.apprise import AppriseChannel\n"
            "from dozor.notify.sending import Sender\n"
            f"channel = AppriseChannel(('json://127.0.0.1:{silent.getsockname()[1]}/?rto=600',))\n"
            "sender = Sender('apprise', channel.build('apprise', Clock(), 'en'), limit_seconds=0.2)\n"
            "asyncio.run(sender.send(make_notification()))\n"
        )
        ended = subprocess.run(
            [sys.executable, "-c", program], timeout=PATIENCE_SECONDS, capture_output=True, text=True, check=False
        )
    assert "did not finish within 0.2 s" in ended.stderr


async def test_a_redirect_is_not_followed() -> None:
    async with receiving() as thief:
        async with receiving(answer(302, location=f"http://127.0.0.1:{thief.port}/stolen")) as server:
            with pytest.raises(DeliveryError):
                await asyncio.to_thread(notifier(url(server)).send, make_notification())
            assert len(server.requests) == 1
        assert thief.requests == []


def test_a_url_that_apprise_does_not_know_is_refused_without_showing_it() -> None:
    with pytest.raises(ConfigurationError, match=r"URL 2 of 2, nosuch://\*\*\*") as caught:
        AppriseChannel(("json://localhost", "nosuch://s3cr3t"))
    assert "s3cr3t" not in str(caught.value)
    with pytest.raises(ConfigurationError, match="urls: there is no URL"):
        AppriseChannel(())


def test_without_the_library_it_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "apprise", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'dozor\[apprise\]'"):
        AppriseChannel(("json://localhost",))


@pytest.mark.parametrize(
    ("given", "said"), [("discord://id/token", "discord://***"), ("token", "***"), ("mailto://u:p@h", "mailto://***")]
)
def test_of_a_url_only_the_service_is_shown(given: str, said: str) -> None:
    assert shown(given) == said
