"""PromQL over a `Queryable`: a pure function of expression, store and time.

`text → guard → promql-parser → compile → closures`; evaluating is calling them with a `Context`.
"""

from dozor.promql.compile import Dialect
from dozor.promql.context import LOOKBACK_SECONDS, Limits
from dozor.promql.expression import format_expression, parse_selector
from dozor.promql.measure import measured_metric
from dozor.promql.parsing import Kind
from dozor.promql.query import Points, Query, Result, VectorSample, compile_query

__all__ = [
    "LOOKBACK_SECONDS",
    "Dialect",
    "Kind",
    "Limits",
    "Points",
    "Query",
    "Result",
    "VectorSample",
    "compile_query",
    "format_expression",
    "measured_metric",
    "parse_selector",
]
