"""silences/…: who is not told of what, until when, and why."""

from collections.abc import Sequence
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Path, Query, Response
from pydantic import BeforeValidator

from dozor.api import problems
from dozor.api.actions import timeline
from dozor.api.alert_json import alert_model
from dozor.api.backend import Backend
from dozor.api.parameters import (
    Cursor,
    Limit,
    body_documentation,
    decode_cursor,
    encode_cursor,
    json_body,
    upper,
)
from dozor.api.problems import Problem
from dozor.api.rendering import answer, date, json_response, to_json
from dozor.api.schemas import Comment, Who
from dozor.api.silence_schemas import (
    AlertLink,
    MatcherSilenceRequest,
    MatchersRequest,
    PreviewAnswer,
    SilenceAnswer,
    SilenceDetail,
    SilenceList,
    SilenceModel,
    SilenceStateName,
)
from dozor.api.span import end_of
from dozor.clock import Clock
from dozor.errors import SilenceNotFound
from dozor.model.alert import Alert
from dozor.model.silence import Silence
from dozor.overview import SilenceRecord, inventory, urgency
from dozor.overview.moments import undate
from dozor.overview.silences import age_key

_MOST_ALERTS: Final = 100

SilenceId = Annotated[
    str, Path(max_length=200, description="The silence's `id`.", examples=["5b1c9a4e0f0e4d0b9a3c6d1e8b7a5c21"])
]
StateFilter = Annotated[
    SilenceStateName | None,
    BeforeValidator(upper),
    Query(description="In this state alone: SCHEDULED, ACTIVE, EXPIRED."),
]


def add_routes(router: APIRouter, backend: Backend) -> None:
    """Put the routes under silences/ on *router*."""
    _add_reads(router, backend)
    _add_preview(router, backend)
    _add_changes(router, backend)


def _add_reads(router: APIRouter, backend: Backend) -> None:
    clock = backend.clock

    @router.get(
        "/silences",
        response_model=SilenceList,
        responses=problems.documented(422),
        summary="Who is not told of what, and until when",
    )
    async def silences(state: StateFilter = None, limit: Limit = 100, cursor: Cursor = None) -> Response:
        """Newest first: those by matchers, expired ones for a day, and those that single alerts have."""

        def build() -> SilenceList:
            at = clock.timestamp()
            found = [one for one in all_of(backend) if state is None or one.silence.state(at) == state]
            rest: Sequence[SilenceRecord] = found
            if cursor is not None:
                after = decode_cursor(cursor, tuple[float, str])
                rest = [one for one in found if age_key(one.silence) > after]
            shown = rest[:limit]
            return SilenceList(
                silences=[SilenceModel(**_fields(one, clock)) for one in shown],
                total=len(found),
                next_cursor=encode_cursor(age_key(shown[-1].silence)) if len(rest) > limit else None,
            )

        return await answer(backend, build)

    @router.get(
        "/silences/{silence_id}",
        response_model=SilenceDetail,
        responses=problems.documented(404, 422),
        summary="One silence, and what happened to it",
    )
    async def silence(silence_id: SilenceId) -> Response:
        """With the alerts that it silences now. One that has been over for more than a day is not found."""
        found = await backend.in_dozor(lambda: find(backend, silence_id))
        events = await timeline(backend, found.alert_id or silence_id)
        return await answer(backend, lambda: SilenceDetail(**_fields(found, clock), timeline=events))


def _add_preview(router: APIRouter, backend: Backend) -> None:
    clock = backend.clock

    @router.post(
        "/silences/preview",
        response_model=PreviewAnswer,
        responses=problems.documented(413, 415, 422),
        openapi_extra=body_documentation(MatchersRequest, required=True),
        summary="What a silence would match now",
    )
    async def silence_preview(body: Annotated[MatchersRequest, Depends(json_body(MatchersRequest))]) -> Response:
        """Makes no silence."""

        def build() -> PreviewAnswer:
            found = sorted(backend.preview(body.matchers), key=urgency)
            silences = backend.known().silences
            return PreviewAnswer(
                alerts=[alert_model(alert, clock, silences) for alert in found[:_MOST_ALERTS]], total=len(found)
            )

        return await answer(backend, build)


