"""The functions that Prometheus' templates know, by name: Go's own and Prometheus'.

A function is called with the environment first (the query, the time) and then its arguments. It raises `TypeError` or
`ValueError` for arguments that it cannot take; the evaluator makes the text `<error expanding template: …>` of that.
"""

import ipaddress
import math
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Protocol
from urllib.parse import quote, quote_plus

from msgspec import Struct

from dozor.duration import parse_duration
from dozor.rules.go_format import go_print, go_printf, go_sprint
from dozor.store.regex import compile_anchored


class QueryResult(Struct, frozen=True):
    """One element of what `query` gives."""

    labels: Mapping[str, str]
    value: float

    def __str__(self) -> str:
        return f"{go_print(self.labels)} {go_print(self.value)}"


class Environment(Protocol):
    """What functions may ask of the outside."""

    external_url: str
    at: float

    def query(self, expr: str) -> Sequence[QueryResult]:
        """The vector that *expr* gives."""


def truth(value: object) -> bool:
    """Whether `if` takes *value* for true: not so zero, empty and nil."""
    return bool(value) or isinstance(value, QueryResult)


def number(value: object) -> float:
    """*value* as Prometheus' number functions take it: a number, a number as text, or a duration as text."""
    match value:
        case bool():
            raise TypeError("expected a number, not a bool")
        case int() | float():
            return float(value)
        case str():
            try:
                return float(value.strip("\0"))
            except ValueError:
                return parse_duration(value)
    raise TypeError(f"expected a number, not {go_print(value)[:60]}")


def humanize(_: Environment, value: object) -> str:
    """`1234567` → `1.235M`, `0.00012` → `120u`."""
    amount = number(value)
    if amount == 0 or not math.isfinite(amount):
        return _short(amount)
    if abs(amount) >= 1:
        return _scaled(amount, 1000, ("", "k", "M", "G", "T", "P", "E", "Z", "Y"))
    return _scaled_up(amount)


def humanize1024(_: Environment, value: object) -> str:
    """`1048576` → `1Mi`."""
    amount = number(value)
    if abs(amount) <= 1 or not math.isfinite(amount):
        return _short(amount)
    return _scaled(amount, 1024, ("", "ki", "Mi", "Gi", "Ti", "Pi", "Ei", "Zi", "Yi"))


