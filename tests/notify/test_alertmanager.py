"""An upstream Alertmanager: a receiver on a real socket, and, where it is installed, the real one."""

import asyncio
import json
import shutil
import subprocess
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from msgspec.structs import replace
from tests.database.records import START, make_alert, make_notification
from tests.notify import receiver
from tests.notify.receiver import Behaviour, answer, limit_for, receiving
from tests.patience import PATIENCE_SECONDS
from tests.serving import free_port

from dozor.clock import Clock
from dozor.errors import ConfigurationError, DeliveryError
from dozor.model.alert import Severity
from dozor.model.labels import Labels
from dozor.model.notification import Occasion
from dozor.notify.alertmanager import AlertmanagerChannel, AlertmanagerNotifier
from dozor.notify.notifier import Refresher
from dozor.testing import FakeClock

pytestmark = pytest.mark.anyio

PROGRAM = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")


async def test_an_alert_is_posted_as_prometheus_would() -> None:
    alert = make_alert(id="a1", labels=Labels(alertname="PoolUtilizationHigh", pool="main"))
    notification = make_notification(alerts=(alert,), environment="production", external_url="https://dozor.example")
    async with receiving() as server:
        upstream = AlertmanagerNotifier(f"http://127.0.0.1:{server.port}/am/", FakeClock(START))
        await upstream.send(notification)
        await upstream.send(replace(notification, alerts=(replace(alert, resolved_at=START + 5),)))
        await upstream.aclose()
    assert [(request.method, request.target) for request in server.requests] == [("POST", "/am/api/v2/alerts")] * 2
    labels = {
        "alertname": "PoolUtilizationHigh",
        "pool": "main",
        "severity": "critical",
        "service": "shop",
        "environment": "production",
    }
    firing = {
        "labels": labels,
        "annotations": {"summary": "Pool main is 95 % in use"},
        "startsAt": "2027-01-15T08:00:00.000Z",
        "endsAt": "2027-01-15T08:04:00.000Z",
        "generatorURL": "https://dozor.example/alert/a1",
    }
    assert [request.json for request in server.requests] == [
        [firing],
        [firing | {"endsAt": "2027-01-15T08:00:05.000Z"}],
    ]


async def test_what_fires_is_posted_again_with_a_later_end() -> None:
    clock = FakeClock(START)
    notification = make_notification(alerts=(make_alert(), make_alert()))
    async with receiving() as server:
        upstream = AlertmanagerNotifier(f"http://127.0.0.1:{server.port}", clock)
        assert isinstance(upstream, Refresher)
        await upstream.send(notification)
        clock.advance(upstream.refresh_seconds)
        await upstream.refresh(notification)
        await upstream.refresh(replace(notification, alerts=()))
        await upstream.aclose()
    ends = [[alert["endsAt"] for alert in request.json] for request in server.requests]
    assert ends == [["2027-01-15T08:04:00.000Z"] * 2, ["2027-01-15T08:05:00.000Z"] * 2]


async def test_an_alert_that_got_worse_ends_the_one_of_the_lower_severity() -> None:
    alert = make_alert(severity=Severity.CRITICAL)
    notification = make_notification(alerts=(alert,))
    async with receiving() as server:
        upstream = AlertmanagerNotifier(f"http://127.0.0.1:{server.port}", FakeClock(START))
        await upstream.send(notification)
        await upstream.send(replace(notification, alerts=(replace(alert, severity=Severity.EMERGENCY),)))
        await upstream.refresh(replace(notification, alerts=(replace(alert, severity=Severity.EMERGENCY),)))
        await upstream.aclose()
    posted = [[(each["labels"]["severity"], each["endsAt"][11:19]) for each in one.json] for one in server.requests]
    assert posted == [
        [("critical", "08:04:00")],
        [("critical", "08:00:00"), ("emergency", "08:04:00")],
        [("emergency", "08:04:00")],
    ]


