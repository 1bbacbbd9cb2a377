"""query, query_range and format_query."""

import time
from collections.abc import Callable
from typing import Any, Final, TypeVar

from fastapi import Response

from dozor.api.prometheus.backend import PrometheusBackend
from dozor.api.prometheus.envelope import ApiError, ErrorType, bad_parameter, respond, result_data, success
from dozor.api.prometheus.parameters import Parameters
from dozor.errors import PromQLError
from dozor.promql import LOOKBACK_SECONDS, Kind, Limits, Query, Result, compile_query, format_expression
from dozor.store import Queryable

T = TypeVar("T")

MAX_POINTS: Final = 11_000
"""Of one series in one answer, as in Prometheus."""
MAX_SAMPLES: Final = 5_000_000
MAX_SECONDS: Final = 10.0


async def query(backend: PrometheusBackend, given: Parameters) -> Response:
    """An expression at one moment."""
    at = given.time("time", backend.clock.now().timestamp())
    limits, compiled = _limits(given), _compiled(given)

    def evaluate(store: Queryable) -> bytes:
        started = time.perf_counter()
        result = compiled.evaluate(store, at, limits=limits)
        return _answer(result, at, given, started)

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
    if (end - start) / step > MAX_POINTS:
        raise ApiError(
            ErrorType.BAD_DATA,
            f"exceeded maximum resolution of {MAX_POINTS:,} points per timeseries. "
            "Try decreasing the query resolution (?step=XX)",
        )
    limits, compiled = _limits(given), _compiled(given)
    if compiled.type not in (Kind.VECTOR, Kind.SCALAR):
        named = _LONG_NAMES[compiled.type]
        raise bad_parameter(
            "query", f'invalid expression type "{named}" for range query, must be Scalar or instant Vector'
        )

    def evaluate(store: Queryable) -> bytes:
        started = time.perf_counter()
        result = compiled.evaluate_range(store, start, end, step, limits=limits)
        return _answer(result, end, given, started)

    return respond(await backend.run_query(evaluate))


async def format_query(_: PrometheusBackend, given: Parameters) -> Response:
    """An expression, laid out for reading."""
    return respond(success(_read(given, format_expression)))


_LONG_NAMES: Final = {Kind.MATRIX: "range vector", Kind.STRING: "string"}


def _compiled(given: Parameters) -> Query:
    return _read(given, compile_query)


def _read(given: Parameters, read: Callable[[str], T]) -> T:
    """What *read* makes of the parameter `query`."""
    try:
        return read(given.get("query"))
    except PromQLError as error:
        raise bad_parameter("query", error) from None


def _limits(given: Parameters) -> Limits:
    timeout = given.duration("timeout", MAX_SECONDS)
    lookback = given.duration("lookback_delta", LOOKBACK_SECONDS)
    if lookback <= 0:
        raise bad_parameter("lookback_delta", "it must be longer than 0")
    return Limits(max_samples=MAX_SAMPLES, timeout_seconds=min(timeout, MAX_SECONDS), lookback_seconds=lookback)


def _answer(result: Result, at: float, given: Parameters, started: float) -> bytes:
    limit, warnings = given.limit(), list(result.warnings)
    if limit is not None and max(len(result.vector), len(result.matrix)) > limit:
        del result.vector[limit:], result.matrix[limit:]
        warnings.append("results truncated due to limit")
    data = result_data(result, at)
    if given.get("stats"):
        data["stats"] = _stats(result, started)
    return success(data, warnings=warnings, infos=result.infos)


def _stats(result: Result, started: float) -> dict[str, Any]:
    seconds = time.perf_counter() - started
    return {
        "timings": {
            "evalTotalTime": seconds,
            "resultSortTime": 0,
            "queryPreparationTime": 0,
            "innerEvalTime": seconds,
            "execQueueTime": 0,
            "execTotalTime": seconds,
        },
        "samples": {"totalQueryableSamples": result.samples, "peakSamples": result.samples},
    }
