"""Which rules are evaluated when: group by group, each at its interval, in order."""

from collections.abc import Callable, Iterable
from typing import Final

from dozor.alerts.book import AlertBook
from dozor.alerts.conditions import Conditions
from dozor.alerts.rule import RecordRule, RuleGroup, Store
from dozor.alerts.series import AlertSeries
from dozor.alerts.tracking import RecordTrack, RuleTrack
from dozor.containment import report
from dozor.errors import PromQLError
from dozor.model.rule import GroupState


class Schedule:
    """Evaluates the rules of *groups* and applies what they find. *timer* measures how long that takes, in seconds."""

    def __init__(
        self, groups: Iterable[RuleGroup], book: AlertBook, conditions: Conditions, timer: Callable[[], float]
    ) -> None:
        self._groups = [_ScheduledGroup(group, book) for group in groups]
        self._conditions, self._timer = conditions, timer
        self.series = AlertSeries()

    def run(self, store: Store, at: float) -> None:
        """Evaluate the groups that are due at *at*."""
        self._conditions.begin(at)
        for group in self._groups:
            if group.starts(at):
                began = self._timer()
                for track in group.tracks:
                    self._evaluate(track, store, at)
                group.last_evaluation, group.evaluation_seconds = at, self._timer() - began

    def states(self) -> list[GroupState]:
        """How the groups stand."""
        return [group.state() for group in self._groups]

    def _evaluate(self, track: RuleTrack | RecordTrack, store: Store, at: float) -> None:
        began = self._timer()
        try:
            error = _record(track, store, at) if isinstance(track, RecordTrack) else self._judge(track, store, at)
        except Exception as broken:  # noqa: BLE001 - one broken rule must not keep the others from being evaluated
            report("rules.evaluate")
            error = f"internal error: {type(broken).__name__}"
        track.note(error, at, self._timer() - began)
        if isinstance(track, RuleTrack):
            self.series.write(track, store, at)

    def _judge(self, track: RuleTrack, store: Store, at: float) -> str | None:
        track.expire(at)
        evaluation = track.rule.evaluate(store, at, watched=track.watched)
        if evaluation.error is None:
            self._conditions.apply(track, evaluation, store, at)
        return evaluation.error


class _ScheduledGroup:
    """A group of rules and when it was last evaluated."""

    # The loop that calls is punctual to some milliseconds: without this a group of the loop's own interval would now and
    # then miss a turn.
    _PUNCTUAL_SECONDS: Final = 0.05

    def __init__(self, group: RuleGroup, book: AlertBook) -> None:
        self.group = group
        self.tracks = [RecordTrack(rule) if isinstance(rule, RecordRule) else book.add(rule) for rule in group.rules]
        self.last_evaluation: float | None = None
        self.evaluation_seconds: float | None = None
        self._next: float | None = None

    def starts(self, at: float) -> bool:
        """Whether the group is to be evaluated at *at*; if so, that is noted."""
        interval = self.group.interval_seconds
        if interval is None:
            return True
        if self._next is not None and at < self._next - self._PUNCTUAL_SECONDS:
            return False
        self._next = at + interval
        return True

    def state(self) -> GroupState:
        """How the group stands."""
        group = self.group
        return GroupState(
            name=group.name,
            file=group.file,
            interval_seconds=group.interval_seconds,
            limit=group.limit,
            last_evaluation=self.last_evaluation,
            evaluation_seconds=self.evaluation_seconds,
            rules=tuple(track.state() for track in self.tracks),
        )


def _record(track: RecordTrack, store: Store, at: float) -> str | None:
    try:
        track.rule.record(store, store, at)
    except PromQLError as error:
        return str(error)
    return None
