"""Who keeps whom quiet: an alert, from pending on, others whose named labels are equal.

Said in two ways: by a rule of its inhibitors (`dozor_inhibited_by`, `Inhibitor`), and beside the rules by matchers, as in
Alertmanager (`InhibitRule`).
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from msgspec import Struct

from dozor.alerts.book import AlertBook
from dozor.alerts.transitions import Event, Happening
from dozor.model.alert import Alert, Severity
from dozor.model.labels import Labels
from dozor.model.rule import Inhibitor
from dozor.store.matchers import Matcher, match_all


class InhibitRule(Struct, frozen=True):
    """Alerts that pass all *source* matchers keep quiet those that pass all *target* ones, if labels *equal* are equal.

    As in Alertmanager: a label that is missing equals an empty one, and an alert that passes both sides is not kept quiet
    by one that passes both sides too, itself among them.
    """

    source: tuple[Matcher, ...]
    target: tuple[Matcher, ...]
    equal: tuple[str, ...] = ()


class Inhibition:
    """Finds out, at each evaluation, who keeps whom quiet."""

    def __init__(self, book: AlertBook, rules: Sequence[InhibitRule] = ()) -> None:
        self._book, self._rules = book, tuple(rules)
        self._roles: dict[str, tuple[Severity, tuple[_Role, ...]]] = {}

    def apply(self, at: float) -> None:
        """Have each open alert inhibited by those that inhibit it now."""
        active: dict[str, list[Labels]] = {}
        for track in self._book.tracks:
            if track.open:
                active.setdefault(track.rule.name, []).extend(track.open)
        inhibitors_now = Inhibitions(active)
        sources = self._sources() if self._rules else None
        for track, tracked in self._book.open():
            alert, inhibitors = tracked.alert, track.rule.inhibited_by
            if not (inhibitors or alert.inhibited_by or sources):
                continue
            names = inhibitors_now.by(alert.labels, inhibitors)
            if sources:
                names = _with(names, sources.of(self._roles[alert.id][1]))
            if names != alert.inhibited_by:
                self._book.apply(track, tracked, Happening(Event.INHIBITION, at, names=names))

    def _sources(self) -> "_Sources":
        """The alerts that inhibit by matchers; what part each alert has in each rule is found once for each severity."""
        roles: dict[str, tuple[Severity, tuple[_Role, ...]]] = {}
        sources = _Sources()
        for _, tracked in self._book.open():
            alert = tracked.alert
            known = self._roles.get(alert.id)
            if known is None or known[0] is not alert.severity:
                known = alert.severity, tuple(self._roles_of(alert))
            roles[alert.id] = known
            for role in known[1]:
                sources.add(alert.rule, role)
        self._roles = roles
        return sources

    def _roles_of(self, alert: Alert) -> "Iterable[_Role]":
        labels = alert.matching_labels
        for number, rule in enumerate(self._rules):
            is_source, is_target = match_all(rule.source, labels), match_all(rule.target, labels)
            if is_source or is_target:
                yield _Role(number, tuple(labels.get(name, "") for name in rule.equal), is_source, is_target)


class Inhibitions:
    """The inhibitors as they are at one moment. *active* are the labels of each rule's alerts that have not ended."""

    def __init__(self, active: Mapping[str, Iterable[Labels]]) -> None:
        self._active = active
        self._seen: dict[Inhibitor, set[tuple[str, ...]]] = {}

    def by(self, alert: Labels, inhibitors: Iterable[Inhibitor]) -> tuple[str, ...]:
        """Names of the rules among *inhibitors* that now keep the alert with these labels quiet."""
        names: list[str] = []
        for inhibitor in inhibitors:
            wanted = tuple(alert.get(name) for name in inhibitor.labels)
            if wanted in self._label_values(inhibitor) and inhibitor.rule not in names:
                names.append(inhibitor.rule)
        return tuple(names)

    def _label_values(self, inhibitor: Inhibitor) -> set[tuple[str, ...]]:
        found = self._seen.get(inhibitor)
        if found is None:
            labels = inhibitor.labels
            active = self._active.get(inhibitor.rule, ())
            found = self._seen[inhibitor] = {tuple(each.get(name) for name in labels) for each in active}
        return found


class _Role(NamedTuple):
    """What an alert is to the rule of this number; *values* are those of the labels that must be equal."""

    rule: int
    values: tuple[str, ...]
    is_source: bool
    is_target: bool


class _Sources:
    """Names of the rules whose alerts inhibit by matchers, by the values that must be equal."""

    def __init__(self) -> None:
        self._all: dict[tuple[int, tuple[str, ...]], set[str]] = {}
        self._one_sided: dict[tuple[int, tuple[str, ...]], set[str]] = {}

    def add(self, name: str, role: _Role) -> None:
        """An alert of the rule called *name* is there in this *role*."""
        if role.is_source:
            key = role.rule, role.values
            self._all.setdefault(key, set()).add(name)
            if not role.is_target:
                self._one_sided.setdefault(key, set()).add(name)

    def of(self, roles: Iterable[_Role]) -> set[str]:
        """Who keeps an alert with these *roles* quiet."""
        names: set[str] = set()
        for role in roles:
            if role.is_target:
                sources = self._one_sided if role.is_source else self._all
                names.update(sources.get((role.rule, role.values), ()))
        return names


def _with(names: tuple[str, ...], more: set[str]) -> tuple[str, ...]:
    return (*names, *sorted(more.difference(names)))
