"""A rule written in Python, for `Dozor(rules=[…])`."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from dozor.duration import format_duration
from dozor.rules.alerting import AlertingRule
from dozor.rules.fields import Field, scalar_mapping
from dozor.rules.group import RuleGroup
from dozor.rules.rulefile import alerting_rule
from dozor.rules.yaml_tree import Mapping as YamlMapping
from dozor.rules.yaml_tree import Node, Scalar

Duration = str | float | timedelta


@dataclass(frozen=True, slots=True)
class Rule:
    """An alerting rule, as in a rule file; checked when it is made.

    Durations are text (`"5m"`), seconds, or a `timedelta`. Annotations may hold Dozor's own (`dozor_resolve` …).

    Raises:
        RuleError: something in it is wrong.
    """

    alert: str
    expr: str
    for_: Duration = 0
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    keep_firing_for: Duration = 0
    compiled: AlertingRule = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        path = f"Rule({self.alert!r})"
        object.__setattr__(self, "compiled", alerting_rule(Field(self._node(), path, None)))

    def _node(self) -> YamlMapping:
        items: list[tuple[str, Node]] = [
            ("alert", Scalar(0, str(self.alert), null=False)),
            ("expr", Scalar(0, str(self.expr), null=False)),
            ("for", Scalar(0, _duration(self.for_), null=False)),
            ("keep_firing_for", Scalar(0, _duration(self.keep_firing_for), null=False)),
            ("labels", scalar_mapping((str(name), str(text)) for name, text in self.labels.items())),
            ("annotations", scalar_mapping((str(name), str(text)) for name, text in self.annotations.items())),
        ]
        return YamlMapping(0, [(Scalar(0, key, null=False), node) for key, node in items])


def _duration(value: Duration) -> str:
    if isinstance(value, str):
        return value
    seconds = value.total_seconds() if isinstance(value, timedelta) else float(value)
    return format_duration(seconds) if 0 <= seconds < 1e10 else f"{seconds:g}s"


def code_group(rules: Iterable[Rule]) -> RuleGroup:
    """*rules* as one group."""
    return RuleGroup("code", tuple(rule.compiled for rule in rules))
