"""A storm is one message: alerts are told by the group, a rule's name, the first message at once, the rest at intervals."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from dozor.alerts.book import AlertBook
from dozor.alerts.telling import Telling, due, owes_end, told
from dozor.alerts.tracking import RuleTrack
from dozor.model.alert import Alert
from dozor.model.notification import Notification, Occasion

_WEIGHT: Final[Mapping[Occasion, int]] = {
    Occasion.ESCALATED: 3,
    Occasion.FIRING: 2,
    Occasion.REMINDER: 1,
    Occasion.RESOLVED: 0,
    Occasion.SILENCED: -1,
    Occasion.ACKNOWLEDGED: -1,
}


class Speaker:
    """Tells people what is due, group by group."""

    def __init__(self, book: AlertBook, telling: Telling, new_id: Callable[[], str]) -> None:
        self._book, self._telling, self._new_id = book, telling, new_id
        self._told_at: dict[str, float] = {}

    def told(self, group: str, at: float) -> None:
        """A message about *group* went at *at*."""
        self._told_at[group] = max(at, self._told_at.get(group, at))

    def speak(self, at: float) -> None:
        """Put the messages that may go at *at* into the book's journal, and mark their alerts as told."""
        busy = dict.fromkeys(track.rule.name for track in self._book.tracks if track.open or track.ended)
        for group in busy:
            if self._ready(group, at):
                self._speak_of(group, self._book.named(group), at)
        self._bring_up_to_date(at)

    def farewell(self, alerts: Iterable[Alert], at: float) -> None:
        """Tell of the end of *alerts* that belong to no rule any more."""
        groups: dict[str, list[tuple[Occasion, Alert]]] = {}
        for alert in alerts:
            marked = told(alert, at)
            self._book.journal.keep(marked)
            groups.setdefault(alert.rule, []).append((Occasion.RESOLVED, marked))
        for group, ended in groups.items():
            self._book.journal.tell(compose(group, ended, at, self._telling, self._new_id))

    def _bring_up_to_date(self, at: float) -> None:
        """Say at once what people did about alerts that were told; such messages call nobody, and count as none."""
        updates, self._book.updates = self._book.updates, {}
        groups: dict[tuple[str, Occasion], list[tuple[Occasion, Alert]]] = {}
        for alert_id, occasion in updates.items():
            found = self._book.find(alert_id)
            if found is not None:
                alert = found[1].current()
                groups.setdefault((alert.rule, occasion), []).append((occasion, alert))
        for (group, _), alerts in groups.items():
            self._book.journal.tell(compose(group, alerts, at, self._telling, self._new_id))

    def _ready(self, group: str, at: float) -> bool:
        told_at = self._told_at.get(group)
        return told_at is None or at - told_at >= self._telling.group_interval_seconds

    def _speak_of(self, group: str, tracks: Sequence[RuleTrack], at: float) -> None:
        reasons = self._due(tracks, at, self._telling.reminder_interval_seconds)
        if any(occasion is Occasion.REMINDER for occasion, _, _ in reasons):
            # Alerts that were told of at different times are brought together, so that one group reminds once.
            reasons = self._due(tracks, at, self._telling.reminder_interval_seconds / 2)
        if not reasons:
            return
        now_told: list[tuple[Occasion, Alert]] = []
        for occasion, track, alert in reasons:
            marked = told(alert, at)
            self._book.rewrite(track, marked)
            now_told.append((occasion, marked))
        self._book.journal.tell(compose(group, now_told, at, self._telling, self._new_id))
        self.told(group, at)

    def _due(
        self, tracks: Sequence[RuleTrack], at: float, reminder_seconds: float
    ) -> list[tuple[Occasion, RuleTrack, Alert]]:
        reasons: list[tuple[Occasion, RuleTrack, Alert]] = []
        for track in tracks:
            for tracked in track.open.values():
                occasion = due(tracked.alert, tracked.raised, at, reminder_seconds=reminder_seconds)
                if occasion is not None:
                    reasons.append((occasion, track, tracked.current()))
            if track.ended:
                # Whoever hears that an alert is back has to have heard, or hears with it, that the last one ended.
                back = {alert.labels for _, of, alert in reasons if of is track}
                ends = [alert for alert in track.ended.values() if alert.labels in back or self._end_due(alert, at)]
                reasons += [(Occasion.RESOLVED, track, alert) for alert in ends if owes_end(alert)]
        return reasons

    def _end_due(self, alert: Alert, at: float) -> bool:
        quiet = self._telling.flapping.quiet_seconds
        return due(alert, alert.severity, at, reminder_seconds=0.0, quiet_seconds=quiet) is not None


def compose(
    group: str,
    due: Sequence[tuple[Occasion, Alert]],
    at: float,
    telling: Telling,
    new_id: Callable[[], str],
) -> Notification:
    """One message about the alerts that are *due*, which must not be empty: all of them.

    Who gets which of them, and how many, is decided for each receiver.
    """
    return Notification(
        id=new_id(),
        group=group,
        occasion=max((occasion for occasion, _ in due), key=_WEIGHT.__getitem__),
        alerts=tuple(sorted((alert for _, alert in due), key=worst_first)),
        created_at=at,
        service=telling.service,
        environment=telling.environment,
        external_url=telling.external_url,
    )


_RANK: Final = {"EMERGENCY": 0, "CRITICAL": 1, "WARNING": 2, "INFO": 3}


def worst_first(alert: Alert) -> tuple[bool, int, float, str]:
    """A key that puts firing before resolved, the severest first, and of those the oldest."""
    return (alert.resolved_at is not None, _RANK[alert.severity.value], alert.fired_at or alert.active_at, alert.id)
