"""Which rules are in force: the default ones, the user's, none that is disabled."""

import logging
from pathlib import Path

import pytest

from dozor.errors import ConfigurationError, RuleError
from dozor.model.labels import Labels
from dozor.model.sample import Sample
from dozor.rules import Rule, builtin_groups, load_rules, parse_rules
from dozor.rules.group import RuleSet
from dozor.store.memory import MemoryStore


def file_of(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "my.yml"
    path.write_text(text)
    return path


def test_the_users_rules_stand_beside_the_default_ones(tmp_path: Path) -> None:
    path = file_of(tmp_path, "groups: [{name: mine, rules: [{alert: Mine, expr: up == 0}]}]")
    rules = load_rules([path, Rule("InCode", "up == 0")])
    assert len(rules.rules) == len(load_rules().rules) + 2
    assert [rule.name for rule in rules.rules][-2:] == ["Mine", "InCode"]


def test_a_rule_of_the_same_name_takes_the_default_ones_place() -> None:
    rules = load_rules([Rule("HostMemoryHigh", "host_memory_utilization > 99")])
    (rule,) = rules.named("HostMemoryHigh")
    assert rule.expr == "host_memory_utilization > 99"
    assert len(rules.rules) == len(load_rules().rules)


def test_disabled_rules_are_left_out_and_may_still_be_named_as_inhibitors() -> None:
    rules = load_rules([Rule("Mine", "up == 0")], disabled=["PoolTimeouts", "DatabaseDown", "Mine"])
    assert {rule.name for rule in rules.rules} == {
        rule.name for group in builtin_groups() for rule in group.alerting
    } - {"PoolTimeouts", "DatabaseDown"}
    assert all(group.rules for group in rules.groups)


def test_an_unknown_name_to_disable_is_an_error_that_lists_the_known_ones() -> None:
    with pytest.raises(
        ConfigurationError, match=r"DOZOR_DISABLED_RULES: there is no rule 'PoolTimeout' .* PoolTimeouts, "
    ):
        load_rules(disabled=["PoolTimeout"])


def test_an_inhibitor_must_exist() -> None:
    with pytest.raises(RuleError, match=r"Mine\.annotations\.dozor_inhibited_by: there is no rule 'Nobody'"):
        load_rules([Rule("Mine", "up == 0", annotations={"dozor_inhibited_by": "Nobody()"})])


def test_rules_must_not_keep_each_other_quiet() -> None:
    circle = [
        Rule(name, "up == 0", annotations={"dozor_inhibited_by": f"{by}()"})
        for name, by in (("A", "B"), ("B", "C"), ("C", "A"))
    ]
    with pytest.raises(RuleError, match="quiet for ever: A by B by C by A"):
        load_rules(circle)


def test_a_copy_in_a_group_is_accepted_as_in_prometheus_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    text = "groups: [{name: g, rules: [{alert: A, expr: up == 0}, {alert: A, expr: up == 0}]}]"
    with caplog.at_level(logging.WARNING, "dozor"):
        rules = RuleSet([], parse_rules(text, "my.yml"))
    assert len(rules.rules) == 2
    assert "the group 'g' already has an alert A with the same labels" in caplog.text


def test_templates_know_where_the_monitor_is_opened_and_what_tells_it_apart() -> None:
    about = Rule("A", "x > 1", annotations={"summary": "{{ $externalURL }} {{ $externalLabels.environment }}"})
    rules = load_rules([about], external_url="https://d.example", external_labels={"environment": "prod"})
    (rule,) = rules.named("A")
    store = MemoryStore()
    store.append(100.0, [Sample("x", Labels(), 2.0)])
    (breach,) = rule.evaluate(store, 100.0, watched=False).breaches.values()
    assert rule.describe(breach, store, 100.0) == {"summary": "https://d.example prod"}
