"""One alert on a page of its own: what is known, what was seen, what happened, and the forms to act on it."""

from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import quote, urlencode

from dozor.clock import Clock
from dozor.dashboard.alert_view import by, labels, notes, summary
from dozor.dashboard.evidence_view import evidence_section
from dozor.dashboard.html import Html, el, join, told
from dozor.dashboard.parts import ago, severity_tone, shape
from dozor.model.alert import Alert, AlertState
from dozor.model.notification import NOTE, AuditEntry
from dozor.model.silence import Silence
from dozor.overview.words import figure
from dozor.store.matchers import Matcher

_MOST_EVENTS: Final = 200
SILENCES: Final = (
    ("30m", "30 minutes"),
    ("1h", "1 hour"),
    ("4h", "4 hours"),
    ("1d", "1 day"),
    ("7d", "7 days"),
    ("until_resolved", "until it resolves"),
)


def alert_detail(
    alert: Alert,
    silences: Mapping[str, Silence],
    timeline: Sequence[AuditEntry] | None,
    clock: Clock,
    *,
    said: str | None = None,
) -> Html:
    """One alert with all that is known of it. *timeline* None: the store does not answer; *said*: what was just done."""
    at = clock.timestamp()
    kind = severity_tone(alert.severity.value)
    description = alert.annotations.get("description")
    return join(
        el("p", el("a", "← Overview", href="../")),
        el("p", said, class_="said", role="status") if said else None,
        el(
            "section",
            el(
                "div",
                el("span", shape(kind), alert.severity.value.capitalize(), class_=f"status {kind}"),
                el("span", alert.state.value.capitalize(), class_="dim"),
                class_="line",
            ),
            el("h1", told(alert.rule, 200)),
            el("p", told(summary(alert), 2000), class_="summary"),
            el("p", told(description, 4000), class_="description") if description else None,
            _runbook(alert),
            notes(alert, silences, clock, at, base="../"),
            class_=f"alert detail {kind}",
        ),
        _facts(alert, clock, at),
        evidence_section(alert),
        _forms(alert),
        _timeline(timeline, clock, at),
        _note_form(alert),
    )


def _runbook(alert: Alert) -> Html | None:
    address = alert.annotations.get("runbook_url", "")
    if not address.lower().startswith(("https://", "http://")):
        return None
    return el("p", el("a", "What to do (runbook)", href=address, rel="noopener noreferrer"))


def _facts(alert: Alert, clock: Clock, at: float) -> Html:
    rows: list[tuple[str, Html | None]] = [
        ("Value", _value(alert)),
        ("Holds since", ago(clock, alert.active_at, at)),
        ("Fired", ago(clock, alert.fired_at, at) if alert.fired_at else el("span", "not yet")),
        ("Resolved", ago(clock, alert.resolved_at, at) if alert.resolved_at else None),
        ("Because", told(alert.resolve_reason, 500) if alert.resolve_reason else None),
        ("Labels", labels(alert, limit=100)),
        ("Id", el("code", told(alert.id, 100))),
    ]
    facts = [join(el("dt", name), el("dd", value)) for name, value in rows if value is not None]
    return el("section", el("h2", "What is known"), el("dl", *facts, class_="facts"))


def _value(alert: Alert) -> Html:
    limit = el("span", " (fires when ", told(alert.threshold, 100), ")", class_="dim") if alert.threshold else None
    return join(el("span", figure(alert.value)), limit)


def _timeline(timeline: Sequence[AuditEntry] | None, clock: Clock, at: float) -> Html:
    """What happened, newest first; None: the store does not answer."""
    if timeline is None:
        return el(
            "section",
            el("h2", "What happened"),
            el("p", "Dozor's store does not answer now, and it alone knows.", class_="hint"),
        )
    events = [
        el(
            "li",
            ago(clock, entry.at, at),
            el("div", _event(entry), class_="note" if entry.event == NOTE else None),
        )
        for entry in reversed(timeline[-_MOST_EVENTS:])
    ]
    if len(timeline) > _MOST_EVENTS:
        events.append(el("li", f"and {len(timeline) - _MOST_EVENTS} earlier ones; alerts/ID in the API has all"))
    return el("section", el("h2", "What happened"), el("ol", *events, class_="timeline") if events else None)


def _event(entry: AuditEntry) -> Html:
    if entry.event == NOTE:
        return join(
            el("p", told(entry.comment or "", 4000), class_="description"),
            el("small", "noted", by(entry.by)),
        )
    comment = join(": ", told(entry.comment, 500)) if entry.comment else None
    return join(f"{entry.event[:1].upper()}{entry.event[1:]}", by(entry.by), comment)


def _note_form(alert: Alert) -> Html:
    form = el(
        "form",
        el("p", "For those who look at this later: what was found, tried, decided."),
        el("label", "Note", el("textarea", name="text", maxlength="4000", rows="3", required=True)),
        el("label", "Your name", el("input", name="by", maxlength="200", autocomplete="name")),
        el("button", "Write it down", class_="first"),
        method="post",
        action=f"{quote(alert.id, safe='')}/notes",
    )
    return el("section", el("h2", "Write a note"), el("div", form, class_="forms"))


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
        el("p", el("a", "Silence all that are like it", href=f"../silence?{_like(alert)}"), class_="hint"),
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


def _like(alert: Alert) -> str:
    """The query that fills the form of silences with matchers for *alert* and its like."""
    named = {"alertname": alert.rule, **{key: value for key, value in alert.labels.items() if key != "component"}}
    return urlencode({"matchers": "\n".join(str(Matcher(name, "=", value)) for name, value in named.items())})


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
