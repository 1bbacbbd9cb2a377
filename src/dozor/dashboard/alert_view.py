"""Alerts on the page: the list, one alert with all that is known of it, and the forms to act on it."""

import json
from collections.abc import Sequence
from typing import Final
from urllib.parse import quote

import msgspec

from dozor.clock import Clock
from dozor.dashboard.html import Html, el, join, told
from dozor.dashboard.parts import ago, lasting, severity_tone, shape
from dozor.model.alert import Alert, AlertState
from dozor.overview.words import duration, figure

_MOST: Final = 50
SILENCES: Final = (
    ("30m", "30 minutes"),
    ("1h", "1 hour"),
    ("4h", "4 hours"),
    ("1d", "1 day"),
    ("7d", "7 days"),
    ("until_resolved", "until it resolves"),
)


def alert_list(alerts: Sequence[Alert], clock: Clock, at: float) -> Html:
    """What fires, worst first."""
    if not alerts:
        return el("p", shape("healthy"), "Nothing fires.", class_="empty good")
    shown = [_row(alert, clock, at) for alert in alerts[:_MOST]]
    if len(alerts) > _MOST:
        more = f"and {len(alerts) - _MOST} more; alerts/active lists them all"
        shown.append(el("li", more, class_="dim"))
    return el("ul", *shown, class_="alerts")


def pending_list(alerts: Sequence[Alert], clock: Clock, at: float) -> Html | None:
    """What holds, but not for long enough to fire."""
    if not alerts:
        return None
    rows = [
        el(
            "li",
            shape("unknown"),
            _link(alert),
            el("span", told(_summary(alert), 300)),
            ago(clock, alert.active_at, at),
        )
        for alert in alerts[:_MOST]
    ]
    return join(el("h3", "Holds, but not for long enough to fire yet"), el("ul", *rows, class_="pending"))


def _row(alert: Alert, clock: Clock, at: float) -> Html:
    kind = severity_tone(alert.severity.value)
    quiet = alert.state in {AlertState.ACKNOWLEDGED, AlertState.SILENCED} or bool(alert.inhibited_by)
    description = alert.annotations.get("description") if alert.annotations.get("summary") else None
    return el(
        "li",
        el(
            "div",
            el("span", shape(kind), alert.severity.value.capitalize(), class_=f"status {kind}"),
            _link(alert),
            el("span", "firing for ", lasting(at - (alert.fired_at or alert.active_at)), class_="dim"),
            class_="line",
        ),
        el("p", told(_summary(alert), 600), class_="summary"),
        el("p", told(description, 600), class_="description") if description else None,
        _notes(alert, clock, at),
        _labels(alert),
        _quick_actions(alert),
        class_=f"alert {kind}{' quiet' if quiet else ''}",
    )


def _link(alert: Alert) -> Html:
    return el("a", told(alert.rule, 200), href=f"alert/{quote(alert.id, safe='')}", class_="rule")


def _summary(alert: Alert) -> str:
    return alert.annotations.get("summary") or alert.annotations.get("description") or str(alert.labels)


def _notes(alert: Alert, clock: Clock, at: float) -> Html | None:
    notes = []
    if taken := alert.acknowledged:
        by = join(" by ", told(taken.by, 100)) if taken.by else None
        notes.append(el("li", "Acknowledged", by, " ", ago(clock, taken.at, at), _comment(taken.comment)))
    if silence := alert.silenced:
        by = join(" by ", told(silence.by, 100)) if silence.by else None
        end = "until it resolves" if silence.until is None else f"for another {duration(silence.until - at)}"
        notes.append(el("li", f"Silenced {end}", by, _comment(silence.comment)))
    if alert.inhibited_by:
        notes.append(el("li", "Kept quiet by ", told(", ".join(alert.inhibited_by)), ", which says the same."))
    if alert.no_data:
        notes.append(el("li", "No data now: the series is gone while what it is about is still watched."))
    elif alert.firing and not alert.holds:
        notes.append(el("li", "Already better, but not for long enough to be over."))
    return el("ul", *notes, class_="notes") if notes else None


def _comment(comment: str | None) -> Html | None:
    return join(": ", told(comment, 500)) if comment else None


def _labels(alert: Alert, limit: int = 8) -> Html | None:
    pairs = [pair for pair in alert.labels.pairs if pair[0] not in {"alertname", "component", "severity"}]
    if not pairs:
        return None
    shown = [el("li", told(name, 60), "=", told(value, 120)) for name, value in pairs[:limit]]
    return el("ul", *shown, class_="labels", aria_label="Labels")


