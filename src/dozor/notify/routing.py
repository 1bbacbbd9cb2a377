"""Who is told of which alert: a list of routes, gone down until one matches."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from dozor.errors import ConfigurationError
from dozor.model.alert import Alert, Severity
from dozor.model.notification import Notification, Occasion
from dozor.notify.notifier import LOG, Receiver
from dozor.store.matchers import Matcher, match_all

LARGEST_MESSAGE: Final = 100
"""How many alerts one message shows."""

_KNOWN_LIMIT: Final = 10_000


class Route(Struct, frozen=True):
    """Alerts whose labels pass all *matchers* go to the receivers named in *to*.

    Besides its own labels an alert has `severity` (the one in force, in lower case) and `component` here.

    Attributes:
        continue_: whether the routes below are asked too; else the first that matches decides.
    """

    matchers: tuple[Matcher, ...]
    to: tuple[str, ...]
    continue_: bool = False


class Router:
    """Finds the receivers of an alert, and what of a notification each of them gets. Safe in any thread.

    Alerts that no route matches go to all receivers; the log gets everything.

    Args:
        routes: asked in this order.
        receivers: all that are set up, by name.
        largest_message: how many alerts one message may show; the others are counted in `omitted`.

    Raises:
        ConfigurationError: a route names a receiver that is not set up.
    """

    def __init__(
        self, routes: Sequence[Route], receivers: Mapping[str, Receiver], *, largest_message: int = LARGEST_MESSAGE
    ) -> None:
        self._routes, self._receivers, self._largest = tuple(routes), dict(receivers), largest_message
        self._everybody = tuple(receivers)
        # A storm's alerts differ in labels that no route looks at, and are asked about again and again.
        self._label_names = sorted({matcher.name for route in self._routes for matcher in route.matchers})
        self._known: dict[tuple[str | None, ...], frozenset[str]] = {}
        for number, route in enumerate(self._routes, 1):
            unknown = [name for name in route.to if name not in self._everybody]
            if unknown:
                known = ", ".join(self._everybody)
                raise ConfigurationError(
                    f"there is no channel {', '.join(unknown)} to send to; channels: {known}",
                    key=f"routes[{number}].to",
                )

    def receivers_of(self, alert: Alert) -> tuple[str, ...]:
        """Who is told of *alert*: those of each severity under which people were told, so that all hear of its end.

        An alert that nobody was told of yet has the receivers of the severity in force.
        """
        if not self._routes:
            return self._everybody
        names: set[str] = {LOG}
        for severity in alert.told_severities or (alert.told_severity or alert.severity,):
            names |= self._matching(alert, severity)
        return tuple(name for name in self._everybody if name in names)

    def split(self, notification: Notification) -> list[tuple[str, Notification]]:
        """What each receiver is told of *notification*: of its alerts only, under the same id.

        Updates go to those that follow them, ends not to those that do not want them. One that keeps something open for
        each alert until it hears of the end gets the ends that found no room too, in messages of their own.
        """
        chosen: dict[str, list[Alert]] = {name: [] for name in self._everybody}
        for alert in notification.alerts:
            for name in self.receivers_of(alert):
                chosen[name].append(alert)
        whole = part(notification, notification.alerts, self._largest)  # one for all, so that it is written out once
        parts = []
        for name, alerts in chosen.items():
            receiver = self._receivers[name]
            wanted = self._wanted(receiver, notification.occasion, alerts)
            if wanted:
                everything = len(wanted) == len(notification.alerts)
                parts.append((name, whole if everything else part(notification, wanted, self._largest)))
                if receiver.keeps_alerts_open:
                    parts += [(name, more) for more in _further(notification, wanted, self._largest)]
        return parts

    def _wanted(self, receiver: Receiver, occasion: Occasion, alerts: Sequence[Alert]) -> Sequence[Alert]:
        if occasion.update and not receiver.follows_updates:
            return ()
        return alerts if receiver.send_resolved else [alert for alert in alerts if alert.resolved_at is None]

    def _matching(self, alert: Alert, severity: Severity) -> frozenset[str]:
        labels = _labels(alert, severity)
        key = tuple(labels.get(name) for name in self._label_names)
        found = self._known.get(key)
        if found is None:
            if len(self._known) >= _KNOWN_LIMIT:
                self._known.clear()
            found = self._known[key] = frozenset(self._ask(labels))
        return found

    def _ask(self, labels: Mapping[str, str]) -> Iterable[str]:
        matched = False
        for route in self._routes:
            if match_all(route.matchers, labels):
                matched = True
                yield from route.to
                if not route.continue_:
                    return
        if not matched:
            yield from self._everybody


def _labels(alert: Alert, severity: Severity) -> dict[str, str]:
    """The labels by which *alert* is matched while *severity* is in force."""
    return {**alert.matching_labels, "severity": severity.value.lower()}


def part(notification: Notification, alerts: Sequence[Alert], largest: int = LARGEST_MESSAGE) -> Notification:
    """*notification* about *alerts* alone, which are some of its own, in their order.

    What it left out already is known by number only. It is counted for those who get all that it shows.
    """
    whole = len(alerts) == len(notification.alerts)
    if whole and len(alerts) <= largest:
        return notification
    return replace(
        notification,
        alerts=tuple(alerts[:largest]),
        occasion=notification.occasion if whole else _occasion(notification.occasion, alerts),
        omitted=len(alerts) - len(alerts[:largest]) + (notification.omitted if whole else 0),
    )


def _further(notification: Notification, alerts: Sequence[Alert], largest: int) -> Iterator[Notification]:
    """The ends (of an update: the alerts) among *alerts* for which a message of the *largest* has no room."""
    update = notification.occasion.update
    left = [alert for alert in alerts[largest:] if update or alert.resolved_at is not None]
    for number, first in enumerate(range(0, len(left), largest), 2):
        yield replace(
            notification,
            id=f"{notification.id}-{number}",
            alerts=tuple(left[first : first + largest]),
            occasion=notification.occasion if update else Occasion.RESOLVED,
            omitted=0,
        )


def _occasion(occasion: Occasion, alerts: Sequence[Alert]) -> Occasion:
    """Why *alerts*, some of those of a message sent on *occasion*, are told of."""
    if occasion.update:
        return occasion
    open_ = [alert for alert in alerts if alert.resolved_at is None]
    if not open_:
        return Occasion.RESOLVED
    if occasion is Occasion.ESCALATED and all(len(alert.told_severities) <= 1 for alert in open_):
        return Occasion.FIRING  # the one that got worse is not among them
    return occasion
