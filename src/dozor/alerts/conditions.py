"""From what a rule finds to what happens to each of its alerts."""

from collections.abc import Callable, Collection, Mapping
from typing import Final

from msgspec.structs import replace

from dozor.alerts.book import AlertBook, ending
from dozor.alerts.rule import Store
from dozor.alerts.tracking import RuleTrack, Tracked
from dozor.alerts.transitions import Event, Happening
from dozor.containment import contained
from dozor.model.alert import Alert, Severity
from dozor.model.labels import Labels
from dozor.model.rule import Evaluation

_GRACE_SECONDS: Final = 300.0
"""After a restart, how long a series may take to appear before its absence means that a condition ended."""
_FORGOTTEN_SECONDS: Final = 600.0
"""After a restart, how long a series may take to appear before an alert with a resolve condition is given up."""
_PENDING_TOLERANCE_SECONDS: Final = 3600.0
_LIVE_TEXTS: Final = 100
"""Of a rule with more alerts than these, annotations are not expanded anew at each change of a value."""


Evidence = Callable[[Alert], Mapping[str, object]]


class Conditions:
    """Applies evaluations to a book, and gathers *evidence* for each alert that fires."""

    def __init__(self, book: AlertBook, evidence: Evidence | None = None) -> None:
        self._book, self._evidence = book, evidence
        self._restored_at: float | None = None

    def restart(self) -> None:
        """Alerts were read back; the next evaluation is the first that they live through."""
        self._restored_at = None

    def begin(self, at: float) -> None:
        """An evaluation at *at* begins."""
        if self._restored_at is None:
            self._restored_at = at

    def apply(self, track: RuleTrack, evaluation: Evaluation, store: Store, at: float) -> None:
        """Carry out what *evaluation* says of the alerts of *track*."""
        if not (evaluation.breaches or track.open or track.held_down):
            return
        breached = 0
        for labels, breach in evaluation.breaches.items():
            tracked = track.open.get(labels)
            if tracked is not None:
                tracked.breach = breach
                if tracked.restored:
                    self._welcome_back(track, tracked, at)
            if labels not in track.open:
                tracked = self._book.begin(track, breach, at)
            if tracked is not None:
                breached += 1
                self._breach(track, tracked, at)
        if len(track.open) > breached:
            self._recover(track, evaluation, store, at)
        self._worsen(track, evaluation, at)
        self._release(track, evaluation)
        self._describe(track, store, at)

    def _breach(self, track: RuleTrack, tracked: Tracked, at: float) -> None:
        changed = self._book.apply(track, tracked, Happening(Event.BREACHED, at, track.rule.for_seconds))
        if changed and self._evidence is not None and tracked.alert.fired_at == at:
            with contained("alerts.evidence"):
                tracked.alert = replace(tracked.alert, evidence=self._evidence(tracked.alert))
                self._book.journal.keep(tracked.alert)

    def _welcome_back(self, track: RuleTrack, tracked: Tracked, at: float) -> None:
        """The first sight of an alert's series after a restart."""
        tracked.restored = False
        alert = tracked.alert
        overdue = at - (alert.active_at + track.rule.for_seconds)
        if alert.fired_at is None and overdue > _PENDING_TOLERANCE_SECONDS:
            # Dozor was away for so long that nobody can say that the condition held all the time.
            self._book.apply(track, tracked, Happening(Event.CLEAR, at))

    def _recover(self, track: RuleTrack, evaluation: Evaluation, store: Store, at: float) -> None:
        """The alerts whose condition does not hold."""
        rest = [tracked for labels, tracked in track.open.items() if labels not in evaluation.breaches]
        seen = self._seen(track, rest, evaluation, store, at)
        for tracked in rest:
            labels = tracked.alert.labels
            if tracked.restored and labels not in seen and not self._given_up(track, tracked, evaluation, at):
                continue
            if labels not in track.open:
                continue
            tracked.restored = tracked.restored and labels not in seen
            event = _recovery(labels, evaluation, seen)
            self._book.apply(track, tracked, Happening(event, at, track.rule.clear_seconds))

    def _seen(
        self, track: RuleTrack, rest: list[Tracked], evaluation: Evaluation, store: Store, at: float
    ) -> Collection[Labels]:
        clear = evaluation.clear
        unknown = [
            tracked.alert.labels
            for tracked in rest
            if (tracked.restored if clear is None else tracked.alert.labels not in clear)
        ]
        seen = track.rule.seen(unknown, store, at) if unknown else set[Labels]()
        if clear is None:
            return seen
        if any(tracked.restored for tracked in rest):
            seen -= _orphans(track, rest, store, at)
        return seen | clear

    def _given_up(self, track: RuleTrack, tracked: Tracked, evaluation: Evaluation, at: float) -> bool:
        """Whether a restored alert whose series has not come back is treated as any other, or ended, by now."""
        waited = at - (at if self._restored_at is None else self._restored_at)
        if evaluation.clear is not None and tracked.alert.fired_at is not None:
            # A new process counts from nothing, so a route that is not asked for again has no series and no traffic.
            if waited >= _FORGOTTEN_SECONDS:
                self._book.apply(track, tracked, ending(at, "no data since Dozor was started, or the rule was changed"))
            return True
        return waited >= _GRACE_SECONDS

    def _worsen(self, track: RuleTrack, evaluation: Evaluation, at: float) -> None:
        for labels in evaluation.worse:
            tracked = track.open.get(labels)
            if tracked is not None:
                self._book.apply(track, tracked, Happening(Event.WORSENED, at, severity=Severity.EMERGENCY))

    def _release(self, track: RuleTrack, evaluation: Evaluation) -> None:
        """Forget what was closed by hand once its condition has ended: its return is news."""
        for labels, held in list(track.held_down.items()):
            if labels in evaluation.breaches:
                continue
            held.since = None
            if evaluation.clear is None or labels in evaluation.clear:
                del track.held_down[labels]

    def _describe(self, track: RuleTrack, store: Store, at: float) -> None:
        """Expand annotations whose value has changed; those of a new alert, and of one that fires, are written."""
        live = len(track.open) <= _LIVE_TEXTS
        for tracked in track.open.values():
            breach, new = tracked.breach, not tracked.annotations
            if breach is not None and (live or new) and tracked.stale_text:
                tracked.annotations = track.rule.describe(breach, store, at)
                tracked.described = breach.value
                if new or tracked.alert.fired_at == at:
                    self._book.journal.keep(tracked.current())


def _orphans(track: RuleTrack, rest: list[Tracked], store: Store, at: float) -> set[Labels]:
    """The restored alerts whose labels the rule no longer gives: it once had other ones, or aggregated otherwise.

    Their resolve condition can never hold, so they would fire for ever.
    """
    measurement = track.rule.measure(store, at)
    if measurement.sign is None:
        return set()
    return {one.alert.labels for one in rest if one.restored and one.alert.labels not in measurement.values}


def _recovery(labels: Labels, evaluation: Evaluation, seen: Collection[Labels]) -> Event:
    if evaluation.clear is None or labels in evaluation.clear:
        return Event.CLEAR
    return Event.BETWEEN if labels in seen else Event.NO_DATA
