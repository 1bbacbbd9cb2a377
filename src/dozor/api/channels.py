"""channels/… and notifications/…: who is told, whether it arrives, and what became of what did not."""

from typing import Annotated, Final, cast

from fastapi import APIRouter, Depends, Path, Query, Response
from pydantic import BeforeValidator

from dozor.api import problems
from dozor.api.backend import Backend
from dozor.api.delivery_schemas import (
    ChannelList,
    ChannelModel,
    ChannelTestAnswer,
    LetterList,
    LetterModel,
    LetterState,
    RetryAnswer,
    RetryRequest,
)
from dozor.api.parameters import Cursor, Limit, bad_cursor, body_documentation, json_body
from dozor.api.rendering import answer, date, json_response, to_json
from dozor.api.silences import link
from dozor.clock import Clock
from dozor.database import OutboxFilter, OutboxRow
from dozor.notify import ChannelState

_MOST_ALERTS: Final = 100
_LARGEST_ID: Final = 2**63 - 1

ChannelName = Annotated[str, Path(max_length=200, description="The channel's `name`.", examples=["slack"])]
LetterId = Annotated[int, Path(ge=0, le=_LARGEST_ID, description="The notification's `id`.", examples=[118])]


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


StateFilter = Annotated[
    LetterState | None, BeforeValidator(_lower), Query(description="In this state alone: pending, sent or dead.")
]
ChannelFilter = Annotated[str | None, Query(max_length=200, description="To this channel alone.")]


def add_routes(router: APIRouter, backend: Backend) -> None:
    """Put the routes under channels/ and notifications/ on *router*."""
    _add_channels(router, backend)
    _add_notifications(router, backend)
    _add_retries(router, backend)


def _add_channels(router: APIRouter, backend: Backend) -> None:
    clock = backend.clock

    @router.get(
        "/channels",
        response_model=ChannelList,
        responses=problems.documented(),
        summary="Who is told, and whether it arrives",
    )
    async def channels() -> Response:
        """Every channel that is set up, with what became of its messages since Dozor started."""
        return await answer(
            backend,
            lambda: ChannelList(
                channels=[_channel_model(one, clock) for one in backend.channels()], generated_at=clock.now()
            ),
        )

    @router.post(
        "/channels/{name}/test",
        response_model=ChannelTestAnswer,
        responses=problems.documented(404, 413, 422, 502),
        summary="Send a test message",
    )
    async def channel_test(name: ChannelName) -> Response:
        """At once, past all that waits; it says that it is a test. 502 says why it did not arrive."""
        seconds = await backend.test_channel(name)
        return json_response(to_json(ChannelTestAnswer(delivered=True, seconds=round(seconds, 3))))


def _add_notifications(router: APIRouter, backend: Backend) -> None:
    clock = backend.clock

    @router.get(
        "/notifications",
        response_model=LetterList,
        responses=problems.documented(422),
        summary="What was told, is being told, or was given up",
    )
    async def notifications(
        state: StateFilter = None, channel: ChannelFilter = None, limit: Limit = 100, cursor: Cursor = None
    ) -> Response:
        """Newest first, one entry for each channel. `?state=dead` are those that were given up: dead letters."""
        try:
            page = await backend.notifications(OutboxFilter(state=state, receiver=channel, limit=limit, cursor=cursor))
        except ValueError:
            raise bad_cursor() from None
        return await answer(
            backend,
            lambda: LetterList(
                notifications=[_letter_model(row, clock) for row in page.items],
                total=page.total,
                next_cursor=page.next_cursor,
            ),
        )


def _add_retries(router: APIRouter, backend: Backend) -> None:
    clock = backend.clock

    @router.post(
        "/notifications/retry",
        response_model=RetryAnswer,
        responses=problems.documented(404, 413, 415, 422),
        openapi_extra=body_documentation(RetryRequest, required=False),
        summary="Send all dead letters again",
    )
    async def notifications_retry(body: Annotated[RetryRequest, Depends(json_body(RetryRequest))]) -> Response:
        """Of one channel, or of all. They carry the same ids, so that a receiver can tell a repetition."""
        return json_response(to_json(RetryAnswer(retried=await backend.retry_dead(body.channel))))

    @router.post(
        "/notifications/{notification_id}/retry",
        response_model=LetterModel,
        responses=problems.documented(404, 409, 413, 422),
        summary="Send a dead letter again",
    )
    async def notification_retry(notification_id: LetterId) -> Response:
        """It is pending again, and due at once."""
        row = await backend.retry_notification(notification_id)
        return json_response(to_json(_letter_model(row, clock)))


def _channel_model(state: ChannelState, clock: Clock) -> ChannelModel:
    return ChannelModel(
        name=state.name,
        kind=state.kind,
        target=state.target,
        state=state.state.value,
        waiting=state.waiting,
        sent=state.sent,
        failed=state.failed,
        dead=state.dead,
        last_success_at=date(clock, state.last_success_at),
        last_failure_at=date(clock, state.last_failure_at),
        last_error=state.last_error,
        retry_at=date(clock, state.retry_at),
    )


def _letter_model(row: OutboxRow, clock: Clock) -> LetterModel:
    notification = row.notification
    return LetterModel(
        id=row.id,
        notification_id=notification.id,
        channel=row.receiver,
        state=cast("LetterState", row.state),
        occasion=notification.occasion.value,
        group=notification.group,
        alerts=[link(alert) for alert in notification.alerts[:_MOST_ALERTS]],
        omitted=notification.omitted + max(0, len(notification.alerts) - _MOST_ALERTS),
        attempts=row.attempts,
        created_at=clock.date(row.created_at),
        next_at=date(clock, row.next_at),
        settled_at=date(clock, row.settled_at),
        last_error=row.last_error,
    )
