"""What was seen when an alert fired, as lines that a person reads: who holds what, for how long, at which statement."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

from dozor.notify.message import figures
from dozor.notify.message.texts import Texts
from dozor.notify.plain import plain

_MOST_OF_A_KIND: Final = 3
_MOST_LINES: Final = 8
_LONGEST_LINE: Final = 300

Entry = Mapping[str, Any]


def lines(evidence: Mapping[str, object], texts: Texts) -> tuple[str, ...]:
    """At most eight lines, the first three of each kind; what is not known how to be read is left out."""
    found = (
        plain(written, _LONGEST_LINE)
        for kind, write in _KINDS.items()
        for entry in _entries(evidence.get(kind))
        if (written := write(entry, texts))
    )
    return tuple(line for line, _ in zip(found, range(_MOST_LINES), strict=False))


def _entries(value: object) -> Iterator[Entry]:
    entries = value if isinstance(value, list | tuple) else []
    yield from [entry for entry in entries if isinstance(entry, Mapping)][:_MOST_OF_A_KIND]


def _holder(entry: Entry, texts: Texts) -> str:
    who, said = _text(entry, "who"), texts.evidence
    if not who:
        return ""
    phrase = said.holder_leaked if entry.get("leaked") is True else said.holder
    held = phrase.format(who=who, duration=_seconds(entry, "held_seconds", texts))
    statement, place = _text(entry, "statement"), _first(entry, "taken_at") or _first(entry, "now_at")
    usual = next((_first(one, "lines") for one in _entries(entry.get("usually_taken_at"))), "")
    return _joined(
        [
            held,
            said.called_from.format(caller=place) if place else usual and said.usually_from.format(caller=usual),
            statement and said.statement.format(statement=statement),
        ]
    )


def _slow_query(entry: Entry, texts: Texts) -> str:
    statement, said = _text(entry, "statement"), texts.evidence
    if not statement:
        return ""
    caller, error = _text(entry, "caller"), _text(entry, "error")
    # The statement goes last, so that it is what a bound cuts off.
    before = _joined(
        [
            _seconds(entry, "duration_seconds", texts),
            _text(entry, "endpoint"),
            caller and said.called_from.format(caller=caller),
            error and said.failed.format(error=error),
        ]
    )
    return said.slow_query.format(duration=before, statement=statement)


def _slow_command(entry: Entry, texts: Texts) -> str:
    command, said = _text(entry, "command"), texts.evidence
    if not command:
        return ""
    client = _text(entry, "client_name") or _text(entry, "client")
    shown = said.slow_command.format(duration=_seconds(entry, "duration_seconds", texts), command=command)
    return _joined([shown, client and said.client.format(client=client)])


def _stall(entry: Entry, texts: Texts) -> str:
    place = _text(entry, "place")
    if not place:
        return ""
    return texts.evidence.stall.format(duration=_seconds(entry, "seconds", texts), place=place)


def _route(entry: Entry, texts: Texts) -> str:
    route, said = _text(entry, "route"), texts.evidence
    if not route:
        return ""
    shown = said.route.format(
        route=f"{_text(entry, 'method')} {route}".strip(),
        duration=_seconds(entry, "p95_seconds", texts),
        rate=figures.figure(_number(entry, "requests_per_second"), "", texts),
    )
    errors = _number(entry, "errors_per_second")
    return _joined([shown, said.route_errors.format(rate=figures.number(errors, texts)) if errors > 0 else ""])


_KINDS: Final[Mapping[str, Callable[[Entry, Texts], str]]] = {
    "holders": _holder,
    "slow_queries": _slow_query,
    "slow_commands": _slow_command,
    "stalls": _stall,
    "routes": _route,
}


def _joined(parts: Iterable[str]) -> str:
    return ", ".join(part for part in parts if part)


def _first(entry: Entry, name: str) -> str:
    """The first of a list of lines of code, innermost first."""
    lines = entry.get(name)
    first = lines[0] if isinstance(lines, list | tuple) and lines else None
    return first if isinstance(first, str) else ""


def _text(entry: Entry, name: str) -> str:
    value = entry.get(name)
    return plain(value, _LONGEST_LINE) if isinstance(value, str) else ""


def _number(entry: Entry, name: str) -> float:
    value = entry.get(name)
    return float(value) if isinstance(value, int | float) and abs(value) < 1e300 else math.nan


def _seconds(entry: Entry, name: str, texts: Texts) -> str:
    return figures.duration(_number(entry, name), texts)
