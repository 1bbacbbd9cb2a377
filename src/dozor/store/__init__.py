"""Time series: appended each interval, selected by rules and pages."""

from dozor.store.interface import Appendable, Matchers, Queryable, Selection, Window, milliseconds
from dozor.store.matchers import Matcher, MatchOperator, match_all, parse_matcher
from dozor.store.memory import MemoryStore, StoreStats
from dozor.store.staleness import STALE_NAN, is_stale

__all__ = [
    "STALE_NAN",
    "Appendable",
    "MatchOperator",
    "Matcher",
    "Matchers",
    "MemoryStore",
    "Queryable",
    "Selection",
    "StoreStats",
    "Window",
    "is_stale",
    "match_all",
    "milliseconds",
    "parse_matcher",
]
