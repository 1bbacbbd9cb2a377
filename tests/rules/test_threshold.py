"""The threshold that a rule's expression tells."""

from pathlib import Path

import pytest
from yaml import safe_load

from dozor.errors import PromQLError
from dozor.rules import Rule
from dozor.rules.threshold import threshold_of

YARDSTICKS = Path(__file__).parents[3] / "shared" / "yardsticks" / "alert-rules"


@pytest.mark.parametrize(
    ("expr", "threshold"),
    [
        ("x > 90", "> 90"),
        ("90 < x", "> 90"),
        ("(x) <= (0.5)", "<= 0.5"),
        ("x > 5 * 60", "> 300"),
        ("x > -(1 - 0.25)", "> -0.75"),
        ("x > 1e6", "> 1000000"),
        ("100 * a / b > 85 unless on (redis) c", "> 85"),
        ("a < 2 and b >= 5", "< 2"),
        ("a < 2 or b < 2", "< 2"),
        ("a < 2 or b < 3", None),
        ("(sum(a) or vector(0)) > 10", "> 10"),
        ("0 < x < 10", "> 0"),
        ("x == 0", "== 0"),
        ("sum(x > 5)", None),
        ("max by (job) (x > 5)", "> 5"),
        ("topk(3, x > 5)", "> 5"),
        ("count(x > 5) > 2", "> 2"),
        ('label_replace(x > 5, "a", "$1", "b", "(.+)")', "> 5"),
        ("x > bool 5", None),
        ("(x > bool 5) == 1", "== 1"),
        ("x > y", None),
        ("(x > 5) > y", "> 5"),
        ("x > scalar(y)", None),
        ("x > 1 / 0", None),
        ("x > Inf", None),
        ("absent(x)", None),
        ("1", None),
        ("1 > bool 2", None),
    ],
)
def test_the_threshold_of_an_expression(expr: str, threshold: str | None) -> None:
    assert threshold_of(expr) == threshold


def test_a_rule_knows_its_threshold() -> None:
    assert Rule(alert="A", expr="x > 1").compiled.threshold == "> 1"


def test_what_is_no_expression_is_refused() -> None:
    with pytest.raises(PromQLError):
        threshold_of("x >")


@pytest.mark.skipif(not YARDSTICKS.is_dir(), reason="the yardsticks are not on this machine")
def test_most_rules_of_others_tell_theirs() -> None:
    told = [
        threshold_of(str(rule["expr"]))
        for path in sorted(YARDSTICKS.rglob("*.yaml"))
        for group in _groups(path)
        for rule in group["rules"]
        if "alert" in rule
    ]
    assert len(told) > 500
    assert sum(threshold is not None for threshold in told) > 0.8 * len(told)


def _groups(path: Path) -> list[dict[str, list[dict[str, object]]]]:
    document = safe_load(path.read_text()) or {}
    return document.get("groups") or document.get("spec", {}).get("groups") or []
