"""series: what charts draw, of several expressions at once, made as small as the chart is."""

import math
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Annotated, Final, Literal

from fastapi import APIRouter, Query, Response
from pydantic import Field

from dozor.api import problems
from dozor.api.backend import Backend
from dozor.api.parameters import Since, Until
from dozor.api.problems import invalid
from dozor.api.rendering import json_response, to_json
from dozor.api.series_schemas import LineModel, QueryLines, SeriesAnswer
from dozor.clock import Clock
from dozor.duration import parse_duration
from dozor.errors import PromQLError, StoreUnavailable
from dozor.overview.chart import Chart, Grid, Line, read_chart, worst
from dozor.overview.moments import undate
from dozor.promql import measured_metric
from dozor.store import Queryable

MAX_SECONDS: Final = 10.0
"""For all expressions of one request together."""
_LONGEST_SECONDS: Final = 366 * 86_400.0
_RANGE: Final = "15m"
_UNITS_SECONDS: Final = 60.0

Expressions = Annotated[
    list[Annotated[str, Field(min_length=1, max_length=10_000)]],
    Query(
        alias="query", min_length=1, max_length=24, description="An expression in PromQL; repeated: all are answered."
    ),
]
Range = Annotated[
    str | None, Query(max_length=20, description="How far back from `end`, such as `1h`; 15m if not given.")
]
Width = Annotated[int, Query(ge=20, le=4000, description="How many points at most: the pixels of the chart.")]
Lines = Annotated[int, Query(ge=1, le=200, description="How many lines of each expression at most.")]
Worst = Annotated[
    Literal["max", "min", "last"],
    Query(description="Which lines are the worst: those with the largest, the smallest, or the largest newest value."),
]


def add_routes(router: APIRouter, backend: Backend) -> None:
    """Put the series on *router*."""
    clock, units = backend.clock, _Units(backend)

    @router.get(
        "/series",
        response_model=SeriesAnswer,
        responses=problems.documented(422),
        summary="Lines for charts",
    )
    async def series(  # noqa: PLR0917 - FastAPI passes them by name
        query: Expressions,
        start: Since = None,
        end: Until = None,
        range_: Annotated[Range, Query(alias="range")] = None,
        width: Width = 600,
        lines: Lines = 20,
        order: Annotated[Worst, Query(alias="worst")] = "max",
    ) -> Response:
        """PromQL over a range, with as many points as the chart has pixels; each bucket keeps its extremes, a gap is null.

        An expression that cannot be evaluated says so in its `error`; where none can, the answer is 422.
        """
        interval = backend.known().interval_seconds
        begin, until = _ends(clock, start, end, range_)
        grid = Grid.over(begin, until, points=width, finest_seconds=interval)
        known = await units.known()

        def read(store: Queryable) -> bytes:
            deadline = time.monotonic() + MAX_SECONDS

            def left() -> float:
                return deadline - time.monotonic()

            def chart(expr: str) -> Chart:
                return read_chart(store, expr, grid, key=worst(order), most=lines, left=left, finest_seconds=interval)

            found = [_lines(one, chart, grid, known) for one in query]
            if all(one.error is not None for one in found):
                raise invalid("query", f"query: {found[0].error}.")
            return to_json(_answer(grid, clock, found))

        return json_response(await backend.run_query(read))


class _Units:
    """The unit of each metric that is known, asked for once a minute."""

    def __init__(self, backend: Backend) -> None:
        self._backend, self._known, self._at = backend, dict[str, str](), -math.inf

    async def known(self) -> Mapping[str, str]:
        """By the metric's name."""
        at = self._backend.clock.monotonic()
        if at - self._at > _UNITS_SECONDS:
            try:
                self._known = await self._backend.in_dozor(self._read)
            except StoreUnavailable:
                return self._known  # a chart without units is still one
            self._at = at
        return self._known

    def _read(self) -> dict[str, str]:
        return {family.name: family.unit for family in self._backend.metadata() if family.unit}


def _ends(clock: Clock, start: datetime | None, end: datetime | None, range_: str | None) -> tuple[float, float]:
    """From when to when, in Unix seconds."""
    until = clock.timestamp() if end is None else undate(clock, end)
    if start is not None and range_ is not None:
        raise invalid("range", "Give start or range, not both.")
    span = _span(range_ or _RANGE) if start is None else until - undate(clock, start)
    if span <= 0:
        raise invalid("start", "start must lie before end.")
    if span > _LONGEST_SECONDS:
        raise invalid("range" if start is None else "start", "A chart reaches back 366 days at most.")
    return until - span, until


def _span(text: str) -> float:
    try:
        seconds = parse_duration(text.strip())
    except ValueError as error:
        raise invalid("range", f"range: {error}.") from None
    if seconds <= 0:
        raise invalid("range", "range must be longer than 0, such as 15m.")
    return seconds


def _lines(expr: str, read: Callable[[str], Chart], grid: Grid, units: Mapping[str, str]) -> QueryLines:
    try:
        found = read(expr)
        unit = units.get(measured_metric(expr) or "")
    except PromQLError as error:
        return QueryLines(query=expr, unit=None, lines=[], total=0, omitted=0, warnings=[], error=str(error))
    return QueryLines(
        query=expr,
        unit=unit,
        lines=[_line(line, grid) for line in found.lines],
        total=found.total,
        omitted=found.total - len(found.lines),
        warnings=list(found.warnings),
        error=None,
    )


def _line(line: Line, grid: Grid) -> LineModel:
    return LineModel(labels=dict(line.labels), values=line.values(grid), min=line.low, max=line.high, last=line.last)


def _answer(grid: Grid, clock: Clock, found: list[QueryLines]) -> SeriesAnswer:
    offset = clock.offset()
    shift = offset if abs(offset) >= 1 else 0.0
    return SeriesAnswer(
        start=clock.date(grid.start),
        end=clock.date(grid.until),
        bucket_seconds=grid.seconds,
        times=[at + shift for at in grid.times()],
        queries=found,
    )
