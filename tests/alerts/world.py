"""A small world for rules: series that a test sets, a real store, a real lifecycle, and time that passes when told."""

from collections.abc import Callable
from itertools import count
from typing import Any

from dozor.alerts import Lifecycle
from dozor.database.records import decode_alert, decode_silence, encode_alert, encode_silence
from dozor.model.alert import Alert, AlertState
from dozor.model.labels import Labels
from dozor.model.notification import AuditEntry, Changes, Notification
from dozor.model.sample import Sample
from dozor.model.silence import Silence
from dozor.rules import Rule, RuleSet, load_rules
from dozor.rules.code import code_group
from dozor.store.memory import MemoryStore

START = 1_800_000_000.0
Value = float | Callable[[float], float]


def rules_of(*rules: Rule) -> RuleSet:
    return RuleSet([code_group(rules)])


class World:
    """Series are set by name and labels; `run` lets time pass, scraping and evaluating at each *step*."""

    def __init__(self, rules: RuleSet | None = None, *, step: float = 5.0, **telling: Any) -> None:
        self.rules = rules if rules is not None else load_rules()
        self.step, self.at = step, START
        self.telling = telling
        self._ids = count(1)
        self.series: dict[tuple[str, Labels], Value] = {}
        self.changes: list[Changes] = []
        self.kept: dict[str, Alert] = {}
        self.kept_silences: dict[str, Silence] = {}
        self.restart()

    def restart(self, *, down_seconds: float = 0.0) -> None:
        """A new process: an empty store, and what was kept read back."""
        self.at += down_seconds
        self.store = MemoryStore(max_bytes=64 * 2**20)
        self.known: set[tuple[str, Labels]] = set()
        self.lifecycle = Lifecycle(self.rules, new_id=lambda: f"id{next(self._ids)}", **self.telling)
        if self.kept or self.kept_silences:
            fired = sum(alert.fired_at is not None for alert in self.kept.values())
            alerts = [decode_alert(encode_alert(alert)) for alert in self.kept.values()]
            silences = [decode_silence(encode_silence(silence)) for silence in self.kept_silences.values()]
            self.lifecycle.restore(alerts, fired, silences)

    def put(self, name: str, value: Value, /, **labels: str) -> None:
        self.series[name, Labels(labels)] = value

    def drop(self, name: str, /, **labels: str) -> None:
        for key in list(self.series):
            if key[0] == name and all(key[1].get(label) == text for label, text in labels.items()):
                del self.series[key]

    def run(self, seconds: float) -> None:
        end = self.at + seconds
        while self.at < end:
            self.tick()

    def tick(self) -> Changes:
        self.at += self.step
        self.scrape()
        return self.take(self.lifecycle.evaluate(self.store, self.at))

    def scrape(self) -> None:
        elapsed = self.at - START
        samples = [
            Sample(name, labels, value(elapsed) if callable(value) else value)
            for (name, labels), value in self.series.items()
        ]
        samples += [sample for family in self.lifecycle.families() for sample in family.samples]
        now = {(sample.name, sample.labels) for sample in samples}
        self.store.mark_stale(self.at, self.known - now)
        self.known = now
        self.store.append(self.at, samples)

    def take(self, changes: Changes) -> Changes:
        """What the database does."""
        self.changes.append(changes)
        for alert in changes.alerts:
            self.kept[alert.id] = alert
        for alert_id in changes.dropped:
            self.kept.pop(alert_id, None)
        for silence in changes.silences:
            self.kept_silences[silence.id] = silence
        return changes

    @property
    def messages(self) -> list[Notification]:
        return [notification for changes in self.changes for notification in changes.notifications]

    @property
    def told(self) -> list[Notification]:
        """The messages that call somebody."""
        return [notification for notification in self.messages if not notification.occasion.update]

    @property
    def updates(self) -> list[tuple[str, str]]:
        """What was brought up to date without calling anybody: (rule, occasion)."""
        return [(note.group, note.occasion.value) for note in self.messages if note.occasion.update]

    @property
    def words(self) -> list[tuple[str, str]]:
        """What people were told: (rule, occasion)."""
        return [(notification.group, notification.occasion.value) for notification in self.told]

    @property
    def audit(self) -> list[AuditEntry]:
        return [entry for changes in self.changes for entry in changes.audit]

    def events(self, alert_id: str) -> list[str]:
        return [entry.event for entry in self.audit if entry.alert_id == alert_id]

    def alerts(self, rule: str | None = None) -> list[Alert]:
        return [alert for alert in self.lifecycle.active(pending=True) if rule in (None, alert.rule)]

    def alert(self, rule: str) -> Alert:
        (alert,) = self.alerts(rule)
        return alert

    def state(self, rule: str) -> AlertState | None:
        alerts = self.alerts(rule)
        return alerts[0].state if alerts else None

    @property
    def firing(self) -> set[str]:
        return {alert.rule for alert in self.lifecycle.active()}

    def ever_fired(self) -> set[str]:
        return {alert.rule for alert in self.kept.values() if alert.fired_at is not None}

    def acknowledge(self, rule: str, by: str | None = "ann") -> Alert:
        alert, changes = self.lifecycle.acknowledge(self.alert(rule).id, self.at, by)
        self.take(changes)
        return alert

    def silence(self, rule: str, seconds: float | None, by: str | None = "ann") -> Alert:
        until = None if seconds is None else self.at + seconds
        alert, changes = self.lifecycle.silence(self.alert(rule).id, self.at, until, by)
        self.take(changes)
        return alert

    def resolve(self, rule: str, by: str | None = "ann") -> Alert:
        alert, changes = self.lifecycle.resolve(self.alert(rule).id, self.at, by)
        self.take(changes)
        return alert


def counter(per_second: float, start: float = 0.0, until: float = float("inf")) -> Callable[[float], float]:
    """A counter that rises *per_second* from *start* seconds after the world's beginning on, until *until*."""
    return lambda elapsed: per_second * max(0.0, min(elapsed, until) - start)
