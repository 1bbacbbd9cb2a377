"""A notification put into words, once for all channels: each of them only adds its own markup."""

from collections.abc import Callable
from typing import Final
from urllib.parse import quote

from msgspec import Struct

from dozor.model.alert import Alert, AlertState, Severity
from dozor.model.notification import Notification, Occasion
from dozor.notify.message import evidence
from dozor.notify.message.english import ENGLISH
from dozor.notify.message.figures import Dates, duration, figure, moment
from dozor.notify.message.languages import texts_of
from dozor.notify.message.texts import Headings, Texts
from dozor.notify.plain import plain

_LONGEST_SUMMARY: Final = 300
_LONGEST_NAME: Final = 200
_OPERATORS: Final = frozenset({">", "<", ">=", "<=", "==", "!="})


class AlertText(Struct, frozen=True):
    """One alert in words. Each text is one line, bounded, without control characters, and in no markup.

    Attributes:
        state_text, severity_text: in the reader's language.
        facts: pairs of a label and what is the case, in the order in which they are best read.
        advice: what to do first; None once the alert has ended.
        evidence: what was seen when it fired, at most eight lines; empty once the alert has ended.
        link: where the alert is shown; None where that is not known.
        runbook: the address that the rule names, http or https.
    """

    id: str
    rule: str
    severity: Severity
    state: AlertState
    severity_text: str
    state_text: str
    summary: str
    facts: tuple[tuple[str, str], ...]
    advice: str | None = None
    evidence: tuple[str, ...] = ()
    link: str | None = None
    runbook: str | None = None


class MessageText(Struct, frozen=True):
    """A notification in words. The texts are as those of `AlertText`.

    Attributes:
        subject: who speaks, how bad, and the title: `[CRITICAL] shop (production): PoolUtilizationHigh firing, 2 alerts`.
        title: without who and how bad.
        severity: the worst of its alerts'; None where there are none.
        more: says how many alerts it has no room for; None where it shows all.
        headings: what to write above parts of it and on buttons.
        language: `en` or `ru`, for markup that names it.
    """

    subject: str
    title: str
    occasion: Occasion
    severity: Severity | None
    alerts: tuple[AlertText, ...]
    more: str | None
    service: str
    environment: str | None
    headings: Headings
    language: str


def compose(notification: Notification, date: Dates, locale: str = "en") -> MessageText:
    """*notification* in the language *locale* (`en` or `ru`); *date* is `Clock.date`."""
    texts = texts_of(locale)
    worst = max((alert.severity for alert in notification.alerts), default=None)
    return MessageText(
        subject=_subject(notification, worst, texts),
        title=_title(notification, texts),
        occasion=notification.occasion,
        severity=worst,
        alerts=tuple(_Composer(alert, notification, date, texts).compose() for alert in notification.alerts),
        more=texts.counted(texts.more, notification.omitted) if notification.omitted else None,
        service=_service(notification),
        environment=plain(notification.environment, _LONGEST_NAME) if notification.environment else None,
        headings=texts.headings,
        language=texts.language,
    )


def line(alert: Alert, notification: Notification, date: Dates) -> str:
    """One alert in one line, for a log: in English, since logs are searched and parsed."""
    shown = f"{plain(alert.rule, _LONGEST_NAME)} {alert.state} {plain(str(alert.labels))}"
    since = moment(_since(alert), date, ENGLISH)
    return f"[{alert.severity.value}] {_speaker(notification)}: {shown} since {since}: {_summary(alert, ENGLISH)}"


def link(alert: Alert, notification: Notification) -> str | None:
    """Where to look at *alert*, if it is known where people open Dozor."""
    base = notification.external_url
    return f"{base.rstrip('/')}/alert/{quote(alert.id, safe='')}" if base else None


def _subject(notification: Notification, worst: Severity | None, texts: Texts) -> str:
    ended = notification.occasion is Occasion.RESOLVED or worst is None
    mark = texts.resolved_mark if ended or worst is None else texts.severities[worst]
    return f"[{mark}] {_speaker(notification)}: {_title(notification, texts)}"


def _title(notification: Notification, texts: Texts) -> str:
    count = len(notification.alerts) + notification.omitted
    phrase = texts.title_of_many if count > 1 else texts.title
    return phrase.format(
        rule=plain(notification.group, _LONGEST_NAME),
        occasion=texts.occasions[notification.occasion],
        alerts=texts.counted(texts.alerts, count),
    )


def _service(notification: Notification) -> str:
    return plain(notification.service, _LONGEST_NAME) or "dozor"


def _speaker(notification: Notification) -> str:
    environment = plain(notification.environment or "", _LONGEST_NAME)
    return f"{_service(notification)} ({environment})" if environment else _service(notification)


