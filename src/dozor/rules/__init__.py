"""When is something wrong: rule files, and what they say of a store at a moment."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from dozor.rules.alerting import AlertingRule
from dozor.rules.builtin import builtin_groups
from dozor.rules.code import Rule, code_group
from dozor.rules.group import RuleGroup, RuleSet
from dozor.rules.localisation import LOCALES, localised
from dozor.rules.recording import RecordingRule
from dozor.rules.rulefile import load_rule_file, parse_rules
from dozor.rules.source import RuleSource

__all__ = [
    "LOCALES",
    "AlertingRule",
    "RecordingRule",
    "Rule",
    "RuleGroup",
    "RuleSet",
    "RuleSource",
    "builtin_groups",
    "load_rule_file",
    "load_rules",
    "parse_rules",
]


def load_rules(
    rules: Iterable[Path | str | Rule] = (),
    *,
    disabled: Iterable[str] = (),
    locale: str = "en",
    external_url: str | None = None,
    external_labels: Mapping[str, str] | None = None,
) -> RuleSet:
    """The default rules with the user's *rules* (files, and rules in code) beside them or in their place.

    Their annotations are in the language *locale* (`en` or `ru`) where they have it: `summary_ru` beside `summary`.
    *external_url* and *external_labels* are what their templates see as `$externalURL` and `$externalLabels`.

    Raises:
        RuleError: a file cannot be read, or something in a rule is wrong.
        ConfigurationError: no rule has a name that is to be disabled.
    """
    users: list[RuleGroup] = []
    in_code: list[Rule] = []
    for rule in rules:
        if isinstance(rule, Rule):
            in_code.append(rule)
        else:
            users.extend(load_rule_file(rule))
    if in_code:
        users.append(code_group(in_code))

    def placed(group: RuleGroup) -> RuleGroup:
        return localised(group, locale).placed(external_url or "", external_labels or {})

    return RuleSet(map(placed, builtin_groups()), map(placed, users), disabled=disabled)
