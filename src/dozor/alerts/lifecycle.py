"""The life of all alerts: evaluate, act, tell. In memory, without I/O; what it returns is committed by its caller."""

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from secrets import token_hex
from typing import Final

from dozor.alerts.book import AlertBook, ending
from dozor.alerts.conditions import Conditions, Evidence
from dozor.alerts.families import AlertFamilies
from dozor.alerts.grouping import Speaker, worst_first
from dozor.alerts.inhibition import Inhibitions
from dozor.alerts.journal import Journal
from dozor.alerts.rule import RecordRule, RuleGroup, Rules, Store
from dozor.alerts.telling import DEFAULT_COOLDOWNS, Telling
from dozor.alerts.tracking import RuleTrack
from dozor.alerts.transitions import Event, Happening
from dozor.containment import report
from dozor.errors import ActionForbidden, AlertNotFound, ConfigurationError, PromQLError
from dozor.model.alert import Alert, AlertState, Severity
from dozor.model.labels import Labels
from dozor.model.notification import Changes
from dozor.model.rule import Evaluation, RuleState
from dozor.model.sample import Family

logger = logging.getLogger("dozor")

RULE_REMOVED: Final = "its rule was removed"


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
        service, environment, external_url: see `Notification`.
        evidence: what is known about an alert at the moment it fires (holders of connections, slow queries).
        new_id: makes ids of alerts and notifications.
        timer: measures how long an evaluation takes, in seconds.
    """

    def __init__(
        self,
        rules: Rules,
        *,
        cooldowns: Mapping[Severity, float] | None = None,
        group_interval_seconds: float = 60.0,
        reminder_interval_seconds: float = 4 * 3600.0,
        service: str = "",
        environment: str | None = None,
        external_url: str | None = None,
        evidence: Evidence | None = None,
        new_id: Callable[[], str] = _new_id,
        timer: Callable[[], float] = time.perf_counter,
    ) -> None:
        telling = Telling(
            group_interval_seconds=group_interval_seconds,
            reminder_interval_seconds=reminder_interval_seconds,
            cooldown_seconds=DEFAULT_COOLDOWNS if cooldowns is None else cooldowns,
            service=service,
            environment=environment,
            external_url=external_url,
        )
        self._book = AlertBook(telling, new_id)
        self._groups = [_ScheduledGroup(group, self._book) for group in rules.groups]
        self._conditions = Conditions(self._book, evidence)
        self._speaker = Speaker(self._book, telling, new_id)
        self._orphans: list[Alert] = []
        self._timer = timer
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
        """How each rule stands, in the order of evaluation."""
        return [track.state() for track in self._book.tracks]

    def restore(self, alerts: Iterable[Alert], total_fired: int = 0) -> None:
        """Continue with *alerts* as they were kept: open ones, and those that ended lately.

        Of the latter come cooldowns, ends of which people were not told, and what was closed by hand. What began here
        in the meantime, while the database could not be read, goes on as the alert that was kept. *total_fired* is how
        many alerts fired before this process.
        """
        self._book.total_fired += total_fired
        self._conditions.restart()
        for alert in sorted(alerts, key=lambda alert: (alert.active_at, alert.id)):
            if alert.told_at is not None:
                self._speaker.told(alert.rule, alert.told_at)
            if not self._book.take_over(alert) and alert.resolved_at is None:
                self._orphans.append(alert)
        self._publish()

    def evaluate(self, store: Store, at: float) -> Changes:
        """Evaluate all rules that are due over *store* at *at*, in Unix seconds, and all that follows from it."""
        self._conditions.begin(at)
        for group in self._groups:
            if group.starts(at):
                for rule in group.rules:
                    if isinstance(rule, RuleTrack):
                        self._evaluate(rule, store, at)
                    else:
                        _record(rule, store, at)
        self._end_orphans(at)
        self._pass_time(at)
        self._inhibit(at)
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

    def resolve(
        self, alert_id: str, at: float, by: str | None = None, comment: str | None = None
    ) -> tuple[Alert, Changes]:
        """Close the alert by hand. It comes back, as a new one, if its condition holds when its cooldown is over.

        Raises:
            AlertNotFound: nothing of this id is known here.
            ActionForbidden: it is pending or resolved.
        """
        return self._act(alert_id, Happening(Event.RESOLVE, at, by=by, comment=comment))

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

    def _end_orphans(self, at: float) -> None:
        """Alerts that were read back, but whose rule is no more."""
        ended = [self._book.end_orphan(alert, ending(at, RULE_REMOVED)) for alert in self._orphans]
        self._orphans.clear()
        self._speaker.farewell((alert for alert in ended if alert is not None), at)

    def _pass_time(self, at: float) -> None:
        """What happens because time has passed."""
        for track, tracked in self._book.open():
            if tracked.alert.silenced is not None:
                self._book.apply(track, tracked, Happening(Event.SILENCE_OVER, at))
            escalation = track.rule.escalation
            if escalation is not None:
                late = Happening(Event.UNACKNOWLEDGED, at, escalation.after_seconds, severity=escalation.severity)
                self._book.apply(track, tracked, late)

    def _inhibit(self, at: float) -> None:
        active: dict[str, list[Labels]] = {}
        for track in self._book.tracks:
            if track.open:
                active.setdefault(track.rule.name, []).extend(track.open)
        inhibitions = Inhibitions(active)
        for track, tracked in self._book.open():
            alert, inhibitors = tracked.alert, track.rule.inhibited_by
            if inhibitors or alert.inhibited_by:
                names = inhibitions.by(alert.labels, inhibitors)
                if names != alert.inhibited_by:
                    self._book.apply(track, tracked, Happening(Event.INHIBITION, at, names=names))

    def _finish(self, at: float) -> Changes:
        self._speaker.speak(at)
        self._publish()
        journal, self._book.journal = self._book.journal, Journal()
        return journal.changes()

    def _publish(self) -> None:
        self._families = self._metrics.build((tracked.alert for _, tracked in self._book.open()), self.total_fired)


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
