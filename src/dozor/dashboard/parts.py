"""The small parts that a page is made of: statuses, times, bars, sparklines."""

import math
from collections.abc import Sequence
from typing import Final

from dozor.clock import Clock
from dozor.dashboard.html import Html, el, join
from dozor.overview import Sparkline, Status
from dozor.overview.words import duration, figure

# A shape for each status, so that colour is never alone. Drawn in a square of 16.
_SHAPES: Final = {
    "healthy": '<circle cx="8" cy="8" r="7"/><path class="ink" d="m4.8 8.3 2.2 2.3 4.3-5"/>',
    "warning": '<path d="M8 1.2 15.4 14.6H.6z"/><path class="ink" d="M8 6v4.2M8 12.2v.6"/>',
    "critical": '<path d="M5 1h6l4 4v6l-4 4H5l-4-4V5z"/><path class="ink" d="M8 4.2v4.8M8 11.2v.6"/>',
    "disconnected": '<path d="M5 1h6l4 4v6l-4 4H5l-4-4V5z"/><path class="ink" d="m5.4 5.4 5.2 5.2m0-5.2-5.2 5.2"/>',
    "unknown": '<circle class="hollow" cx="8" cy="8" r="6.2"/><path class="line" d="M6 6.3a2 2 0 1 1 2.6 1.9'
    'c-.4.2-.6.5-.6 1M8 11.3v.4"/>',
    "none": '<circle class="hollow dashed" cx="8" cy="8" r="6.2"/>',
}
_SEVERITY_TONE: Final = {"INFO": "info", "WARNING": "warning", "CRITICAL": "critical", "EMERGENCY": "critical"}


def tone(status: Status | None) -> str:
    """The class that colours what has *status*."""
    return "none" if status is None else status.value.lower()


def severity_tone(severity: str) -> str:
    """The class that colours an alert of *severity*."""
    return _SEVERITY_TONE.get(severity, "unknown")


def shape(kind: str) -> Html:
    """The shape of a status, for eyes only: the word stands beside it."""
    drawn = _SHAPES.get("unknown" if kind == "info" else kind, _SHAPES["unknown"])
    return el("svg", Html(drawn), class_=f"shape {kind}", viewBox="0 0 16 16", aria_hidden="true")


def status_mark(status: Status | None) -> Html:
    """A status by shape, colour and word."""
    word = "Not watched" if status is None else status.value.capitalize()
    return el("span", shape(tone(status)), word, class_=f"status {tone(status)}")


def lasting(seconds: float) -> str:
    """How long something has been so, in whole seconds and at least one."""
    return duration(max(math.floor(seconds), 1))


def ago(clock: Clock, timestamp: float | None, at: float) -> Html:
    """How long ago *timestamp* was; the moment itself on pointing at it."""
    if timestamp is None:
        return el("span", "never", class_="dim")
    moment = clock.date(timestamp)
    said = f"{lasting(at - timestamp)} ago" if at - timestamp >= 1 else "now"
    return el("time", said, datetime=moment.isoformat(), title=f"{moment:%Y-%m-%d %H:%M:%S} UTC")


def bar(share: float | None, kind: str, label: str) -> Html:
    """A horizontal bar filled to *share* (0 to 1); *label* says in words what it shows."""
    if share is None:
        return el("span", "unlimited", class_="dim")
    filled = round(100 * min(max(share, 0.0), 1.0), 1)
    return el(
        "svg",
        el("rect", class_="track", width="100", height="8", rx="4"),
        el("rect", class_="fill", width=filled, height="8", rx="4"),
        class_=f"bar {kind}",
        viewBox="0 0 100 8",
        preserveAspectRatio="none",
        role="img",
        aria_label=label,
    )


_WIDTH: Final = 120
_HEIGHT: Final = 28


def sparkline(line: Sparkline | None) -> Html:
    """The course of a figure, with gaps where nothing is known; nothing at all before there are two points."""
    if line is None or sum(value is not None for _, value in line.points) < 2:
        return el("span", class_="spark empty")
    known = [value for _, value in line.points if value is not None]
    top = 100.0 if line.unit == "percent" else max(max(known) * 1.1, 1e-9)
    paths = [path for run in _runs(line) if (path := _path(run, len(line.points), top))]
    label = (
        f"{line.title}, last 15 minutes: from {figure(min(known), line.unit)} to {figure(max(known), line.unit)}, "
        f"now {figure(known[-1], line.unit)}"
    )
    return el(
        "svg",
        *paths,
        class_="spark",
        viewBox=f"0 0 {_WIDTH} {_HEIGHT}",
        preserveAspectRatio="none",
        role="img",
        aria_label=label,
    )


def _runs(line: Sparkline) -> list[list[tuple[int, float]]]:
    """Unbroken stretches of (position, value)."""
    runs: list[list[tuple[int, float]]] = [[]]
    for position, (_, value) in enumerate(line.points):
        if value is None:
            if runs[-1]:
                runs.append([])
        else:
            runs[-1].append((position, value))
    return [run for run in runs if run]


def _path(run: Sequence[tuple[int, float]], positions: int, top: float) -> Html | None:
    step = _WIDTH / max(positions - 1, 1)
    dots = [(position * step, _HEIGHT - 1 - (_HEIGHT - 3) * min(max(value / top, 0.0), 1.0)) for position, value in run]
    if len(dots) == 1:
        (x, y) = dots[0]
        dots.append((x + step / 2, y))
    line = "L".join(f"{x:.1f} {y:.1f}" for x, y in dots)
    area = f"M{dots[0][0]:.1f} {_HEIGHT}L{line}L{dots[-1][0]:.1f} {_HEIGHT}z"
    return join(el("path", class_="area", d=area), el("path", class_="course", d=f"M{line}"))


def number(value: float | None, unit: str = "") -> Html:
    """A figure, or a dash where it is unknown."""
    if value is None or not math.isfinite(value):
        return el("span", "?", class_="dim", title="unknown")
    return el("span", figure(value, unit))


def reasons(said: Sequence[str], limit: int = 4) -> Html | None:
    """Why something is as it is, as a list."""
    if not said:
        return None
    shown = [el("li", el("bdi", reason if len(reason) <= 300 else f"{reason[:299]}…")) for reason in said[:limit]]
    if len(said) > limit:
        shown.append(el("li", f"and {len(said) - limit} more", class_="dim"))
    return el("ul", *shown, class_="reasons")


def table(caption: str, heads: Sequence[tuple[str, str]], rows: Sequence[Sequence[Html]]) -> Html:
    """A table; each head is (text, class), the first cell of each row its heading.

    On a phone each row becomes a card, in which a cell shows its column's name from `data-label`.
    """
    head = el("tr", *(el("th", name, scope="col", class_=kind or None) for name, kind in heads))
    body = []
    for first, *rest in rows:
        cells = [
            el("td", cell, class_=kind or None, data_label=name)
            for cell, (name, kind) in zip(rest, heads[1:], strict=True)
        ]
        body.append(el("tr", el("th", first, scope="row"), *cells))
    drawn = el("table", el("caption", caption, class_="hidden"), el("thead", head), el("tbody", *body))
    return el("div", drawn, class_="scroll", role="region", aria_label=caption, tabindex="0")
