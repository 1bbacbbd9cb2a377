"""Who can be told: what a notifier is, and the table of those that are set up."""

import inspect
import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final, Protocol, runtime_checkable

from msgspec import Struct

from dozor.clock import Clock
from dozor.errors import ConfigurationError
from dozor.model.notification import Notification, SentMessage
from dozor.notify.log import LogNotifier

LOG: Final = "log"
"""The receiver that is always there and told of everything."""

OWN_RATE: Final = (10.0, 50)
"""For notifiers of the application's: messages a second, and how many at once."""


class Notifier(Protocol):
    """Carries a notification to people. Runs on Dozor's own event loop.

    `send` raises `DeliveryError` when the notification did not arrive; it is tried again later, unless the error says
    that this is useless. Any other exception counts as one that may pass. A notification may come twice, then with the
    same `id`.
    """

    async def send(self, notification: Notification) -> None:
        """Deliver *notification*, within some seconds."""


class BlockingNotifier(Protocol):
    """A notifier whose `send` is an ordinary function: it runs in a thread."""

    def send(self, notification: Notification) -> None:
        """Deliver *notification*, within some seconds."""


AnyNotifier = Notifier | BlockingNotifier


@runtime_checkable
class CorrespondingNotifier(Protocol):
    """A notifier whose receiver lets a message be changed or answered later, as a chat does.

    Where a notifier has `correspond`, it is called instead of `send`.
    """

    async def correspond(self, notification: Notification, earlier: Sequence[SentMessage]) -> Sequence[SentMessage]:
        """Deliver *notification*; the messages that were sent or changed, to be remembered.

        *earlier* are the messages in which its alerts were shown so far. What is returned replaces what is remembered of
        the alerts in it. Raises as `send` does.
        """


class Channel(Protocol):
    """The settings of one channel, checked: a frozen dataclass in the channel's module.

    Its `__post_init__` raises `ConfigurationError(key=<field>)`. A field that holds a secret has
    `field(repr=False, metadata={"secret": True})`. A field `send_resolved`, where there is one, says whether ends are told, and
    `timeout_seconds` how long the notifier allows itself.
    """

    kind: ClassVar[str]
    """The channel's type in settings: `slack`."""
    rate: ClassVar[tuple[float, int]]
    """Messages a second that the receiver bears in the long run, and how many at once."""

    def build(self, name: str, clock: Clock, locale: str) -> AnyNotifier:
        """The notifier. *locale*: `en` or `ru`."""


class Follower(Protocol):
    """A notifier that also wants updates (`Occasion.update`), which call nobody: it has `follows_updates = True`."""

    follows_updates: bool


class Bookkeeper(Protocol):
    """A notifier whose receiver keeps something open for each alert until it hears of the end: `keeps_alerts_open = True`."""

    keeps_alerts_open: bool


@runtime_checkable
class Refresher(Protocol):
    """A notifier whose receiver forgets an alert of which it hears no more."""

    refresh_seconds: float
    """How often it is to hear of those that fire."""

    async def refresh(self, notification: Notification) -> None:
        """Say that the alerts of *notification* still fire: all of them, so that who speaks is known. Raises as `send` does."""


class Receiver(Struct, frozen=True):
    """A notifier, and how it is to be used.

    Attributes:
        kind: its type in settings, `log`, or `own` for one of the application's.
        rate: how many messages a second it bears in the long run, and how many at once.
        send_resolved: whether it is told of ends.
        timeout_seconds: how long it allows itself for one notification, where its user set that; None: as usual.
    """

    notifier: AnyNotifier
    kind: str = "own"
    rate: tuple[float, int] = OWN_RATE
    send_resolved: bool = True
    timeout_seconds: float | None = None

    @property
    def target(self) -> str:
        """Where it leads, without secrets: the notifier's attribute `target`, empty where it has none."""
        target = getattr(self.notifier, "target", "")
        return target if isinstance(target, str) else ""

    @property
    def follows_updates(self) -> bool:
        """Whether it wants updates."""
        return getattr(self.notifier, "follows_updates", False) is True

    @property
    def keeps_alerts_open(self) -> bool:
        """Whether it must hear of the end of each alert."""
        return getattr(self.notifier, "keeps_alerts_open", False) is True

    @property
    def correspondent(self) -> CorrespondingNotifier | None:
        """The notifier, if it wants to know what was sent before."""
        return self.notifier if isinstance(self.notifier, CorrespondingNotifier) else None

    @property
    def refresher(self) -> Refresher | None:
        """The notifier, if it is to hear again and again of what fires."""
        found = self.notifier
        return found if isinstance(found, Refresher) and inspect.iscoroutinefunction(found.refresh) else None


def table(channels: Mapping[str, Channel], own: Sequence[Any], clock: Clock, locale: str) -> dict[str, Receiver]:
    """The receivers by name: the log, the *channels* of the settings, and the application's *own* notifiers.

    A name is kept with each notification that waits, so it must be the same after a restart. An own notifier may have
    an attribute `name`; else its class is its name, with a number where there are several.

    Raises:
        ConfigurationError: a channel has the log's name, or an own notifier cannot send.
    """
    receivers = {LOG: Receiver(LogNotifier(clock), kind=LOG, rate=(math.inf, 1))}
    for name, channel in channels.items():
        if name == LOG:
            raise ConfigurationError("the log is always there; give the channel another name", key=f"channels.{name}")
        receivers[name] = Receiver(
            channel.build(name, clock, locale),
            channel.kind,
            channel.rate,
            send_resolved=getattr(channel, "send_resolved", True) is not False,
            timeout_seconds=getattr(channel, "timeout_seconds", None),
        )
    for notifier in own:
        if not callable(getattr(notifier, "send", None)):
            raise ConfigurationError(
                f"a {type(notifier).__name__} is no notifier: it has no method `async def send(self, notification)`",
                key="notifiers",
            )
        receivers[_free_name(notifier, receivers)] = Receiver(notifier)
    return receivers


def _free_name(notifier: AnyNotifier, taken: Mapping[str, Receiver]) -> str:
    given = getattr(notifier, "name", None)
    name = base = given if isinstance(given, str) and given else type(notifier).__name__
    number = 1
    while name in taken:
        number += 1
        name = f"{base}-{number}"
    return name
