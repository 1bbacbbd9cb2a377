"""What people read."""

import string
import unicodedata
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import fields, replace
from tests.database.records import START, make_alert, make_notification, notifications

from dozor.alerts import transitions
from dozor.model.alert import Acknowledgement, AlertSilence, AlertState, Severity
from dozor.model.labels import Labels
from dozor.model.notification import Notification, Occasion
from dozor.notify import message
from dozor.notify.message import LANGUAGES, AlertText, compose, figures
from dozor.notify.plain import plain
from dozor.testing import FakeClock

DATE = FakeClock(START).date
ENGLISH, RUSSIAN = LANGUAGES["en"], LANGUAGES["ru"]
UNSEEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}

EVIDENCE: dict[str, list[dict[str, Any]]] = {
    "holders": [
        {"who": "GET /orders", "held_seconds": 12.34, "leaked": False, "statement": "SELECT 1"},
        {"who": "worker", "held_seconds": 900.0, "leaked": True},
    ],
    "slow_queries": [
        {"statement": "SELECT * FROM orders", "duration_seconds": 1.5, "caller": "shop.py:12 in total", "error": None},
        {"statement": "UPDATE stock", "duration_seconds": 0.35, "caller": None, "error": "QueryCanceled"},
    ],
    "slow_commands": [{"command": "KEYS", "duration_seconds": 0.25, "client": "10.0.0.1:5", "client_name": ""}],
    "stalls": [{"place": "reports.py:41 in build", "seconds": 1.5, "stack": ()}, {"place": None, "seconds": 9.0}],
    "routes": [
        {
            "method": "GET",
            "route": "/orders",
            "p95_seconds": 3.2,
            "requests_per_second": 12.5,
            "errors_per_second": 0.5,
        }
    ],
}


def only(alert: Any, locale: str = "en", **given: Any) -> AlertText:
    (text,) = compose(make_notification(alerts=(alert,), **given), DATE, locale).alerts
    return text


def facts(alert: Any, locale: str = "en", **given: Any) -> dict[str, str]:
    return dict(only(alert, locale, **given).facts)


# The whole


def test_a_message_says_who_what_since_when_how_bad_and_what_to_do() -> None:
    alert = make_alert(
        id="a1",
        labels=Labels(alertname="PoolUtilizationHigh", component="database", pool="main"),
        annotations={
            "summary": "Pool main is nearly exhausted",
            "description": "Look at what holds the connections.",
            "runbook_url": "https://docs.example/rule",
            "unit": "percent",
        },
        threshold="> 90",
        acknowledged=Acknowledgement(START, by="ann", comment="on it"),
        evidence={"holders": EVIDENCE["holders"]},
    )
    notification = make_notification(
        alerts=(alert,),
        created_at=START + 65,
        service="shop",
        environment="production",
        external_url="https://dozor.example/",
        omitted=2,
    )
    assert message.text(compose(notification, DATE)) == (
        "[CRITICAL] shop (production): PoolUtilizationHigh firing, 3 alerts\n"
        "\n"
        "Pool main is nearly exhausted\n"
        "Severity: critical\n"
        "Since: 2027-01-15 08:00:00 UTC (1 min 5 s)\n"
        "Value: 95 % (limit > 90 %)\n"
        "Where: pool=main\n"
        "Acknowledged: by ann: on it\n"
        "What to do first: Look at what holds the connections.\n"
        "Seen when it fired:\n"
        "  - GET /orders has held a connection for 12 s, now at: SELECT 1\n"
        "  - worker has held a connection for 15 min and never given it back\n"
        "Runbook: https://docs.example/rule\n"
        "Open in Dozor: https://dozor.example/alert/a1\n"
        "\n"
        "… and 2 more alerts"
    )
    assert message.text(compose(notification, DATE, "ru")) == (
        "[КРИТИЧНО] shop (production): PoolUtilizationHigh: сработало, 3 алерта\n"
        "\n"
        "Pool main is nearly exhausted\n"
        "Важность: критично\n"
        "Началось: 2027-01-15 08:00:00 UTC (длится 1 мин 5 с)\n"
        "Значение: 95 % (порог > 90 %)\n"
        "Где: pool=main\n"
        "В работе: ann: on it\n"
        "Что сделать в первую очередь: Look at what holds the connections.\n"
        "Что было видно в момент срабатывания:\n"
        "  - GET /orders держит соединение уже 12 с, сейчас выполняет: SELECT 1\n"
        "  - worker держит соединение уже 15 мин и так и не вернул его\n"
        "Инструкция: https://docs.example/rule\n"
        "Открыть в Dozor: https://dozor.example/alert/a1\n"
        "\n"
        "… и ещё 2 алерта"
    )


