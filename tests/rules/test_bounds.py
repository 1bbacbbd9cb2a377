"""What the values of an expression must lie between, and the comparisons that therefore never hold."""

import math

import pytest

from dozor.promql.parsing import parse
from dozor.rules.bounds import bounds, mistaken_for_ratio, unreachable
from dozor.rules.builtin import builtin_groups
from dozor.rules.reach import reach_seconds

INF = math.inf


@pytest.mark.parametrize(
    ("expr", "low", "high"),
    [
        ("db_pool_utilization", 0, 100),
        ("max by (pool) (avg_over_time(db_pool_utilization[5m]))", 0, 100),
        ("1 - up", 0, 1),
        ("-up", -1, 0),
        ("100 * (1 - cache_hit_ratio)", 0, 100),
        ("host_cpu_utilization / 100", 0, 1),
        ("rate(http_requests_total[5m])", 0, INF),
        ("sum(rate(a_total[5m])) / sum(rate(b_total[5m]))", 0, INF),
        ("sum(up)", 0, INF),
        ("count(anything)", 1, INF),
        ("absent(anything)", 1, 1),
        ("up == bool 1", 0, 1),
        ("up > 0", 0, 1),
        ("up or db_pool_utilization", 0, 100),
        ("db_pool_utilization and up", 0, 100),
        ("clamp_max(anything, 7)", -INF, 7),
        ("quantile_over_time(0.9, anything[5m])", -INF, INF),
        ("anything", -INF, INF),
        ("up % 2", -INF, INF),
    ],
)
def test_values_lie_between(expr: str, low: float, high: float) -> None:
    assert bounds(parse(expr)) == (low, high)


@pytest.mark.parametrize(
    ("expr", "found"),
    [
        ("db_pool_utilization > 100", ["db_pool_utilization > 100"]),
        ("db_pool_utilization >= 100", []),
        ("db_pool_utilization < 0 or up == 0", ["db_pool_utilization < 0"]),
        ("120 < avg(host_cpu_utilization)", ["120 < avg(host_cpu_utilization)"]),
        ("up == 2", ["up == 2"]),
        ("up <= -1", ["up <= -1"]),
        ("up != 2", []),
        ("worker_utilisation_ratio > 90", ["worker_utilisation_ratio > 90"]),
        ("redis_memory_fragmentation_ratio > 1.5", []),
        ("up > bool 3", []),
    ],
)
def test_a_comparison_that_never_holds_is_found(expr: str, found: list[str]) -> None:
    assert [text for text, _ in unreachable(parse(expr))] == found


def test_percent_is_not_compared_as_if_it_were_a_ratio() -> None:
    assert [metric for _, metric in mistaken_for_ratio(parse("max(host_cpu_utilization) > 0.9"))] == [
        "host_cpu_utilization"
    ]
    assert not list(mistaken_for_ratio(parse("host_cpu_utilization > 90 or host_cpu_utilization / 100 > 0.9")))


def test_the_default_rules_can_all_be_reached() -> None:
    for group in builtin_groups():
        for rule in group.rules:
            assert not list(unreachable(parse(rule.expr)))


@pytest.mark.parametrize(
    ("expr", "seconds"),
    [
        ("up", 0),
        ("up offset 5m", 300),
        ("up offset -5m", 0),
        ("rate(a[5m] offset 1h)", 3900),
        ("max_over_time(rate(a[5m])[1h:1m] offset 1m) > 3 and b", 3960),
        ("a[5m] @ 0", 0),
        ("topk(3, -deriv(a[10m]))", 600),
    ],
)
def test_how_far_back_an_expression_looks(expr: str, seconds: float) -> None:
    assert reach_seconds(parse(expr)) == seconds
