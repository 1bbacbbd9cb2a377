"""Who keeps whom quiet: an alert of one rule, from pending on, those of another whose named labels are equal."""

from collections.abc import Iterable, Mapping

from dozor.model.labels import Labels
from dozor.model.rule import Inhibitor


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
