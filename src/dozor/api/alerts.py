"""alerts/…: what fires, what fired, and what people do about it."""

import math
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Annotated, Any, Final

import msgspec
from fastapi import APIRouter, Depends, Path, Query, Response

from dozor.api import problems
from dozor.api.backend import Backend
from dozor.api.parameters import (
    Filters,
    Since,
    bad_cursor,
    body_documentation,
    decode_cursor,
    encode_cursor,
    filters,
    json_body,
)
from dozor.api.problems import invalid
from dozor.api.rendering import answer, date, json_response, to_json, undate
from dozor.api.schemas import (
    AcknowledgementModel,
    ActionAnswer,
    ActionRequest,
    ActiveAlertList,
    AlertList,
    AlertModel,
    AlertStatisticsModel,
    SilenceModel,
    SilenceRequest,
)
from dozor.api.targets import freshness
from dozor.clock import Clock
from dozor.database import HistoryFilter
from dozor.duration import parse_duration
from dozor.model.alert import Alert, AlertState
from dozor.overview import Urgency, urgency

_LONGEST_SILENCE_SECONDS: Final = 100 * 365 * 86400.0

Wanted = Annotated[Filters, Depends(filters)]
AlertId = Annotated[
    str, Path(max_length=200, description="The alert's `id`.", examples=["0f6c2f7e5f0e4d0b9a3c6d1e8b7a5c21"])
]
Pending = Annotated[bool, Query(description="Also those whose condition holds, but not for long enough to fire.")]


def add_routes(router: APIRouter, backend: Backend) -> None:
    """Put the routes under alerts/ on *router*, all but alerts/rules."""
    _add_reads(router, backend)
    _add_actions(router, backend)


def _add_reads(router: APIRouter, backend: Backend) -> None:
    clock = backend.clock

    @router.get(
        "/alerts/active",
        response_model=ActiveAlertList,
        responses=problems.documented(422),
        summary="Alerts that have not ended",
    )
    async def alerts_active(wanted: Wanted, pending: Pending = False) -> Response:  # noqa: FBT002 - a query parameter
        """Worst first; what somebody has acknowledged or silenced stands after what nobody has."""

        def build() -> ActiveAlertList:
            known = backend.known()
            shown = [alert for alert in known.alerts if alert.firing or (pending and alert.resolved_at is None)]
            age = freshness(known.looked_at, clock.timestamp(), clock)
            return ActiveAlertList(**_page_of_active(shown, wanted, clock), **age)

        return await answer(backend, build)

    @router.get(
        "/alerts/history",
        response_model=AlertList,
        responses=problems.documented(422),
        summary="Alerts that ever fired",
    )
    async def alerts_history(wanted: Wanted) -> Response:
        """Newest first, those that still fire included. `since` and `until` bound the moment of firing."""
        try:
            page = await backend.history(
                HistoryFilter(
                    severity=wanted.severity,
                    rule=wanted.rule,
                    component=wanted.component,
                    state=AlertState(wanted.state) if wanted.state else None,
                    since=_timestamp(wanted.since, clock),
                    until=_timestamp(wanted.until, clock),
                    limit=wanted.limit,
                    cursor=wanted.cursor,
                )
            )
        except ValueError:
            raise bad_cursor() from None
        return await answer(backend, lambda: AlertList(**_page(page.items, page.total, page.next_cursor, clock)))

    @router.get(
        "/alerts/statistics",
        response_model=AlertStatisticsModel,
        responses=problems.documented(422),
        summary="What the history adds up to",
    )
    async def alerts_statistics(since: Since = None) -> Response:
        """Of the alerts that fired since `since`, or ever."""
        found = await backend.statistics(_timestamp(since, clock))
        model = AlertStatisticsModel(
            total=found.total,
            active=found.active,
            by_severity={severity.value: count for severity, count in found.by_severity.items()},
            by_rule=dict(found.by_rule),
            mean_time_to_acknowledge_seconds=found.mean_time_to_acknowledge_seconds,
            mean_time_to_resolve_seconds=found.mean_time_to_resolve_seconds,
            since=date(clock, found.since),
        )
        return json_response(to_json(model))


def _add_actions(router: APIRouter, backend: Backend) -> None:
    clock = backend.clock
    errors = problems.documented(404, 409, 413, 415, 422)
    plain = body_documentation(ActionRequest, required=False)

    @router.post(
        "/alerts/{alert_id}/acknowledge",
        response_model=ActionAnswer,
        responses=errors,
        openapi_extra=plain,
        summary="Say that somebody has it",
    )
    async def alert_acknowledge(
        alert_id: AlertId, body: Annotated[ActionRequest, Depends(json_body(ActionRequest))]
    ) -> Response:
        """Reminders and escalation by time stop until the alert resolves. Again: somebody else takes it over."""
        alert, durable = await backend.acknowledge(alert_id, by=body.by, comment=body.comment)
        return _acted(alert, clock, durable=durable)

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
        until = silence_end(body, clock)
        alert, durable = await backend.silence(alert_id, until=until, by=body.by, comment=body.comment)
        return _acted(alert, clock, durable=durable)

    @router.post(
        "/alerts/{alert_id}/resolve",
        response_model=ActionAnswer,
        responses=errors,
        openapi_extra=plain,
        summary="Close it by hand",
    )
    async def alert_resolve(
        alert_id: AlertId, body: Annotated[ActionRequest, Depends(json_body(ActionRequest))]
    ) -> Response:
        """If the condition still holds after the rule's cooldown (at least 5 minutes), it fires anew as a new alert."""
        alert, durable = await backend.resolve(alert_id, by=body.by, comment=body.comment)
        return _acted(alert, clock, durable=durable)


