"""From what is known to statuses and reasons: the one picture that API, page and command line show."""

from dozor.overview.assess import Urgency, assess, urgency
from dozor.overview.evidence import Recent, RedisDetails, SlowCommand, SlowQuery
from dozor.overview.records import (
    ComponentStatus,
    Known,
    Overview,
    PoolReading,
    RedisReading,
    Status,
    TargetStatus,
)
from dozor.overview.statistics import Durations, Extremes, PoolStatistics, WindowStatistics, pool_statistics
from dozor.overview.trends import Sparkline, Trends, http_figures

__all__ = [
    "ComponentStatus",
    "Durations",
    "Extremes",
    "Known",
    "Overview",
    "PoolReading",
    "PoolStatistics",
    "Recent",
    "RedisDetails",
    "RedisReading",
    "SlowCommand",
    "SlowQuery",
    "Sparkline",
    "Status",
    "TargetStatus",
    "Trends",
    "Urgency",
    "WindowStatistics",
    "assess",
    "http_figures",
    "pool_statistics",
    "urgency",
]
