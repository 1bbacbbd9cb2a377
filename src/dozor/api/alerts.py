"""alerts/…: what fires, what fired, and what that adds up to."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Response
from msgspec.structs import replace

from dozor.api import problems
from dozor.api.alert_json import alert_model
from dozor.api.backend import Backend
from dozor.api.parameters import Choice, Filters, Since, bad_cursor, choice, decode_cursor, encode_cursor, filters
from dozor.api.rendering import answer, date, json_response, to_json
from dozor.api.schemas import (
    ActiveAlertList,
    AlertList,
    AlertStatisticsModel,
    DayModel,
    FacetModel,
    FacetsAnswer,
    FacetValue,
    NoisyRuleModel,
)
from dozor.api.targets import freshness
from dozor.clock import Clock
from dozor.database import AlertStatistics, Facets, HistoryFilter
from dozor.model.alert import Alert, AlertState
from dozor.model.silence import Silence
from dozor.overview import Urgency, urgency
from dozor.overview.moments import undate
from dozor.store.matchers import match_all

Wanted = Annotated[Filters, Depends(filters)]
Values = Annotated[int, Query(ge=1, le=100, description="How many values of each label at most.")]
Pending = Annotated[bool, Query(description="Also those whose condition holds, but not for long enough to fire.")]


def add_routes(router: APIRouter, backend: Backend) -> None:
    """Put the lists of alerts and their statistics on *router*."""
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
            return ActiveAlertList(**_page_of_active(shown, wanted, clock, known.silences), **age)

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
            page = await backend.history(replace(_filter(wanted, clock), limit=wanted.limit, cursor=wanted.cursor))
        except ValueError:
            raise bad_cursor() from None
        return await answer(
            backend,
            lambda: AlertList(**_page(page.items, page.total, page.next_cursor, clock, backend.known().silences)),
        )

    @router.get(
        "/alerts/history/facets",
        response_model=FacetsAnswer,
        responses=problems.documented(422),
        summary="What the alerts of the history have in common",
    )
    async def alerts_facets(wanted: Annotated[Choice, Depends(choice)], values: Values = 10) -> Response:
        """How many of the alerts that the filters leave have which label; of a very long history, of its newest."""
        found = await backend.facets(_filter(wanted, clock), values)
        return json_response(to_json(_facets_model(found)))

    @router.get(
        "/alerts/statistics",
        response_model=AlertStatisticsModel,
        responses=problems.documented(422),
        summary="What the history adds up to",
    )
    async def alerts_statistics(since: Since = None) -> Response:
        """Of the alerts that fired since `since`, or ever."""
        found = await backend.statistics(_timestamp(since, clock))
        return json_response(to_json(_statistics_model(found, clock)))


def _filter(wanted: Choice, clock: Clock) -> HistoryFilter:
    return HistoryFilter(
        severity=wanted.severity,
        rule=wanted.rule,
        component=wanted.component,
        state=AlertState(wanted.state) if wanted.state else None,
        since=_timestamp(wanted.since, clock),
        until=_timestamp(wanted.until, clock),
        matchers=wanted.matchers,
    )


def _facets_model(found: Facets) -> FacetsAnswer:
    return FacetsAnswer(
        total=found.total,
        counted=found.counted,
        facets=[
            FacetModel(
                label=one.label,
                values=[FacetValue(value=value, count=count) for value, count in one.values],
                others=one.others,
            )
            for one in found.facets
        ],
    )


def _statistics_model(found: AlertStatistics, clock: Clock) -> AlertStatisticsModel:
    return AlertStatisticsModel(
        total=found.total,
        active=found.active,
        acknowledged=found.acknowledged,
        by_severity={severity.value: count for severity, count in found.by_severity.items()},
        by_rule=dict(found.by_rule),
        by_day=[
            DayModel(
                day=one.day,
                total=one.total,
                by_severity={severity.value: count for severity, count in one.by_severity.items()},
            )
            for one in found.by_day
        ],
        noisiest=[
            NoisyRuleModel(
                rule=one.rule,
                count=one.count,
                firing_seconds=one.firing_seconds,
                mean_time_to_resolve_seconds=one.mean_time_to_resolve_seconds,
            )
            for one in found.noisiest
        ],
        mean_time_to_acknowledge_seconds=found.mean_time_to_acknowledge_seconds,
        mean_time_to_resolve_seconds=found.mean_time_to_resolve_seconds,
        since=date(clock, found.since),
    )


def _page(
    alerts: Iterable[Alert], total: int, next_cursor: str | None, clock: Clock, silences: Mapping[str, Silence]
) -> dict[str, Any]:
    return {
        "alerts": [alert_model(alert, clock, silences) for alert in alerts],
        "total": total,
        "next_cursor": next_cursor,
    }


def _page_of_active(
    alerts: Iterable[Alert], wanted: Filters, clock: Clock, silences: Mapping[str, Silence]
) -> dict[str, Any]:
    matching = sorted((alert for alert in alerts if _matches(alert, wanted, clock)), key=urgency)
    rest: Sequence[Alert] = matching
    if wanted.cursor is not None:
        after = decode_cursor(wanted.cursor, Urgency)
        rest = [alert for alert in matching if urgency(alert) > after]
    shown = rest[: wanted.limit]
    more = len(rest) > wanted.limit
    return _page(shown, len(matching), encode_cursor(urgency(shown[-1])) if more else None, clock, silences)


def _matches(alert: Alert, wanted: Choice, clock: Clock) -> bool:
    at = alert.fired_at if alert.fired_at is not None else alert.active_at
    since, until = _timestamp(wanted.since, clock), _timestamp(wanted.until, clock)
    return (
        (wanted.severity is None or alert.severity is wanted.severity)
        and (wanted.rule is None or alert.rule == wanted.rule)
        and (wanted.component is None or alert.component == wanted.component)
        and (wanted.state is None or alert.state == wanted.state)
        and (since is None or at >= since)
        and (until is None or at <= until)
        and match_all(wanted.matchers, alert.matching_labels)
    )


def _timestamp(moment: datetime | None, clock: Clock) -> float | None:
    return None if moment is None else undate(clock, moment)