def _add_changes(router: APIRouter, backend: Backend) -> None:
    clock = backend.clock
    whole = body_documentation(MatcherSilenceRequest, required=True)

    @router.post(
        "/silences",
        response_model=SilenceAnswer,
        status_code=201,
        responses=problems.documented(413, 415, 422),
        openapi_extra=whole,
        summary="Tell nobody of whatever matches, for a time",
    )
    async def silence_create(
        body: Annotated[MatcherSilenceRequest, Depends(json_body(MatcherSilenceRequest))],
    ) -> Response:
        """From now on or, with `starts_at`, later: a maintenance window. What matches stays visible."""
        starts_at = None if body.starts_at is None else undate(clock, body.starts_at)
        made, durable = await backend.create_silence(
            matchers=body.matchers,
            starts_at=starts_at,
            ends_at=_end(body, clock, starts_at),
            by=body.by,
            comment=body.comment,
        )
        return await _changed(backend, made, durable=durable, status=201)

    @router.put(
        "/silences/{silence_id}",
        response_model=SilenceAnswer,
        responses=problems.documented(404, 409, 413, 415, 422),
        openapi_extra=whole,
        summary="Change a silence",
    )
    async def silence_change(
        silence_id: SilenceId, body: Annotated[MatcherSilenceRequest, Depends(json_body(MatcherSilenceRequest))]
    ) -> Response:
        """Matchers and end are given anew; what else is left out stays as it was. What has expired cannot be changed."""
        found = await backend.in_dozor(lambda: find(backend, silence_id))
        if found.alert_id is not None:
            raise Problem(
                409, f"This is the own silence of an alert; POST alerts/{found.alert_id}/silence replaces it."
            )
        starts_at = found.silence.starts_at if body.starts_at is None else undate(clock, body.starts_at)
        made, durable = await backend.update_silence(
            silence_id,
            matchers=body.matchers,
            starts_at=starts_at,
            ends_at=_end(body, clock, starts_at),
            by=body.by,
            comment=body.comment,
        )
        return await _changed(backend, made, durable=durable)

    @router.delete(
        "/silences/{silence_id}",
        response_model=SilenceAnswer,
        responses=problems.documented(404, 409, 422),
        summary="End a silence",
    )
    async def silence_end(
        silence_id: SilenceId, by: Annotated[Who, Query()] = None, comment: Annotated[Comment, Query()] = None
    ) -> Response:
        """Now. It stays listed for a day; of what still fires, people are told. Also for the own silence of an alert."""
        ended, durable = await backend.end_silence(silence_id, by=by, comment=comment)
        return await _changed(backend, ended, durable=durable)


def all_of(backend: Backend) -> list[SilenceRecord]:
    """Every silence that is known, the newest first. In Dozor's thread."""
    return inventory(backend.silences(), backend.known().alerts)


def find(backend: Backend, silence_id: str) -> SilenceRecord:
    """The silence of that id. In Dozor's thread. Raises SilenceNotFound."""
    found = next((one for one in all_of(backend) if one.silence.id == silence_id), None)
    if found is None:
        raise SilenceNotFound(silence_id)
    return found


def _end(body: MatcherSilenceRequest, clock: Clock, starts_at: float | None) -> float | None:
    return end_of(
        clock,
        duration=body.duration,
        moment=body.ends_at,
        until_resolved=body.until_resolved,
        called="ends_at",
        begins=starts_at,
    )


async def _changed(backend: Backend, silence: Silence, *, durable: bool, status: int = 200) -> Response:
    def build() -> bytes:
        known = next((one for one in all_of(backend) if one.silence.id == silence.id), None)
        # An alert's own silence is gone once it has ended.
        record = SilenceRecord(silence, known.alerts if known else ())
        return to_json(SilenceAnswer(**_fields(record, backend.clock), durable=durable))

    return json_response(await backend.in_dozor(build), status)


# -- silences as JSON ----------------------------------------------------------------------------------------------


def _fields(record: SilenceRecord, clock: Clock) -> dict[str, Any]:
    silence = record.silence
    return {
        "id": silence.id,
        "matchers": list(silence.matchers),
        "alert_id": record.alert_id,
        "state": silence.state(clock.timestamp()).value,
        "starts_at": clock.date(silence.starts_at),
        "ends_at": date(clock, silence.ends_at),
        "until_resolved": silence.ends_at is None,
        "by": silence.by,
        "comment": silence.comment,
        "created_at": clock.date(silence.created_at),
        "updated_at": clock.date(silence.updated_at),
        "ended_at": date(clock, silence.ended_at),
        "alerts": [link(alert) for alert in record.alerts[:_MOST_ALERTS]],
        "matched": len(record.alerts),
    }


def link(alert: Alert) -> AlertLink:
    """*alert* in short."""
    return AlertLink(
        id=alert.id,
        rule=alert.rule,
        severity=alert.severity,
        state=alert.state.value,
        labels=dict(alert.labels),
    )
