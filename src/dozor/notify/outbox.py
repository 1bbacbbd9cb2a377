"""What delivery needs of the outbox. `dozor.database.Database` is one; tests have one in memory."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from dozor.model.notification import Notification, SentMessage

T = TypeVar("T")


class ClaimedRow(Protocol):
    """A notification that is ours for now."""

    @property
    def notification(self) -> Notification:
        """What to send."""

    @property
    def attempts(self) -> int:
        """How often it was claimed, this time included."""

    @property
    def created_at(self) -> float:
        """Unix seconds."""

    @property
    def since(self) -> float:
        """From when on giving up is reckoned: as a rule *created_at*. Unix seconds."""


class Counts(Protocol):
    """How full the outbox is."""

    @property
    def pending(self) -> int:
        """Rows on their way."""

    @property
    def dead(self) -> int:
        """Rows that were given up and are kept."""

    @property
    def waiting(self) -> Mapping[str, int]:
        """Rows on their way, by receiver."""

    @property
    def oldest_at(self) -> float | None:
        """When the oldest of the rows on their way was written, Unix seconds."""


Row = TypeVar("Row", bound=ClaimedRow)


class Outbox(Protocol[Row]):
    """The rows; calls that block. Each raises `StoreUnavailable` where the database does not answer."""

    def claim(self, at: float, lease_seconds: float, limit: int, receiver: str | None = None) -> list[Row]:
        """Rows that are due."""

    def next_due(self, receiver: str | None = None) -> float | None:
        """When the next row can be claimed."""

    def settle_sent(self, row: Row, at: float, messages: Sequence[SentMessage] = ()) -> None:
        """It arrived, and its alerts are now shown in *messages*."""

    def settle_retry(self, row: Row, next_at: float, error: str) -> None:
        """It is to be tried again."""

    def settle_dead(self, row: Row, at: float, error: str) -> None:
        """It is given up."""

    def messages(self, receiver: str, alert_ids: Sequence[str]) -> list[SentMessage]:
        """The messages of *receiver* that show one of these alerts."""

    def bury(self, at: float, created_before: float, receivers: Sequence[str]) -> int:
        """Give up what waits for receivers that are no more."""

    def outbox_counts(self) -> Counts:
        """How full it is."""


class RunInStore(Protocol):
    """Runs a call that blocks where it may; `StoreThread.run` does."""

    async def __call__(self, call: Callable[..., T], *args: Any, timeout: float) -> T:  # noqa: ASYNC109 - by the name it has there
        """Its result; raises `StoreUnavailable` after *timeout* seconds."""
