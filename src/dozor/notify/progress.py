"""How much of a notification arrived, where it takes several messages and not all of them did."""

from collections import OrderedDict
from typing import Final

_MOST: Final = 100


class Progress:
    """The parts of notifications that need no repetition. Kept in memory: at worst, a part comes twice.

    Holds the last hundred notifications. Used in one thread at a time.
    """

    def __init__(self) -> None:
        self._parts: OrderedDict[str, set[str]] = OrderedDict()

    def done(self, notification_id: str, part: str) -> bool:
        """Whether *part* has arrived."""
        return part in self._parts.get(notification_id, ())

    def add(self, notification_id: str, part: str) -> None:
        """*part* has arrived."""
        self._parts.setdefault(notification_id, set()).add(part)
        if len(self._parts) > _MOST:
            self._parts.popitem(last=False)

    def forget(self, notification_id: str) -> None:
        """Nothing more is to be sent of it."""
        self._parts.pop(notification_id, None)