@pytest.mark.parametrize(
    ("occasion", "english", "russian"),
    [
        (Occasion.FIRING, "[EMERGENCY] shop: R firing", "[АВАРИЯ] shop: R: сработало"),
        (Occasion.ESCALATED, "[EMERGENCY] shop: R escalated", "[АВАРИЯ] shop: R: важность повышена"),
        (Occasion.REMINDER, "[EMERGENCY] shop: R still firing", "[АВАРИЯ] shop: R: всё ещё не устранено"),
        (Occasion.RESOLVED, "[RESOLVED] shop: R resolved", "[УСТРАНЕНО] shop: R: устранено"),
        (Occasion.ACKNOWLEDGED, "[EMERGENCY] shop: R acknowledged", "[АВАРИЯ] shop: R: взято в работу"),
        (Occasion.SILENCED, "[EMERGENCY] shop: R silenced", "[АВАРИЯ] shop: R: заглушено"),
    ],
)
def test_the_subject_says_why_people_are_told_now(occasion: Occasion, english: str, russian: str) -> None:
    notification = make_notification(
        group="R", occasion=occasion, alerts=(make_alert(severity=Severity.EMERGENCY), make_alert())[:1]
    )
    assert compose(notification, DATE).subject == english
    assert compose(notification, DATE, "ru").subject == russian


def test_a_message_about_several_names_the_worst() -> None:
    alerts = (make_alert(severity=Severity.WARNING), make_alert(severity=Severity.CRITICAL))
    composed = compose(make_notification(alerts=alerts), DATE)
    assert composed.severity is Severity.CRITICAL
    assert composed.subject == "[CRITICAL] shop: PoolUtilizationHigh firing, 2 alerts"


def test_a_message_without_alerts_still_has_a_subject() -> None:
    composed = compose(make_notification(alerts=(), service=""), DATE)
    assert (composed.subject, composed.severity) == ("[RESOLVED] dozor: PoolUtilizationHigh firing", None)


# An alert


def test_an_end_says_when_after_how_long_and_why_and_no_more_what_to_do() -> None:
    alert = make_alert(
        resolved_at=START + 3660,
        resolve_reason=transitions.CONDITION_ENDED,
        annotations={"description": "Do."},
        evidence=EVIDENCE,
    )
    text = only(alert, occasion=Occasion.RESOLVED)
    assert dict(text.facts)["Resolved"] == "2027-01-15 09:01:00 UTC after 1 h 1 min: the condition ended"
    assert (text.advice, text.evidence, text.state) == (None, (), AlertState.RESOLVED)
    assert facts(alert, "ru")["Устранено"] == (
        "2027-01-15 09:01:00 UTC, длилось 1 ч 1 мин: условие больше не выполняется"
    )


@pytest.mark.parametrize("reason", [transitions.CONDITION_ENDED, transitions.CLOSED_BY_HAND])
def test_the_reasons_that_dozor_gives_are_translated(reason: str) -> None:
    assert reason in RUSSIAN.reasons


@pytest.mark.parametrize(
    ("value", "threshold", "unit", "english", "russian"),
    [
        (95.25, "> 90", "percent", "95.2 % (limit > 90 %)", "95,2 % (порог > 90 %)"),
        (0.125, ">= 0.05", "ratio", "12.5 % (limit >= 5 %)", "12,5 % (порог >= 5 %)"),
        (5.25, "> 5", "seconds", "5.2 s (limit > 5 s)", "5,2 с (порог > 5 с)"),
        (1.5 * 2**30, "> 1073741824", "bytes", "1.5 GiB (limit > 1 GiB)", "1,5 ГиБ (порог > 1 ГиБ)"),
        (12345.6, "> 5000", "", "12,346 (limit > 5,000)", "12\u00a0346 (порог > 5\u00a0000)"),
        (0.0, "== 0", "", "0 (fires when == 0)", "0 (срабатывает при == 0)"),
        (-2.5, "< -1", "seconds", "-2.5 s (limit < -1 s)", "-2,5 с (порог < -1 с)"),
        (3.0, None, "furlongs", "3", "3"),
        (3.0, "not a threshold", "", "3", "3"),
        (float("nan"), None, "", "no data", "нет данных"),
        (float("-inf"), None, "bytes", "-infinite", "-бесконечность"),
        (1e300, None, "seconds", "infinite", "бесконечность"),
    ],
)
def test_the_value_stands_against_its_threshold(
    value: float, threshold: str | None, unit: str, english: str, russian: str
) -> None:
    alert = make_alert(value=value, threshold=threshold, annotations={"unit": unit})
    assert facts(alert)["Value"] == english
    assert facts(alert, "ru")["Значение"] == russian


