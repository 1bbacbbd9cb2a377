"""What people read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.database.records import START, make_alert, make_notification, notifications

from dozor.model.alert import Acknowledgement, Severity
from dozor.model.labels import Labels
from dozor.model.notification import Occasion
from dozor.notify import message
from dozor.testing import FakeClock

DATE = FakeClock(START).date


def test_a_message_says_who_what_since_when_how_bad_and_what_to_do() -> None:
    alert = make_alert(
        id="a1",
        labels=Labels(alertname="PoolUtilizationHigh", pool="main"),
        annotations={
            "summary": "Pool main is 95 % in use",
            "description": "Look at what holds the connections.",
            "runbook_url": "https://docs.example/rule",
        },
        acknowledged=Acknowledgement(START, by="ann", comment="on it"),
    )
    notification = make_notification(
        alerts=(alert,),
        created_at=START + 65,
        service="shop",
        environment="production",
        external_url="https://dozor.example/",
        omitted=2,
    )
    assert message.text(notification, DATE) == (
        "[CRITICAL] shop (production): PoolUtilizationHigh firing, 3 alerts\n"
        "\n"
        "Pool main is 95 % in use\n"
        "State: firing since 2027-01-15 08:00:00 UTC (1 min 5 s)\n"
        "How bad: critical, value 95\n"
        'Where: {pool="main"}\n'
        "Acknowledged by ann: on it\n"
        "Do first: Look at what holds the connections.\n"
        "Read: https://docs.example/rule\n"
        "Look: https://dozor.example/#alert-a1\n"
        "\n"
        "... and 2 more"
    )


def test_an_end_says_when_after_how_long_and_why() -> None:
    alert = make_alert(resolved_at=START + 3660, resolve_reason="condition cleared", annotations={"description": "Do."})
    text = message.text(make_notification(alerts=(alert,), occasion=Occasion.RESOLVED), DATE)
    assert text.startswith("[RESOLVED] shop: PoolUtilizationHigh resolved\n")
    assert "State: resolved at 2027-01-15 09:01:00 UTC after 1 h 1 min, condition cleared" in text
    assert "Do first" not in text


@pytest.mark.parametrize(
    ("occasion", "words"),
    [
        (Occasion.FIRING, "[EMERGENCY] shop: R firing"),
        (Occasion.ESCALATED, "[EMERGENCY] shop: R worse than before"),
        (Occasion.REMINDER, "[EMERGENCY] shop: R still firing"),
        (Occasion.RESOLVED, "[RESOLVED] shop: R resolved"),
    ],
)
def test_the_subject_says_why_people_are_told_now(occasion: Occasion, words: str) -> None:
    alert = make_alert(severity=Severity.EMERGENCY)
    assert message.subject(make_notification(group="R", occasion=occasion, alerts=(alert,))) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-3, "0 s"),
        (0, "0 s"),
        (45.4, "45 s"),
        (60, "1 min"),
        (185, "3 min 5 s"),
        (7800, "2 h 10 min"),
        (3605, "1 h"),
        (273_600, "3 d 4 h"),
    ],
)
def test_durations_in_words(seconds: float, words: str) -> None:
    assert message.duration(seconds) == words


@given(st.text(max_size=200))
def test_strangers_text_stays_in_its_line(value: str) -> None:
    shown = message.plain(value)
    assert shown.splitlines() in ([], [shown])
    assert "\x1b" not in shown
    assert "\u202e" not in shown


def test_a_megabyte_is_cut() -> None:
    assert len(message.plain("x" * 2**20)) < 1100


@given(notifications)
def test_no_notification_breaks_the_message(notification: object) -> None:
    text = message.text(notification, DATE)  # type: ignore[arg-type]  # Hypothesis' strategy is not typed
    assert text.startswith("[")
