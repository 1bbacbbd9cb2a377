"""The log as a receiver."""

import logging

import pytest
from tests.database.records import START, make_alert, make_notification

from dozor.model.alert import Severity
from dozor.model.labels import Labels
from dozor.notify import LogNotifier
from dozor.testing import FakeClock

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("severity", "resolved_at", "level"),
    [
        (Severity.INFO, None, logging.INFO),
        (Severity.WARNING, None, logging.WARNING),
        (Severity.CRITICAL, None, logging.ERROR),
        (Severity.EMERGENCY, None, logging.CRITICAL),
        (Severity.EMERGENCY, START + 5, logging.INFO),
    ],
)
async def test_the_level_fits_the_severity(
    severity: Severity, resolved_at: float | None, level: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    alert = make_alert(severity=severity, resolved_at=resolved_at)
    await LogNotifier(FakeClock(START)).send(make_notification(alerts=(alert,)))
    assert [(record.name, record.levelno) for record in caplog.records] == [("dozor.alerts", level)]


async def test_one_line_for_each_alert_and_one_for_the_rest(caplog: pytest.LogCaptureFixture) -> None:
    alerts = (make_alert(labels=Labels(pool="a\nFORGED")), make_alert(annotations={}))
    await LogNotifier(FakeClock(START)).send(make_notification(alerts=alerts, omitted=3))
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == 3
    assert not any("\n" in line for line in lines)
    assert lines[1].startswith("[CRITICAL] shop: PoolUtilizationHigh FIRING {")
    assert lines[1].endswith("since 2027-01-15 08:00:00 UTC: PoolUtilizationHigh holds")
    assert lines[2] == "... and 3 more of PoolUtilizationHigh"
