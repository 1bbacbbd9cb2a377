"""alerts/{alert_id}/…: one alert, what happened to it, and what people do about it."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Path, Query, Response

from dozor.api import problems
from dozor.api.alert_json import alert_fields, event_model
from dozor.api.backend import Backend
from dozor.api.parameters import body_documentation, json_body
from dozor.api.rendering import answer, json_response, to_json
from dozor.api.schemas import (
    ActionAnswer,
    ActionRequest,
    AlertAnswer,
    Comment,
    EventModel,
    NoteAnswer,
    NoteList,
    NoteModel,
    NoteRequest,
    SilenceRequest,
    Who,
)
from dozor.api.span import end_of
from dozor.clock import Clock
from dozor.errors import StoreUnavailable
from dozor.model.alert import Alert
from dozor.model.notification import NOTE, AuditEntry

AlertId = Annotated[
    str, Path(max_length=200, description="The alert's `id`.", examples=["0f6c2f7e5f0e4d0b9a3c6d1e8b7a5c21"])
]
_PLAIN: Final = body_documentation(ActionRequest, required=False)


def add_routes(router: APIRouter, backend: Backend) -> None:
    """Put the routes of one alert on *router*; after those whose paths could be an alert's id."""
    _add_alert(router, backend)
    _add_notes(router, backend)
    _add_actions(router, backend)


def _add_alert(router: APIRouter, backend: Backend) -> None:
    clock = backend.clock

    @router.get(
        "/alerts/{alert_id}",
        response_model=AlertAnswer,
        responses=problems.documented(404, 422),
        summary="One alert, and what happened to it",
    )
    async def alert(alert_id: AlertId) -> Response:
        """Active or ended, with its evidence and the whole timeline: who did what, when and why."""
        found = await backend.alert(alert_id)
        events = await timeline(backend, alert_id)
        return await answer(
            backend,
            lambda: AlertAnswer(**alert_fields(found, clock, backend.known().silences), timeline=events),
        )


async def timeline(backend: Backend, subject: str) -> list[EventModel] | None:
    """What happened to an alert or a silence; None while the store does not answer, as it may in just this incident."""
    try:
        return [event_model(entry, backend.clock) for entry in await backend.timeline(subject)]
    except StoreUnavailable:
        return None


def _add_notes(router: APIRouter, backend: Backend) -> None:
    clock = backend.clock

    @router.get(
        "/alerts/{alert_id}/notes",
        response_model=NoteList,
        responses=problems.documented(404, 422),
        summary="What people wrote down beside an alert",
    )
    async def alert_notes(alert_id: AlertId) -> Response:
        """Oldest first."""
        await backend.alert(alert_id)
        notes = [entry for entry in await backend.timeline(alert_id) if entry.event == NOTE]
        return json_response(to_json(NoteList(notes=[NoteModel(**_note(one, clock)) for one in notes])))

    @router.post(
        "/alerts/{alert_id}/notes",
        response_model=NoteAnswer,
        status_code=201,
        responses=problems.documented(404, 413, 415, 422),
        openapi_extra=body_documentation(NoteRequest, required=True),
        summary="Write something down beside an alert",
    )
    async def alert_note(alert_id: AlertId, body: Annotated[NoteRequest, Depends(json_body(NoteRequest))]) -> Response:
        """What was found, tried, decided. Also when the alert has ended, for the one who sees it next."""
        entry, durable = await backend.note(alert_id, by=body.by, text=body.text)
        return json_response(to_json(NoteAnswer(**_note(entry, clock), durable=durable)), 201)


def _add_actions(router: APIRouter, backend: Backend) -> None:
    clock = backend.clock
    errors = problems.documented(404, 409, 413, 415, 422)

    @router.post(
        "/alerts/{alert_id}/acknowledge",
        response_model=ActionAnswer,
        responses=errors,
        openapi_extra=_PLAIN,
        summary="Say that somebody has it",
    )
    async def alert_acknowledge(
        alert_id: AlertId, body: Annotated[ActionRequest, Depends(json_body(ActionRequest))]
    ) -> Response:
        """Reminders and escalation by time stop until the alert resolves. Again: somebody else takes it over."""
        alert, durable = await backend.acknowledge(alert_id, by=body.by, comment=body.comment)
        return _acted(alert, backend, durable=durable)

    @router.delete(
        "/alerts/{alert_id}/acknowledge",
        response_model=ActionAnswer,
        responses=problems.documented(404, 409, 422),
        summary="Take back that somebody has it",
    )
    async def alert_release(
        alert_id: AlertId, by: Annotated[Who, Query()] = None, comment: Annotated[Comment, Query()] = None
    ) -> Response:
        """Nobody owns it any more: of what still fires, people are told again. 409 where nobody had it."""
        alert, durable = await backend.release(alert_id, by=by, comment=comment)
        return _acted(alert, backend, durable=durable)

    @router.post(
        "/alerts/{alert_id}/silence",
        response_model=ActionAnswer,
        responses=errors,
        openapi_extra=body_documentation(SilenceRequest, required=True),
        summary="Tell nobody for a time",
    )
    async def alert_silence(
        alert_id: AlertId, body: Annotated[SilenceRequest, Depends(json_body(SilenceRequest))]
    ) -> Response:
        """The alert stays visible. If it still fires when the silence ends, people are told. Replaces an earlier silence."""
        until = end_of(
            clock, duration=body.duration, moment=body.until, until_resolved=body.until_resolved, called="until"
        )
        alert, durable = await backend.silence(alert_id, until=until, by=body.by, comment=body.comment)
        return _acted(alert, backend, durable=durable)

    @router.post(
        "/alerts/{alert_id}/resolve",
        response_model=ActionAnswer,
        responses=errors,
        openapi_extra=_PLAIN,
        summary="Close it by hand",
    )
    async def alert_resolve(
        alert_id: AlertId, body: Annotated[ActionRequest, Depends(json_body(ActionRequest))]
    ) -> Response:
        """If the condition still holds after the rule's cooldown (at least 5 minutes), it fires anew as a new alert."""
        alert, durable = await backend.resolve(alert_id, by=body.by, comment=body.comment)
        return _acted(alert, backend, durable=durable)


def _acted(alert: Alert, backend: Backend, *, durable: bool) -> Response:
    fields = alert_fields(alert, backend.clock, backend.known().silences)
    return json_response(to_json(ActionAnswer(**fields, durable=durable)))


def _note(entry: AuditEntry, clock: Clock) -> dict[str, Any]:
    return {"at": clock.date(entry.at), "by": entry.by, "text": entry.comment or ""}
