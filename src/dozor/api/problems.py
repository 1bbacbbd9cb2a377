"""Errors as RFC 9457 problem documents, on Dozor's own routes and nowhere else.

`MonitoringRoute` turns what goes wrong on a route into a problem before the surrounding application sees it, so an
application keeps its own error handlers and its own shape of errors for its own routes.
"""

from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from functools import cache, wraps
from http import HTTPStatus
from typing import Any, Final

import msgspec
from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError, ResponseValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from typing_extensions import override

from dozor.containment import report
from dozor.errors import (
    ActionForbidden,
    AlertNotFound,
    ChannelNotFound,
    ConfigurationError,
    DeliveryError,
    DozorError,
    NotificationNotFound,
    PlanUnavailable,
    QueryNotFound,
    RuleNotFound,
    SilenceNotFound,
    StoreUnavailable,
)

MEDIA_TYPE: Final = "application/problem+json"
RETRY_AFTER_SECONDS: Final = 2

_ADVICE: Final = {
    StoreUnavailable: (503, {"Retry-After": str(RETRY_AFTER_SECONDS)}),
    AlertNotFound: (404, {}),
    SilenceNotFound: (404, {}),
    ChannelNotFound: (404, {}),
    NotificationNotFound: (404, {}),
    QueryNotFound: (404, {}),
    RuleNotFound: (404, {}),
    ActionForbidden: (409, {}),
    PlanUnavailable: (409, {}),
    ConfigurationError: (422, {}),
    DeliveryError: (502, {}),
}


SCHEMA: Final[dict[str, Any]] = {
    "title": "Problem",
    "description": "A problem document (RFC 9457).",
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "What happened and what to do, in a sentence."},
        "errors": {
            "description": "What is wrong with which field.",
            "type": "array",
            "items": {
                "type": "object",
                "required": ["field", "message"],
                "properties": {"field": {"type": "string"}, "message": {"type": "string"}},
            },
        },
    },
}