@pytest.mark.parametrize(
    ("silence", "english", "russian"),
    [
        (
            AlertSilence(START, START + 3600, "bob", "deploy"),
            "until 2027-01-15 09:00:00 UTC, by bob: deploy",
            "до 2027-01-15 09:00:00 UTC, bob: deploy",
        ),
        (AlertSilence(START), "until it resolves, by somebody", "пока не будет устранено, кто-то"),
    ],
)
def test_a_silence_says_until_when_and_who(silence: AlertSilence, english: str, russian: str) -> None:
    assert facts(make_alert(silenced=silence))["Silenced"] == english
    assert facts(make_alert(silenced=silence), "ru")["Заглушено"] == russian


def test_a_silence_of_several_alerts_flapping_and_missing_data_are_said() -> None:
    found = facts(make_alert(silenced_by=("s1",), flaps=6, no_data=True))
    assert found["Silenced"] == "by a silence for several alerts"
    assert found["Flapping"].startswith("it has fired 6 times of late")
    assert found["Note"].startswith("its data has stopped")
    assert facts(make_alert(flaps=4), "ru")["Мигает"].startswith("за последнее время сработало 4 раза;")


def test_evidence_in_lines() -> None:
    assert only(make_alert(evidence=EVIDENCE)).evidence == (
        "GET /orders has held a connection for 12 s, now at: SELECT 1",
        "worker has held a connection for 15 min and never given it back",
        "1.5 s, from shop.py:12 in total: SELECT * FROM orders",
        "350 ms, failed with QueryCanceled: UPDATE stock",
        "250 ms: KEYS, from 10.0.0.1:5",
        "the event loop was blocked for 1.5 s, in reports.py:41 in build",
        "GET /orders: 1 request in 20 takes longer than 3.2 s, 12.5 requests a second, 0.5 errors a second",
    )
    assert only(make_alert(evidence=EVIDENCE), "ru").evidence[2] == (
        "1,5 с, вызов из shop.py:12 in total: SELECT * FROM orders"
    )


def test_where_a_connection_was_taken_is_said_and_where_it_usually_is_as_such() -> None:
    usual = [{"lines": ["shop.py:3 in take", "shop.py:9 in buy"], "times": 5}, {"lines": [], "times": 1}]
    leak = {"who": "POST /imports", "held_seconds": 61.0, "leaked": True, "usually_taken_at": usual}
    seen = {**leak, "taken_at": ["shop.py:7 in begin"]}
    first, second = only(make_alert(evidence={"holders": [leak, seen]})).evidence
    assert first.endswith("and never given it back, usually from shop.py:3 in take")
    assert second.endswith("and never given it back, from shop.py:7 in begin")
    assert (
        only(make_alert(evidence={"holders": [leak]}), "ru").evidence[0].endswith("обычно вызов из shop.py:3 in take")
    )
    odd = {**leak, "usually_taken_at": [3, {"lines": 4}, {}]}
    assert only(make_alert(evidence={"holders": [odd]})).evidence[0].endswith("and never given it back")


def test_much_evidence_is_cut_and_odd_evidence_left_out() -> None:
    many = {kind: entries * 20 for kind, entries in EVIDENCE.items()}
    many["slow_queries"] = [{"statement": "x" * 10_000, "duration_seconds": True}] * 3
    lines = only(make_alert(evidence={**many, "unheard_of": [{"a": 1}]})).evidence
    assert len(lines) == 8
    assert max(map(len, lines)) == 300
    assert only(make_alert(evidence={"holders": [1, {"who": 5}, {}, None], "routes": "no"})).evidence == ()


@pytest.mark.parametrize("address", ["javascript:alert(1)", "https://a b", "docs", ""])
def test_a_runbook_that_is_no_address_of_the_web_is_no_link(address: str) -> None:
    assert only(make_alert(annotations={"runbook_url": address})).runbook is None


def test_a_link_needs_a_known_address_and_survives_any_id() -> None:
    assert only(make_alert()).link is None
    assert (
        only(make_alert(id="a/b?c"), external_url="https://d.example/x").link == "https://d.example/x/alert/a%2Fb%3Fc"
    )


def test_one_line_for_a_log() -> None:
    alert = make_alert(labels=Labels(alertname="R", pool="a\nFORGED"))
    line = message.line(alert, make_notification(environment="prod"), DATE)
    assert line.startswith('[CRITICAL] shop (prod): PoolUtilizationHigh FIRING {alertname="R", pool="a')
    assert "\n" not in line


