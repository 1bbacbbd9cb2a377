"""From what is known to statuses and reasons: the one picture that API, page and command line show."""

from dozor.overview.assess import Urgency, assess, urgency
from dozor.overview.chart import Chart, Grid, Line, read_chart, worst
from dozor.overview.evidence import WINDOWS, PoolRecord, Recent, RedisDetails, ServerCommand
from dozor.overview.records import (
    ComponentStatus,
    Known,
    Overview,
    PoolReading,
    RedisReading,
    Status,
    TargetStatus,
)
from dozor.overview.silences import OWN_PREFIX, SilenceRecord, inventory, own_silence
from dozor.overview.trends import Sparkline, Trends, http_figures

__all__ = [
    "OWN_PREFIX",
    "WINDOWS",
    "Chart",
    "ComponentStatus",
    "Grid",
    "Known",
    "Line",
    "Overview",
    "PoolReading",
    "PoolRecord",
    "Recent",
    "RedisDetails",
    "RedisReading",
    "ServerCommand",
    "SilenceRecord",
    "Sparkline",
    "Status",
    "TargetStatus",
    "Trends",
    "Urgency",
    "assess",
    "http_figures",
    "inventory",
    "own_silence",
    "read_chart",
    "urgency",
    "worst",
]
