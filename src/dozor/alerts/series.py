"""The alerts as series, for rules and dashboards to read, as Prometheus writes them.

`ALERTS{alertname, alertstate="pending|firing", …}` is 1 while the alert is in that state; `ALERTS_FOR_STATE{alertname, …}` is
the Unix second since which its condition holds. Both end with the alert.
"""

from typing import Final, NamedTuple

from dozor.alerts.rule import AlertRule, Store
from dozor.alerts.tracking import RuleTrack, Tracked
from dozor.model.labels import Labels
from dozor.model.sample import Sample

STATE_SERIES: Final = "ALERTS"
CLOCK_SERIES: Final = "ALERTS_FOR_STATE"
_MOST_ALERTS: Final = 1000
"""Of so many alerts at once there are series. More would push what is measured out of the store, in the worst moment."""


class _Written(NamedTuple):
    """The samples of one alert, as long as it stays in its state."""

    firing: bool
    active_at: float
    samples: tuple[Sample, Sample]


class AlertSeries:
    """Writes the series of each rule's alerts after its evaluation. *most*: of so many alerts at once."""

    def __init__(self, most: int = _MOST_ALERTS) -> None:
        self._most, self._count = most, 0
        self._written: dict[RuleTrack, dict[str, _Written]] = {}

    @property
    def count(self) -> int:
        """Of how many alerts there are series."""
        return self._count

    def write(self, track: RuleTrack, store: Store, at: float) -> None:
        """Write those of the alerts of *track* as of *at*, and end those of alerts that have ended or changed state."""
        before = self._written.get(track, _NOTHING)
        if not (track.open or before):
            return
        room = self._most - self._count + len(before)
        after: dict[str, _Written] = {}
        changed = False
        for tracked in track.open.values():
            alert = tracked.alert
            written = before.get(alert.id)
            if written is None or written[:2] != (alert.fired_at is not None, alert.active_at):
                if len(after) >= room:
                    continue
                written, changed = _samples(track.rule, tracked), True
            after[alert.id] = written
        moment = at - track.rule.offset_seconds
        if changed or len(after) < len(before):
            store.mark_stale(moment, _keys(before) - _keys(after))
        store.append(moment, [sample for written in after.values() for sample in written.samples])
        self._note(track, before, after)

    def end(self, track: RuleTrack, store: Store, at: float) -> None:
        """Its rule is no more."""
        before = self._written.get(track, _NOTHING)
        if before:
            store.mark_stale(at - track.rule.offset_seconds, _keys(before))
            self._note(track, before, {})

    def _note(self, track: RuleTrack, before: dict[str, _Written], after: dict[str, _Written]) -> None:
        self._count += len(after) - len(before)
        if after:
            self._written[track] = after
        else:
            self._written.pop(track, None)


_NOTHING: Final[dict[str, _Written]] = {}


def _samples(rule: AlertRule, tracked: Tracked) -> _Written:
    alert = tracked.alert
    labels = alert.labels.with_({"severity": _severity(rule, tracked)})
    firing = alert.fired_at is not None
    return _Written(
        firing,
        alert.active_at,
        (
            Sample(STATE_SERIES, labels.with_({"alertstate": "firing" if firing else "pending"}), 1.0),
            Sample(CLOCK_SERIES, labels, float(int(alert.active_at))),
        ),
    )


def _severity(rule: AlertRule, tracked: Tracked) -> str:
    """The label as the rule gives it, which rules written for Prometheus compare with; not the severity in force."""
    if tracked.breach is not None:
        return tracked.breach.identity.severity_text
    written = rule.label_texts.get("severity", "")
    return tracked.raised.value.lower() if "{{" in written else written


def _keys(written: dict[str, _Written]) -> set[tuple[str, Labels]]:
    return {(sample.name, sample.labels) for one in written.values() for sample in one.samples}
