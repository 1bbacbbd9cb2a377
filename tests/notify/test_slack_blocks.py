"""Block Kit: what is shown, how it is escaped, and that Slack takes it whatever is in it."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.database.records import START, make_alert, make_notification, notifications
from tests.notify.slack_server import buttons_of, check_blocks, markup_of, texts_of

from dozor.model.alert import Acknowledgement, AlertSilence, Severity
from dozor.model.labels import Labels
from dozor.model.notification import Notification
from dozor.notify.message import compose
from dozor.notify.slack_blocks import ACKNOWLEDGE, SILENCE, blocks, fallback, mrkdwn, reply
from dozor.testing import FakeClock

HOSTILE = ["<!channel> <@U1> @here", "a & b < c > d", "```end", "*b* _i_ ~s~", "\u202eright", "\x00\n\r", "😀" * 9, ""]


def written(notification: Notification, locale: str = "en", **options: Any) -> list[dict[str, Any]]:
    return blocks(compose(notification, FakeClock(START).date, locale), **options)


def shown(notification: Notification, **options: Any) -> str:
    return "\n".join(texts_of(written(notification, **options)))


def test_a_message_says_who_what_since_when_how_bad_what_to_do_and_what_was_seen() -> None:
    alert = make_alert(
        threshold="> 90",
        annotations={
            "summary": "Pool main is 95 % in use",
            "description": "Look for a leak first.",
            "runbook_url": "https://docs.example/pool?a=1&b=2",
        },
        evidence={"holders": [{"who": "GET /orders", "held_seconds": 41.0, "statement": "SELECT `a` FROM t"}]},
    )
    said = shown(
        make_notification(alerts=(alert,), environment="production", external_url="https://dozor.example"),
        overview="https://dozor.example",
    )
    for part in (
        ":red_circle: [CRITICAL] shop (production): PoolUtilizationHigh firing",
        "*PoolUtilizationHigh* (firing)\nPool main is 95 % in use",
        "*Where*\npool=main",
        "95 (limit &gt; 90)",
        "*What to do first*\nLook for a leak first.",
        "```GET /orders has held a connection for 41 s",
        "SELECT 'a' FROM t",
        f"<https://dozor.example/alert/{alert.id}|Open in Dozor>",
        "<https://docs.example/pool?a=1&amp;b=2|Runbook>",
    ):
        assert part in said
    assert said.count("Open in Dozor") == 1, "there is no more to see than this alert"


def test_it_is_written_in_the_readers_language() -> None:
    [button, _] = [
        each["text"]["text"]
        for block in written(make_notification(), "ru", buttons=True)
        if block["type"] == "actions"
        for each in block["elements"]
    ]
    assert button == "Взять в работу"


@pytest.mark.parametrize(
    ("fields", "offered"),
    [
        ({}, [ACKNOWLEDGE, SILENCE]),
        ({"acknowledged": Acknowledgement(START, "anna")}, [SILENCE]),
        ({"silenced": AlertSilence(START)}, []),
        ({"silenced_by": ("s1",)}, []),
        ({"resolved_at": START + 9}, []),
    ],
    ids=["firing", "acknowledged", "silenced", "silenced by matchers", "resolved"],
)
def test_buttons_offer_what_can_be_done(fields: dict[str, Any], offered: list[str]) -> None:
    notification = make_notification(alerts=(make_alert(id="a1", **fields),))
    assert buttons_of({"blocks": written(notification, buttons=True)}) == [(action, "a1") for action in offered]
    assert buttons_of({"blocks": written(notification)}) == [], "without a signing secret nobody could answer them"


def test_a_storm_shows_five_alerts_whole_ten_in_a_line_each_and_counts_the_rest() -> None:
    alerts = tuple(
        make_alert(
            annotations={"summary": f"alert {number} <{'&' * 400}", "description": "d" * 2000},
            labels=Labels(alertname="PoolUtilizationHigh", pool="p" * 900),
            evidence={"holders": [{"who": "w" * 300, "held_seconds": 1.0, "statement": "s" * 900}] * 5},
        )
        for number in range(15)
    )
    notification = make_notification(alerts=alerts, omitted=85, external_url="https://dozor.example")
    found = written(notification, buttons=True, overview="https://dozor.example")
    check_blocks(found)
    said = "\n".join(texts_of(found))
    assert len(buttons_of({"blocks": found})) == 2 * 5
    assert all(f"alert {number} &lt;" in said for number in range(15))
    assert "… and 85 more alerts <https://dozor.example|Open in Dozor>" in said


@given(notifications, st.sampled_from(["en", "ru"]), st.booleans())
def test_slack_takes_whatever_an_alert_holds(notification: Notification, locale: str, buttons: bool) -> None:
    message = compose(notification, FakeClock(START).date, locale)
    for found in (blocks(message, overview=notification.external_url, buttons=buttons), reply(message)):
        check_blocks(found)
        assert all(each.startswith(("http://", "https://")) for each in markup_of(found))
    assert 1 <= len(fallback(message)) <= 500


@given(st.lists(st.sampled_from(HOSTILE) | st.text(), min_size=1, max_size=6))
def test_no_text_of_a_stranger_becomes_a_mention_or_a_link(hostile: list[str]) -> None:
    text = " ".join(hostile) * 3
    alert = make_alert(
        labels=Labels(alertname="R", path=text),
        rule=text,
        annotations={"summary": text, "description": text, "runbook_url": f"https://x/{text}"},
        evidence={"holders": [{"who": text, "held_seconds": 1.0, "statement": text}]},
        acknowledged=Acknowledgement(START, text, text),
    )
    found = written(make_notification(alerts=(alert,), service=text, environment=text))
    check_blocks(found)
    assert all(each.startswith("https://x/") for each in markup_of(found))
    for block in found:
        for part in texts_of(block):
            if part.startswith("*Seen when it fired*"):
                assert (part.count("`"), part[-3:]) == (6, "```"), "code ends where it is to end"
            assert block["type"] == "header" or "<!" not in part


@given(st.text(alphabet="&<>ab ", max_size=60), st.integers(6, 60))
def test_no_entity_is_cut_in_two(text: str, limit: int) -> None:
    cut = mrkdwn(text, limit)
    assert len(cut) <= limit
    bare = cut.replace("&amp;", "").replace("&lt;", "").replace("&gt;", "")
    assert not set(bare) & set("&<>")


def test_the_worst_has_a_sign_of_its_own_besides_its_name() -> None:
    signs = {shown(make_notification(alerts=(make_alert(severity=each),))).split(" ")[0] for each in Severity}
    assert len(signs) == len(Severity)
