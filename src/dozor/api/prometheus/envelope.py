"""What Prometheus' HTTP API wraps its answers in, how it writes numbers, and how it says that something is wrong.

    {"status": "success", "data": …, "warnings": […], "infos": […]}
    {"status": "error", "errorType": "bad_data", "error": "invalid parameter …"}

Source: Prometheus' documentation of its HTTP API, version 1, and the answers of Prometheus itself.
"""

import math
from collections.abc import Callable, Coroutine, Iterable, Mapping
from datetime import UTC, datetime
from enum import Enum
from typing import Any, Final

import msgspec
from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from typing_extensions import override

from dozor.api.problems import RETRY_AFTER_SECONDS, exit_stack
from dozor.api.rendering import NO_STORE
from dozor.containment import report
from dozor.errors import DozorError, PromQLError, QueryTimeout, StoreUnavailable
from dozor.model.labels import Labels
from dozor.promql import Kind, Result

_PLAIN_BELOW: Final = 1e21
_PLAIN_FROM: Final = 1e-6


class ErrorType(Enum):
    """The kinds of errors, with the HTTP status of each."""

    BAD_DATA = ("bad_data", 400)
    EXECUTION = ("execution", 422)
    TIMEOUT = ("timeout", 503)
    NOT_FOUND = ("not_found", 404)
    UNAVAILABLE = ("unavailable", 503)
    INTERNAL = ("internal", 500)
    UNAUTHORIZED = ("unauthorized", 401)
    FORBIDDEN = ("forbidden", 403)


class ApiError(Exception):
    """To be answered as an error of Prometheus' API."""

    def __init__(self, kind: ErrorType, message: str) -> None:
        self.kind = kind
        super().__init__(message)


def bad_parameter(name: str, message: object) -> ApiError:
    """The error for a parameter that cannot be read."""
    return ApiError(ErrorType.BAD_DATA, f'invalid parameter "{name}": {message}')


def success(data: Any, *, warnings: Iterable[str] = (), infos: Iterable[str] = ()) -> bytes:
    """*data* in its envelope, as JSON. May contain `msgspec.Raw`."""
    document: dict[str, Any] = {"status": "success", "data": data}
    document |= {name: notes for name, notes in (("warnings", [*warnings]), ("infos", [*infos])) if notes}
    try:
        return msgspec.json.encode(document)
    except UnicodeEncodeError:
        return msgspec.json.encode(_repaired(document))


def respond(body: bytes, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """*body*, which is JSON already."""
    return Response(body, status, {**NO_STORE, **(headers or {})}, "application/json")


def failure(
    kind: ErrorType, message: str, status: int | None = None, headers: Mapping[str, str] | None = None
) -> Response:
    """An error in its envelope."""
    name, usual = kind.value
    body = msgspec.json.encode(_repaired({"status": "error", "errorType": name, "error": message}))
    return respond(body, usual if status is None else status, headers)


class PrometheusRoute(APIRoute):
    """A route whose errors are those of Prometheus' API, whatever the application around it does with errors."""

    @override
    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def answer(request: Request) -> Response:
            try:
                async with exit_stack(request):
                    return await handle(request)
            except ApiError as error:
                return failure(error.kind, str(error))
            except DozorError as error:
                return _of_error(error)
            except HTTPException as error:
                return _of_refusal(error)
            except Exception:  # noqa: BLE001 - nothing of Dozor's reaches the application
                report("api.prometheus")
                return failure(ErrorType.INTERNAL, "Dozor made a mistake here; its log has the details")

        return answer


def _of_error(error: DozorError) -> Response:
    match error:
        case QueryTimeout():
            return failure(ErrorType.TIMEOUT, str(error))
        case PromQLError():
            return failure(ErrorType.EXECUTION, str(error))
        case StoreUnavailable():
            return failure(ErrorType.UNAVAILABLE, str(error), headers={"Retry-After": str(RETRY_AFTER_SECONDS)})
        case _:
            return failure(ErrorType.INTERNAL, str(error))


_KINDS: Final = {401: ErrorType.UNAUTHORIZED, 403: ErrorType.FORBIDDEN, 404: ErrorType.NOT_FOUND}


def _of_refusal(error: HTTPException) -> Response:
    kind = _KINDS.get(error.status_code, ErrorType.BAD_DATA)
    return failure(kind, str(error.detail), error.status_code, error.headers or {})


# -- values --------------------------------------------------------------------------------------------------------


def number(value: float) -> str:
    """*value* as Prometheus writes it, inside quotes: shortest digits, an exponent only for the very large and small."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    if value == int(value) and abs(value) < 1e15:
        return "-0" if value == 0 and math.copysign(1, value) < 0 else str(int(value))
    text = repr(value)
    size = abs(value)
    if "e" not in text or size >= _PLAIN_BELOW or size < _PLAIN_FROM:
        return text
    digits, _, exponent = text.partition("e")
    places = max(0, len(digits.partition(".")[2]) - int(exponent))
    return f"{value:.{places}f}"


def moment(milliseconds: int) -> msgspec.Raw:
    """Unix seconds as Prometheus writes them: with milliseconds where there are any."""
    seconds, rest = divmod(milliseconds, 1000)
    return msgspec.Raw(f"{seconds}.{rest:03d}".encode() if rest else str(seconds).encode())


def sample(at: float, value: float) -> tuple[msgspec.Raw, str]:
    """A pair of time (Unix seconds) and value."""
    return moment(round(at * 1000)), number(value)


def rfc3339(when: datetime) -> str:
    """*when* as Go writes it."""
    return when.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def result_data(result: Result, at: float) -> dict[str, Any]:
    """What a query gave, as `resultType` and `result`; *at* is the moment of an instant query."""
    match result.kind:
        case Kind.SCALAR if result.vector:
            value: Any = sample(at, result.vector[0].value)
        case Kind.STRING:
            value = (moment(round(at * 1000)), result.text)
        case Kind.MATRIX:
            value = [
                {"metric": dict(labels), "values": [sample(*point) for point in points]}
                for labels, points in result.matrix
            ]
        case _:
            value = [{"metric": dict(found.labels), "value": sample(at, found.value)} for found in result.vector]
    return {"resultType": result.kind.value, "result": value}


def label_sets(found: Iterable[Labels]) -> list[dict[str, str]]:
    """Series by their labels."""
    return [dict(labels) for labels in found]


def _repaired(value: Any) -> Any:
    """*value* with what UTF-8 cannot carry replaced."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {_repaired(key): _repaired(item) for key, item in value.items()}
    return [_repaired(item) for item in value] if isinstance(value, (list, tuple)) else value
