"""Which rules are evaluated when: group by group, each at its interval, in order."""

import logging
from collections.abc import Callable, Iterable
from typing import Final

from dozor.alerts.book import AlertBook
from dozor.alerts.conditions import Conditions
from dozor.alerts.rule import RecordRule, RuleGroup, Store
from dozor.alerts.tracking import RuleTrack
from dozor.containment import report
from dozor.errors import PromQLError
from dozor.model.rule import Evaluation

logger = logging.getLogger("dozor")


class Schedule:
    """Evaluates the rules of *groups* and applies what they find. *timer* measures how long that takes, in seconds."""

    def __init__(
        self, groups: Iterable[RuleGroup], book: AlertBook, conditions: Conditions, timer: Callable[[], float]
    ) -> None:
        self._groups = [_ScheduledGroup(group, book) for group in groups]
        self._conditions, self._timer = conditions, timer

    def run(self, store: Store, at: float) -> None:
        """Evaluate the groups that are due at *at*."""
        self._conditions.begin(at)
        for group in self._groups:
            if group.starts(at):
                for rule in group.rules:
                    if isinstance(rule, RuleTrack):
                        self._evaluate(rule, store, at)
                    else:
                        _record(rule, store, at)

    def _evaluate(self, track: RuleTrack, store: Store, at: float) -> None:
        started = self._timer()
        try:
            evaluation = track.rule.evaluate(store, at, watched=track.watched)
            if evaluation.error is None:
                self._conditions.apply(track, evaluation, store, at)
        except Exception as error:  # noqa: BLE001 - one broken rule must not keep the others from being evaluated
            report("rules.evaluate")
            evaluation = Evaluation({}, error=f"internal error: {type(error).__name__}")
        track.health, track.last_error = ("ok", None) if evaluation.error is None else ("err", evaluation.error)
        track.last_evaluation, track.evaluation_seconds = at, self._timer() - started
        track.expire(at)


class _ScheduledGroup:
    """A group of rules and when it was last evaluated."""

    # The loop that calls is punctual to some milliseconds: without this a group of the loop's own interval would now and
    # then miss a turn.
    _PUNCTUAL_SECONDS: Final = 0.05

    def __init__(self, group: RuleGroup, book: AlertBook) -> None:
        self.rules = [rule if isinstance(rule, RecordRule) else book.add(rule) for rule in group.rules]
        self._interval = group.interval_seconds
        self._next: float | None = None

    def starts(self, at: float) -> bool:
        """Whether the group is to be evaluated at *at*; if so, that is noted."""
        if self._interval is None:
            return True
        if self._next is not None and at < self._next - self._PUNCTUAL_SECONDS:
            return False
        self._next = at + self._interval
        return True


def _record(rule: RecordRule, store: Store, at: float) -> None:
    try:
        rule.record(store, store, at)
    except PromQLError as error:
        logger.debug("recording rule: %s", error)
    except Exception:  # noqa: BLE001 - as for alerting rules
        report("rules.record")
