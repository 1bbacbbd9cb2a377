"""What `dozor top` shows: lines of text, from what Dozor answered and from where the user is in it. No input, no output."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Any, Final, NamedTuple

from rich.text import Text

from dozor.cli.alerts import where
from dozor.cli.client import Document
from dozor.cli.output import elapsed, printable, seconds
from dozor.cli.top_table import Cell, Column, line, table

SECTIONS: Final = ("alerts", "pools", "redis", "changes")
KEYS: Final = (
    ("up, down, j, k", "select an alert; scroll what has the focus"),
    ("tab, shift-tab", "the next section, the one before"),
    ("a", "acknowledge the alert: it is yours, reminders stop"),
    ("s", "silence it for an hour"),
    ("r", "resolve it by hand, once you have confirmed that"),
    ("n", "write a note on it"),
    ("?", "these keys"),
    ("q", "quit"),
)
_HINT: Final = "a acknowledge  s silence 1h  r resolve  n note  tab section  ? keys  q quit"

_STYLES: Final = {
    "HEALTHY": "green", "WARNING": "yellow", "CRITICAL": "red", "DISCONNECTED": "red", "UNKNOWN": "yellow",
    "EMERGENCY": "bold red", "INFO": "", "FIRING": "red", "ACKNOWLEDGED": "cyan", "SILENCED": "dim", "PENDING": "dim",
}  # fmt: skip
_MARKS: Final = {"HEALTHY": "●", "WARNING": "▲", "CRITICAL": "✖", "DISCONNECTED": "✖", "UNKNOWN": "?"}
_PLAIN_MARKS: Final = {"●": "+", "▲": "!", "✖": "x", "…": ".", "▏": "_"}
_BARS: Final = "▁▂▃▄▅▆▇█"
_BAR_POINTS: Final = 20
_MOST_REASONS: Final = 3


class Picture(NamedTuple):
    """What is known of a Dozor: its last answer, and why there is no newer one. *at* is in monotonic seconds."""

    overview: Document
    changes: Sequence[Document]
    at: float
    failure: str | None = None


@dataclass
class View:
    """Where the user is: the section with the focus, the selected alert, what is asked and being typed."""

    section: int = 0
    selected: str | None = None
    offsets: dict[str, int] = field(default_factory=dict)
    question: str | None = None
    typed: str | None = None
    help: bool = False
    said: str | None = None
    unicode: bool = True

    @property
    def name(self) -> str:
        """Of the section with the focus."""
        return SECTIONS[self.section]


def draw(
    picture: Picture, view: View, now: float, *, width: int | None = None, height: int | None = None
) -> list[Text]:
    """The lines, at most *height* and as wide as *width*; without these, all there is. *now* is in monotonic seconds."""
    head = _head(picture, now)
    foot = [] if height is None else [_foot(view)]
    if view.help:
        body = [Text.assemble((f"  {keys:<16}", "bold"), words, no_wrap=True) for keys, words in KEYS]
    else:
        body = _sections(picture, view, width, None if height is None else height - len(head) - len(foot))
    lines = [*head, *body]
    if height is not None:
        lines = lines[: max(1, height - len(foot))]
        lines += [Text()] * (height - len(foot) - len(lines))
    lines += foot
    return lines if view.unicode else [_ascii(one) for one in lines]


def alerts_of(picture: Picture) -> list[Document]:
    """The alerts as they are listed, worst first."""
    return list(picture.overview.get("alerts") or ())


# -- head and foot -------------------------------------------------------------------------------------------------


def _head(picture: Picture, now: float) -> list[Text]:
    overview = picture.overview
    status = str(overview.get("status"))
    lines = []
    if picture.failure is not None:
        age = seconds(now - picture.at)
        lines.append(line(f"✖ This is {age} old; trying again: {picture.failure}", "bold red"))
    lines.append(Text.assemble(("dozor top  ", "bold"), *_status(status), no_wrap=True))
    reasons = [str(one) for one in overview.get("reasons") or ()]
    lines += [line(f"  {reason}") for reason in reasons[:_MOST_REASONS]]
    if len(reasons) > _MOST_REASONS:
        lines.append(line(f"  and {len(reasons) - _MOST_REASONS} more", "dim"))
    lines += [_components(overview), _figures(overview)]
    return lines


def _status(status: str) -> tuple[tuple[str, str], ...]:
    return ((f"{_MARKS.get(status, '?')} {status}", _STYLES.get(status, "")),)


def _components(overview: Document) -> Text:
    found = Text(no_wrap=True, overflow="ellipsis")
    for name, component in (overview.get("components") or {}).items():
        status = component.get("status")
        shown = str(status) if status else "not watched"
        found.append(f"{name} ")
        found.append(f"{_MARKS.get(shown, '-')} {shown}   ", _STYLES.get(shown, "dim"))
    return found


def _figures(overview: Document) -> Text:
    http, host = overview.get("http") or {}, overview.get("host") or {}
    parts = [
        f"{title} {form(source[name])}"
        for title, source, name, form in (
            ("requests", http, "requests_per_second", lambda value: f"{_short(value)}/s"),
            ("5xx", http, "errors_per_minute", lambda value: f"{_short(value)}/min"),
            ("p95", http, "p95_seconds", _time),
            ("in progress", http, "in_progress", _short),
            ("cpu", host, "host_cpu_utilization", _percent),
            ("memory", host, "host_memory_utilization", _percent),
            ("loop lag", host, "event_loop_lag_seconds", _time),
        )
        if name in source
    ]
    return line("   ".join(parts))


def _foot(view: View) -> Text:
    if view.typed is not None:
        return Text.assemble(("Note (enter to write it, esc to leave it): ", "bold"), printable(view.typed), "▏")
    if view.question is not None:
        return line(view.question, "bold yellow")
    return line(view.said, "bold") if view.said is not None else line(_HINT, "dim")


# -- sections ------------------------------------------------------------------------------------------------------


class _Section(NamedTuple):
    name: str
    title: str
    lines: list[Text]
    empty: str


def _sections(picture: Picture, view: View, width: int | None, height: int | None) -> list[Text]:
    sections = [
        _Section("alerts", "Alerts", _alerts(picture, view, width), "No alerts."),
        _Section("pools", "Connection pools", _pools(picture.overview, view, width), "No database is watched."),
        _Section("redis", "Redis", _servers(picture.overview, view, width), "No Redis is watched."),
        _Section("changes", "What changed in the last hour", _changes(picture, width), "Nothing."),
    ]
    room = _room([max(0, len(one.lines) - 1) for one in sections], view.section, height)
    lines: list[Text] = []
    for number, section in enumerate(sections):
        if room[number] is not None:
            lines += _shown(section, view, room[number], focus=number == view.section and height is not None)
    return lines


def _room(wanted: Sequence[int], focus: int, height: int | None) -> list[int | None]:
    """How many rows of each section there is room for; None: it is not shown at all.

    Each takes two lines beside its rows, and one for a blank. That with the focus comes first, the others in their order.
    """
    if height is None:
        return [*wanted]
    frame, order = 3, [focus, *(number for number in range(len(wanted)) if number != focus)]
    found: list[int | None] = [None] * len(wanted)
    left = height
    for number in order:
        if left >= frame + 1 or number == focus:
            found[number] = 0
            left -= frame
    for share in (1, 3, None):
        for number in order:
            given = found[number]
            if given is not None and left > 0:
                more = min(wanted[number] if share is None else min(share, wanted[number]), given + left) - given
                found[number], left = given + max(0, more), left - max(0, more)
    return found


def _shown(section: _Section, view: View, room: int | None, *, focus: bool) -> list[Text]:
    rows = section.lines[1:]
    first = max(0, min(view.offsets.get(section.name, 0), len(rows) - (room or 0)))
    if focus:
        view.offsets[section.name] = first
    shown = rows if room is None else rows[first : first + room]
    count = f" ({len(rows)})" if rows else ""
    more = len(rows) - first - len(shown)
    title = Text.assemble((f"{section.title}{count}", "bold underline" if focus else "bold"), no_wrap=True)
    if first or more:
        title.append(f"  {first + 1}-{first + len(shown)}", "dim")
    if not rows:
        return [Text(), title, line(f"  {section.empty}", "dim")]
    return [Text(), title, section.lines[0], *shown]


def _alerts(picture: Picture, view: View, width: int | None) -> list[Text]:
    columns = [
        Column(" "), Column("severity"), Column("state", 2), Column("rule"), Column("where", 1), Column("since", 3),
        Column("value", 4), Column("about", 5),
    ]  # fmt: skip
    rows = []
    for alert in alerts_of(picture):
        chosen = view.selected == alert["id"]
        style = "reverse" if chosen and view.name == "alerts" else ""
        rows.append([
            Cell(">" if chosen else " ", "bold"),
            Cell(alert["severity"], f"{_STYLES.get(alert['severity'], '')} {style}".strip()),
            Cell(alert["state"], f"{_STYLES.get(alert['state'], '')} {style}".strip()),
            Cell(alert["rule"], style),
            Cell(where(alert), style),
            Cell(elapsed(alert.get("fired_at") or alert.get("active_at"))),
            Cell(_value(alert)),
            Cell(_about(alert)),
        ])  # fmt: skip
    return table(columns, rows, width)


def _about(alert: Document) -> str:
    owner = (alert.get("acknowledged") or {}).get("by")
    kept = f"inhibited by {', '.join(alert['inhibited_by'])}" if alert.get("inhibited_by") else None
    said = f"acknowledged by {owner}" if owner else kept
    return said or str(alert.get("annotations", {}).get("summary", ""))


def _value(alert: Document) -> str:
    value = alert.get("value")
    shown = "-" if value is None else f"{value:.4g}"
    return f"{shown} ({alert['threshold']})" if alert.get("threshold") else shown


def _pools(overview: Document, view: View, width: int | None) -> list[Text]:
    columns = [
        Column("pool"), Column("status"), Column("used"), Column("waiting", 1), Column("timeouts", 2), Column("idle", 4),
        Column("last 15 min", 3), Column("why", 5),
    ]  # fmt: skip
    rows = []
    for pool in _worst_first(overview.get("pools")):
        labels = {"pool": pool["name"]}
        used = _whole(pool, "db_pool_checked_out")
        capacity = _whole(pool, "db_pool_capacity")
        rows.append([
            Cell(pool["name"]),
            _status_cell(pool),
            Cell(f"{used} of {capacity}" if capacity != "-" else used),
            Cell(_whole(pool, "db_pool_waiting"), "red" if pool.get("db_pool_waiting") else ""),
            Cell(_whole(pool, "db_pool_timeouts_total"), "red" if pool.get("db_pool_timeouts_total") else ""),
            Cell(_whole(pool, "db_pool_idle")),
            Cell(_sparkline(overview, "pool_utilization", labels) if view.unicode else ""),
            Cell(_why(pool)),
        ])  # fmt: skip
    return table(columns, rows, width)


def _servers(overview: Document, view: View, width: int | None) -> list[Text]:
    columns = [
        Column("server"), Column("status"), Column("role", 6), Column("memory"), Column("operations", 1), Column("hits", 2),
        Column("clients", 4), Column("last 15 min", 3), Column("why", 5),
    ]  # fmt: skip
    rows = []
    for server in _worst_first(overview.get("servers")):
        labels = {"redis": server["name"]}
        rows.append([
            Cell(server["name"]),
            _status_cell(server),
            Cell(server.get("role") or "-"),
            Cell(_figure(server, "redis_memory_usage", _bytes)),
            Cell(_figure(server, "redis_operations_per_second", lambda value: f"{_short(value)}/s")),
            Cell(_figure(server, "redis_hit_rate", _percent)),
            Cell(_whole(server, "redis_connected_clients")),
            Cell(_sparkline(overview, "redis_operations", labels) if view.unicode else ""),
            Cell(_why(server)),
        ])  # fmt: skip
    return table(columns, rows, width)


def _changes(picture: Picture, width: int | None) -> list[Text]:
    rows = [
        [Cell(datetime.fromisoformat(one["at"]).astimezone().strftime("%H:%M:%S"), "dim"), Cell(str(one["text"]))]
        for one in picture.changes
    ]
    return table([Column("at"), Column("what")], rows, width)


def _worst_first(targets: Sequence[Document] | None) -> list[Document]:
    rank = {"DISCONNECTED": 0, "CRITICAL": 1, "WARNING": 2, "UNKNOWN": 3}
    return sorted(targets or (), key=lambda target: rank.get(str(target.get("status")), 4))


def _status_cell(target: Document) -> Cell:
    status = str(target.get("status"))
    return Cell(f"{_MARKS.get(status, '?')} {status}", _STYLES.get(status, ""))


def _why(target: Document) -> str:
    return str(next(iter(target.get("reasons") or ()), ""))


# -- figures -------------------------------------------------------------------------------------------------------


def _figure(target: Mapping[str, Any], name: str, form: Callable[[float], str]) -> str:
    return form(target[name]) if name in target else "-"


def _whole(target: Mapping[str, Any], name: str) -> str:
    return _figure(target, name, lambda value: f"{value:.0f}")


def _short(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _percent(value: float) -> str:
    return f"{value:.1f} %"


def _time(value: float) -> str:
    return f"{value * 1000:.3g} ms" if value < 1 else f"{value:.3g} s"


def _bytes(value: float) -> str:
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < 1024:
            return f"{value:.3g} {unit}" if unit != "B" else f"{value:.0f} B"
        value /= 1024
    return f"{value:.3g} TiB"


def _sparkline(overview: Document, key: str, labels: Mapping[str, str]) -> str:
    """The last points as blocks; one of no data is a dot. Utilization fills at 100, all else at its largest value."""
    for found in (overview.get("sparklines") or {}).get(key) or ():
        if dict(found["labels"]) == dict(labels):
            values = [value for _, value in found["points"]][-_BAR_POINTS * 3 :]
            # The largest of each three: a peak is not averaged away.
            peaks = [max((value for value in group if value is not None), default=None) for group in _threes(values)]
            top = 100.0 if found["unit"] == "percent" else max((one for one in peaks if one is not None), default=0.0)
            return "".join(_bar(one, top) for one in peaks)
    return ""


def _threes(values: Sequence[Any]) -> list[list[Any]]:
    stream = iter(values)
    groups = []
    while group := list(islice(stream, 3)):
        groups.append(group)
    return groups


def _bar(value: float | None, top: float) -> str:
    if value is None:
        return "·"
    share = 0.0 if top <= 0 else max(0.0, min(1.0, value / top))
    return _BARS[round(share * (len(_BARS) - 1))]


def _ascii(text: Text) -> Text:
    """*text* for a terminal that knows no more."""
    plain = text.copy()
    plain.plain = "".join(_PLAIN_MARKS.get(one, one if one.isascii() else "?") for one in text.plain)
    return plain
