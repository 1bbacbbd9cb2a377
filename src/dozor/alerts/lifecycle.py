"""The life of all alerts: evaluate, act, tell. In memory, without I/O; what it returns is committed by its caller."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from secrets import token_hex
from typing import Final

from dozor.alerts.book import AlertBook, ending
from dozor.alerts.conditions import Conditions, Evidence
from dozor.alerts.explain import explain
from dozor.alerts.families import AlertFamilies
from dozor.alerts.flapping import FlappingPolicy
from dozor.alerts.grouping import Speaker, worst_first
from dozor.alerts.inhibition import Inhibition, InhibitRule
from dozor.alerts.journal import Journal
from dozor.alerts.rule import Rules, Store
from dozor.alerts.schedule import Schedule
from dozor.alerts.silencing import Silencing, Wanted, parse_matchers
from dozor.alerts.succession import RULE_REMOVED, Succession
from dozor.alerts.telling import DEFAULT_COOLDOWNS, Telling, owes_end
from dozor.alerts.transitions import Event, Happening
from dozor.errors import ActionForbidden, AlertNotFound, ConfigurationError, RuleNotFound, SilenceNotFound
from dozor.model.alert import Alert, AlertState, Severity
from dozor.model.labels import Labels
from dozor.model.notification import NOTE, AuditEntry, Changes
from dozor.model.rule import GroupState, RuleChanges, RuleExplanation, RuleState
from dozor.model.sample import Family
from dozor.model.silence import Silence
from dozor.store.matchers import match_all

OWN_SILENCE_PREFIX: Final = "alert-"
"""In the inventory of silences an alert's own goes by this and the alert's id."""


def _new_id() -> str:
    return token_hex(8)


class Lifecycle:
    """Alerts from their first breach to their end.

    Not thread-safe: used on Dozor's loop only, but for `families`. Every method that changes something returns `Changes`,
    which the caller commits; nothing is lost if that fails, since `Changes` are replacements, not differences.

    Args:
        rules: those in force.
        cooldowns: in seconds, by severity; for rules that say nothing of their own.
        group_interval_seconds: between two messages about one group; the first goes at once.
        reminder_interval_seconds: until a firing alert that nobody owns is told again; 0: never.
        flapping: when an alert flaps, and how seldom people then hear of it.
        inhibit: which alerts keep which quiet, beside what the rules say themselves.
        service, environment, external_url: see `Notification`.
        evidence: what is known about an alert at the moment it fires (holders of connections, slow queries).
        new_id: makes ids of alerts, silences and notifications.
        timer: measures how long an evaluation takes, in seconds.
        turns: called after each rule, so that other threads have their turn.
    """

    def __init__(
        self,
        rules: Rules,
        *,
        cooldowns: Mapping[Severity, float] | None = None,
        group_interval_seconds: float = 60.0,
        reminder_interval_seconds: float = 4 * 3600.0,
        flapping: FlappingPolicy | None = None,
        inhibit: Sequence[InhibitRule] = (),
        service: str = "",
        environment: str | None = None,
        external_url: str | None = None,
        evidence: Evidence | None = None,
        new_id: Callable[[], str] = _new_id,
        timer: Callable[[], float] = time.perf_counter,
        turns: Callable[[], None] = lambda: None,
    ) -> None:
        telling = Telling(
            group_interval_seconds=group_interval_seconds,
            reminder_interval_seconds=reminder_interval_seconds,
            cooldown_seconds=DEFAULT_COOLDOWNS if cooldowns is None else cooldowns,
            flapping=FlappingPolicy() if flapping is None else flapping,
            service=service,
            environment=environment,
            external_url=external_url,
        )
        self._book = AlertBook(telling, new_id)
        self._conditions = Conditions(self._book, evidence)
        self._schedule = Schedule(rules.groups, self._book, self._conditions, timer, turns)
        self._inhibition = Inhibition(self._book, inhibit)
        self._silencing = Silencing(self._book, new_id)
        self._speaker = Speaker(self._book, telling, new_id)
        self._succession = Succession(self._book, self._conditions, self._speaker)
        self._orphans: list[Alert] = []
        self._metrics = AlertFamilies()
        self._families = self._metrics.build((), 0)

    @property
    def total_fired(self) -> int:
        """Alerts that ever fired."""
        return self._book.total_fired

    def families(self) -> tuple[Family, ...]:
        """`active_alerts_count`, `total_alerts_count`, `dozor_alerts`, as of the last change. Safe in any thread."""
        return self._families

    def active(self, *, pending: bool = False) -> list[Alert]:
        """The alerts that have not ended, worst first; those whose state is PENDING only where *pending* asks for them."""
        alerts = [tracked.current() for _, tracked in self._book.open()]
        return sorted((alert for alert in alerts if pending or alert.state is not AlertState.PENDING), key=worst_first)

    def get(self, alert_id: str) -> Alert | None:
        """The alert of this id, if it has not ended or is one of the last thousand that have."""
        found = self._book.find(alert_id)
        return found[1].current() if found else self._book.ended(alert_id)

    def rule_states(self) -> list[RuleState]:
        """How each rule that raises alerts stands, in the order of evaluation."""
        return [track.state() for track in self._book.tracks]

    @property
    def alerts_without_series(self) -> int:
        """How many alerts have no series `ALERTS`, because there are too many."""
        return max(0, self._book.open_count - self._schedule.series.count)

    def explain(self, rule: str, series_at: Callable[[float], Store], at: float) -> list[RuleExplanation]:
        """Why the rules of this name fire or do not, as of their last evaluation, whose series *series_at* gives.

        Raises:
            RuleNotFound: there is none that raises alerts.
        """
        tracks = self._book.named(rule)
        if not tracks:
            raise RuleNotFound(rule, (track.rule.name for track in self._book.tracks))
        return [explain(track, series_at, at) for track in tracks]

    def complaints(self) -> list[str]:
        """What is wrong with the rules in force, each one sentence."""
        failing = self._schedule.failing()
        if not failing:
            return []
        first = failing[0]
        said = f"The rule {first.rule.name} cannot be evaluated, so its alerts stay as they are: {first.last_error}."
        more = len(failing) - 1
        others = f"{more} more cannot; alerts/rules has all of them."
        return [f"{said} {others}" if more else said]

    def rule_groups(self) -> list[GroupState]:
        """All groups with all their rules, recording ones too, in the order of evaluation."""
        return self._schedule.states()

    def restore(self, alerts: Iterable[Alert], total_fired: int = 0, silences: Iterable[Silence] = ()) -> Changes:
        """Continue with *alerts* as they were kept: open ones, and those that ended lately; and with *silences*.

        Of the latter alerts come cooldowns, ends of which people were not told, what was closed by hand, and what flaps.
        What began here in the meantime, while the database could not be read, goes on as the alert that was kept.
        *total_fired* is how many alerts fired before this process.

        Returns what that changed, of which the next `Changes` are to tell as well: what began meanwhile and ends for that
        must not be kept as open beside what goes on.
        """
        self._book.total_fired += total_fired
        self._conditions.restart()
        for alert in sorted(alerts, key=lambda alert: (alert.active_at, alert.id)):
            if alert.told_at is not None:
                self._speaker.told(alert.rule, alert.told_at)
            if not self._book.take_over(alert) and (alert.resolved_at is None or owes_end(alert)):
                self._orphans.append(alert)
        self._silencing.restore(silences)
        self._publish()
        return self._book.journal.changes()

    def replace_rules(self, rules: Rules, store: Store, at: float) -> tuple[RuleChanges, Changes]:
        """Have *rules* in force from now on; what was not changed among them goes on as if nothing had happened.

        Alerts of a rule that was changed go on if their labels could be its own; those of one that is gone end.
        """
        exchange = self._schedule.replace(rules.groups)
        for track in exchange.old:
            self._schedule.close(track, store, at)
        self._succession.carry(exchange.old_alerting, exchange.new_alerting, at)
        return exchange.changes, self._finish(at)

    def evaluate(self, store: Store, at: float) -> Changes:
        """Evaluate all rules that are due over *store* at *at*, in Unix seconds, and all that follows from it."""
        self._schedule.run(store, at)
        self._end_orphans(at)
        self._pass_time(at)
        self._silencing.apply(at)
        self._inhibition.apply(at)
        return self._finish(at)

    def acknowledge(
        self, alert_id: str, at: float, by: str | None = None, comment: str | None = None
    ) -> tuple[Alert, Changes]:
        """*by* owns the alert.

        Raises:
            AlertNotFound: nothing of this id is known here.
            ActionForbidden: it is pending or resolved.
        """
        return self._act(alert_id, Happening(Event.ACKNOWLEDGE, at, by=by, comment=comment))

    def release(
        self, alert_id: str, at: float, by: str | None = None, comment: str | None = None
    ) -> tuple[Alert, Changes]:
        """Nobody owns the alert any more; people are told of it again.

        Raises:
            AlertNotFound: nothing of this id is known here.
            ActionForbidden: nobody owns it, or it is pending or resolved.
        """
        return self._act(alert_id, Happening(Event.RELEASE, at, by=by, comment=comment))

    def silence(
        self, alert_id: str, at: float, until: float | None = None, by: str | None = None, comment: str | None = None
    ) -> tuple[Alert, Changes]:
        """Nobody is told of the alert until *until* (Unix seconds), or, where that is None, until it resolves.

        Raises:
            AlertNotFound: nothing of this id is known here.
            ActionForbidden: it is resolved.
            ConfigurationError: *until* is not in the future.
        """
        if until is not None and not until > at:
            raise ConfigurationError("the silence would end before it begins", key="until")
        return self._act(alert_id, Happening(Event.SILENCE, at, until=until, by=by, comment=comment))

    def lift(
        self, alert_id: str, at: float, by: str | None = None, comment: str | None = None
    ) -> tuple[Alert, Changes]:
        """Take the alert's own silence off; people are told again if it fires and nobody owns it.

        Raises:
            AlertNotFound: nothing of this id is known here.
            SilenceNotFound: it has no silence of its own.
            ActionForbidden: it is resolved.
        """
        found = self._book.find(alert_id)
        if found is not None and found[1].alert.silenced is None:
            raise SilenceNotFound(OWN_SILENCE_PREFIX + alert_id)
        return self._act(alert_id, Happening(Event.UNSILENCE, at, by=by, comment=comment))

    def resolve(
        self, alert_id: str, at: float, by: str | None = None, comment: str | None = None
    ) -> tuple[Alert, Changes]:
        """Close the alert by hand. It comes back, as a new one, if its condition holds when its cooldown is over.

        Raises:
            AlertNotFound: nothing of this id is known here.
            ActionForbidden: it is pending or resolved.
        """
        return self._act(alert_id, Happening(Event.RESOLVE, at, by=by, comment=comment))

    def note(self, alert_id: str, at: float, *, by: str | None = None, text: str) -> tuple[AuditEntry, Changes]:
        """Write *text* down beside the alert, which may be one of the last thousand that ended.

        Raises:
            AlertNotFound: nothing of this id is known here.
            ConfigurationError: *text* is empty.
        """
        if self.get(alert_id) is None:
            raise AlertNotFound(alert_id)
        if not text.strip():
            raise ConfigurationError("a note needs some text", key="text")
        entry = AuditEntry(alert_id, at, NOTE, by, text)
        self._book.journal.note(entry)
        return entry, self._finish(at)

    def silences(self) -> list[Silence]:
        """The silences by matchers that are scheduled or active, or ended in the last day; the newest first."""
        return self._silencing.all()

    def get_silence(self, silence_id: str) -> Silence:
        """The silence of this id. Raises `SilenceNotFound`."""
        return self._silencing.get(silence_id)

    def silenced_alerts(self, silence_id: str) -> list[Alert]:
        """The alerts that this silence silences now, worst first."""
        return [alert for alert in self.active(pending=True) if silence_id in alert.silenced_by]

    def matching(self, matchers: Sequence[str], *, pending: bool = True) -> list[Alert]:
        """The open alerts that a silence by *matchers* would silence now, worst first. Raises `ConfigurationError`."""
        parsed = parse_matchers(matchers)
        return [alert for alert in self.active(pending=pending) if match_all(parsed, alert.matching_labels)]

    def create_silence(
        self,
        at: float,
        *,
        matchers: Sequence[str],
        starts_at: float | None = None,
        ends_at: float | None = None,
        by: str | None = None,
        comment: str | None = None,
    ) -> tuple[Silence, Changes]:
        """Tell nobody of the alerts that pass all *matchers* (`severity="warning"`), from *starts_at* to *ends_at*.

        Times are Unix seconds. Without a start it begins now, as it does with one that is past; without an end it lasts
        until what it has silenced has ended.

        Raises:
            ConfigurationError: (key `matchers`, `starts_at` or `ends_at`) such a silence cannot be.
        """
        made = self._silencing.create(at, Wanted(matchers, starts_at, ends_at, by, comment))
        return self._silenced(made.id, at, by)

    def update_silence(
        self,
        silence_id: str,
        at: float,
        *,
        matchers: Sequence[str],
        starts_at: float | None = None,
        ends_at: float | None = None,
        by: str | None = None,
        comment: str | None = None,
    ) -> tuple[Silence, Changes]:
        """Make a silence what is said here. Without *starts_at* it begins, or began, when it was to; see `create_silence`.

        Raises:
            SilenceNotFound: nothing of this id is known here.
            ActionForbidden: it has ended.
            ConfigurationError: such a silence cannot be.
        """
        self._silencing.update(silence_id, at, Wanted(matchers, starts_at, ends_at, by, comment))
        return self._silenced(silence_id, at, by)

    def end_silence(
        self, silence_id: str, at: float, *, by: str | None = None, comment: str | None = None
    ) -> tuple[Silence, Changes]:
        """End a silence now; people are told again of what it silenced, fires, and has no owner.

        Raises:
            SilenceNotFound: nothing of this id is known here.
            ActionForbidden: it has ended.
        """
        self._silencing.end(silence_id, at, by, comment)
        return self._silenced(silence_id, at, by)

    def _silenced(self, silence_id: str, at: float, by: str | None) -> tuple[Silence, Changes]:
        self._silencing.apply(at, silence_id, by)
        return self._silencing.get(silence_id), self._finish(at)

    def remove_target(self, labels: Labels, reason: str, at: float) -> Changes:
        """End the alerts that have all these *labels*: what they are about is no longer watched, for this *reason*."""
        if labels:
            for track, tracked in self._book.open():
                mine = tracked.alert.labels
                if all(mine.get(name) == text for name, text in labels.pairs):
                    self._book.apply(track, tracked, ending(at, reason))
        return self._finish(at)

    def _act(self, alert_id: str, happening: Happening) -> tuple[Alert, Changes]:
        found = self._book.find(alert_id)
        if found is None:
            ended = self._book.ended(alert_id)
            if ended is None:
                raise AlertNotFound(alert_id)
            raise ActionForbidden(happening.event.value, alert_id, ended.state.value)
        self._book.apply(*found, happening)
        changes = self._finish(happening.at)
        return self.get(alert_id) or found[1].alert, changes

    def _end_orphans(self, at: float) -> None:
        """Alerts that were read back, but whose rule is no more."""
        ended = [self._book.end_orphan(alert, ending(at, RULE_REMOVED)) for alert in self._orphans]
        self._orphans.clear()
        self._speaker.farewell((alert for alert in ended if alert is not None), at)

    def _pass_time(self, at: float) -> None:
        """What happens because time has passed."""
        self._book.flaps.prune(at)
        for track, tracked in self._book.open():
            if tracked.alert.silenced is not None:
                self._book.apply(track, tracked, Happening(Event.SILENCE_OVER, at))
            flaps = tracked.alert.flaps
            if flaps and not self._book.flaps.flaps(track, tracked.alert.labels, at):
                self._book.apply(track, tracked, Happening(Event.FLAPPING, at))
            escalation = track.rule.escalation
            if escalation is not None:
                late = Happening(Event.UNACKNOWLEDGED, at, escalation.after_seconds, severity=escalation.severity)
                self._book.apply(track, tracked, late)

    def _finish(self, at: float) -> Changes:
        self._speaker.speak(at)
        self._publish()
        journal, self._book.journal = self._book.journal, Journal()
        return journal.changes()

    def _publish(self) -> None:
        self._families = self._metrics.build((tracked.alert for _, tracked in self._book.open()), self.total_fired)
