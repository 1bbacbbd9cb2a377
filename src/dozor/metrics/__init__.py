"""Counting, cheaply: the hot path writes, the scrape reads."""

from dozor.metrics.exposition import CONTENT_TYPE_OPENMETRICS, CONTENT_TYPE_TEXT, merge, render
from dozor.metrics.instruments import Children, Counter, Histogram, HistogramSnapshot

__all__ = [
    "CONTENT_TYPE_OPENMETRICS",
    "CONTENT_TYPE_TEXT",
    "Children",
    "Counter",
    "Histogram",
    "HistogramSnapshot",
    "merge",
    "render",
]
