"""Which rules are evaluated when: group by group, each at its interval, in order."""

import logging
from collections.abc import Callable, Hashable, Iterable
from typing import Final

from msgspec import Struct

from dozor.alerts.book import AlertBook
from dozor.alerts.conditions import Conditions
from dozor.alerts.rule import AlertRule, RecordRule, RuleGroup, Store
from dozor.alerts.series import AlertSeries
from dozor.alerts.tracking import RecordTrack, RuleTrack
from dozor.containment import report
from dozor.errors import PromQLError
from dozor.model.rule import GroupState, RuleChanges

logger = logging.getLogger("dozor")

AnyTrack = RuleTrack | RecordTrack


class Exchange(Struct, frozen=True):
    """Which tracks others have taken the place of, and which are new; those in neither have gone on."""

    old: list[AnyTrack]
    new: list[AnyTrack]
    total: int

    @property
    def old_alerting(self) -> list[RuleTrack]:
        """Of the old ones, those with alerts."""
        return [track for track in self.old if isinstance(track, RuleTrack)]

    @property
    def new_alerting(self) -> list[RuleTrack]:
        """Of the new ones, those with alerts."""
        return [track for track in self.new if isinstance(track, RuleTrack)]

    @property
    def changes(self) -> RuleChanges:
        """In the names of rules."""
        before, after = ({track.rule.name for track in tracks} for tracks in (self.old, self.new))
        added, changed, removed = (tuple(sorted(names)) for names in (after - before, after & before, before - after))
        return RuleChanges(self.total, added, changed, removed)


class Schedule:
    """Evaluates the rules of *groups* and applies what they find.

    *timer* measures how long that takes, in seconds; *turns* is called after each rule.
    """

    def __init__(
        self,
        groups: Iterable[RuleGroup],
        book: AlertBook,
        conditions: Conditions,
        timer: Callable[[], float],
        turns: Callable[[], None],
    ) -> None:
        self._book, self._conditions, self._timer, self._turns = book, conditions, timer, turns
        self._groups: list[_ScheduledGroup] = []
        self.series = AlertSeries()
        self.replace(groups)

    def replace(self, groups: Iterable[RuleGroup]) -> Exchange:
        """Evaluate the rules of these *groups* from now on. A rule that was not changed keeps its track, a group its turn."""
        earlier = {group.key: group for group in self._groups}
        spare: dict[Hashable, list[AnyTrack]] = {}
        for track in self._tracks():
            spare.setdefault(track.rule.definition, []).append(track)
        new: list[AnyTrack] = []

        def track_of(rule: AlertRule | RecordRule) -> AnyTrack:
            same = spare.get(rule.definition)
            if same:
                return same.pop(0)
            new.append(RecordTrack(rule) if isinstance(rule, RecordRule) else RuleTrack(rule))
            return new[-1]

        self._groups = [_ScheduledGroup(group, [track_of(rule) for rule in group.rules]) for group in groups]
        for group in self._groups:
            group.follow(earlier.get(group.key))
        tracks = self._tracks()
        self._book.keep_to(track for track in tracks if isinstance(track, RuleTrack))
        return Exchange([track for tracks in spare.values() for track in tracks], new, len(tracks))

    def close(self, track: AnyTrack, store: Store, at: float) -> None:
        """End the series of a rule that is no more."""
        if isinstance(track, RuleTrack):
            self.series.end(track, store, at)
        else:
            track.rule.end(store, at)

    def _tracks(self) -> list[AnyTrack]:
        return [track for group in self._groups for track in group.tracks]

    def run(self, store: Store, at: float) -> None:
        """Evaluate the groups that are due at *at*."""
        self._conditions.begin(at)
        for group in self._groups:
            if group.starts(at):
                began = self._timer()
                for track in group.tracks:
                    self._evaluate(track, store, at)
                    self._turns()
                group.last_evaluation, group.evaluation_seconds = at, self._timer() - began

    def states(self) -> list[GroupState]:
        """How the groups stand."""
        return [group.state() for group in self._groups]

    def failing(self) -> list[AnyTrack]:
        """The rules that could not be evaluated when they last were to be."""
        return [track for group in self._groups for track in group.tracks if track.last_error is not None]

    def _evaluate(self, track: AnyTrack, store: Store, at: float) -> None:
        began = self._timer()
        try:
            error = _record(track, store, at) if isinstance(track, RecordTrack) else self._judge(track, store, at)
        except Exception as broken:  # noqa: BLE001 - one broken rule must not keep the others from being evaluated
            report("rules.evaluate")
            error = f"internal error: {type(broken).__name__}"
        if error is not None and track.last_error is None:
            logger.warning("the rule %s cannot be evaluated: %s", track.rule.name, error)
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

    def __init__(self, group: RuleGroup, tracks: list[AnyTrack]) -> None:
        self.group, self.tracks = group, tracks
        self.last_evaluation: float | None = None
        self.evaluation_seconds: float | None = None
        self._next: float | None = None

    @property
    def key(self) -> tuple[str | None, str]:
        """What the group is known by."""
        return self.group.file, self.group.name

    def follow(self, earlier: "_ScheduledGroup | None") -> None:
        """Take the turns of the group in whose place this one is."""
        if earlier is not None:
            self.last_evaluation, self.evaluation_seconds = earlier.last_evaluation, earlier.evaluation_seconds
            if earlier.group.interval_seconds == self.group.interval_seconds:
                self._next = earlier._next

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
