"""Why a rule fires, or does not: for each of its series what is looked at, how far it is from firing, and what holds it back."""

import math
import operator
from collections.abc import Callable, Mapping
from typing import Final

from dozor.alerts.rule import Store
from dozor.alerts.tracking import HeldDown, RuleTrack
from dozor.duration import format_duration
from dozor.model.alert import Alert
from dozor.model.labels import Labels
from dozor.model.rule import Measurement, RuleExplanation, SeriesExplanation

MOST_SERIES: Final = 100
_SIGNS: Final[Mapping[str, Callable[[float, float], bool]]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
}
_ORDER: Final = {"firing": 0, "pending": 1, "closed": 2, "inactive": 3}


def explain(track: RuleTrack, series_at: Callable[[float], Store], at: float) -> RuleExplanation:
    """The rule of *track* as its last evaluation left it; *series_at* gives the series as of then, *at* (Unix seconds) is now."""
    evaluated_at = at if track.last_evaluation is None else track.last_evaluation
    measurement = track.rule.measure(series_at(evaluated_at), evaluated_at)
    known = dict.fromkeys([*track.open, *track.held_down, *measurement.values])
    series = [_Series(track, measurement, labels, at).explanation() for labels in known]
    series.sort(key=_nearest_first)
    return RuleExplanation(
        state=track.state(),
        why=_why(track, measurement, series),
        resolve=measurement.resolve,
        missing=measurement.missing,
        series=tuple(series[:MOST_SERIES]),
        total=len(series),
    )


class _Series:
    """One series of a rule at a moment."""

    def __init__(self, track: RuleTrack, measurement: Measurement, labels: Labels, at: float) -> None:
        self._track, self._measurement, self._labels, self._at = track, measurement, labels, at
        tracked = track.open.get(labels)
        self._alert = None if tracked is None else tracked.current()
        self._held = track.held_down.get(labels)
        self._value = measurement.values.get(labels)
        if self._value is None and self._alert is not None and self._alert.holds and not self._alert.no_data:
            self._value = self._alert.value
        self._exceeds = self._distance = None
        if self._value is not None and measurement.sign is not None and measurement.number is not None:
            self._exceeds = _SIGNS[measurement.sign](self._value, measurement.number)
            distance = abs(self._value - measurement.number)
            self._distance = None if math.isnan(distance) else distance

    def explanation(self) -> SeriesExplanation:
        alert, rule, at = self._alert, self._track.rule, self._at
        quiet_until = self._track.quiet_until.get(self._labels) if alert is None else alert.quiet_until
        for_left = clear_left = None
        if alert is None:
            state, why = ("closed", self._why_closed()) if self._held is not None else ("inactive", self._why_not())
        elif alert.fired_at is None:
            state, for_left = "pending", max(0.0, alert.active_at + rule.for_seconds - at)
            why = f"the condition holds; it fires in {_duration(for_left)} if that lasts"
        else:
            state = "firing"
            if alert.clear_since is not None:
                clear_left = max(0.0, alert.clear_since + rule.clear_seconds - at)
            why = "; ".join(["it fires", *self._ending(alert, clear_left), *_quiet(alert, at)])
        return SeriesExplanation(
            labels=self._labels,
            value=self._value,
            exceeds=self._exceeds,
            distance=self._distance,
            state=state,
            alert=alert,
            for_left_seconds=for_left,
            clear_left_seconds=clear_left,
            quiet_until=quiet_until if quiet_until is not None and quiet_until > at else None,
            closed_until=self._held.until if self._held is not None else None,
            why=why,
        )

    def _why_closed(self) -> str:
        assert isinstance(self._held, HeldDown)
        left = max(0.0, self._held.until - self._at)
        if self._held.since is None:
            return "it was closed by hand; its condition does not hold, but the condition for its end does not either"
        return f"it was closed by hand; it comes back in {_duration(left)} if its condition still holds"

    def _why_not(self) -> str:
        value, threshold = self._value, self._track.rule.threshold
        if self._track.last_error is not None:
            return "nobody knows: the rule cannot be evaluated"
        if value is None or self._exceeds is None:
            return "its condition does not hold"
        if math.isnan(value):
            return "its value is no number now, as of a ratio without traffic: nothing divided by nothing"
        if not self._exceeds:
            return f"{value:g} is not {threshold}: {self._distance:g} away"
        return f"{value:g} is {threshold}, but the rest of the expression does not hold"

    def _ending(self, alert: Alert, clear_left: float | None) -> list[str]:
        """What is to be said of the condition's end."""
        threshold, resolve = self._track.rule.threshold, self._measurement.resolve
        if alert.no_data:
            return ["there is no data for it any more, which does not end it"]
        if clear_left is not None:
            return [f"its condition has ended, and it ends in {_duration(clear_left)} if that lasts"]
        if alert.holds:
            return []
        if threshold is None or resolve is None:
            return ["its condition has ended, but the condition for its end does not hold yet"]
        return [f"the value lies between its thresholds: it fires at {threshold} and ends at {resolve}"]


def _quiet(alert: Alert, at: float) -> list[str]:
    """Why nobody is told of an alert that fires."""
    reasons = []
    if alert.silenced is not None:
        until = alert.silenced.until
        reasons.append(
            "it is silenced until it ends" if until is None else f"it is silenced for {_duration(until - at)} more"
        )
    if alert.silenced_by:
        reasons.append(f"silenced by {', '.join(alert.silenced_by)}")
    if alert.inhibited_by:
        reasons.append(f"kept quiet by {', '.join(alert.inhibited_by)}")
    if alert.acknowledged is not None:
        reasons.append(f"{alert.acknowledged.by or 'somebody'} has it")
    if alert.told_severity is None and alert.quiet_until is not None and alert.quiet_until > at:
        reasons.append(f"it ended so lately that people are told in {_duration(alert.quiet_until - at)}")
    if alert.flaps:
        reasons.append(f"it fired {alert.flaps} times lately, so people are told seldom")
    return reasons


def _why(track: RuleTrack, measurement: Measurement, series: list[SeriesExplanation]) -> str:
    """Of the rule as a whole."""
    if track.last_evaluation is None:
        return "it has not been evaluated yet"
    if track.last_error is not None:
        return f"it cannot be evaluated: {track.last_error}"
    counts = {state: sum(one.state == state for one in series) for state in _ORDER}
    if counts["firing"] or counts["pending"]:
        return f"{counts['firing']} firing, {counts['pending']} pending"
    if measurement.missing and not series:
        return f"there is no series called {' or '.join(measurement.missing)}"
    if measurement.sign is not None and not series:
        return "there is no series that it could hold for"
    return "its condition holds for no series"


def _nearest_first(one: SeriesExplanation) -> tuple[int, bool, float, Labels]:
    distance = float("inf") if one.distance is None else one.distance
    return _ORDER[one.state], not one.exceeds, distance, one.labels


def _duration(seconds: float) -> str:
    return format_duration(max(0.0, float(round(seconds))))