async def test_a_refresh_that_was_made_before_an_end_does_not_begin_the_alert_again() -> None:
    alert = make_alert()
    notification = make_notification(alerts=(alert,))
    ended = replace(notification, alerts=(replace(alert, resolved_at=START + 1),))
    async with receiving() as server:
        upstream = AlertmanagerNotifier(f"http://127.0.0.1:{server.port}", FakeClock(START))
        await upstream.send(ended)
        await upstream.refresh(notification)
        await upstream.aclose()
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("behaviour", "recoverable"),
    [
        (answer(400, b'{"code": 400}'), False),
        (answer(429), True),
        (answer(503), True),
        (receiver.hang, True),
        (receiver.close_early, True),
        (receiver.garbage, True),
    ],
)
async def test_what_may_pass_is_tried_again(behaviour: Behaviour, recoverable: bool) -> None:
    async with receiving(behaviour) as server:
        url = f"http://ann:s3cr3t@127.0.0.1:{server.port}/s3cr3t"
        upstream = AlertmanagerNotifier(url, FakeClock(START), timeout_seconds=limit_for(behaviour))
        with pytest.raises(DeliveryError) as caught:
            await upstream.send(make_notification())
        await upstream.aclose()
    assert caught.value.recoverable is recoverable
    assert "s3cr3t" not in f"{caught.value} {upstream!r} {AlertmanagerChannel(url)!r}"


def test_a_channel_checks_its_url() -> None:
    assert AlertmanagerChannel("http://am:9093").build("up", FakeClock(START), "en").target == "http://am:9093"
    with pytest.raises(ConfigurationError, match="url: the URL must begin"):
        AlertmanagerChannel("am:9093")


@pytest.fixture
async def alertmanager(tmp_path: Path) -> AsyncIterator[str]:
    """The real program, for as long as the test lasts."""
    if PROGRAM is None:
        pytest.skip("no Alertmanager is installed (Debian: prometheus-alertmanager)")
    (tmp_path / "am.yml").write_text("route: {receiver: nobody}\nreceivers: [{name: nobody}]\n")
    port, log = free_port(), tmp_path / "am.log"
    command = [PROGRAM, f"--config.file={tmp_path}/am.yml", f"--storage.path={tmp_path}/data"]
    command += [f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address="]
    with log.open("wb") as output, subprocess.Popen(command, stdout=output, stderr=output) as process:
        try:
            deadline = time.monotonic() + PATIENCE_SECONDS
            while not await asyncio.to_thread(_answers, f"http://127.0.0.1:{port}/-/ready"):
                if process.poll() is not None and "default.tmpl: no such file" in log.read_text():
                    pytest.skip("Alertmanager lacks its template (Debian: apt-get install prometheus-alertmanager)")
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < deadline, log.read_text()
                await asyncio.sleep(0.05)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.kill()


def _answers(url: str) -> bool:
    try:
        with urlopen(url, timeout=5) as reply:
            return bool(reply.status == 200)
    except OSError:
        return False


async def _active(url: str) -> list[Any]:
    def ask() -> list[Any]:
        with urlopen(f"{url}/api/v2/alerts?active=true", timeout=PATIENCE_SECONDS) as reply:
            return list(json.load(reply))

    return await asyncio.to_thread(ask)


async def test_the_real_alertmanager_takes_alerts_and_their_ends(alertmanager: str) -> None:
    clock = Clock()
    now = clock.timestamp()
    alert = make_alert(
        active_at=now - 60,
        fired_at=now,
        labels=Labels(alertname="PoolTimeouts", pool='a"b\\c\n', route="/пути"),
        annotations={"summary": "сводка", "empty": ""},
    )
    notification = make_notification(alerts=(alert,), created_at=now, external_url="https://dozor.example")
    upstream = AlertmanagerNotifier(alertmanager, clock)
    await upstream.send(notification)
    (shown,) = await _active(alertmanager)
    assert shown["labels"]["pool"] == 'a"b\\c\n'
    assert shown["labels"]["service"] == "shop"
    assert shown["generatorURL"].startswith("https://dozor.example/alert/")
    ended = replace(alert, resolved_at=clock.timestamp())
    await upstream.send(replace(notification, occasion=Occasion.RESOLVED, alerts=(ended,)))
    assert await _active(alertmanager) == []
    await upstream.aclose()
