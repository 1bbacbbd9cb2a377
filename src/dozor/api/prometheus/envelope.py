"""What Prometheus' HTTP API wraps its answers in, and how it says that something is wrong.

    {"status": "success", "data": …, "warnings": […], "infos": […]}
    {"status": "error", "errorType": "bad_data", "error": "invalid parameter …"}

Source: Prometheus' documentation of its HTTP API, version 1, and the answers of Prometheus itself.
"""

from collections.abc import Callable, Coroutine, Iterable, Mapping
from enum import Enum
from functools import wraps
from typing import Any, Final

from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from typing_extensions import override

from dozor.api.problems import RETRY_AFTER_SECONDS, exit_stack
from dozor.api.prometheus.values import encoded
from dozor.api.rendering import NO_STORE
from dozor.containment import report
from dozor.errors import DozorError, PromQLError, QueryTimeout, StoreUnavailable

Endpoint = Callable[..., Coroutine[Any, Any, Response]]


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
    return encoded(document)


def respond(body: bytes, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """*body*, which is JSON already."""
    return Response(body, status, {**NO_STORE, **(headers or {})}, "application/json")


def failure(
    kind: ErrorType, message: str, *, status: int | None = None, headers: Mapping[str, str] | None = None
) -> Response:
    """An error in its envelope; *status* where it is another than that of its kind."""
    name, usual = kind.value
    body = encoded({"status": "error", "errorType": name, "error": message})
    return respond(body, usual if status is None else status, headers)


class PrometheusRoute(APIRoute):
    """A route whose errors are those of Prometheus' API, whatever the application around it does with errors.

    What an application's own `auth=` raises that is no HTTPException passes to the application's handlers.
    """

    def __init__(self, path: str, endpoint: Endpoint, **options: Any) -> None:
        super().__init__(path, _contained(endpoint), **options)

    @override
    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def answer(request: Request) -> Response:
            try:
                async with exit_stack(request):
                    return await handle(request)
            except ApiError as error:
                return failure(error.kind, str(error))
            except HTTPException as error:
                kind = _KINDS.get(error.status_code, ErrorType.BAD_DATA)
                return failure(kind, str(error.detail), status=error.status_code, headers=error.headers)

        return answer


_KINDS: Final = {401: ErrorType.UNAUTHORIZED, 403: ErrorType.FORBIDDEN, 404: ErrorType.NOT_FOUND}


def _contained(endpoint: Endpoint) -> Endpoint:
    """*endpoint* with every error of its own answered, so that nothing of Dozor's reaches the application."""

    @wraps(endpoint)
    async def contained_endpoint(*args: Any, **kwargs: Any) -> Response:
        try:
            return await endpoint(*args, **kwargs)
        except (ApiError, HTTPException):
            raise
        except DozorError as error:
            return _of_error(error)
        except Exception:  # noqa: BLE001 - it is counted and logged, and concerns nobody else
            report("api.prometheus")
            return failure(ErrorType.INTERNAL, "Dozor made a mistake here; its log has the details")

    return contained_endpoint


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
