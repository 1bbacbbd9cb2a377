"""Counting, cheaply: the hot path writes, the scrape reads."""

from dozor.metrics.exposition import CONTENT_TYPE_OPENMETRICS, CONTENT_TYPE_TEXT, render
from dozor.metrics.instruments import Children, Counter, Histogram, HistogramSnapshot
from dozor.metrics.registry import Registry

__all__ = [
    "CONTENT_TYPE_OPENMETRICS",
    "CONTENT_TYPE_TEXT",
    "Children",
    "Counter",
    "Histogram",
    "HistogramSnapshot",
    "Registry",
    "render",
]