def humanize_duration(_: Environment, value: object) -> str:
    """Seconds as `1d 2h 3m 4s`, below a second as `120ms`."""
    amount = number(value)
    if not math.isfinite(amount):
        return _short(amount)
    if amount == 0:
        return "0s"
    if abs(amount) < 1:
        return _scaled_up(amount) + "s"
    sign, whole = ("-" if amount < 0 else ""), int(abs(amount))
    if whole < 60:
        return f"{sign}{_short(abs(amount))}s"
    counts = ((whole // 86400, "d"), (whole // 3600 % 24, "h"), (whole // 60 % 60, "m"), (whole % 60, "s"))
    first = next(index for index, (count, _) in enumerate(counts) if count)
    return sign + " ".join(f"{count}{unit}" for count, unit in counts[first:])


def humanize_percentage(_: Environment, value: object) -> str:
    """`0.1234` → `12.34%`."""
    return _short(number(value) * 100) + "%"


def to_time(_: Environment, value: object) -> datetime:
    """Unix seconds as a time."""
    return datetime.fromtimestamp(0, UTC) + timedelta(seconds=number(value))


def humanize_timestamp(environment: Environment, value: object) -> str:
    """Unix seconds as `2026-11-22 19:30:00 +0000 UTC`."""
    amount = number(value)
    if not math.isfinite(amount):
        return _short(amount)
    moment = to_time(environment, amount)
    fraction = f".{moment.microsecond:06d}".rstrip("0") if moment.microsecond else ""
    return f"{moment:%Y-%m-%d %H:%M:%S}{fraction} +0000 UTC"


def _short(amount: float) -> str:
    return go_printf("%.4g", [amount])


def _scaled(amount: float, base: int, prefixes: Sequence[str]) -> str:
    for prefix in prefixes:
        if abs(amount) < base or prefix == prefixes[-1]:
            break
        amount /= base
    return _short(amount) + prefix


def _scaled_up(amount: float) -> str:
    used = ""
    for prefix in ("m", "u", "n", "p", "f", "a", "z", "y"):
        if abs(amount) >= 1:
            break
        used = prefix
        amount *= 1000
    return _short(amount) + used


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"expected text, not {go_print(value)[:60]}")
    return value


def _query(environment: Environment, expr: object) -> Sequence[QueryResult]:
    return environment.query(_text(expr))


def _first(_: Environment, results: object) -> QueryResult:
    if not _results(results):
        raise ValueError("first() called on a vector with no elements")
    return _results(results)[0]


def _result(value: object) -> QueryResult:
    if not isinstance(value, QueryResult):
        raise TypeError(f"expected an element of a query's result, not {go_print(value)[:60]}")
    return value


def _results(value: object) -> Sequence[QueryResult]:
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise TypeError(f"expected the result of a query, not {go_print(value)[:60]}")
    return value


def _sort_by_label(_: Environment, label: object, results: object) -> Sequence[QueryResult]:
    name = _text(label)
    return sorted(_results(results), key=lambda result: result.labels.get(name, ""))


def _args(_: Environment, *values: object) -> dict[str, object]:
    return {f"arg{index}": value for index, value in enumerate(values)}


def _replace_all(_: Environment, pattern: object, replacement: object, text: object) -> str:
    # Go writes a group as $1 or ${1}, Python as \g<1>.
    into = re.sub(r"\$(?:\{(\w+)\}|(\w+)|(\$))", _group_reference, _text(replacement).replace("\\", r"\\"))
    return _pattern(pattern).sub(into, _text(text))


def _group_reference(found: re.Match[str]) -> str:
    return "$" if found[3] else rf"\g<{found[1] or found[2]}>"


def _pattern(pattern: object) -> re.Pattern[str]:
    try:
        return re.compile(_text(pattern))
    except re.error as error:
        raise ValueError(f"malformed regular expression: {error}") from None


def _title(_: Environment, text: object) -> str:
    return re.sub(r"(?<![\w'])\w", lambda found: found.group().upper(), _text(text))


def _strip_port(_: Environment, address: object) -> str:
    return _split_port(_text(address))[0]


def _strip_domain(_: Environment, address: object) -> str:
    host, port = _split_port(_text(address))
    try:
        ipaddress.ip_address(host)
    except ValueError:
        host = host.partition(".")[0]
    return f"{host}:{port}" if port else host


def _split_port(address: str) -> tuple[str, str]:
    found = re.fullmatch(r"(?:\[(?P<v6>[^\]]*)\]|(?P<host>[^:\[\]]*)):(?P<port>[^:]*)", address)
    return (found["v6"] or found["host"] or "", found["port"]) if found else (address, "")


def _path_prefix(environment: Environment) -> str:
    return re.sub(r"^\w+://[^/]*", "", environment.external_url)


def _graph_link(tab: int) -> "TemplateFunction":
    return lambda _, expr: f"/graph?g0.expr={quote_plus(_text(expr))}&g0.tab={tab}"


def _len(_: Environment, value: object) -> int:
    if isinstance(value, str):
        return len(value.encode("utf-8", "replace"))
    if isinstance(value, Sequence | Mapping):
        return len(value)
    raise TypeError("len of something that has no length")


def _index(_: Environment, value: object, *indexes: object) -> object:
    for index in indexes:
        if isinstance(value, Mapping):
            value = value.get(index, "")
        elif isinstance(value, Sequence) and not isinstance(value, str) and isinstance(index, int):
            if not 0 <= index < len(value):
                raise ValueError(f"index out of range: {index}")
            value = value[index]
        else:
            raise TypeError("cannot index that")
    return value


def _slice(_: Environment, value: object, *bounds: object) -> object:
    if not isinstance(value, Sequence) or len(bounds) > 2:
        raise TypeError("cannot slice that")
    low = bounds[0] if bounds else 0
    high = bounds[1] if len(bounds) == 2 else len(value)
    if not isinstance(low, int) or not isinstance(high, int) or not 0 <= low <= high <= len(value):
        raise ValueError("slice bounds out of range")
    return value[low:high]


def _html(_: Environment, *values: object) -> str:
    from html import escape  # noqa: PLC0415 - with the names of all entities, which next to no template needs

    return escape(go_sprint(values))


def _comparable(left: object, right: object) -> None:
    for value in (left, right):
        if not isinstance(value, str | int | float):
            raise TypeError(f"cannot compare {go_print(value)[:60]}")
    if type(left) is not type(right):
        raise TypeError("incompatible types for comparison")


def _equal(_: Environment, left: object, *others: object) -> bool:
    if not others:
        raise TypeError("eq needs something to compare with")
    for right in others:
        if left is None or right is None:
            if left is right:
                return True
            continue
        _comparable(left, right)
        if left == right:
            return True
    return False


def _order(compare: Callable[[Any, Any], bool]) -> "TemplateFunction":
    def ordered(_: Environment, left: object, right: object) -> bool:
        _comparable(left, right)
        if isinstance(left, bool):
            raise TypeError("a bool has no order")
        return compare(left, right)

    return ordered


TemplateFunction = Callable[..., object]

LAZY_FUNCTIONS: Final = frozenset(["and", "or"])
"""Those that look at an argument only if those before it have not settled the matter; known to the evaluator itself."""

FUNCTIONS: Final[Mapping[str, TemplateFunction]] = {
    # Go's
    "not": lambda _, value: not truth(value),
    "eq": _equal,
    "ne": lambda environment, left, right: not _equal(environment, left, right),
    "lt": _order(lambda left, right: left < right),
    "le": _order(lambda left, right: left <= right),
    "gt": _order(lambda left, right: left > right),
    "ge": _order(lambda left, right: left >= right),
    "len": _len,
    "index": _index,
    "slice": _slice,
    "print": lambda _, *values: go_sprint(values),
    "println": lambda _, *values: " ".join(map(go_print, values)) + "\n",
    "printf": lambda _, form, *values: go_printf(_text(form), values),
    "html": _html,
    "urlquery": lambda _, *values: quote_plus(go_sprint(values)),
    # Prometheus'
    "query": _query,
    "first": _first,
    "label": lambda _, name, result: _result(result).labels.get(_text(name), ""),
    "value": lambda _, result: _result(result).value,
    "strvalue": lambda _, result: _result(result).labels.get("__value__", ""),
    "args": _args,
    "reReplaceAll": _replace_all,
    "match": lambda _, pattern, text: compile_anchored(f".*(?:{_text(pattern)}).*").matches(_text(text)),
    "safeHtml": lambda _, text: _text(text),
    "title": _title,
    "toUpper": lambda _, text: _text(text).upper(),
    "toLower": lambda _, text: _text(text).lower(),
    "graphLink": _graph_link(0),
    "tableLink": _graph_link(1),
    "sortByLabel": _sort_by_label,
    "stripPort": _strip_port,
    "stripDomain": _strip_domain,
    "humanize": humanize,
    "humanize1024": humanize1024,
    "humanizeDuration": humanize_duration,
    "humanizePercentage": humanize_percentage,
    "humanizeTimestamp": humanize_timestamp,
    "toTime": to_time,
    "toDuration": lambda _, value: timedelta(seconds=number(value)),
    "now": lambda environment: environment.at,
    "parseDuration": lambda _, text: parse_duration(_text(text)),
    "urlQueryEscape": lambda _, text: quote_plus(_text(text)),
    "pathEscape": lambda _, text: quote(_text(text), safe=""),
    "pathPrefix": _path_prefix,
    "externalURL": lambda environment: environment.external_url,
}
