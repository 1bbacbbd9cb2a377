"""What is on its way to one receiver, as memory knows it.

Everything that was routed is known here until it is settled. While the database answers, its rows decide what is sent
when. When changes cannot be committed, their notifications are released: then they are sent from memory, with the same
ids, after what is still unsent of their groups; and what has arrived is remembered, so that the row, once it is
written, is settled and not sent.
"""

from collections import OrderedDict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from dozor.model.notification import Notification, SentMessage

LETTERS_LIMIT: Final = 1000
"""How many notifications are kept for one receiver; some 40 MB at the worst."""
ARRIVALS_LIMIT: Final = 10_000
MESSAGES_LIMIT: Final = 200


@dataclass(slots=True)
class Letter:
    """A notification that has not arrived yet, as far as is known here.

    Attributes:
        released: whether it is to be sent from memory.
        attempts: how often it was tried from memory.
        next_at: not before this (Unix seconds).
    """

    notification: Notification
    released: bool = False
    attempts: int = 0
    next_at: float = 0.0


class Arrival(Struct, frozen=True):
    """A notification that has arrived, at *at*, and is not known to be settled in the database."""

    at: float
    messages: tuple[SentMessage, ...]


class Letters:
    """What is on its way to one receiver, in the order in which it was decided. Belongs to Dozor's loop.

    `len()` may be asked for from any thread.
    """

    def __init__(self, limit: int = LETTERS_LIMIT) -> None:
        self._limit = limit
        self._letters: OrderedDict[str, Letter] = OrderedDict()
        self._arrivals: OrderedDict[str, Arrival] = OrderedDict()
        self._messages: OrderedDict[str, SentMessage] = OrderedDict()
        self.dropped = 0
        """How many that were to be sent from memory had to make room; the database may still have them."""

    def __len__(self) -> int:
        return len(self._letters)

    def expect(self, notification: Notification, *, oldest: bool = False) -> None:
        """*notification* is on its way, by the database. *oldest*: before all that is known already."""
        if notification.id in self._letters or notification.id in self._arrivals:
            return
        self._letters[notification.id] = Letter(notification)
        self._letters.move_to_end(notification.id, last=not oldest)
        if len(self._letters) > self._limit:
            _, first = self._letters.popitem(last=False)
            self.dropped += first.released

    def release(self, notification: Notification) -> None:
        """*notification* cannot wait for the database."""
        self.expect(notification)
        letter = self._letters.get(notification.id)
        if letter is not None:
            letter.released = True

    def due(self, at: float) -> Letter | None:
        """The next one to be sent from memory at *at*."""
        return next((letter for letter in self._heads() if letter.next_at <= at), None)

    def next_due(self) -> float | None:
        """When the next one is to be sent from memory; None if none is."""
        return min((letter.next_at for letter in self._heads()), default=None)

    def postpone(self, notification_id: str, next_at: float) -> None:
        """An attempt has failed; the next one is at *next_at*."""
        letter = self._letters.get(notification_id)
        if letter is not None:
            letter.next_at = next_at

    def arrived(self, notification_id: str, at: float, messages: tuple[SentMessage, ...]) -> None:
        """The receiver has it."""
        self._letters.pop(notification_id, None)
        self._arrivals[notification_id] = Arrival(at, messages)
        if len(self._arrivals) > ARRIVALS_LIMIT:
            self._arrivals.popitem(last=False)

    def arrival(self, notification_id: str) -> Arrival | None:
        """When and how it arrived, if it did and the database does not know."""
        return self._arrivals.get(notification_id)

    def forget(self, notification_id: str) -> None:
        """The database knows what became of it; or there is no more use in trying it from memory."""
        self._letters.pop(notification_id, None)
        self._arrivals.pop(notification_id, None)

    def remember(self, messages: Iterable[SentMessage]) -> None:
        """These were sent, or changed, just now: their alerts are shown there, and in no other message."""
        for message in messages:
            moved = {alert.id for alert in message.alerts}
            for reference, other in list(self._messages.items()):
                kept = tuple(alert for alert in other.alerts if alert.id not in moved)
                if len(kept) < len(other.alerts):
                    self._messages[reference] = replace(other, alerts=kept)
            self._messages[message.reference] = message
            self._messages.move_to_end(message.reference)
        while len(self._messages) > MESSAGES_LIMIT:
            self._messages.popitem(last=False)

    def shown(self, alert_ids: Collection[str], stored: Iterable[SentMessage]) -> tuple[SentMessage, ...]:
        """The messages that show one of these alerts: those that are *stored*, as brought up to date meanwhile."""
        newest = {message.reference: message for message in stored}
        for message in self._messages.values():
            if message.reference in newest or any(alert.id in alert_ids for alert in message.alerts):
                newest[message.reference] = message
        return tuple(message for message in newest.values() if message.alerts)

    def _heads(self) -> Iterator[Letter]:
        """Of each group of which something was released, the first: what was decided later must not overtake it."""
        wanted = {letter.notification.group for letter in self._letters.values() if letter.released}
        for letter in self._letters.values():
            if not wanted:
                return
            if letter.notification.group in wanted:
                wanted.discard(letter.notification.group)
                yield letter
