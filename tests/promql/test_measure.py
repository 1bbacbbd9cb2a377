"""What an expression measures."""

import pytest

from dozor.promql import measured_metric


@pytest.mark.parametrize(("expr", "metric"), [
    ("db_pool_utilization", "db_pool_utilization"),
    ('(max by (pool) (db_pool_utilization{pool="a"}))', "db_pool_utilization"),
    ("max_over_time(redis_memory_usage[5m])", "redis_memory_usage"),
    ("clamp_min(redis_memory_usage, 0)", "redis_memory_usage"),
    ("quantile(0.9, redis_memory_usage)", "redis_memory_usage"),
    ("quantile_over_time(0.9, redis_memory_usage[5m])", "redis_memory_usage"),
    ("histogram_quantile(0.95, sum by (le) (rate(db_pool_wait_seconds_bucket[5m])))", "db_pool_wait_seconds"),
    ("rate(process_cpu_seconds_total[5m])", None),
    ("count(db_pool_utilization)", None),
    ("a / b", None),
    ("a * 100", None),
    ("-a", None),
    ('{__name__=~"a.*"}', None),
    ("histogram_quantile(0.95, a / b)", None),
    ("clamp_max(a, scalar(b))", "a"),
    ("time()", None),
    ("1", None),
])  # fmt: skip
def test_the_unit_of_an_expression_is_that_of_a_metric_or_of_none(expr: str, metric: str | None) -> None:
    assert measured_metric(expr) == metric
