"""query, query_range, query_exemplars and format_query.

Expressions are compiled where they are evaluated, in the thread for queries: what a stranger wrote may take a while.
"""

import time
from collections.abc import Callable
from typing import Final, NamedTuple, TypeVar

from fastapi import Response

from dozor.api.prometheus.backend import PrometheusBackend
from dozor.api.prometheus.envelope import ApiError, ErrorType, bad_parameter, respond, success
from dozor.api.prometheus.parameters import Parameters
from dozor.api.prometheus.values import TRUNCATED, result_data
from dozor.errors import PromQLError, QueryTimeout
from dozor.promql import LOOKBACK_SECONDS, Kind, Limits, Query, Result, compile_query, format_expression
from dozor.store import Queryable

T = TypeVar("T")

MAX_STEPS: Final = 11_000
"""From start to end of a range, as in Prometheus."""
MAX_POINTS: Final = 500_000
"""In one answer. It takes about 100 MiB to make, in what may be an application's process."""
MAX_SECONDS: Final = 10.0

_LONG_NAMES: Final = {Kind.MATRIX: "range vector", Kind.STRING: "string"}


async def query(backend: PrometheusBackend, given: Parameters) -> Response:
    """An expression at one moment."""
    at = given.time("time", backend.clock.timestamp())
    wanted = _wanted(given)

    def evaluate(store: Queryable) -> bytes:
        watch = _Watch()
        compiled = _compiled(given)
        watch.prepared()
        return _answer(compiled.evaluate(store, at, limits=wanted.limits), at, wanted, watch)

    return respond(await backend.run_query(evaluate))


async def query_range(backend: PrometheusBackend, given: Parameters) -> Response:
    """An expression at each step from `start` to `end`."""
    start, end = given.time("start"), given.time("end")
    if end < start:
        raise bad_parameter("end", "end timestamp must not be before start time")
    step = given.duration("step")
    if step <= 0:
        raise bad_parameter(
            "step", "zero or negative query resolution step widths are not accepted. Try a positive integer"
        )
    if (end - start) / step > MAX_STEPS:
        raise ApiError(
            ErrorType.BAD_DATA,
            f"exceeded maximum resolution of {MAX_STEPS:,} points per timeseries. "
            "Try decreasing the query resolution (?step=XX)",
        )
    wanted = _wanted(given)

    def evaluate(store: Queryable) -> bytes:
        watch = _Watch()
        compiled = _compiled(given)
        if compiled.type in _LONG_NAMES:
            raise ApiError(
                ErrorType.BAD_DATA,
                f'invalid expression type "{_LONG_NAMES[compiled.type]}" for range query, '
                "must be Scalar or instant Vector",
            )
        watch.prepared()
        return _answer(compiled.evaluate_range(store, start, end, step, limits=wanted.limits), end, wanted, watch)

    return respond(await backend.run_query(evaluate))


async def query_exemplars(backend: PrometheusBackend, given: Parameters) -> Response:
    """None: Dozor keeps no exemplars. Clients ask for them beside a query, and take an error for its failure."""

    def check(_: Queryable) -> bytes:
        _compiled(given)
        return success([])

    return respond(await backend.run_query(check))


async def format_query(backend: PrometheusBackend, given: Parameters) -> Response:
    """An expression, laid out for reading."""
    return respond(await backend.run_query(lambda _: success(_read(given, format_expression))))


def _compiled(given: Parameters) -> Query:
    return _read(given, compile_query)


def _read(given: Parameters, read: Callable[[str], T]) -> T:
    """What *read* makes of the parameter `query`."""
    try:
        return read(given.get("query"))
    except PromQLError as error:
        raise bad_parameter("query", error) from None


class _Wanted(NamedTuple):
    """What a query says beside the expression: what it may take, how many series, whether with statistics."""

    limits: Limits
    series: int | None
    statistics: bool


def _wanted(given: Parameters) -> _Wanted:
    timeout = given.duration("timeout", MAX_SECONDS)
    if timeout <= 0:
        raise QueryTimeout("the query's timeout is over before it begins")
    lookback = given.duration("lookback_delta", LOOKBACK_SECONDS)
    limits = Limits(
        max_points=MAX_POINTS,
        timeout_seconds=min(timeout, MAX_SECONDS),
        lookback_seconds=lookback if lookback > 0 else LOOKBACK_SECONDS,
    )
    return _Wanted(limits, given.limit(), bool(given.get("stats")))


class _Watch:
    """Measures what `stats` asks for, in seconds."""

    def __init__(self) -> None:
        self._began = self._prepared = time.perf_counter()

    def prepared(self) -> None:
        """The expression is compiled."""
        self._prepared = time.perf_counter()

    def timings(self) -> dict[str, float]:
        """How long it took, by Prometheus' names."""
        now = time.perf_counter()
        return {
            "evalTotalTime": now - self._began,
            "resultSortTime": 0,
            "queryPreparationTime": self._prepared - self._began,
            "innerEvalTime": now - self._prepared,
            "execQueueTime": 0,
            "execTotalTime": now - self._began,
        }


def _answer(result: Result, at: float, wanted: _Wanted, watch: _Watch) -> bytes:
    timings, warnings = watch.timings(), list(result.warnings)
    if wanted.series is not None and max(len(result.vector), len(result.series)) > wanted.series:
        del result.vector[wanted.series :], result.series[wanted.series :]
        warnings.append(TRUNCATED)
    data = result_data(result, at)
    if wanted.statistics:
        samples = {"totalQueryableSamples": result.samples, "peakSamples": result.samples}
        data["stats"] = {"timings": timings, "samples": samples}
    return success(data, warnings=warnings, infos=result.infos)
