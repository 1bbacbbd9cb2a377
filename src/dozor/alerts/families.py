"""The metrics of alerts: what rule 11 (`TooManyActiveAlerts`) and `/metrics` read.

`dozor_alerts{rule,severity,state}` counts alerts. `state` is that of the API, but for one: an alert that fires and of
which nobody is told because another inhibits it counts as `INHIBITED`, so that `state="FIRING"` are those that ask for
somebody's attention.
"""

from collections import Counter
from collections.abc import Iterable
from typing import Final

from dozor.model.alert import Alert, AlertState
from dozor.model.labels import Labels
from dozor.model.sample import Family, MetricType, Sample

INHIBITED: Final = "INHIBITED"
_NO_LABELS: Final = Labels()


class AlertFamilies:
    """Builds the families anew after each change. The label sets are made once and used again."""

    def __init__(self) -> None:
        self._labels: dict[tuple[str, str, str], Labels] = {}

    def build(self, alerts: Iterable[Alert], total_fired: int) -> tuple[Family, ...]:
        """The families for these *alerts*, which have not ended."""
        counts: Counter[tuple[str, str, str]] = Counter()
        active = 0
        for alert in alerts:
            state = alert.state
            active += state is not AlertState.PENDING
            shown = INHIBITED if state is AlertState.FIRING and alert.inhibited_by else state.value
            counts[alert.rule, alert.severity.value.lower(), shown] += 1
        by_state = tuple(Sample("dozor_alerts", self._label_set(key), float(count)) for key, count in counts.items())
        return (
            _single(
                "active_alerts_count",
                MetricType.GAUGE,
                "Alerts that fire now, acknowledged and silenced ones included.",
                active,
            ),
            _single("total_alerts_count", MetricType.COUNTER, "Alerts that ever fired.", total_fired),
            Family("dozor_alerts", MetricType.GAUGE, "Alerts by rule, severity and state.", "alerts", by_state),
        )

    def _label_set(self, key: tuple[str, str, str]) -> Labels:
        found = self._labels.get(key)
        if found is None:
            rule, severity, state = key
            found = self._labels[key] = Labels(rule=rule, severity=severity, state=state)
        return found


def _single(name: str, kind: MetricType, text: str, value: int) -> Family:
    return Family(name, kind, text, "alerts", (Sample(name, _NO_LABELS, float(value)),))
