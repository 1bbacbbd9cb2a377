"""Runs rule unit tests as promtool does: series as written, the rules over them, and what must then be the case.

What becomes of a rule's findings is decided where it always is: by the life of alerts, which a caller hands in.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Final, Protocol

from msgspec import Struct

from dozor.duration import format_duration
from dozor.errors import PromQLError, RuleError
from dozor.model.alert import Alert
from dozor.model.labels import METRIC_NAME, Labels
from dozor.model.rule import Breach, Evaluation, GroupState, RuleState
from dozor.model.sample import Sample
from dozor.promql import Kind, Limits, Query, VectorSample, compile_query
from dozor.promql.series import SeriesValues
from dozor.rules.alerting import AlertingRule
from dozor.rules.directives import Directives
from dozor.rules.expression import Expression
from dozor.rules.group import RuleGroup
from dozor.rules.recording import RecordingRule
from dozor.rules.rulefile import load_rule_file
from dozor.rules.unittest_diff import FoundAlert, alert_differences, sample_differences
from dozor.rules.unittest_file import AlertTest, ExprTest, Test, TestFile, load_test_file
from dozor.store.interface import Queryable
from dozor.store.memory import MemoryStore

_MOST_EVALUATIONS: Final = 1_000_000
_FOR_EVER_SECONDS: Final = 1e10


class Life(Protocol):
    """What becomes of what rules find; `alerts.Lifecycle` satisfies it by shape."""

    def evaluate(self, store: MemoryStore, at: float) -> object:
        """Evaluate all rules at *at*, in Unix seconds."""

    def rule_groups(self) -> Sequence[GroupState]:
        """How all rules stand."""


class Groups(Struct, frozen=True):
    """The rules that a life is made for."""

    groups: tuple[RuleGroup, ...]


MakeLife = Callable[[Groups], Life]


class Failure(Struct, frozen=True):
    """Something is not as expected: *what* (an alert, an expression, a rule) at *at* seconds; *lines* say how."""

    what: str
    at: float
    lines: tuple[str, ...]
    line: int | None = None


class TestOutcome(Struct, frozen=True):
    """How one test went. *name* is its own, or its number in the file where it has none."""

    __test__ = False

    name: str
    line: int | None
    checks: int
    failures: tuple[Failure, ...]


class FileOutcome(Struct, frozen=True):
    """How the tests of one file went. *error*: nothing could be tried, for that reason."""

    file: str
    outcomes: tuple[TestOutcome, ...] = ()
    missing: tuple[str, ...] = ()
    error: str | None = None

    @property
    def passed(self) -> bool:
        """Whether all is as expected."""
        return self.error is None and not any(outcome.failures for outcome in self.outcomes)


def run_test_file(path: Path, make_life: MakeLife, only: Sequence[re.Pattern[str]] = ()) -> FileOutcome:
    """Run the tests in the file at *path*: all, or those whose name one of the patterns *only* is found in."""
    try:
        tests, outcomes = load_test_file(path), []
        groups = [group for file in tests.rule_files for group in load_rule_file(file)]
        groups.sort(key=lambda group: tests.group_order.get(group.name, 0))
        for number, test in enumerate(tests.tests):
            if not only or any(pattern.search(test.name) for pattern in only):
                failures = tuple(_Run(test, tests, groups, make_life).failures())
                checks = len(test.alert_tests) + len(test.expr_tests)
                outcomes.append(TestOutcome(test.name or f"test {number + 1}", test.line, checks, failures))
    except RuleError as error:
        return FileOutcome(str(path), error=str(error))
    return FileOutcome(str(path), tuple(outcomes), tests.missing)


class _Run:
    """One test, run once. It has copies of the rules, since they remember what they have written."""

    def __init__(self, test: Test, file: TestFile, groups: Iterable[RuleGroup], make_life: MakeLife) -> None:
        self._test, self._interval, self._fuzzy = test, file.evaluation_interval, file.fuzzy
        self._limits = Limits(
            max_samples=50_000_000, timeout_seconds=100.0, subquery_step_seconds=file.evaluation_interval
        )
        self._groups = tuple(self._prepared(group) for group in groups)
        self._store = MemoryStore(max_bytes=2**30, max_series=10**6, retention_seconds=_FOR_EVER_SECONDS)
        self._input = _Input(test.series, test.interval, test.start)
        self._life = make_life(Groups(self._groups))

    def failures(self) -> Iterator[Failure]:
        """What is not as expected. Nothing more is tried once a rule cannot be evaluated, as in promtool."""
        for name in self._test.native_histograms:
            yield Failure(f"the series {name}", 0.0, ("native histograms are not supported",), self._test.line)
        pending = sorted(self._test.alert_tests, key=lambda test: test.at)
        for step in range(self._steps()):
            offset = step * self._interval
            at = self._test.start + offset
            self._input.load(self._store, at)
            self._life.evaluate(self._store, at)
            broken = list(self._broken(offset))
            yield from broken
            if broken:
                return
            while pending and pending[0].at < offset + self._interval:
                yield from self._check_alerts(pending.pop(0))
        for test in self._test.expr_tests:
            yield from self._check_expr(test)

    def _steps(self) -> int:
        test = self._test
        last = max([0.0, *(one.at for one in test.alert_tests), *(one.at for one in test.expr_tests)])
        steps = int(last / self._interval + 1e-9) + 1
        if steps > _MOST_EVALUATIONS:
            raise RuleError(
                f"the test ends {format_duration(last)} after its start, which takes {steps} evaluations; a longer "
                "evaluation_interval needs fewer",
                line=self._test.line,
            )
        return steps

    def _broken(self, offset: float) -> Iterator[Failure]:
        for group in self._life.rule_groups():
            for rule in group.rules:
                if rule.last_error is not None:
                    name = rule.rule if isinstance(rule, RuleState) else rule.record
                    yield Failure(f"the rule {name}", offset, (rule.last_error,))

    def _check_alerts(self, test: AlertTest) -> Iterator[Failure]:
        rules = [rule for group in self._groups for rule in group.alerting if rule.name == test.alertname]
        states = [state for state in self._states() if state.rule == test.alertname]
        found, waiting = [], []
        for rule, state in zip(rules, states, strict=True):
            assert isinstance(rule, _Witness)
            for alert in state.alerts:
                if alert.firing:
                    found.append(rule.found(alert, self._store))
                else:
                    waiting.append((rule, alert))
        expected = [FoundAlert({**one.labels, "alertname": test.alertname}, one.annotations) for one in test.expected]
        lines = alert_differences(expected, found)
        if not lines:
            return
        if not rules:
            lines.append(f"(no rule is named {test.alertname})")
        for rule, alert in waiting:
            due = format_duration(alert.active_at + rule.for_seconds - self._test.start)
            lines.append(f"(pending, fires at {due} if it holds: {alert.labels})")
        yield Failure(test.alertname, test.at, tuple(lines), test.line)

    def _states(self) -> Iterator[RuleState]:
        for group in self._life.rule_groups():
            yield from (rule for rule in group.rules if isinstance(rule, RuleState))

    def _check_expr(self, test: ExprTest) -> Iterator[Failure]:
        try:
            found = self._vector(test)
        except PromQLError as error:
            yield Failure(test.expr, test.at, (str(error),), test.line)
            return
        lines = []
        if any(one.histogram for one in test.expected):
            lines.append("a native histogram is expected; Dozor does not know those")
        expected = [(one.labels, one.value) for one in test.expected if not one.histogram]
        lines += sample_differences(expected, found, fuzzy=self._fuzzy)
        if lines:
            yield Failure(test.expr, test.at, tuple(lines), test.line)

    def _vector(self, test: ExprTest) -> list[VectorSample]:
        query = compile_query(test.expr)
        if query.type not in (Kind.VECTOR, Kind.SCALAR):
            raise PromQLError(f"a vector or a number is compared, and this is a {query.type.value}")
        return query.instant(self._store, self._test.start + test.at, limits=self._limits)

    # The rules, with what the test says of their surroundings.

    def _prepared(self, group: RuleGroup) -> RuleGroup:
        """*group*, evaluated each time: promtool knows no intervals of groups."""
        rules: Iterable[AlertingRule | RecordingRule] = (
            self._witness(rule) if isinstance(rule, AlertingRule) else replace(rule, query=self._paced(rule.query))
            for rule in group.rules
        )
        return replace(group, rules=tuple(rules), interval_seconds=None)

    def _witness(self, rule: AlertingRule) -> "_Witness":
        given = {one.name: getattr(rule, one.name) for one in fields(rule) if one.init}
        directives: Directives = rule.directives
        given |= {
            "query": self._paced(rule.query),
            "directives": replace(
                directives,
                resolve=directives.resolve and self._paced(directives.resolve),
                escalate_when=directives.escalate_when and self._paced(directives.escalate_when),
            ),
            "external_labels": self._test.external_labels,
            "external_url": self._test.external_url,
        }
        return _Witness(**given)

    def _paced(self, query: Expression) -> "_Paced":
        assert isinstance(query, Query)
        return _Paced(query, self._limits)


class _Paced(Struct, frozen=True):
    """An expression whose subqueries step, where they do not say how, at the test's evaluation interval."""

    query: Query
    limits: Limits

    @property
    def expr(self) -> str:
        return self.query.expr

    def metric_names(self) -> frozenset[str]:
        return self.query.metric_names()

    def instant(self, store: Queryable, at: float) -> list[VectorSample]:
        return self.query.instant(store, at, limits=self.limits)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Witness(AlertingRule):
    """A rule that remembers for each alert the series that last raised it: from it come all labels, as in Prometheus."""

    _seen: dict[Labels, tuple[Breach, float]] = field(default_factory=dict, init=False, repr=False)

    def evaluate(self, store: Queryable, at: float, *, watched: bool) -> Evaluation:
        evaluation = AlertingRule.evaluate(self, store, at, watched=watched)
        self._seen.update((labels, (breach, at)) for labels, breach in evaluation.breaches.items())
        return evaluation

    def found(self, alert: Alert, store: Queryable) -> FoundAlert:
        """*alert* as Prometheus has it: `severity` is a label like any other, and texts are of the last evaluation."""
        breach, at = self._seen[alert.labels]
        labels: Mapping[str, str] = breach.identity.labels.with_({"severity": breach.identity.severity_text})
        return FoundAlert(dict(labels), self.describe(breach, store, at))


class _Input:
    """Series that come into a store as time passes: no rule can see what is still to come."""

    def __init__(self, series: Iterable[SeriesValues], interval: float, start: float) -> None:
        self._columns = [(one.labels.get(METRIC_NAME), one.labels.without(METRIC_NAME), one.values) for one in series]
        self._interval, self._start = interval, start
        self._loaded, self._length = 0, max((len(values) for _, _, values in self._columns), default=0)

    def load(self, store: MemoryStore, until: float) -> None:
        """Append the samples up to *until*, in Unix seconds."""
        while self._loaded < self._length and (at := self._start + self._loaded * self._interval) <= until + 1e-6:
            samples = [
                Sample(name, labels, value)
                for name, labels, values in self._columns
                if self._loaded < len(values) and (value := values[self._loaded]) is not None
            ]
            if samples:
                store.append(at, samples)
            self._loaded += 1
