"""Looks rule files over: what is wrong with them, and what is probably not meant."""

import re
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import replace
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Final

from msgspec import Struct

from dozor.duration import format_duration
from dozor.errors import RuleError, nearest
from dozor.promql.parsing import parse
from dozor.rules.alerting import AlertingRule
from dozor.rules.bounds import mistaken_for_ratio, unreachable
from dozor.rules.builtin import builtin_groups
from dozor.rules.group import RuleGroup, RuleSet
from dozor.rules.known_metrics import OWN
from dozor.rules.reach import reach_seconds
from dozor.rules.recording import RecordingRule
from dozor.rules.rulefile import Complain, load_rule_file, parse_rules

KEPT_SECONDS: Final = 3600.0
"""How far back Dozor's own store remembers."""

_VALUE: Final = re.compile(r"\{\{[^}]*(?:\$value\b|(?<![\w)])\.Value\b)")


class Level(StrEnum):
    """How bad a finding is."""

    ERROR = "error"
    WARNING = "warning"


class Finding(Struct, frozen=True):
    """One thing that is wrong (Dozor refuses the file) or probably not meant. *check* names the kind of the latter."""

    level: Level
    message: str
    file: str | None
    line: int | None
    key: str | None = None
    rule: str | None = None
    check: str | None = None


class Checked(Struct, frozen=True):
    """What was found in *rules* rules, in the order of files and lines."""

    rules: int
    findings: tuple[Finding, ...]

    def of(self, level: Level) -> list[Finding]:
        """The findings of that level."""
        return [finding for finding in self.findings if finding.level is level]


def check_files(paths: Iterable[Path], *, live: Collection[str] | None = None) -> Checked:
    """Look over the rule files at *paths*, which are taken together, beside the default rules.

    *live* are the names of the series of the Dozor that is to evaluate them; without it only Dozor's own metrics are known.
    """
    return _check([partial(load_rule_file, path) for path in paths], live)


def check_text(text: str, *, live: Collection[str] | None = None) -> Checked:
    """As `check_files`, of one file whose content is *text* and which has no name."""
    return _check([partial(parse_rules, text, None)], live)


def _check(loads: Iterable[Callable[[Complain], list[RuleGroup]]], live: Collection[str] | None) -> Checked:
    findings: list[Finding] = []
    groups: list[RuleGroup] = []

    def complain(error: RuleError) -> None:
        message = str(error).removeprefix(f"{error.file}:{error.line}: ").removeprefix(f"{error.file}: ")
        message = message.removeprefix(f"line {error.line}: ").removeprefix(f"{error.key}: ")
        findings.append(Finding(Level.ERROR, message, error.file, error.line, error.key))

    for load in loads:
        try:
            groups += load(complain)
        except RuleError as error:
            complain(error)
    doubles = _Doubles()
    alone = [replace(group, rules=tuple(filter(doubles.is_first, group.rules))) for group in groups]
    findings += doubles.findings
    try:
        RuleSet(builtin_groups(), alone)
    except RuleError as error:
        complain(error)
    names = _names(groups, live)
    for group in groups:
        for rule in group.rules:
            findings += _looked_over(rule, group, names)
    order = sorted(findings, key=lambda found: (found.file or "", found.line or 0, found.level))
    return Checked(sum(len(group.rules) for group in groups), tuple(order))


class _Names(Struct, frozen=True):
    """The series that there are. *live* says that a running Dozor was asked for them."""

    known: frozenset[str]
    live: bool


def _names(groups: Iterable[RuleGroup], live: Collection[str] | None) -> _Names:
    recorded = {rule.name for group in groups for rule in group.rules if isinstance(rule, RecordingRule)}
    return _Names(OWN | recorded | frozenset(live or ()), live is not None)


class _Doubles:
    """Finds rules that stand twice: what an alert says would be told twice, and of two recorded series one is lost."""

    def __init__(self) -> None:
        self.findings: list[Finding] = []
        self._seen: dict[tuple[object, ...], AlertingRule | RecordingRule] = {}

    def is_first(self, rule: AlertingRule | RecordingRule) -> bool:
        """Whether no rule before it has the same name and labels."""
        alerts = isinstance(rule, AlertingRule)
        labels = rule.labels.items() if isinstance(rule, RecordingRule) else _texts(rule)
        first = self._seen.setdefault((alerts, rule.name, *sorted(labels)), rule)
        if first is not rule:
            what = "an alert of this name" if alerts else "a rule that records this series"
            where = f"line {first.line}" if first.file == rule.file else f"{first.file}:{first.line}"
            message = f"{what}, with the same labels, stands in {where} already"
            self.findings.append(_warning("duplicate", message, rule))
        return first is rule


