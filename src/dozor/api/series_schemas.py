"""The shapes of lines for charts."""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, Field

from dozor.api.examples import NOW, example


class LineModel(BaseModel):
    """One series. `values` stand over `times`; null is a gap. `min`, `max` and `last` are of all its samples."""

    labels: dict[str, str]
    values: list[float | None]
    min: float
    max: float
    last: float


class QueryLines(BaseModel):
    """What one expression gives: its worst lines, worst first."""

    query: str
    unit: Annotated[
        str | None,
        Field(description="Of the values, where it is known: `percent`, `bytes`, `seconds`, `connections` …"),
    ]
    lines: list[LineModel]
    total: Annotated[int, Field(description="How many lines there are.")]
    omitted: Annotated[int, Field(description="How many of them are not here.")]
    warnings: list[str]
    error: Annotated[str | None, Field(description="Why there is nothing; null where all is well.")]


class SeriesAnswer(BaseModel):
    """Lines for a chart, of one or of several expressions, all over the same times."""

    model_config = example(
        {
            "start": "2026-11-22T19:21:00Z",
            "end": NOW,
            "bucket_seconds": 450.0,
            "times": [1795375372.5, 1795375597.5, 1795375822.5, 1795376047.5],
            "queries": [
                {
                    "query": "db_pool_utilization",
                    "unit": "percent",
                    "lines": [
                        {
                            "labels": {"__name__": "db_pool_utilization", "pool": "default"},
                            "values": [33.3, 40.0, None, 96.0],
                            "min": 33.3,
                            "max": 96.0,
                            "last": 96.0,
                        }
                    ],
                    "total": 1,
                    "omitted": 0,
                    "warnings": [],
                    "error": None,
                }
            ],
        }
    )

    start: datetime
    end: datetime
    bucket_seconds: Annotated[
        float, Field(description="Two points, the smallest and the largest value, stand for so much time.")
    ]
    times: Annotated[list[float], Field(description="Of the points, in Unix seconds.")]
    queries: list[QueryLines]
