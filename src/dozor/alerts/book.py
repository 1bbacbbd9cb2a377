"""All alerts in memory, found by rule or by id; the one place where `step` is called and its result written down."""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

from msgspec.structs import replace

from dozor.alerts.flapping import FlapRecord
from dozor.alerts.journal import Journal
from dozor.alerts.rule import AlertRule
from dozor.alerts.telling import Telling, update_for
from dozor.alerts.tracking import HeldDown, RuleTrack, Tracked
from dozor.alerts.transitions import CLOSED_BY_HAND, Event, Happening, step
from dozor.model.alert import Alert
from dozor.model.labels import Labels
from dozor.model.notification import AuditEntry, Occasion
from dozor.model.rule import Breach

_RECENT: Final = 1000
_SHORTEST_HOLD_SECONDS: Final = 300.0


class AlertBook:
    """Alerts by rule and id. Every change goes into `journal`, which its reader replaces.

    Attributes:
        flaps: how often each identity fired.
        updates: what receivers are to be brought up to date with, by alert; its reader takes it out.
    """

    def __init__(self, telling: Telling, new_id: Callable[[], str]) -> None:
        self.tracks: list[RuleTrack] = []
        self.journal = Journal()
        self.flaps = FlapRecord(telling.flapping)
        self.updates: dict[str, Occasion] = {}
        self.total_fired = 0
        self._telling, self._new_id = telling, new_id
        self._by_name: dict[str, list[RuleTrack]] = {}
        self._open: dict[str, tuple[RuleTrack, Tracked]] = {}
        self._recent: OrderedDict[str, Alert] = OrderedDict()

    def keep_to(self, tracks: Iterable[RuleTrack]) -> None:
        """Keep the alerts of these from now on, in this order; whoever takes one away sees to its alerts."""
        self.tracks = list(tracks)
        self._by_name = {}
        for track in self.tracks:
            self._by_name.setdefault(track.rule.name, []).append(track)

    def named(self, name: str) -> list[RuleTrack]:
        """The tracks of the rules of this name."""
        return self._by_name.get(name, [])

    def open(self) -> Iterator[tuple[RuleTrack, Tracked]]:
        """All alerts that have not ended; they may end while this is read."""
        return iter(list(self._open.values()))

    @property
    def open_count(self) -> int:
        """How many alerts have not ended."""
        return len(self._open)

    def find(self, alert_id: str) -> tuple[RuleTrack, Tracked] | None:
        """The alert of this id, if it has not ended."""
        return self._open.get(alert_id)

    def ended(self, alert_id: str) -> Alert | None:
        """The alert of this id, if it is one of the last that ended."""
        return self._recent.get(alert_id)

    def begin(self, track: RuleTrack, breach: Breach, at: float) -> Tracked | None:
        """A new alert for *breach*; None while one that was closed by hand keeps it down."""
        labels, severity, component, _ = breach.identity
        active_at = at
        held = track.held_down.get(labels)
        if held is not None:
            held.since = at if held.since is None else held.since
            if at < held.until:
                return None
            active_at = held.since
            del track.held_down[labels]
        quiet_until = track.quiet_until.get(labels)
        alert = Alert(
            id=self._new_id(),
            rule=track.rule.name,
            labels=labels,
            severity=severity,
            component=component,
            annotations={},
            value=breach.value,
            active_at=active_at,
            quiet_until=quiet_until if quiet_until is not None and quiet_until > at else None,
            threshold=track.rule.threshold,
        )
        tracked = Tracked(alert, severity, breach=breach)
        self._enter(track, tracked)
        self.journal.note(AuditEntry(alert.id, at, "pending"))
        self.journal.keep(alert)
        return tracked

    def take_over(self, alert: Alert) -> bool:
        """Track *alert*, read back after a restart; False where no rule is its own any more."""
        track = self._track_of(alert)
        if track is None:
            return False
        self._remember_flaps(track, alert)
        if alert.resolved_at is not None:
            self._remember_end(track, alert)
            if alert.told_severity is not None and not alert.told_resolved:
                track.ended[alert.id] = alert
            return True
        if alert.id not in self._open:
            restored = Tracked(alert, min(track.rule.severity, alert.severity))
            self._enter(track, self._united(track, restored))
        return True

    def _united(self, track: RuleTrack, restored: Tracked) -> Tracked:
        """*restored* with what was told of, and done about, a younger alert of its identity, which ends silently.

        Where only the younger one has fired, it is the one that goes on.
        """
        younger = track.open.get(restored.alert.labels)
        if younger is None:
            return restored
        if restored.alert.fired_at is None and younger.alert.fired_at is not None:
            self.journal.drop(restored.alert)
            return younger
        other = younger.alert
        self._leave(track, other)
        if other.fired_at is None:
            self.journal.drop(other)
        else:
            reason = f"it goes on as alert {restored.alert.id}"
            self.journal.keep(replace(other, resolved_at=other.fired_at, resolve_reason=reason, told_resolved=True))
            self.journal.note(AuditEntry(other.id, other.fired_at, "resolved", comment=reason))
        restored.alert = self._with_deeds(_with_words(restored.alert, other), other)
        self.journal.keep(restored.alert)
        return restored

    def _with_deeds(self, alert: Alert, other: Alert) -> Alert:
        """*alert* with what people did about *other*, in its trail too."""
        for event, deed in (("acknowledged", other.acknowledged), ("silenced", other.silenced)):
            if deed is not None:
                self.journal.note(AuditEntry(alert.id, deed.at, event, deed.by, deed.comment))
        return replace(
            alert, acknowledged=other.acknowledged or alert.acknowledged, silenced=other.silenced or alert.silenced
        )

    def move(self, tracked: Tracked, old: RuleTrack, heir: RuleTrack) -> None:
        """*tracked* is an alert of *heir* from now on."""
        labels = tracked.alert.labels
        del old.open[labels]
        self._enter(heir, tracked)
        self.flaps.move(labels, old, heir)
        self.journal.keep(tracked.current())

    def end_orphan(self, alert: Alert, happening: Happening) -> Alert | None:
        """End *alert*, which was read back and belongs to no rule; the alert if people once heard of it."""
        result = step(alert, happening)
        if result.audit is not None:
            self.journal.note(result.audit)
        if result.alert is None:
            self.journal.drop(alert)
            return None
        self._recent[alert.id] = result.alert
        self.journal.keep(result.alert)
        return result.alert if result.alert.told_severity is not None else None

    def apply(self, track: RuleTrack, tracked: Tracked, happening: Happening) -> bool:
        """Carry out *happening*; whether it changed anything.

        Raises:
            ActionForbidden: the alert's state does not allow a person's action.
        """
        before = tracked.alert
        result = step(before, happening)
        if result.alert is before:
            return False
        if result.audit is not None:
            self.journal.note(result.audit)
        if result.alert is None:
            self._leave(track, before)
            self.journal.drop(before)
            return True
        tracked.alert = result.alert
        self.journal.keep(tracked.current())
        if before.fired_at is None and result.alert.fired_at is not None:
            self._count_fired(track, tracked, happening.at)
        update = update_for(before, tracked.alert)
        if update is not None:
            self.updates[before.id] = update
        if tracked.alert.resolved_at is not None:
            self._leave(track, before)
            self._remember_end(track, tracked.alert)
            if tracked.alert.told_severity is not None:
                track.ended[before.id] = tracked.alert
        return True

    def rewrite(self, track: RuleTrack, alert: Alert) -> None:
        """Put *alert*, changed without changing state (it was told of), in its place."""
        found = self._open.get(alert.id)
        self.updates.pop(alert.id, None)
        self._remember_heard(track, alert)
        if found is not None:
            found[1].alert = alert
        else:
            track.ended.pop(alert.id, None)
            self._recent[alert.id] = alert
        self.journal.keep(alert)

    def _count_fired(self, track: RuleTrack, tracked: Tracked, at: float) -> None:
        labels = tracked.alert.labels
        self.total_fired += 1
        self.flaps.fired(track, labels, at)
        count = self.flaps.flaps(track, labels, at)
        if count:
            quiet_until = self.flaps.quiet_until(track, labels)
            self.apply(track, tracked, Happening(Event.FLAPPING, at, count=count, until=quiet_until))

    def _remember_flaps(self, track: RuleTrack, alert: Alert) -> None:
        """What *alert*, read back, says of how often its identity fired, and when people heard of that."""
        if alert.fired_at is not None:
            self.flaps.fired(track, alert.labels, alert.fired_at)
            self._remember_heard(track, alert)

    def _remember_heard(self, track: RuleTrack, alert: Alert) -> None:
        # The end of one is no word that it flaps: should it fire once more, that is told at once.
        if alert.flaps and alert.told_at is not None and not alert.told_resolved:
            self.flaps.heard(track, alert.labels, alert.told_at)

    def _enter(self, track: RuleTrack, tracked: Tracked) -> None:
        track.open[tracked.alert.labels] = tracked
        self._open[tracked.alert.id] = (track, tracked)

    def _leave(self, track: RuleTrack, alert: Alert) -> None:
        track.open.pop(alert.labels, None)
        self._open.pop(alert.id, None)

    def _remember_end(self, track: RuleTrack, alert: Alert) -> None:
        assert alert.resolved_at is not None
        self._recent[alert.id] = alert
        while len(self._recent) > _RECENT:
            self._recent.popitem(last=False)
        cooldown = self._cooldown_seconds(track.rule, alert)
        if alert.told_severity is not None:
            # An end of which nobody heard starts no cooldown: else one that recurs in time would never be told again.
            track.quiet_until[alert.labels] = alert.resolved_at + cooldown
        if alert.resolve_reason == CLOSED_BY_HAND:
            track.held_down[alert.labels] = HeldDown(alert.resolved_at + max(cooldown, _SHORTEST_HOLD_SECONDS))

    def _cooldown_seconds(self, rule: AlertRule, alert: Alert) -> float:
        own = rule.cooldown_seconds
        return self._telling.cooldown_seconds.get(alert.severity, 0.0) if own is None else own

    def _track_of(self, alert: Alert) -> RuleTrack | None:
        """Where several rules share a name, the one whose labels and severity fit."""
        fitting = [
            track for track in self.named(alert.rule) if _has(alert.labels, track.rule.fixed_labels)
        ] or self.named(alert.rule)
        same = [track for track in fitting if track.rule.severity is alert.severity]
        return next(iter([*same, *fitting]), None)


def _with_words(alert: Alert, other: Alert) -> Alert:
    """*alert* with what people were told of *other*."""
    if other.told_severity is None:
        return alert
    severities = tuple(dict.fromkeys([*alert.told_severities, *other.told_severities]))
    return replace(alert, told_severity=other.told_severity, told_at=other.told_at, told_severities=severities)


def _has(labels: Labels, wanted: Mapping[str, str]) -> bool:
    return all(labels.get(name) == text for name, text in wanted.items())


def ending(at: float, reason: str) -> Happening:
    """What ends an alert from outside."""
    return Happening(Event.TARGET_REMOVED, at, comment=reason)