# Figures


@pytest.mark.parametrize(
    ("seconds", "english", "russian"),
    [
        (-3, "0 s", "0 с"),
        (0, "0 s", "0 с"),
        (0.35, "350 ms", "350 мс"),
        (0.9999, "1 s", "1 с"),
        (1.25, "1.2 s", "1,2 с"),
        (9.97, "10 s", "10 с"),
        (45.4, "45 s", "45 с"),
        (60, "1 min", "1 мин"),
        (185, "3 min 5 s", "3 мин 5 с"),
        (3605, "1 h", "1 ч"),
        (7800, "2 h 10 min", "2 ч 10 мин"),
        (273_600, "3 d 4 h", "3 д 4 ч"),
        (float("inf"), "infinite", "бесконечность"),
        (float("nan"), "no data", "нет данных"),
    ],
)
def test_durations_in_words(seconds: float, english: str, russian: str) -> None:
    assert figures.duration(seconds, ENGLISH) == english
    assert figures.duration(seconds, RUSSIAN) == russian


# Languages


@pytest.mark.parametrize(
    ("count", "form"),
    [
        (0, "алертов"), (1, "алерт"), (2, "алерта"), (4, "алерта"), (5, "алертов"), (11, "алертов"), (12, "алертов"),
        (14, "алертов"), (20, "алертов"), (21, "алерт"), (22, "алерта"), (101, "алерт"), (111, "алертов"),
        (112, "алертов"), (1002, "алерта"), (1011, "алертов"),
    ],
)  # fmt: skip
def test_russian_plurals(count: int, form: str) -> None:
    assert RUSSIAN.counted(RUSSIAN.alerts, count) == f"{count} {form}"


@pytest.mark.parametrize("texts", LANGUAGES.values(), ids=LANGUAGES)
def test_every_language_says_everything_with_the_same_placeholders(texts: Any) -> None:
    expected, found = dict(_phrases(ENGLISH)), dict(_phrases(texts))
    assert found.keys() == expected.keys()
    for name, phrase in found.items():
        assert phrase, name
        assert _placeholders(phrase) == _placeholders(expected[name]), name
    assert texts.severities.keys() == set(Severity)
    assert texts.states.keys() == set(AlertState)
    assert texts.occasions.keys() == set(Occasion)


def _phrases(texts: Any) -> Iterator[tuple[str, str]]:
    """All phrases by name; of the forms of a plural, each must do as well as the first."""
    for field in fields(texts):
        value = getattr(texts, field.name)
        if isinstance(value, str):
            yield field.name, value
        elif hasattr(value, "_asdict"):
            yield from (
                (f"{field.name}.{name}", each) for name, each in value._asdict().items() if isinstance(each, str)
            )
        elif isinstance(value, tuple):
            assert len({frozenset(_placeholders(form)) for form in value}) == 1
            yield field.name, value[0]


def _placeholders(phrase: str) -> set[str | None]:
    return {name for _, name, _, _ in string.Formatter().parse(phrase) if name}


# Strangers


@given(st.text(max_size=200))
def test_strangers_text_stays_in_its_line(value: str) -> None:
    shown = plain(value)
    assert shown.splitlines() in ([], [shown])
    assert not any(unicodedata.category(char) in UNSEEN for char in shown)


def test_a_megabyte_is_cut() -> None:
    assert len(plain("x" * 2**20)) == 1000
    assert plain("x " * 2**20, 10) == "x x x x x…"


@given(notifications, st.sampled_from(sorted(LANGUAGES)))
def test_no_notification_breaks_the_message(notification: Notification, locale: str) -> None:
    composed = compose(notification, DATE, locale)
    assert message.text(composed).startswith("[")
    texts = [composed.subject, composed.title, composed.service, composed.environment, composed.more]
    for alert in composed.alerts:
        texts += [alert.id, alert.rule, alert.summary, alert.advice, alert.link, alert.runbook, *alert.evidence]
        texts += [word for fact in alert.facts for word in fact]
    for text in texts:
        assert len((text or "").splitlines()) <= 1
        assert len(text or "") <= 2000
        assert not any(unicodedata.category(char) in UNSEEN for char in text or "")


def test_braces_in_what_strangers_wrote_are_no_placeholders() -> None:
    alert = replace(make_alert(rule="{0.__class__}", annotations={}), labels=Labels(pool="{who}"))
    assert only(alert).summary == "{0.__class__} holds"
    assert facts(alert)["Where"] == "pool={who}"
