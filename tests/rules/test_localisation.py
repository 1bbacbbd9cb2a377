"""Rules in the reader's language."""

import pytest

from dozor.rules import AlertingRule, Rule, load_rules, parse_rules
from dozor.rules.localisation import localised

TEXT = """
groups:
  - name: g
    rules:
      - record: r
        expr: x
      - alert: A
        expr: x > 1
        annotations:
          summary: It is high
          summary_ru: Высоко
          description: Look.
          dashboard_ru: https://d.example
"""


@pytest.mark.parametrize(
    ("locale", "summary"),
    [("en", "It is high"), ("ru", "Высоко")],
)
def test_a_translation_takes_the_place_of_what_it_translates(locale: str, summary: str) -> None:
    (group,) = parse_rules(TEXT)
    (rule,) = localised(group, locale).alerting
    texts = {name: template.text for name, template in rule.annotations.items()}
    assert texts == {"summary": summary, "description": "Look.", "dashboard_ru": "https://d.example"}


def test_what_has_no_translation_stays_the_same_rule() -> None:
    (group,) = parse_rules(TEXT.replace("summary_ru", "summary_de"))
    assert localised(group, "ru").rules == group.rules


def test_rules_in_code_and_in_files_are_read_in_the_language_asked_for(tmp_path) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "rules.yml"
    path.write_text(TEXT)
    code = Rule(alert="B", expr="x", annotations={"summary": "Low", "summary_ru": "Низко"})
    rules = load_rules([path, code], locale="ru")
    assert [_summary(rule) for name in "AB" for rule in rules.named(name)] == ["Высоко", "Низко"]
    assert [_summary(rule) for rule in load_rules([code]).named("B")] == ["Low"]


def _summary(rule: AlertingRule) -> str:
    return rule.annotations["summary"].text
