import io
import logging

import pytest
from rich.console import Console

from dozor.demo.faults import FAULTS
from dozor.demo.narrator import Narrator
from dozor.model.alert import Alert, Severity
from dozor.model.labels import Labels
from dozor.model.notification import Notification, Occasion

pytestmark = pytest.mark.anyio


def narrator() -> tuple[Narrator, io.StringIO]:
    out = io.StringIO()
    told = Narrator(Console(file=out, soft_wrap=True, highlight=False))
    told.dozor_url = "http://127.0.0.1:8002"
    return told, out


def alert(*, resolved_at: float | None = None) -> Alert:
    return Alert(
        id="01J",
        rule="RedisDisconnected",
        labels=Labels(),
        severity=Severity.CRITICAL,
        component="redis",
        annotations={"summary": "Redis [cache] does not answer"},
        value=0.0,
        active_at=1.0,
        fired_at=2.0,
        resolved_at=resolved_at,
    )


async def test_a_notification_is_a_line_with_what_can_be_done() -> None:
    told, out = narrator()
    await told.send(Notification("1", "RedisDisconnected", Occasion.FIRING, (alert(),), 2.0))
    await told.send(Notification("2", "RedisDisconnected", Occasion.RESOLVED, (alert(resolved_at=3.0),), 3.0))
    assert out.getvalue().splitlines() == [
        "   0:00   ALERT RedisDisconnected firing (critical): Redis [cache] does not answer",
        "             ack:    curl -X POST http://127.0.0.1:8002/api/v1/monitoring/alerts/01J/acknowledge",
        "   0:00   ALERT RedisDisconnected resolved (critical): Redis [cache] does not answer",
    ]


def test_a_fault_says_what_to_expect_and_where_to_look_without_breaking_lines_in_a_pipe() -> None:
    told, out = narrator()
    told.fault(FAULTS["exhausted-pool"])
    told.over(FAULTS["exhausted-pool"], 80.4)
    story, expect, look, over = out.getvalue().splitlines()
    assert story.endswith("who comes now waits 5 s, in vain")
    assert expect.strip().startswith("expect: PoolTimeouts")
    assert look.strip() == "look:   curl http://127.0.0.1:8002/api/v1/monitoring/pool/status"
    assert over.endswith("fault exhausted-pool is over after 80 s")
    assert "\x1b" not in out.getvalue()


def test_warnings_of_dozor_are_lines_too_and_alerts_are_not_told_twice(capfd: pytest.CaptureFixture[str]) -> None:
    told, out = narrator()
    with told.reading_log():
        logging.getLogger("dozor.response_cache").warning("Redis does not %s", "read")
        logging.getLogger("dozor").info("quiet")
        logging.getLogger("dozor.alerts").error("told by the notifier")
    assert out.getvalue() == "   0:00   log: Redis does not read\n"
    assert capfd.readouterr().err == ""
    assert logging.getLogger("dozor").propagate