def _quick_actions(alert: Alert) -> Html:
    base = f"alert/{quote(alert.id, safe='')}"
    silence = el(
        "form",
        el("input", type="hidden", name="duration", value="1h"),
        el("button", "Silence 1 h", class_="quiet"),
        method="post",
        action=f"{base}/silence",
    )
    return el(
        "div",
        None if alert.acknowledged else _button(f"{base}/acknowledge", "Acknowledge", "first"),
        None if alert.silenced else silence,
        _button(f"{base}/resolve", "Resolve", "quiet"),
        el("a", "Details and other ways", href=base, class_="more"),
        class_="actions",
    )


def _button(action: str, words: str, kind: str) -> Html:
    return el("form", el("button", words, class_=kind), method="post", action=action)


# -- one alert -----------------------------------------------------------------------------------------------------


def alert_detail(alert: Alert, clock: Clock, at: float) -> Html:
    """One alert with all that is known of it."""
    kind = severity_tone(alert.severity.value)
    description = alert.annotations.get("description")
    return join(
        el("p", el("a", "← Overview", href="../")),
        el(
            "section",
            el(
                "div",
                el("span", shape(kind), alert.severity.value.capitalize(), class_=f"status {kind}"),
                el("span", alert.state.value.capitalize(), class_="dim"),
                class_="line",
            ),
            el("h1", told(alert.rule, 200)),
            el("p", told(_summary(alert), 2000), class_="summary"),
            el("p", told(description, 4000), class_="description") if description else None,
            _runbook(alert),
            _notes(alert, clock, at),
            class_=f"alert detail {kind}",
        ),
        _facts(alert, clock, at),
        _evidence(alert),
        _forms(alert),
    )


def _runbook(alert: Alert) -> Html | None:
    address = alert.annotations.get("runbook_url", "")
    if not address.lower().startswith(("https://", "http://")):
        return None
    return el("p", el("a", "What to do (runbook)", href=address, rel="noopener noreferrer"))


def _facts(alert: Alert, clock: Clock, at: float) -> Html:
    rows: list[tuple[str, Html | None]] = [
        ("Value", el("span", figure(alert.value))),
        ("Holds since", ago(clock, alert.active_at, at)),
        ("Fired", ago(clock, alert.fired_at, at) if alert.fired_at else el("span", "not yet")),
        ("Resolved", ago(clock, alert.resolved_at, at) if alert.resolved_at else None),
        ("Because", told(alert.resolve_reason, 500) if alert.resolve_reason else None),
        ("Labels", _labels(alert, limit=100)),
        ("Id", el("code", told(alert.id, 100))),
    ]
    facts = [join(el("dt", name), el("dd", value)) for name, value in rows if value is not None]
    return el("section", el("h2", "What is known"), el("dl", *facts, class_="facts"))


def _evidence(alert: Alert) -> Html | None:
    if not alert.evidence:
        return None
    plain = msgspec.to_builtins(dict(alert.evidence), enc_hook=str, str_keys=True)
    written = json.dumps(plain, indent=2, ensure_ascii=False)
    return el("section", el("h2", "Seen when it fired"), el("pre", told(written, 20_000), tabindex="0"))


def _forms(alert: Alert) -> Html | None:
    if alert.state is AlertState.RESOLVED:
        return None
    base = quote(alert.id, safe="")
    choices = [el("option", words, value=value, selected=value == "1h") for value, words in SILENCES]
    silence = _form(
        f"{base}/silence",
        "Silence",
        "Nobody is told for this time; the alert stays visible. If it still fires afterwards, people are told.",
        el("label", "For how long", el("select", *choices, name="duration")),
    )
    if alert.fired_at is None:
        return el("section", el("h2", "Act"), el("div", silence, class_="forms"))
    acknowledge = _form(
        f"{base}/acknowledge",
        "Acknowledge",
        "You have it: no reminders and no escalation by time, until it resolves.",
    )
    resolve = _form(
        f"{base}/resolve",
        "Resolve",
        "Close it by hand. If the condition still holds after the cooldown, it fires anew.",
    )
    return el("section", el("h2", "Act"), el("div", acknowledge, silence, resolve, class_="forms"))


def _form(action: str, words: str, meaning: str, *fields: Html) -> Html:
    return el(
        "form",
        el("p", meaning),
        *fields,
        el("label", "Your name", el("input", name="by", maxlength="200", autocomplete="name")),
        el("label", "Comment", el("input", name="comment", maxlength="4000", autocomplete="off")),
        el("button", words, class_="first"),
        method="post",
        action=action,
    )
