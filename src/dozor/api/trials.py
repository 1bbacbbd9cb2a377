"""How a rule file is tried: what there is to say of it, and what it would have done. In the thread for queries."""

import math
import time
from collections.abc import Callable, Sequence
from typing import Final

from dozor.api.problems import Problem, invalid
from dozor.api.rendering import to_json
from dozor.api.trial_schemas import (
    BacktestAnswer,
    BacktestRequest,
    FindingModel,
    RuleOutcomeModel,
    RulesChecked,
    TrialAlertModel,
)
from dozor.clock import Clock
from dozor.duration import parse_duration
from dozor.errors import PromQLError, RuleError
from dozor.model.labels import Labels
from dozor.promql import Limits, Points, compile_query
from dozor.rules import RuleGroup, parse_rules
from dozor.rules.backtest import Life, RuleOutcome, Span, backtest, choose
from dozor.rules.check import KEPT_SECONDS, check_text
from dozor.rules.unittest import Groups
from dozor.store import Queryable, milliseconds, parse_matcher

MAX_SECONDS: Final = 10.0
"""For all expressions of one trial together."""
MOST_STEPS: Final = 2000
MOST_RULES: Final = 50
_FINEST_SECONDS: Final = 5.0
_LONGEST_SECONDS: Final = 7 * 86_400.0
_SHOWN: Final = 50
_ANY: Final = parse_matcher('__name__=~".+"')


def checked(text: str, store: Queryable, clock: Clock) -> bytes:
    """A `RulesChecked` of the rules in *text*, with the series of *store* as those that there are."""
    labels, _ = store.latest((_ANY,), milliseconds(clock.timestamp()), milliseconds(KEPT_SECONDS))
    found = check_text(text, live=frozenset(one.get("__name__") for one in labels))
    findings = [
        FindingModel(
            level=one.level.value,
            message=one.message,
            line=one.line,
            key=one.key,
            rule=one.rule,
            check=one.check,
        )
        for one in found.findings
    ]
    return to_json(RulesChecked(rules=found.rules, findings=findings))


def played(asked: BacktestRequest, store: Queryable, clock: Clock, life: Callable[[Groups], Life]) -> bytes:
    """A `BacktestAnswer`: what *store* would have had the rules do. Raises Problem."""
    groups = _groups(asked.text)
    span = _span(clock.timestamp(), asked.since)
    try:
        outcomes = backtest(groups, span, _Past(store), life)
    except PromQLError as error:
        raise Problem(422, f"It cannot be evaluated: {error}") from None
    return to_json(_answer(outcomes, span, clock))


def _groups(text: str) -> Sequence[RuleGroup]:
    try:
        groups = choose(parse_rules(text))
    except RuleError as error:
        raise invalid("text", str(error)) from None
    count = sum(len(group.rules) for group in groups)
    if not count:
        raise invalid("text", "there is no rule that alerts in it")
    if count > MOST_RULES:
        raise invalid("text", f"{count} rules are too many for one trial; at most {MOST_RULES}")
    return groups


def _span(now: float, since: str) -> Span:
    try:
        seconds = parse_duration(since)
    except ValueError as error:
        raise invalid("since", str(error)) from None
    if not 60 <= seconds <= _LONGEST_SECONDS:
        raise invalid("since", f"{since} is not between 1m and 7d")
    step = max(_FINEST_SECONDS, math.ceil(seconds / MOST_STEPS))
    # On whole steps, so that a second look at the same time finds the same.
    return Span(-(-(now - seconds) // step) * step, now // step * step, step)


class _Past:
    """The series of *store*, within the time that one trial may take."""

    def __init__(self, store: Queryable) -> None:
        self._store, self._ends = store, time.monotonic() + MAX_SECONDS

    def evaluate(self, expr: str, start: float, end: float, step: float) -> Sequence[tuple[Labels, Points]]:
        """*expr* at each step. Raises PromQLError."""
        left = self._ends - time.monotonic()
        if left <= 0:
            raise PromQLError(f"all of it takes longer than {MAX_SECONDS:g} s; try fewer rules or a shorter time")
        return compile_query(expr).range(self._store, start, end, step, limits=Limits(timeout_seconds=left))


def _answer(outcomes: Sequence[RuleOutcome], span: Span, clock: Clock) -> BacktestAnswer:
    return BacktestAnswer(
        since=clock.date(span.start),
        until=clock.date(span.end),
        step_seconds=span.step,
        rules=[_outcome(outcome, span, clock) for outcome in outcomes],
    )


def _outcome(outcome: RuleOutcome, span: Span, clock: Clock) -> RuleOutcomeModel:
    return RuleOutcomeModel(
        rule=outcome.rule.name,
        expr=outcome.rule.expr,
        severity=outcome.rule.severity,
        fired=len(outcome.fired),
        firing_seconds=outcome.firing_seconds(span.end),
        false_starts=outcome.false_starts,
        messages=outcome.messages,
        alerts=[
            TrialAlertModel(
                labels=dict(alert.labels),
                value=alert.value,
                fired_at=clock.date(alert.fired_at or span.end),
                resolved_at=None if alert.resolved_at is None else clock.date(alert.resolved_at),
            )
            for alert in outcome.fired[-_SHOWN:]
        ],
    )
