"""Groups of rules, and the set of all that are in force."""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Self

from dozor.errors import ConfigurationError, RuleError
from dozor.rules.alerting import AlertingRule
from dozor.rules.recording import RecordingRule

logger = logging.getLogger("dozor")


@dataclass(frozen=True, slots=True)
class RuleGroup:
    """Rules that are evaluated one after another, in this order.

    *interval_seconds* is how often; None: at each evaluation. *limit* is how many alerts, or series, one rule may give; 0:
    any number.
    """

    name: str
    rules: tuple[AlertingRule | RecordingRule, ...]
    interval_seconds: float | None = None
    file: str | None = None
    limit: int = 0

    @property
    def alerting(self) -> tuple[AlertingRule, ...]:
        """The group's alerting rules."""
        return tuple(rule for rule in self.rules if isinstance(rule, AlertingRule))

    def placed(self, external_url: str, external_labels: Mapping[str, str]) -> Self:
        """The group in a monitor that people open at *external_url*, and that is told apart by *external_labels*."""
        rules = (
            replace(rule, external_url=external_url, external_labels=external_labels)
            if isinstance(rule, AlertingRule)
            else rule
            for rule in self.rules
        )
        return replace(self, rules=tuple(rules))


class RuleSet:
    """The rules in force: the default ones and the user's. Immutable.

    An alert of the user's takes the place of all default ones of its name; *disabled* names are left out, whoever wrote
    them.

    Raises:
        ConfigurationError: no rule has a name that is to be disabled.
        RuleError: a rule is inhibited by one that does not exist, or by itself in a circle.
    """

    def __init__(
        self, builtin: Iterable[RuleGroup], users: Iterable[RuleGroup] = (), *, disabled: Iterable[str] = ()
    ) -> None:
        builtin, users, off = list(builtin), list(users), set(disabled)
        replaced = {rule.name for group in users for rule in group.alerting}
        known = replaced | {rule.name for group in builtin for rule in group.alerting}
        for name in sorted(off - known):
            raise ConfigurationError(
                f"there is no rule {name!r} to disable; there are {', '.join(sorted(known))}",
                key="DOZOR_DISABLED_RULES",
            )
        self.groups = tuple(
            kept
            for group in (*(_without(group, replaced) for group in builtin), *users)
            if (kept := _without(group, off)).rules
        )
        """In the order of evaluation; none is empty."""
        self.rules = tuple(rule for group in self.groups for rule in group.alerting)
        """All alerting rules."""
        _check_inhibitors(self.rules, known)
        _warn_of_copies(users)

    def named(self, name: str) -> tuple[AlertingRule, ...]:
        """The alerting rules of this name: one, or several where a file says it with several thresholds."""
        return tuple(rule for rule in self.rules if rule.name == name)


def _without(group: RuleGroup, names: set[str]) -> RuleGroup:
    kept = tuple(rule for rule in group.rules if isinstance(rule, RecordingRule) or rule.name not in names)
    return group if len(kept) == len(group.rules) else replace(group, rules=kept)


def _check_inhibitors(rules: tuple[AlertingRule, ...], known: set[str]) -> None:
    """Every inhibitor must exist (though it may be disabled), and no two rules may keep each other quiet."""
    inhibitors = {rule.name: set[str]() for rule in rules}
    for rule in rules:
        for inhibitor in rule.directives.inhibited_by:
            if inhibitor.rule not in known:
                raise _inhibition_error(rule, f"there is no rule {inhibitor.rule!r}")
            inhibitors[rule.name].add(inhibitor.rule)
    settled: set[str] = set()
    for rule in rules:
        _check_circle(rule, rule.name, inhibitors, settled, [])


def _check_circle(
    rule: AlertingRule, name: str, inhibitors: dict[str, set[str]], settled: set[str], path: list[str]
) -> None:
    if name in path:
        circle = " by ".join([*path[path.index(name) :], name])
        raise _inhibition_error(rule, f"rules would keep each other quiet for ever: {circle}")
    if name in settled:
        return
    for inhibitor in sorted(inhibitors.get(name, ())):
        _check_circle(rule, inhibitor, inhibitors, settled, [*path, name])
    settled.add(name)


def _inhibition_error(rule: AlertingRule, message: str) -> RuleError:
    return RuleError(message, file=rule.file, line=rule.line, key=f"{rule.name}.annotations.dozor_inhibited_by")


def _warn_of_copies(groups: list[RuleGroup]) -> None:
    # Prometheus accepts such files, so they are no error; but every alert comes twice.
    for group in groups:
        seen: dict[tuple[object, ...], AlertingRule] = {}
        for rule in group.alerting:
            key = (rule.name, *sorted((name, template.text) for name, template in rule.labels.items()))
            first = seen.setdefault(key, rule)
            if first is not rule:
                logger.warning(
                    "%s:%s: the group %r already has an alert %s with the same labels in line %s; it will be told twice",
                    rule.file, rule.line, group.name, rule.name, first.line,
                )  # fmt: skip