def _since(alert: Alert) -> float:
    return alert.active_at if alert.fired_at is None else alert.fired_at


def _summary(alert: Alert, texts: Texts) -> str:
    given = plain(alert.annotations.get("summary", ""), _LONGEST_SUMMARY)
    return given or texts.no_summary.format(rule=plain(alert.rule, _LONGEST_NAME))


class _Composer:
    """Puts one alert into words."""

    def __init__(self, alert: Alert, notification: Notification, date: Dates, texts: Texts) -> None:
        self._alert, self._notification, self._texts = alert, notification, texts
        self._moment: Callable[[float], str] = lambda at: moment(at, date, texts)

    def compose(self) -> AlertText:
        alert, texts = self._alert, self._texts
        ended = alert.state is AlertState.RESOLVED
        address = link(alert, self._notification)
        return AlertText(
            id=plain(alert.id, _LONGEST_NAME),
            rule=plain(alert.rule, _LONGEST_NAME),
            severity=alert.severity,
            state=alert.state,
            severity_text=texts.severities[alert.severity],
            state_text=texts.states[alert.state],
            summary=_summary(alert, texts),
            facts=tuple(fact for fact in self._facts() if fact[1]),
            advice=None if ended else plain(alert.annotations.get("description", "")) or None,
            evidence=() if ended else evidence.lines(alert.evidence, texts),
            link=plain(address) if address else None,
            runbook=_web_address(alert.annotations.get("runbook_url", "")),
        )

    def _facts(self) -> list[tuple[str, str]]:
        labels, alert = self._texts.facts, self._alert
        return [
            (labels.severity, self._texts.severities[alert.severity].lower()),
            (labels.since, self._lasting()),
            (labels.resolved, self._end()),
            (labels.value, self._value()),
            (labels.where, self._where()),
            (labels.acknowledged, self._acknowledged()),
            (labels.silenced, self._silenced()),
            (labels.flapping, self._texts.counted(self._texts.flapping, alert.flaps) if alert.flaps else ""),
            (labels.note, self._texts.no_data if alert.no_data and alert.resolved_at is None else ""),
        ]

    def _lasting(self) -> str:
        since = _since(self._alert)
        if self._alert.resolved_at is not None:
            return self._moment(since)
        lasted = duration(_whole(self._notification.created_at - since), self._texts)
        return self._texts.lasting.format(moment=self._moment(since), duration=lasted)

    def _end(self) -> str:
        alert, texts = self._alert, self._texts
        if alert.resolved_at is None:
            return ""
        reason = plain(alert.resolve_reason or "")
        return (texts.ended_because if reason else texts.ended).format(
            moment=self._moment(alert.resolved_at),
            duration=duration(_whole(alert.resolved_at - _since(alert)), texts),
            reason=texts.reasons.get(reason, reason),
        )

    def _value(self) -> str:
        unit = self._alert.annotations.get("unit", "")
        value = figure(self._alert.value, unit, self._texts)
        operator, _, bound = (self._alert.threshold or "").partition(" ")
        if operator not in _OPERATORS:
            return value
        phrase = self._texts.equality if operator in ("==", "!=") else self._texts.limit
        try:
            return phrase.format(value=value, threshold=f"{operator} {figure(float(bound), unit, self._texts)}")
        except ValueError:
            return value

    def _where(self) -> str:
        labels = self._alert.labels.without("alertname", "component")
        return plain(", ".join(f"{name}={value}" for name, value in labels.pairs))

    def _acknowledged(self) -> str:
        owner = self._alert.acknowledged
        return self._act(self._by(owner.by), owner.comment) if owner else ""

    def _silenced(self) -> str:
        alert, texts = self._alert, self._texts
        if alert.resolved_at is not None:
            return ""
        silence = alert.silenced
        if silence is None:
            return texts.by_silence if alert.silenced_by else ""
        until = texts.until_resolved
        if silence.until is not None:
            until = texts.until.format(moment=self._moment(silence.until))
        return self._act(f"{until}, {self._by(silence.by)}", silence.comment)

    def _by(self, who: str | None) -> str:
        return self._texts.by.format(who=plain(who or "", _LONGEST_NAME) or self._texts.somebody)

    def _act(self, what: str, comment: str | None) -> str:
        said = plain(comment or "")
        return self._texts.commented.format(what=what, comment=said) if said else what


def _whole(seconds: float) -> float:
    """Full seconds: of what people wait for, nobody wants the milliseconds."""
    return float(round(seconds))


def _web_address(given: str) -> str | None:
    """*given*, if it is safe to make a link of it: an annotation may be a template over labels."""
    address = plain(given)
    return address if address.lower().startswith(("http://", "https://")) and " " not in address else None
