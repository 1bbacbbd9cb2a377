"""Rules written in Python pass the same checks as those in files."""

from datetime import timedelta

import pytest

from dozor.errors import RuleError
from dozor.model.alert import Severity
from dozor.rules import Rule


@pytest.mark.parametrize(
    ("given", "seconds"), [("5m", 300.0), (90, 90.0), (0.25, 0.25), (timedelta(hours=1), 3600.0), (0, 0)]
)
def test_durations_are_text_seconds_or_timedeltas(given: str | float | timedelta, seconds: float) -> None:
    assert Rule("A", "up == 0", for_=given).compiled.for_seconds == seconds


def test_a_rule_is_what_it_says() -> None:
    rule = Rule(
        "Busy", "queue > 10", labels={"severity": "critical", "component": "redis"},
        annotations={"summary": "{{ $value }}", "dozor_resolve": "queue < 5"},
    )  # fmt: skip
    assert (rule.compiled.name, rule.compiled.severity, rule.compiled.component) == ("Busy", Severity.CRITICAL, "redis")
    assert set(rule.compiled.annotations) == {"summary"}
    assert repr(rule).startswith("Rule(alert='Busy', expr='queue > 10'")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"expr": "rate(up)"}, r"Rule\('A'\)\.expr: expected type matrix"),
        ({"expr": ""}, r"Rule\('A'\)\.expr: the expression is empty"),
        ({"for_": "soon"}, r"Rule\('A'\)\.for: 'soon' is not a duration"),
        ({"for_": -1}, r"Rule\('A'\)\.for: '-1s' is not a duration"),
        ({"for_": float("nan")}, r"Rule\('A'\)\.for: 'nans' is not a duration"),
        ({"labels": {"severity": "dire"}}, r"Rule\('A'\)\.labels\.severity: unknown severity"),
        ({"annotations": {"dozor_x": ""}}, r"Rule\('A'\)\.annotations\.dozor_x: there is no such annotation"),
        ({"alert": ""}, r"Rule\(''\): a rule needs a name"),
    ],
)
def test_a_mistake_is_found_when_the_rule_is_made(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(RuleError, match=message) as caught:
        Rule(**{"alert": "A", "expr": "up == 0", **arguments})  # type: ignore[arg-type]
    assert caught.value.line is None
