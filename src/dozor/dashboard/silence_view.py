"""The page of silences: who is not told of what, until when, why; and the form to make one."""

from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import quote

from msgspec import Struct

from dozor.clock import Clock
from dozor.dashboard.alert_view import by, summary
from dozor.dashboard.html import Html, el, join, told
from dozor.dashboard.parts import ago, severity_tone, shape, table
from dozor.model.alert import Alert
from dozor.model.silence import Silence, SilenceState
from dozor.overview import SilenceRecord
from dozor.overview.words import duration

_MOST_ROWS: Final = 200
_MOST_ALERTS: Final = 20
DURATIONS: Final = (
    ("30m", "30 minutes"),
    ("1h", "1 hour"),
    ("2h", "2 hours"),
    ("4h", "4 hours"),
    ("1d", "1 day"),
    ("7d", "7 days"),
    ("until_resolved", "until what it matches has resolved"),
)
_STATE_TONE: Final = {
    SilenceState.ACTIVE: "warning",
    SilenceState.SCHEDULED: "unknown",
    SilenceState.EXPIRED: "none",
}


class Preview(Struct, frozen=True):
    """What a silence would match now: *alerts*; or *fault*, why these matchers are none."""

    alerts: Sequence[Alert] = ()
    fault: str | None = None


def silence_page(
    records: Sequence[SilenceRecord],
    filled: Mapping[str, str],
    preview: Preview | None,
    clock: Clock,
    *,
    said: str | None = None,
) -> Html:
    """The body of the page. *filled*: what stands in the form; *said*: what was just done."""
    at = clock.timestamp()
    current = [record for record in records if record.silence.state(at) is not SilenceState.EXPIRED]
    over = [record for record in records if record.silence.state(at) is SilenceState.EXPIRED]
    return join(
        el("p", el("a", "← Overview", href="./")),
        el("p", said, class_="said", role="status") if said else None,
        el("h1", "Silences"),
        el(
            "p",
            "Nobody is told of what they match. It stays visible, and whoever looks sees why it is quiet.",
            class_="dim",
        ),
        _form(filled, preview),
        el("section", el("h2", "In force, or still to come"), _list(current, clock, at)),
        el("section", el("h2", "Over in the last day"), _list(over, clock, at)) if over else None,
    )


def _list(records: Sequence[SilenceRecord], clock: Clock, at: float) -> Html:
    if not records:
        return el("p", shape("healthy"), "Nothing is silenced.", class_="empty good")
    heads = [("What", ""), ("State", ""), ("Begins", ""), ("Ends", ""), ("Silences now", "num"), ("Why", ""), ("", "")]
    rows = [_row(record, clock, at) for record in records[:_MOST_ROWS]]
    more = f"and {len(records) - _MOST_ROWS} more; silences in the API has all" if len(records) > _MOST_ROWS else None
    return join(table("Silences", heads, rows), el("p", more, class_="hint") if more else None)


def _row(record: SilenceRecord, clock: Clock, at: float) -> list[Html]:
    silence = record.silence
    state = silence.state(at)
    tone = _STATE_TONE[state]
    return [
        el("div", _what(record), id=silence.id),
        el("span", shape(tone), state.value.capitalize(), class_=f"status {tone}"),
        _begins(silence, clock, at),
        _ends(silence, clock, at),
        el("span", str(len(record.alerts))),
        join(told(silence.comment, 300) if silence.comment else None, el("small", *_author(silence))),
        _end_form(silence) if state is not SilenceState.EXPIRED else join(),
    ]


def _what(record: SilenceRecord) -> Html:
    if record.alert_id is not None:
        rule = record.alerts[0].rule if record.alerts else record.alert_id
        return el("a", told(rule, 120), href=f"alert/{quote(record.alert_id, safe='')}")
    shown = [el("li", el("code", told(matcher, 200))) for matcher in record.silence.matchers]
    return el("ul", *shown, class_="labels", aria_label="Matchers")


def _author(silence: Silence) -> list[Html | str]:
    name = by(silence.by)
    return ["made", name] if name else []


def _begins(silence: Silence, clock: Clock, at: float) -> Html:
    return ago(clock, silence.starts_at, at) if silence.starts_at <= at else _ahead(clock, silence.starts_at, at)


def _ends(silence: Silence, clock: Clock, at: float) -> Html:
    if silence.ended_at is not None:
        return ago(clock, silence.ended_at, at)
    if silence.ends_at is None:
        return el("span", "when it has resolved")
    return _ahead(clock, silence.ends_at, at) if silence.ends_at > at else ago(clock, silence.ends_at, at)


def _ahead(clock: Clock, timestamp: float, at: float) -> Html:
    moment = clock.date(timestamp)
    said = f"in {duration(timestamp - at)}"
    return el("time", said, datetime=moment.isoformat(), title=f"{moment:%Y-%m-%d %H:%M:%S} UTC")


def _end_form(silence: Silence) -> Html:
    action = f"silence/{quote(silence.id, safe='')}/end"
    return el("form", el("button", "End it", class_="quiet"), method="post", action=action)


# -- the form ------------------------------------------------------------------------------------------------------


def _form(filled: Mapping[str, str], preview: Preview | None) -> Html:
    chosen = filled.get("duration") or "1h"
    choices = [el("option", words, value=value, selected=value == chosen) for value, words in DURATIONS]
    # One form, two ways to send it: the preview reads and stands in the address, the silence is made by POST.
    form = el(
        "form",
        el(
            "label",
            "Which alerts: one matcher a line, all must match",
            el(
                "textarea",
                filled.get("matchers", ""),
                name="matchers",
                rows="3",
                maxlength="10000",
                required=True,
                placeholder='pool="main"\nseverity=~"info|warning"',
                spellcheck="false",
            ),
        ),
        el("label", "For how long", el("select", *choices, name="duration")),
        el(
            "label",
            "Begins (UTC; empty: now)",
            el("input", type="datetime-local", name="starts", value=filled.get("starts") or None),
        ),
        el(
            "label",
            "Your name",
            el("input", name="by", maxlength="200", autocomplete="name", value=filled.get("by") or None),
        ),
        el("label", "Comment", el("input", name="comment", maxlength="4000", value=filled.get("comment") or None)),
        el(
            "div",
            el("button", "Show what it matches", formmethod="get", formaction="silence", class_="quiet"),
            el("button", "Silence them", class_="first"),
            class_="actions",
        ),
        method="post",
        action="silence",
    )
    return el(
        "section",
        el("h2", "Silence alerts"),
        el("div", form, _preview(preview), class_="forms"),
        id="new",
    )


def _preview(preview: Preview | None) -> Html | None:
    if preview is None:
        return None
    if preview.fault is not None:
        return el("div", el("p", told(preview.fault, 1000)), class_="said", role="alert")
    count = len(preview.alerts)
    rows = [
        el(
            "li",
            shape(severity_tone(alert.severity.value)),
            el("a", told(alert.rule, 120), href=f"alert/{quote(alert.id, safe='')}", class_="rule"),
            el("span", told(summary(alert), 200)),
        )
        for alert in preview.alerts[:_MOST_ALERTS]
    ]
    if count > _MOST_ALERTS:
        rows.append(el("li", f"and {count - _MOST_ALERTS} more", class_="dim"))
    headline = (
        f"This matches {count} {'alert' if count == 1 else 'alerts'} now." if count else "This matches nothing now."
    )
    return el("div", el("p", headline), el("ul", *rows, class_="pending"), class_="said", role="status")
