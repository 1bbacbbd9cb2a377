"""rules and alerts, as Prometheus shows its own."""

from collections.abc import Callable, Sequence
from typing import Any, Final

from fastapi import Response

from dozor.api.prometheus.backend import PrometheusBackend
from dozor.api.prometheus.envelope import bad_parameter, respond, success
from dozor.api.prometheus.parameters import Parameters
from dozor.api.prometheus.values import exponential, rfc3339
from dozor.api.rendering import date
from dozor.clock import Clock
from dozor.model.alert import Alert
from dozor.model.rule import GroupState, RecordingState, RuleState

State = RuleState | RecordingState

_TYPES: Final[dict[str, tuple[type[State], ...]]] = {
    "": (RuleState, RecordingState),
    "alert": (RuleState,),
    "record": (RecordingState,),
}


async def rules(backend: PrometheusBackend, given: Parameters) -> Response:
    """The groups and their rules; those without a rule that was asked for are left out."""
    wanted = _filter(given)
    with_alerts = not given.flag("exclude_alerts")

    def build() -> bytes:
        every = backend.known().interval_seconds
        written = _Writer(backend.clock, with_alerts=with_alerts)
        chosen = ((group, [rule for rule in group.rules if wanted(group, rule)]) for group in backend.rule_groups())
        return success({"groups": [written.group(group, found, every) for group, found in chosen if found]})

    return respond(await backend.in_dozor(build))


async def alerts(backend: PrometheusBackend, _given: Parameters) -> Response:
    """The alerts that have not ended, pending ones too."""

    def build() -> bytes:
        return success({"alerts": [_alert(alert, backend.clock) for alert in backend.known().alerts]})

    return respond(await backend.in_dozor(build))


def _filter(given: Parameters) -> Callable[[GroupState, State], bool]:
    kind = given.get("type").lower()
    types = _TYPES.get(kind)
    if types is None:
        raise bad_parameter("type", f'not supported value "{kind[:60]}"')
    names, groups, files = (frozenset(given.all(name)) for name in ("rule_name[]", "rule_group[]", "file[]"))

    def wanted(group: GroupState, rule: State) -> bool:
        return (
            isinstance(rule, types)
            and (not names or _name(rule) in names)
            and (not groups or group.name in groups)
            and (not files or (group.file or "") in files)
        )

    return wanted


def _name(rule: State) -> str:
    return rule.rule if isinstance(rule, RuleState) else rule.record


class _Writer:
    """Writes groups and rules as Prometheus does."""

    def __init__(self, clock: Clock, *, with_alerts: bool) -> None:
        self._clock, self._with_alerts = clock, with_alerts

    def group(self, group: GroupState, rules: Sequence[State], every: float) -> dict[str, Any]:
        """*group* with these of its rules; *every* so many seconds those are evaluated that say nothing of it."""
        return {
            "name": group.name,
            "file": group.file or "",
            "rules": [self._rule(rule) for rule in rules],
            "interval": every if group.interval_seconds is None else group.interval_seconds,
            "limit": group.limit,
            **self._evaluation(group),
        }

    def _rule(self, rule: State) -> dict[str, Any]:
        written: dict[str, Any] = {
            "name": _name(rule),
            "query": rule.expr,
            "labels": dict(rule.labels),
            "health": rule.health,
            **self._evaluation(rule),
            "type": "recording",
        }
        if rule.last_error is not None:
            written["lastError"] = rule.last_error
        if isinstance(rule, RuleState):
            written |= {
                "state": rule.state,
                "duration": rule.for_seconds,
                "keepFiringFor": rule.keep_firing_seconds,
                "annotations": dict(rule.annotations),
                "alerts": [_alert(alert, self._clock) for alert in rule.alerts] if self._with_alerts else [],
                "type": "alerting",
            }
        return written

    def _evaluation(self, of: GroupState | State) -> dict[str, Any]:
        return {
            "evaluationTime": of.evaluation_seconds or 0,
            "lastEvaluation": rfc3339(date(self._clock, of.last_evaluation)),
        }


def _alert(alert: Alert, clock: Clock) -> dict[str, Any]:
    return {
        "labels": {**alert.labels, "severity": alert.severity.value.lower()},
        "annotations": dict(alert.annotations),
        "state": "firing" if alert.firing else "pending",
        "activeAt": rfc3339(clock.date(alert.active_at)),
        "value": exponential(alert.value),
    }
