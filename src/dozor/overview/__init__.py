"""From what is known to statuses and reasons: the one picture that API, page and command line show."""

from dozor.overview.assess import Urgency, assess, urgency
from dozor.overview.changes import Change, ChangeKind, ChangeLog, TargetWatch, of_alert, of_annotation, of_changes
from dozor.overview.evidence import (
    WINDOWS,
    PoolConnections,
    PoolRecord,
    PoolReview,
    Recent,
    RedisClientDetails,
    RedisDetails,
    RedisWhole,
    ServerActivity,
    ServerCommand,
    StatementSource,
    Transaction,
)
from dozor.overview.http_routes import RouteRecord, read_routes
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
    "Change",
    "ChangeKind",
    "ChangeLog",
    "ComponentStatus",
    "Known",
    "Overview",
    "PoolConnections",
    "PoolReading",
    "PoolRecord",
    "PoolReview",
    "Recent",
    "RedisClientDetails",
    "RedisDetails",
    "RedisReading",
    "RedisWhole",
    "RouteRecord",
    "ServerActivity",
    "ServerCommand",
    "SilenceRecord",
    "Sparkline",
    "StatementSource",
    "Status",
    "TargetStatus",
    "TargetWatch",
    "Transaction",
    "Trends",
    "Urgency",
    "assess",
    "http_figures",
    "inventory",
    "of_alert",
    "of_annotation",
    "of_changes",
    "own_silence",
    "read_routes",
    "urgency",
]
