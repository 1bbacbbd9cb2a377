"""Series that a Prometheus-compatible server keeps, beside Dozor's own."""

from dozor.remote.ahead import Ahead
from dozor.remote.link import MetricsLink
from dozor.remote.merged import Merged
from dozor.remote.server import MetricsServer
from dozor.remote.source import RemoteStore

__all__ = ["Ahead", "Merged", "MetricsLink", "MetricsServer", "RemoteStore"]
