"""Rules in the reader's language: an annotation may have translations beside it, `summary_ru` beside `summary`."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from dozor.rules.alerting import AlertingRule
from dozor.rules.group import RuleGroup
from dozor.rules.template import Template

LOCALES: Final = ("en", "ru")
"""The languages in which annotations are looked for."""


def localised(group: RuleGroup, locale: str) -> RuleGroup:
    """*group* with the annotations of its rules in the language *locale* where they have it, and in no other."""
    rules = tuple(_localised(rule, locale) if isinstance(rule, AlertingRule) else rule for rule in group.rules)
    return replace(group, rules=rules)


def _localised(rule: AlertingRule, locale: str) -> AlertingRule:
    translations = {name for name in rule.annotations if _translated(name, rule.annotations)}
    if not translations:
        return rule
    annotations = {
        name: rule.annotations.get(f"{name}_{locale}", template)
        for name, template in rule.annotations.items()
        if name not in translations
    }
    return replace(rule, annotations=annotations)


def _translated(name: str, annotations: Mapping[str, Template]) -> bool:
    """Whether *name* is a translation: one that stands beside nothing is an annotation like any other."""
    original, _, language = name.rpartition("_")
    return language in LOCALES and original in annotations
