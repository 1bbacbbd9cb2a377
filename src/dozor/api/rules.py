"""alerts/rules: what is decided on, and how each rule stands."""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Path, Response

from dozor.api import problems
from dozor.api.alert_json import alert_model
from dozor.api.backend import Backend
from dozor.api.parameters import (
    ComponentFilter,
    Cursor,
    Limit,
    RuleFilter,
    SeverityFilter,
    bad_cursor,
    decode_cursor,
    encode_cursor,
)
from dozor.api.rendering import answer, date, json_response, to_json
from dozor.api.schemas import (
    RuleExplanationModel,
    RuleExplanations,
    RuleList,
    RuleModel,
    RulesReloaded,
    SeriesExplanationModel,
)
from dozor.clock import Clock
from dozor.errors import ConfigurationError
from dozor.model.rule import RuleExplanation, RuleState, SeriesExplanation
from dozor.model.silence import Silence

RuleName = Annotated[str, Path(max_length=500, description="The rule's name.")]


def add_routes(router: APIRouter, backend: Backend) -> None:
    """Put alerts/rules on *router*."""
    clock = backend.clock

    @router.get(
        "/alerts/rules",
        response_model=RuleList,
        responses=problems.documented(422),
        summary="Every rule and how it stands",
    )
    async def alerts_rules(
        severity: SeverityFilter = None,
        rule: RuleFilter = None,
        component: ComponentFilter = None,
        limit: Limit = 100,
        cursor: Cursor = None,
    ) -> Response:
        """In the order of evaluation, with the last error where one cannot be evaluated, and its alerts."""

        def build() -> RuleList:
            matching = [
                state
                for state in backend.rule_states()
                if (severity is None or state.severity is severity)
                and (rule is None or state.rule == rule)
                and (component is None or state.component == component)
            ]
            first = 0 if cursor is None else decode_cursor(cursor, int)
            if first < 0:
                raise bad_cursor()
            shown = matching[first : first + limit]
            more = first + limit < len(matching)
            silences = backend.known().silences
            return RuleList(
                rules=[_rule_model(state, clock, silences) for state in shown],
                total=len(matching),
                next_cursor=encode_cursor(first + limit) if more else None,
            )

        return await answer(backend, build)

    @router.get(
        "/alerts/rules/{rule:path}/explain",
        response_model=RuleExplanations,
        responses=problems.documented(404, 422),
        summary="Why a rule fires, or does not",
    )
    async def alerts_rules_explain(rule: RuleName) -> Response:
        """Each series with its value, how far that is from the threshold, what is waited for, and what holds it back."""

        def build() -> RuleExplanations:
            silences = backend.known().silences
            return RuleExplanations(
                rules=[_explanation_model(one, clock, silences) for one in backend.explain_rule(rule)]
            )

        return await answer(backend, build)

    @router.post(
        "/alerts/rules/reload",
        response_model=RulesReloaded,
        responses=problems.documented(422),
        summary="Read the rules again",
    )
    async def alerts_rules_reload() -> Response:
        """All rules are read and put in force at once, or, where there is a mistake (422), none: then the old ones stay.

        Alerts of rules that were not changed go on untouched. Files that change are read again without being asked.
        """
        try:
            changes = await backend.reload_rules()
        except ConfigurationError as error:
            raise problems.Problem(422, f"Those from before stay in force, since there is a mistake: {error}") from None
        return json_response(
            to_json(
                RulesReloaded(
                    rules=changes.rules,
                    added=list(changes.added),
                    changed=list(changes.changed),
                    removed=list(changes.removed),
                )
            )
        )


def _rule_model(state: RuleState, clock: Clock, silences: Mapping[str, Silence]) -> RuleModel:
    return RuleModel(**_rule_fields(state, clock, silences))


def _explanation_model(
    explained: RuleExplanation, clock: Clock, silences: Mapping[str, Silence]
) -> RuleExplanationModel:
    return RuleExplanationModel(
        **_rule_fields(explained.state, clock, silences),
        why=explained.why,
        resolve=explained.resolve,
        missing=list(explained.missing),
        series=[_series_model(one, clock) for one in explained.series],
        series_total=explained.total,
    )


def _series_model(one: SeriesExplanation, clock: Clock) -> SeriesExplanationModel:
    alert = one.alert
    return SeriesExplanationModel(
        labels=dict(one.labels),
        state=one.state,
        why=one.why,
        value=one.value,
        exceeds=one.exceeds,
        distance=one.distance,
        alert_id=None if alert is None else alert.id,
        pending_since=None if alert is None else date(clock, alert.active_at),
        for_left_seconds=one.for_left_seconds,
        clear_left_seconds=one.clear_left_seconds,
        inhibited_by=[] if alert is None else list(alert.inhibited_by),
        silenced_by=[] if alert is None else list(alert.silenced_by),
        quiet_until=date(clock, one.quiet_until),
        closed_until=date(clock, one.closed_until),
    )


def _rule_fields(state: RuleState, clock: Clock, silences: Mapping[str, Silence]) -> dict[str, Any]:
    return {
        "rule": state.rule,
        "group": state.group,
        "expr": state.expr,
        "for_seconds": state.for_seconds,
        "severity": state.severity,
        "component": state.component,
        "state": state.state,
        "health": state.health,
        "last_error": state.last_error,
        "last_evaluation": date(clock, state.last_evaluation),
        "evaluation_seconds": state.evaluation_seconds,
        "alerts": [alert_model(alert, clock, silences) for alert in state.alerts],
        "keep_firing_seconds": state.keep_firing_seconds,
        "threshold": state.threshold,
        "labels": dict(state.labels),
        "annotations": dict(state.annotations),
        "file": state.file,
    }
