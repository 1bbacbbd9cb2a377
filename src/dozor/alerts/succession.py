"""New rules in the place of old ones, while alerts go on.

A rule that was not changed keeps everything: its alerts, pending ones and their clocks too, cooldowns, what was closed by
hand. The alerts of one that was changed go on if they could be its own, and end otherwise, as do those of one that is gone.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from msgspec.structs import replace

from dozor.alerts.book import AlertBook, ending
from dozor.alerts.conditions import Conditions
from dozor.alerts.grouping import Speaker
from dozor.alerts.telling import owes_end
from dozor.alerts.tracking import RuleTrack, Tracked
from dozor.alerts.transitions import Event, Happening
from dozor.model.alert import Alert
from dozor.model.labels import Labels

RULE_REMOVED: Final = "its rule was removed"
RULE_CHANGED: Final = "its rule was changed"


class Succession:
    """Carries alerts from old rules to new ones."""

    def __init__(self, book: AlertBook, conditions: Conditions, speaker: Speaker) -> None:
        self._book, self._conditions, self._speaker = book, conditions, speaker

    def carry(self, old: Iterable[RuleTrack], new: Sequence[RuleTrack], at: float) -> None:
        """Have the *new* tracks go on with what they can of the *old* ones, which are in force no more."""
        moved = False
        for track in old:
            heirs = [heir for heir in new if heir.rule.name == track.rule.name]
            heirs.sort(key=lambda heir: heir.rule.severity is not track.rule.severity)
            for tracked in list(track.open.values()):
                heir = _heir(tracked.alert.labels, heirs)
                if heir is not None and tracked.alert.labels not in heir.open:
                    self._move(tracked, track, heir, at)
                    moved = True
                else:
                    self._book.apply(track, tracked, ending(at, RULE_CHANGED if heirs else RULE_REMOVED))
            self._bequeath(track, heirs, at)
        if moved:
            # Whether their series are there under the new expression is seen only in time.
            self._conditions.restart()

    def _move(self, tracked: Tracked, old: RuleTrack, heir: RuleTrack, at: float) -> None:
        before, now = old.rule.severity, heir.rule.severity
        tracked.restored, tracked.described = True, None
        tracked.alert = replace(tracked.alert, threshold=heir.rule.threshold)
        if before is not now and tracked.alert.fired_at is None:
            tracked.raised = now
            tracked.alert = replace(tracked.alert, severity=now)
        self._book.move(tracked, old, heir)
        if now > before:
            tracked.raised = max(tracked.raised, now)
            self._book.apply(heir, tracked, Happening(Event.WORSENED, at, severity=now, comment=RULE_CHANGED))

    def _bequeath(self, old: RuleTrack, heirs: Sequence[RuleTrack], at: float) -> None:
        """What is known of alerts that have ended."""
        for heir in heirs:
            heir.quiet_until.update(old.quiet_until)
            heir.held_down.update(old.held_down)
        farewell: list[Alert] = []
        for alert in old.ended.values():
            successor = _heir(alert.labels, heirs)
            if successor is not None:
                successor.ended[alert.id] = alert
            elif owes_end(alert):
                farewell.append(alert)
        self._speaker.farewell(farewell, at)


def _heir(labels: Labels, heirs: Iterable[RuleTrack]) -> RuleTrack | None:
    """The first whose own labels an alert with these *labels* has."""
    for heir in heirs:
        if all(labels.get(name) == text for name, text in heir.rule.fixed_labels.items()):
            return heir
    return None