def _acted(alert: Alert, clock: Clock, *, durable: bool) -> Response:
    return json_response(to_json(ActionAnswer(**_fields(alert, clock), durable=durable)))


def silence_end(body: SilenceRequest, clock: Clock) -> float | None:
    """When the silence asked for ends (Unix seconds); None: when the alert resolves. Raises Problem 422."""
    given = [name for name in ("duration", "until", "until_resolved") if getattr(body, name) is not None]
    if len(given) != 1:
        said = f"not {' and '.join(given)} together" if given else "none was given"
        raise invalid("duration", f"Give exactly one of duration, until and until_resolved; {said}.")
    if body.until_resolved is not None:
        if not body.until_resolved:
            raise invalid("until_resolved", "until_resolved can only be true; give a duration or until instead.")
        return None
    at = clock.timestamp()
    if body.until is not None:
        until = undate(clock, body.until)
        if until <= at:
            raise invalid(
                "until", f"until must lie in the future; it is {clock.now().isoformat(timespec='seconds')} now."
            )
    else:
        until = at + _duration(body.duration or "")
    if until - at > _LONGEST_SILENCE_SECONDS:
        raise invalid(
            given[0], "That is more than 100 years; use until_resolved to silence the alert until it resolves."
        )
    return until


def _duration(text: str) -> float:
    try:
        seconds = parse_duration(text.strip())
    except ValueError as error:
        raise invalid("duration", f"duration: {error}.") from None
    if seconds <= 0:
        raise invalid("duration", "duration must be longer than 0, such as 30m or 1h30m.")
    return seconds


# -- alerts as JSON ------------------------------------------------------------------------------------------------


def alert_model(alert: Alert, clock: Clock) -> AlertModel:
    """*alert* as it is shown."""
    return AlertModel(**_fields(alert, clock))


def _fields(alert: Alert, clock: Clock) -> dict[str, Any]:
    acknowledged, silenced = alert.acknowledged, alert.silenced
    return {
        "id": alert.id,
        "rule": alert.rule,
        "severity": alert.severity,
        "component": alert.component,
        "state": alert.state.value,
        "inhibited_by": list(alert.inhibited_by),
        "labels": dict(alert.labels),
        "annotations": dict(alert.annotations),
        "value": alert.value if math.isfinite(alert.value) else None,
        "active_at": clock.date(alert.active_at),
        "fired_at": date(clock, alert.fired_at),
        "resolved_at": date(clock, alert.resolved_at),
        "resolve_reason": alert.resolve_reason,
        "acknowledged": None
        if acknowledged is None
        else AcknowledgementModel(at=clock.date(acknowledged.at), by=acknowledged.by, comment=acknowledged.comment),
        "silenced": None
        if silenced is None
        else SilenceModel(
            at=clock.date(silenced.at), until=date(clock, silenced.until), by=silenced.by, comment=silenced.comment
        ),
        "no_data": alert.no_data,
        "evidence": msgspec.to_builtins(dict(alert.evidence), enc_hook=str, str_keys=True),
    }


def _page(alerts: Iterable[Alert], total: int, next_cursor: str | None, clock: Clock) -> dict[str, Any]:
    return {"alerts": [alert_model(alert, clock) for alert in alerts], "total": total, "next_cursor": next_cursor}


def _page_of_active(alerts: Iterable[Alert], wanted: Filters, clock: Clock) -> dict[str, Any]:
    matching = sorted((alert for alert in alerts if _matches(alert, wanted, clock)), key=urgency)
    rest: Sequence[Alert] = matching
    if wanted.cursor is not None:
        after = decode_cursor(wanted.cursor, Urgency)
        rest = [alert for alert in matching if urgency(alert) > after]
    shown = rest[: wanted.limit]
    more = len(rest) > wanted.limit
    return _page(shown, len(matching), encode_cursor(urgency(shown[-1])) if more else None, clock)


def _matches(alert: Alert, wanted: Filters, clock: Clock) -> bool:
    at = alert.fired_at if alert.fired_at is not None else alert.active_at
    since, until = _timestamp(wanted.since, clock), _timestamp(wanted.until, clock)
    return (
        (wanted.severity is None or alert.severity is wanted.severity)
        and (wanted.rule is None or alert.rule == wanted.rule)
        and (wanted.component is None or alert.component == wanted.component)
        and (wanted.state is None or alert.state == wanted.state)
        and (since is None or at >= since)
        and (until is None or at <= until)
    )


def _timestamp(moment: datetime | None, clock: Clock) -> float | None:
    return None if moment is None else undate(clock, moment)
