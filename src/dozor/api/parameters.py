"""What a request may say: limits, cursors, filters, bodies. All dependencies are async, for none may need a free thread."""

import base64
import binascii
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from email.message import Message
from typing import Annotated, Any, TypeVar

import msgspec
from fastapi import Depends, Query, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, BeforeValidator, Field, ValidationError

from dozor.api.auth import read_body
from dozor.api.problems import Problem, invalid
from dozor.api.schemas import Moment, State
from dozor.model.alert import Severity
from dozor.store.matchers import Matcher, parse_matcher

T = TypeVar("T")
M = TypeVar("M", bound=BaseModel)

Limit = Annotated[int, Query(ge=1, le=1000, description="How many at most.")]
Cursor = Annotated[str | None, Query(max_length=500, description="The `next_cursor` of the page before.")]


def upper(value: object) -> object:
    """*value* as constants are written: a filter takes `critical` and `CRITICAL`."""
    return value.upper() if isinstance(value, str) else value


def _with_plus(value: object) -> object:
    # `+02:00` in a query arrives as ` 02:00` from everybody who did not escape the plus.
    return value.strip().replace(" ", "+") if isinstance(value, str) and "T" in value else value


_Moment = Annotated[Moment | None, BeforeValidator(_with_plus)]
SeverityFilter = Annotated[Severity | None, BeforeValidator(upper), Query(description="Of this severity alone.")]
StateFilter = Annotated[State | None, BeforeValidator(upper), Query(description="In this state alone.")]
RuleFilter = Annotated[str | None, Query(max_length=500, description="Of this rule alone.")]
ComponentFilter = Annotated[str | None, Query(max_length=100, description="Of this component alone.")]
MatcherFilter = Annotated[
    list[Annotated[str, Field(max_length=1000)]],
    Query(
        alias="filter",
        max_length=20,
        description="A matcher in Alertmanager's notation, over labels, `severity` and `component`; repeated: all must match.",
        examples=[['pool="main"', 'severity=~"warning|critical"']],
    ),
]
Since = Annotated[_Moment, Query(description="Not before this moment (RFC 3339).", examples=["2026-11-22T19:00:00Z"])]
Until = Annotated[_Moment, Query(description="Not after this moment (RFC 3339).", examples=["2026-11-22T20:00:00Z"])]


class Choice(msgspec.Struct, frozen=True):
    """Which alerts are wanted; None: any."""

    severity: Severity | None
    rule: str | None
    component: str | None
    state: State | None
    since: datetime | None
    until: datetime | None
    matchers: tuple[Matcher, ...]


class Filters(Choice, frozen=True):
    """A page of them."""

    limit: int
    cursor: str | None


async def choice(  # noqa: PLR0917 - FastAPI passes them by name
    severity: SeverityFilter = None,
    rule: RuleFilter = None,
    component: ComponentFilter = None,
    state: StateFilter = None,
    since: Since = None,
    until: Until = None,
    matching: MatcherFilter = (),  # type: ignore[assignment] # nobody changes it, and a list here would be shared
) -> Choice:
    """The filters of alerts."""
    return Choice(severity, rule, component, state, since, until, matchers_of(matching))


async def filters(chosen: Annotated[Choice, Depends(choice)], limit: Limit = 100, cursor: Cursor = None) -> Filters:
    """The filters of a list of alerts."""
    return Filters(**msgspec.structs.asdict(chosen), limit=limit, cursor=cursor)


def matchers_of(texts: Sequence[str]) -> tuple[Matcher, ...]:
    """The matchers that *texts* are. Raises Problem 422."""
    try:
        return tuple(parse_matcher(text) for text in texts)
    except ValueError as error:
        raise invalid("filter", f"filter: {error}.") from None


def json_body(model: type[M]) -> Callable[[Request], Awaitable[M]]:
    """A dependency that reads the body as *model*. Unlike a body parameter, it is read after the gate has let it pass.

    An empty body is an empty object. Anything else must be declared as JSON: what a foreign page can make a browser send
    without asking is not.
    """

    async def read(request: Request) -> M:
        body = await read_body(request)
        declared = request.headers.get("content-type")
        if (body or declared) and not _is_json(declared):
            raise Problem(415, "Send the body as 'Content-Type: application/json'.")
        try:
            return model.model_validate_json(body or b"{}")
        except ValidationError as error:
            found = [{**one, "loc": ("body", *one["loc"])} for one in error.errors(include_url=False)]
            raise RequestValidationError(found) from None

    return read


def body_documentation(model: type[BaseModel], *, required: bool) -> dict[str, Any]:
    """What `json_body` reads, for the OpenAPI document."""
    return {
        "requestBody": {"required": required, "content": {"application/json": {"schema": model.model_json_schema()}}}
    }


def _is_json(content_type: str | None) -> bool:
    message = Message()
    message["content-type"] = content_type or ""
    return message.get_content_type() == "application/json"


# -- pages of lists in memory --------------------------------------------------------------------------------------


def encode_cursor(key: Any) -> str:
    """*key* as opaque text."""
    return base64.urlsafe_b64encode(msgspec.json.encode(key)).decode().rstrip("=")


def decode_cursor(cursor: str, kind: type[T]) -> T:
    """The key that `encode_cursor` wrote. Raises Problem 422."""
    try:
        return msgspec.json.decode(base64.urlsafe_b64decode(cursor.encode() + b"=" * (-len(cursor) % 4)), type=kind)
    except (ValueError, binascii.Error, msgspec.MsgspecError):
        raise bad_cursor() from None


def bad_cursor() -> Problem:
    """The 422 for a cursor that is none."""
    return invalid("cursor", "This is no cursor of this list; pass the next_cursor of the page before.")


def newest_first(entries: Sequence[T], total: int, limit: int, cursor: str | None) -> tuple[Sequence[T], str | None]:
    """A page of *entries*, of which there ever were *total*, and the cursor of the next.

    The cursor is the ordinal of the last entry shown, so that what is added at the front meanwhile moves nothing.
    """
    first = 0
    if cursor is not None:
        last_shown = decode_cursor(cursor, int)
        if last_shown < 1:
            raise bad_cursor()
        first = max(0, total - last_shown + 1)
    shown = entries[first : first + limit]
    more = first + limit < len(entries)
    return shown, encode_cursor(total - (first + limit - 1)) if more else None