_MISTAKE: Final = "Dozor made a mistake here; its log has the details. The application is not affected."
_DESCRIPTIONS: Final = {
    401: ("A key is set and none, or a wrong one, was shown.", "A key is needed: send 'X-API-Key: KEY'."),
    403: ("From elsewhere than this machine while no key is set, or from a page of another site.", "Set a key."),
    404: ("Nothing of this kind has that id or name.", "No alert has the id '0f6c'."),
    409: ("The state that it is in does not allow it.", "Cannot acknowledge alert 0f6c: it is RESOLVED."),
    413: ("The body is too large.", "The body may hold at most 65536 bytes."),
    415: ("The body is not declared as JSON.", "Send the body as 'Content-Type: application/json'."),
    422: ("Something sent is not valid.", "limit: input should be less than or equal to 1000."),
    500: ("Dozor made a mistake.", _MISTAKE),
    502: ("The channel did not take the message.", "Slack: HTTP 404: this webhook exists no longer."),
    503: ("Dozor does not run, or its store does not answer.", "The store did not answer within 1 s."),
}


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The error *statuses* of a route for its OpenAPI description; 401, 403, 500 and 503 are those of every route."""
    return {status: _documented(status) for status in sorted({401, 403, 500, 503, *statuses})}


@cache
def _documented(status: int) -> dict[str, Any]:
    # One for all routes, which only read it.
    description, detail = _DESCRIPTIONS[status]
    example = {"type": "about:blank", "title": _title(status), "status": status, "detail": detail}
    return {"description": description, "content": {MEDIA_TYPE: {"schema": SCHEMA, "example": example}}}


class Problem(HTTPException):
    """An error to be answered as a problem document. *detail* is one clear sentence."""

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        headers: Mapping[str, str] | None = None,
        errors: list[dict[str, str]] | None = None,
    ) -> None:
        super().__init__(status, detail, dict(headers) if headers else None)
        self.errors = errors


def invalid(where: str, message: str) -> Problem:
    """A 422 for one field; *where* names it (`duration`)."""
    return Problem(422, message, errors=[{"field": where, "message": message}])


def response(problem: HTTPException) -> Response:
    """*problem* as a problem document."""
    detail: Any = problem.detail
    document: dict[str, Any] = {
        "type": "about:blank",
        "title": _title(problem.status_code),
        "status": problem.status_code,
        "detail": detail if isinstance(detail, str) else _title(problem.status_code),
    }
    if isinstance(problem, Problem) and problem.errors:
        document["errors"] = problem.errors
    elif not isinstance(detail, str):
        # An application's own `auth=` may raise with a detail of any shape; it is passed on, not thrown away.
        document["errors"] = detail
    return Response(
        msgspec.json.encode(document, enc_hook=str), problem.status_code, dict(problem.headers or {}), MEDIA_TYPE
    )


def _title(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"


def of_error(error: DozorError) -> Problem:
    """The problem that *error* is to a client."""
    status, headers = next((advice for kind, advice in _ADVICE.items() if isinstance(error, kind)), (500, {}))
    message = str(error)
    errors = None
    if isinstance(error, ConfigurationError) and error.key:
        errors = [{"field": error.key, "message": message.removeprefix(f"{error.key}: ")}]
    return Problem(status, f"{message[:1].upper()}{message[1:].rstrip('.')}.", headers=headers, errors=errors)


def of_validation(error: RequestValidationError) -> Problem:
    """One sentence for the first fault, all of them listed besides. What was sent is not repeated in the answer."""
    errors = [
        {"field": ".".join(str(part) for part in found["loc"][1:]) or str(found["loc"][0]), "message": _message(found)}
        for found in error.errors()
    ]
    first = errors[0] if errors else {"field": "request", "message": "is not valid"}
    return Problem(422, f"{first['field']}: {first['message']}.", errors=errors)


def _message(found: Mapping[str, Any]) -> str:
    message = str(found["msg"]).removeprefix("Value error, ").rstrip(".")
    return f"{message[:1].lower()}{message[1:]}" if message[:2] != message[:2].upper() else message


class MonitoringRoute(APIRoute):
    """A route whose errors are problem documents, whatever the application around it does with errors.

    What an application's own `auth=` raises that is no HTTPException (a redirect to a log-in, say) passes to the handlers
    that the application has for it.
    """

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        super().__init__(path, _contained(endpoint), **options)

    @override
    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def answer(request: Request) -> Response:
            try:
                async with exit_stack(request):
                    return await handle(request)
            except RequestValidationError as error:
                return response(of_validation(error))
            except ResponseValidationError:
                report("api.response")
                return response(_internal())
            except HTTPException as error:
                return response(error)

        return answer


@asynccontextmanager
async def exit_stack(request: Request) -> AsyncIterator[None]:
    """What FastAPI's dependencies need of *request*, whatever kind of application it came through."""
    # FastAPI's own middleware puts this there; in an application of Starlette's alone there is none.
    if "fastapi_middleware_astack" in request.scope:
        yield
        return
    async with AsyncExitStack() as stack:
        request.scope["fastapi_middleware_astack"] = stack
        yield


def _contained(endpoint: Callable[..., Any]) -> Callable[..., Any]:
    """*endpoint* with every error of its own made a Problem, so that nothing of Dozor's reaches the application."""

    @wraps(endpoint)
    async def contained_endpoint(*args: Any, **kwargs: Any) -> Any:
        try:
            return await endpoint(*args, **kwargs)
        except HTTPException:
            raise
        except DozorError as error:
            raise of_error(error) from error
        except Exception as error:
            report(f"api.{getattr(endpoint, '__name__', 'endpoint')}")
            raise _internal() from error

    return contained_endpoint


def _internal() -> Problem:
    return Problem(500, _MISTAKE)
