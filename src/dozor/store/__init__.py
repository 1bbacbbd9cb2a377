"""Time series: appended each interval, selected by rules and pages."""

from dozor.store.columns import Columns, Source, in_columns, in_rows, windows_of
from dozor.store.index import Shortened
from dozor.store.interface import Appendable, Matchers, Queryable, Selection, milliseconds
from dozor.store.matchers import Matcher, MatchOperator, match_all, parse_matcher
from dozor.store.memory import MemoryStore
from dozor.store.staleness import STALE_NAN, is_stale
from dozor.store.stats import StoreStats
from dozor.store.window import Window

__all__ = [
    "STALE_NAN",
    "Appendable",
    "Columns",
    "MatchOperator",
    "Matcher",
    "Matchers",
    "MemoryStore",
    "Queryable",
    "Selection",
    "Shortened",
    "Source",
    "StoreStats",
    "Window",
    "in_columns",
    "in_rows",
    "is_stale",
    "match_all",
    "milliseconds",
    "parse_matcher",
    "windows_of",
]
