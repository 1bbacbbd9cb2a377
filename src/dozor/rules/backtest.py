"""What rules would have done: the life of their alerts over series that have been.

A source evaluates the rules' expressions at every step of the time looked at; the findings are then lived through, step by
step, by the life of alerts that a caller hands in.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final, Protocol

from msgspec import Struct

from dozor.model.alert import Alert
from dozor.model.labels import Labels
from dozor.model.notification import Changes
from dozor.model.rule import GroupState, RuleState
from dozor.promql import VectorSample
from dozor.rules.alerting import AlertingRule
from dozor.rules.builtin import builtin_groups
from dozor.rules.expression import Expression
from dozor.rules.group import RuleGroup
from dozor.rules.recording import RecordingRule
from dozor.rules.unittest import Groups
from dozor.store.interface import Queryable, milliseconds
from dozor.store.memory import MemoryStore

MOST_STEPS: Final = 100_000

Matrix = Sequence[tuple[Labels, Sequence[tuple[float, float]]]]
"""Series of (Unix seconds, value)."""


class Source(Protocol):
    """Where the series are."""

    def evaluate(self, expr: str, start: float, end: float, step: float) -> Matrix:
        """*expr* at *start* and every *step* seconds later, to *end*, in Unix seconds."""


class Life(Protocol):
    """What becomes of what rules find; `alerts.Lifecycle` satisfies it by shape."""

    def evaluate(self, store: MemoryStore, at: float) -> Changes:
        """Evaluate all rules at *at*, in Unix seconds."""

    def rule_groups(self) -> Sequence[GroupState]:
        """How all rules stand."""


class Span(Struct, frozen=True):
    """The moments to look at: *start*, and every *step* seconds later, to *end*. Unix seconds."""

    start: float
    end: float
    step: float

    @property
    def moments(self) -> list[float]:
        """All of them."""
        return [self.start + place * self.step for place in range(int((self.end - self.start) / self.step + 1e-9) + 1)]


class RuleOutcome(Struct, frozen=True):
    """What one rule would have done.

    Attributes:
        fired: its alerts that fired, in the order of firing; one that fires still has not resolved.
        false_starts: how often its condition ended before it had held for long enough.
        messages: how many people would have got, those about ends and the reminders included.
    """

    rule: AlertingRule
    fired: tuple[Alert, ...]
    false_starts: int
    messages: int

    def firing_seconds(self, end: float) -> float:
        """For how long its alerts fired, up to *end*, each for itself."""
        return sum((alert.resolved_at or end) - (alert.fired_at or end) for alert in self.fired)


def choose(groups: Iterable[RuleGroup], names: Sequence[str] = ()) -> tuple[RuleGroup, ...]:
    """The alerting rules of *groups*: all, or those of these *names*."""
    chosen = (
        replace(group, rules=tuple(rule for rule in group.alerting if not names or rule.name in names))
        for group in groups
    )
    return tuple(group for group in chosen if group.rules)


def recorded_names(groups: Iterable[RuleGroup]) -> set[str]:
    """The series that *groups* record."""
    return {rule.name for group in groups for rule in group.rules if isinstance(rule, RecordingRule)}


def mentioned(rule: AlertingRule) -> set[str]:
    """The metrics that the expressions of *rule* name."""
    return {name for query in _queries(rule) for name in query.metric_names()}


def backtest(
    groups: Sequence[RuleGroup], span: Span, source: Source, make_life: Callable[[Groups], Life]
) -> list[RuleOutcome]:
    """What the alerting rules of *groups* would have done in *span*, in their order.

    The default rules that inhibit them are evaluated too. Whatever *source* raises passes through.
    """
    played = [_played(group, span, source) for group in (*groups, *_inhibitors(groups))]
    life, store = make_life(Groups(tuple(played))), MemoryStore()
    tally = _Tally(life)
    for at in span.moments:
        tally.take(life.evaluate(store, at))
    rules = [rule for group in groups for rule in group.alerting]
    return [tally.outcome(place, rule) for place, rule in enumerate(rules)]


class _Tally:
    """Counts what happens to the alerts of a life."""

    def __init__(self, life: Life) -> None:
        self._life = life
        self._alerts: dict[str, Alert] = {}
        self._owners: dict[str, int] = {}
        self._told: list[frozenset[str]] = []

    def take(self, changes: Changes) -> None:
        """What an evaluation has changed."""
        if any(alert.id not in self._owners for alert in changes.alerts):
            # Several rules may share a name, so that an alert alone does not tell whose it is.
            for place, state in enumerate(self._states()):
                self._owners |= {alert.id: place for alert in state.alerts}
        self._alerts |= {alert.id: alert for alert in changes.alerts}
        self._told += [frozenset(alert.id for alert in message.alerts) for message in changes.notifications]

    def _states(self) -> Iterator[RuleState]:
        for group in self._life.rule_groups():
            yield from (state for state in group.rules if isinstance(state, RuleState))

    def outcome(self, place: int, rule: AlertingRule) -> RuleOutcome:
        """What became of the alerts of *rule*, which is the one at *place*."""
        own = [alert for alert in self._alerts.values() if self._owners.get(alert.id) == place]
        fired = sorted((alert for alert in own if alert.fired_at is not None), key=lambda alert: alert.fired_at or 0.0)
        ids = {alert.id for alert in own}
        pending = sum(alert.fired_at is None for alert in own)
        still = self._pending_at(place)
        return RuleOutcome(rule, tuple(fired), pending - still, sum(not ids.isdisjoint(told) for told in self._told))

    def _pending_at(self, place: int) -> int:
        """How many alerts of the rule at *place* are pending at the end."""
        states = list(self._states())
        return sum(alert.fired_at is None for alert in states[place].alerts)


def _inhibitors(groups: Sequence[RuleGroup]) -> list[RuleGroup]:
    """The default rules that keep alerts of *groups* quiet, by way of others too."""
    known = {rule.name: rule for group in builtin_groups() for rule in group.alerting}
    own = {rule.name for group in groups for rule in group.alerting}
    waiting = [rule for group in groups for rule in group.alerting]
    found: dict[str, AlertingRule] = {}
    while waiting:
        for inhibitor in waiting.pop().inhibited_by:
            name = inhibitor.rule
            if name in known and name not in own | found.keys():
                found[name] = known[name]
                waiting.append(known[name])
    return [RuleGroup("inhibitors", tuple(found.values()))] if found else []


def _played(group: RuleGroup, span: Span, source: Source) -> RuleGroup:
    return replace(group, rules=tuple(_with_findings(rule, span, source) for rule in group.alerting))


def _with_findings(rule: AlertingRule, span: Span, source: Source) -> AlertingRule:
    """*rule* with expressions that know what they gave."""

    def findings(query: Expression) -> _Findings:
        back = rule.offset_seconds
        matrix = source.evaluate(query.expr, span.start - back, span.end - back, span.step)
        return _Findings(query, _by_moment(matrix))

    directives = rule.directives
    return replace(
        rule,
        query=findings(rule.query),
        directives=replace(
            directives,
            resolve=directives.resolve and findings(directives.resolve),
            escalate_when=directives.escalate_when and findings(directives.escalate_when),
        ),
    )


def _by_moment(matrix: Matrix) -> dict[int, list[VectorSample]]:
    found: dict[int, list[VectorSample]] = {}
    for labels, points in matrix:
        for at, value in points:
            found.setdefault(milliseconds(at), []).append(VectorSample(labels, value))
    return found


class _Findings(Struct, frozen=True):
    """An expression whose results are known."""

    query: Expression
    vectors: Mapping[int, list[VectorSample]]

    @property
    def expr(self) -> str:
        return self.query.expr

    def metric_names(self) -> frozenset[str]:
        return self.query.metric_names()

    def instant(self, _: Queryable, at: float) -> list[VectorSample]:
        return self.vectors.get(milliseconds(at), [])


def _queries(rule: AlertingRule) -> list[Expression]:
    directives = rule.directives
    return [query for query in (rule.query, directives.resolve, directives.escalate_when) if query is not None]
