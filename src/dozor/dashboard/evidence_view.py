"""What was seen when an alert fired, as tables: who held connections, what was slow."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct

from dozor.dashboard.html import Html, el, join, told
from dozor.dashboard.parts import number, table
from dozor.model.alert import Alert

_MOST_ROWS: Final = 20

Entry = Mapping[str, Any]
Cell = Callable[[Entry], Html]


class _Kind(Struct, frozen=True):
    """How evidence of one kind is shown: its heading, and what stands in each column."""

    title: str
    columns: tuple[tuple[str, str, Cell], ...]


def evidence_section(alert: Alert) -> Html | None:
    """The section of an alert's page; what is of no kind that is known here stands there as JSON."""
    if not alert.evidence:
        return None
    plain = msgspec.to_builtins(dict(alert.evidence), enc_hook=str, str_keys=True)
    shown = []
    for name, kind in _KINDS.items():
        entries = _entries(plain.get(name))
        if entries:
            shown.append(_shown(kind, entries))
            del plain[name]
    if plain:
        written = json.dumps(plain, indent=2, ensure_ascii=False)
        shown.append(el("pre", told(written, 20_000), tabindex="0"))
    return el("section", el("h2", "Seen when it fired"), *shown)


def _entries(value: object) -> Sequence[Entry]:
    """*value* if it is a list of records, else nothing: a record of another release may be anything."""
    if isinstance(value, list) and all(isinstance(entry, dict) for entry in value):
        return value
    return ()


def _shown(kind: _Kind, entries: Sequence[Entry]) -> Html:
    heads = [(name, style) for name, style, _ in kind.columns]
    rows = [[cell(entry) for _, _, cell in kind.columns] for entry in entries[:_MOST_ROWS]]
    more = f"The first {_MOST_ROWS} of {len(entries)}." if len(entries) > _MOST_ROWS else None
    return join(el("h3", kind.title), table(kind.title, heads, rows), el("p", more, class_="hint") if more else None)


def _lines(name: str) -> Cell:
    def cell(entry: Entry) -> Html:
        lines = entry.get(name)
        found = [line for line in lines if isinstance(line, str)] if isinstance(lines, list) else []
        return el("code", told("\n".join(found), 1000)) if found else told("-", 1)

    return cell


def _taken(entry: Entry) -> Html:
    usual = entry.get("usually_taken_at")
    if entry.get("taken_at") or not isinstance(usual, list) or not usual:
        return _lines("taken_at")(entry)
    return join("usually ", *(_lines("lines")(place) for place in usual if isinstance(place, dict)))


def _words(name: str, limit: int = 200) -> Cell:
    return lambda entry: told(entry[name], limit) if entry.get(name) else el("span", "-", class_="dim")


def _figure(name: str, unit: str = "") -> Cell:
    def cell(entry: Entry) -> Html:
        value = entry.get(name)
        known = isinstance(value, int | float) and math.isfinite(value)
        return number(float(value) if known and value is not None else None, unit)

    return cell


def _who(entry: Entry) -> Html:
    leaked = el("small", "leaked?", class_="critical") if entry.get("leaked") is True else None
    return join(told(entry.get("who", ""), 200), leaked)


def _statement(entry: Entry) -> Html:
    failed = el("small", "failed: ", told(entry["error"], 120), class_="critical") if entry.get("error") else None
    return join(el("code", told(entry.get("statement", ""), 1000)), failed)


def _command(entry: Entry) -> Html:
    return el("code", told(entry.get("command", ""), 300))


def _client(entry: Entry) -> Html:
    return told(entry.get("client_name") or entry.get("client") or "-", 120)


def _route(entry: Entry) -> Html:
    return told(f"{entry.get('method', '')} {entry.get('route', '')}".strip(), 200)


_KINDS: Final[Mapping[str, _Kind]] = {
    "holders": _Kind(
        "Who had connections",
        (
            ("Held by", "", _who),
            ("For", "num", _figure("held_seconds", "seconds")),
            ("State", "", _words("state")),
            ("Last statement", "", _statement),
            ("Taken at", "", _taken),
            ("Was at", "", _lines("now_at")),
        ),
    ),
    "slow_queries": _Kind(
        "Slow statements",
        (
            ("Statement", "", _statement),
            ("Took", "num", _figure("duration_seconds", "seconds")),
            ("Request", "", _words("endpoint")),
            ("Called from", "", _words("caller")),
        ),
    ),
    "slow_commands": _Kind(
        "Slow Redis commands",
        (("Command", "", _command), ("Took", "num", _figure("duration_seconds", "seconds")), ("Client", "", _client)),
    ),
    "routes": _Kind(
        "The slowest routes",
        (
            ("Route", "", _route),
            ("p95", "num", _figure("p95_seconds", "seconds")),
            ("Requests/s", "num", _figure("requests_per_second")),
            ("Errors/s", "num", _figure("errors_per_second")),
        ),
    ),
}
