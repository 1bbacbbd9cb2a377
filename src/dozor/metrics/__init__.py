"""Counting, cheaply: the hot path writes, the scrape reads."""

from dozor.metrics.exposition import content_type, merge, prefers_openmetrics, render
from dozor.metrics.instruments import Children, Counter, Histogram, HistogramSnapshot

__all__ = [
    "Children",
    "Counter",
    "Histogram",
    "HistogramSnapshot",
    "content_type",
    "merge",
    "prefers_openmetrics",
    "render",
]
