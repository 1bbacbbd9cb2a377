"""What Dozor's rules say beyond Prometheus: the annotations whose names begin with `dozor_`, checked and compiled.

They stand in annotations so that Prometheus accepts the file; they never show in an alert.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from dozor.duration import parse_duration
from dozor.errors import PromQLError
from dozor.model.alert import Severity
from dozor.model.rule import Escalation, Inhibitor
from dozor.promql import Kind, Query, compile_query
from dozor.rules.expression import Expression

PREFIX: Final = "dozor_"
_NAMES: Final = (
    "dozor_resolve",
    "dozor_resolve_for",
    "dozor_cooldown",
    "dozor_escalate",
    "dozor_escalate_when",
    "dozor_inhibited_by",
)
_INHIBITOR: Final = re.compile(r"\s*(?P<rule>[^\s(),]+)\s*\((?P<labels>[^()]*)\)\s*")
_LABEL: Final = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")


class DirectiveError(ValueError):
    """An annotation of Dozor's is wrong. *name* says which."""

    def __init__(self, name: str, message: str) -> None:
        self.name = name
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class Directives:
    """What the annotations say.

    Attributes:
        resolve: what must hold for the alert to end; None: it ends as in Prometheus, when the rule's expression ceases.
        resolve_seconds: for how long without a break.
        cooldown_seconds: None: the default of the severity.
        escalate_when: elements of this vector lift their alerts to EMERGENCY.
    """

    resolve: Expression | None = None
    resolve_seconds: float = 0.0
    cooldown_seconds: float | None = None
    escalate: Escalation | None = None
    escalate_when: Expression | None = None
    inhibited_by: tuple[Inhibitor, ...] = ()


def parse_directives(rule: str, annotations: Mapping[str, str]) -> Directives:
    """The directives among *annotations* of the rule named *rule*.

    Raises:
        DirectiveError: one is unknown, malformed, or contradicts another.
    """
    given = {name: text.strip() for name, text in annotations.items() if name.startswith(PREFIX)}
    for name in given:
        if name not in _NAMES:
            raise DirectiveError(name, f"there is no such annotation of Dozor's; there are {', '.join(_NAMES)}")
    if "dozor_resolve_for" in given and "dozor_resolve" not in given:
        raise DirectiveError("dozor_resolve_for", "it says nothing without dozor_resolve")
    return Directives(
        resolve=_query(given, "dozor_resolve"),
        resolve_seconds=_duration(given, "dozor_resolve_for") or 0.0,
        cooldown_seconds=_duration(given, "dozor_cooldown"),
        escalate=_escalation(given, "dozor_escalate"),
        escalate_when=_query(given, "dozor_escalate_when"),
        inhibited_by=_inhibitors(given, "dozor_inhibited_by", rule),
    )


def _query(given: Mapping[str, str], name: str) -> Query | None:
    if name not in given:
        return None
    try:
        return vector_query(given[name])
    except PromQLError as error:
        raise DirectiveError(name, str(error)) from None


def vector_query(expr: str) -> Query:
    """*expr* compiled, as a rule can use it.

    Raises:
        PromQLError: it cannot be parsed, or gives neither a vector nor a number.
    """
    if not expr.strip():
        raise PromQLError("the expression is empty")
    query = compile_query(expr)
    if query.type not in (Kind.VECTOR, Kind.SCALAR):
        raise PromQLError(f"a rule needs an instant vector or a scalar, and this is a {query.type.value}")
    return query


def _duration(given: Mapping[str, str], name: str) -> float | None:
    if name not in given:
        return None
    try:
        return parse_duration(given[name])
    except ValueError as error:
        raise DirectiveError(name, str(error)) from None


def _escalation(given: Mapping[str, str], name: str) -> Escalation | None:
    if name not in given:
        return None
    after, separator, severity = (part.strip() for part in given[name].partition(":"))
    if not separator:
        raise DirectiveError(name, f"{given[name][:60]!r} is not a time and a severity; write it like '5m: emergency'")
    try:
        return Escalation(parse_duration(after), Severity[severity.upper()])
    except ValueError as error:
        raise DirectiveError(name, str(error)) from None
    except KeyError:
        known = ", ".join(level.value.lower() for level in Severity)
        raise DirectiveError(name, f"unknown severity {severity[:60]!r}; there are {known}") from None


def _inhibitors(given: Mapping[str, str], name: str, rule: str) -> tuple[Inhibitor, ...]:
    text, inhibitors, position = given.get(name), [], 0
    if text is None:
        return ()
    while True:
        found = _INHIBITOR.match(text, position)
        if found is None:
            raise DirectiveError(
                name,
                f"cannot read {text[position : position + 60]!r}; write it like 'PoolTimeouts(pool, worker), Other()'",
            )
        labels = tuple(label.strip() for label in found["labels"].split(",")) if found["labels"].strip() else ()
        for label in labels:
            if not _LABEL.fullmatch(label):
                raise DirectiveError(name, f"{label[:60]!r} is not a label name")
        if found["rule"] == rule:
            raise DirectiveError(name, "a rule cannot inhibit itself")
        inhibitors.append(Inhibitor(found["rule"], labels))
        position = found.end()
        if position == len(text):
            return tuple(inhibitors)
        if text[position] != ",":
            raise DirectiveError(name, f"a comma is missing before {text[position : position + 60]!r}")
        position += 1
