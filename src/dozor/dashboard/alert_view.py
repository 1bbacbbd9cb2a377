"""Alerts on the overview: what fires, what may come to fire, and what was done about it."""

from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import quote

from dozor.clock import Clock
from dozor.dashboard.html import Html, el, join, told
from dozor.dashboard.parts import ago, lasting, severity_tone, shape
from dozor.model.alert import Alert, AlertState
from dozor.model.silence import Silence
from dozor.overview.words import duration

_MOST: Final = 50


def alert_list(alerts: Sequence[Alert], silences: Mapping[str, Silence], clock: Clock, at: float) -> Html:
    """What fires, worst first."""
    if not alerts:
        return el("p", shape("healthy"), "Nothing fires.", class_="empty good")
    shown = [_row(alert, silences, clock, at) for alert in alerts[:_MOST]]
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
            el("span", told(summary(alert), 300)),
            ago(clock, alert.active_at, at),
        )
        for alert in alerts[:_MOST]
    ]
    return join(el("h3", "Holds, but not for long enough to fire yet"), el("ul", *rows, class_="pending"))


def _row(alert: Alert, silences: Mapping[str, Silence], clock: Clock, at: float) -> Html:
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
        el("p", told(summary(alert), 600), class_="summary"),
        el("p", told(description, 600), class_="description") if description else None,
        notes(alert, silences, clock, at),
        labels(alert),
        _quick_actions(alert),
        class_=f"alert {kind}{' quiet' if quiet else ''}",
    )


def _link(alert: Alert) -> Html:
    return el("a", told(alert.rule, 200), href=f"alert/{quote(alert.id, safe='')}", class_="rule")


def summary(alert: Alert) -> str:
    """What *alert* says in a line."""
    return alert.annotations.get("summary") or alert.annotations.get("description") or str(alert.labels)


def notes(alert: Alert, silences: Mapping[str, Silence], clock: Clock, at: float, *, base: str = "./") -> Html | None:
    """What was done about *alert*, and what keeps it quiet. *base* is the way to the page's root."""
    said = []
    if taken := alert.acknowledged:
        said.append(el("li", "Acknowledged", by(taken.by), " ", ago(clock, taken.at, at), _comment(taken.comment)))
    if own := alert.silenced:
        end = "until it resolves" if own.until is None else f"for another {duration(own.until - at)}"
        said.append(el("li", f"Silenced {end}", by(own.by), _comment(own.comment)))
    said += [_matched(silences[one], at, base) for one in alert.silenced_by if one in silences]
    if alert.inhibited_by:
        said.append(el("li", "Kept quiet by ", told(", ".join(alert.inhibited_by)), ", which says the same."))
    if alert.flaps:
        said.append(el("li", f"Flapping: it fired {alert.flaps} times lately, so people hear less often of it."))
    if alert.no_data:
        said.append(el("li", "No data now: the series is gone while what it is about is still watched."))
    elif alert.firing and not alert.holds:
        said.append(el("li", "Already better, but not for long enough to be over."))
    return el("ul", *said, class_="notes") if said else None


def _matched(silence: Silence, at: float, base: str) -> Html:
    end = (
        "until all that it matches has resolved"
        if silence.ends_at is None
        else f"for another {duration(silence.ends_at - at)}"
    )
    link = el("a", "a silence", href=f"{base}silence#{quote(silence.id, safe='')}")
    return el("li", "Silenced by ", link, f" {end}", by(silence.by), _comment(silence.comment))


def _comment(comment: str | None) -> Html | None:
    return join(": ", told(comment, 500)) if comment else None


def by(name: str | None) -> Html | None:
    """Who did something, after what was done."""
    return join(" by ", told(name, 100)) if name else None


def labels(alert: Alert, limit: int = 8) -> Html | None:
    """The labels that tell *alert* from others of its rule."""
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
        None if alert.state is AlertState.SILENCED else silence,
        _button(f"{base}/resolve", "Resolve", "quiet"),
        el("a", "Details and other ways", href=base, class_="more"),
        class_="actions",
    )


def _button(action: str, words: str, kind: str) -> Html:
    return el("form", el("button", words, class_=kind), method="post", action=action)