def _texts(rule: AlertingRule) -> list[tuple[str, str]]:
    return [(name, template.text) for name, template in rule.labels.items()]


def _warning(check: str, message: str, rule: AlertingRule | RecordingRule) -> Finding:
    return Finding(Level.WARNING, message, rule.file, rule.line, rule=rule.name, check=check)


def _looked_over(rule: AlertingRule | RecordingRule, group: RuleGroup, names: _Names) -> Iterator[Finding]:
    """The warnings about one rule."""
    looks: dict[str, Callable[[], Iterator[str]]] = {
        "unknown-metric": lambda: _unknown_metrics(rule, names),
        "unreachable": lambda: _unreachable(rule),
        "range": lambda: _too_far_back(rule),
    }
    if isinstance(rule, AlertingRule):
        looks |= {
            "value-in-label": lambda: _value_in_labels(rule),
            "no-severity": lambda: _no_severity(rule),
            "no-summary": lambda: _no_summary(rule),
            "short-for": lambda: _short_for(rule, group),
        }
    for check, look in looks.items():
        for message in look():
            yield _warning(check, message, rule)


def _expressions(rule: AlertingRule | RecordingRule) -> Iterator[tuple[str, str]]:
    """What the rule has of PromQL, each with the key that it stands under."""
    yield "expr", rule.expr
    if isinstance(rule, AlertingRule):
        if rule.directives.resolve is not None:
            yield "dozor_resolve", rule.directives.resolve.expr
        if rule.directives.escalate_when is not None:
            yield "dozor_escalate_when", rule.directives.escalate_when.expr


def _unknown_metrics(rule: AlertingRule | RecordingRule, names: _Names) -> Iterator[str]:
    mentioned = set(rule.query.metric_names())
    if isinstance(rule, AlertingRule):
        for query in (rule.directives.resolve, rule.directives.escalate_when):
            mentioned |= query.metric_names() if query is not None else set()
    unknown = sorted(mentioned - names.known)
    if not unknown:
        return
    if names.live:
        message = f"the Dozor that was asked has no series named {', '.join(unknown)}"
    else:
        message = f"Dozor itself has no metric named {', '.join(unknown)}; --url asks a live Dozor for all that it has"
    close = [like for name in unknown if (like := nearest(name, names.known, likeness=0.85)) is not None]
    yield message + (f" (did you mean {', '.join(close)}?)" if close else "")


def _unreachable(rule: AlertingRule | RecordingRule) -> Iterator[str]:
    for key, text in _expressions(rule):
        expr = parse(text)
        for comparison, found in unreachable(expr):
            yield f"{key}: `{comparison}` never holds: by the names of its metrics, what it compares is {_between(found.low, found.high)}"
        for comparison, metric in mistaken_for_ratio(expr):
            yield f"{key}: `{comparison}`: {metric} is in percent, from 0 to 100"


def _between(low: float, high: float) -> str:
    if low == high:
        return f"always {low:g}"
    if high == float("inf"):
        return f"never below {low:g}"
    return f"never above {high:g}" if low == float("-inf") else f"from {low:g} to {high:g}"


def _too_far_back(rule: AlertingRule | RecordingRule) -> Iterator[str]:
    for key, text in _expressions(rule):
        reach = reach_seconds(parse(text))
        if reach > KEPT_SECONDS:
            kept = format_duration(KEPT_SECONDS)
            yield f"{key} looks back {format_duration(reach)}; Dozor itself keeps samples for {kept}"


def _value_in_labels(rule: AlertingRule) -> Iterator[str]:
    for name, template in rule.labels.items():
        if _VALUE.search(template.text):
            yield f"the label {name} holds the value: each change of it is another alert; put it into an annotation"


def _no_severity(rule: AlertingRule) -> Iterator[str]:
    if "severity" not in rule.labels:
        yield "no label `severity`: its alerts are warnings"


def _no_summary(rule: AlertingRule) -> Iterator[str]:
    if not {"summary", "message", "description", "title"} & rule.annotations.keys():
        yield "no annotation `summary`: messages say its name and labels only"


def _short_for(rule: AlertingRule, group: RuleGroup) -> Iterator[str]:
    interval = group.interval_seconds
    if interval is not None and 0 < rule.for_seconds < interval:
        yield (
            f"`for: {format_duration(rule.for_seconds)}` is shorter than the group's interval of "
            f"{format_duration(interval)}: it fires at the second evaluation that finds it"
        )
