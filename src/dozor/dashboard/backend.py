"""What the page asks of others: of Dozor, and of whoever decides who may see it."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from dozor.clock import Clock
from dozor.database import OutboxFilter, OutboxRow, Page
from dozor.instruments.query_slow import SlowQuery
from dozor.model.alert import Alert
from dozor.model.notification import AuditEntry
from dozor.model.silence import Silence
from dozor.notify import ChannelState
from dozor.overview import Known, PoolConnections, Recent, ServerCommand, SilenceRecord, Sparkline

T = TypeVar("T")


class Door(Protocol):
    """Who may see the page."""

    @property
    def guards(self) -> list[Any]:
        """The dependencies of a page that not everybody may see."""

    @property
    def takes_key(self) -> bool:
        """Whether a key is set, which a person may show at the sign-in."""

    def session(self, key: str) -> str | None:
        """What the session cookie holds for a right *key*; None for a wrong one."""

    @property
    def cookie(self) -> str:
        """The session cookie's name."""

    @property
    def session_seconds(self) -> int:
        """How long a session lasts."""


class Backend(Protocol):
    """What the page asks of Dozor; see `api.backend.Backend`, of which this is a part."""

    @property
    def clock(self) -> Clock:
        """Dates what is shown."""

    def known(self) -> Known:
        """What is known now."""

    def in_dozor(self, work: Callable[[], T]) -> Awaitable[T]:
        """What *work* returns, run in Dozor's thread, as are the eight functions below."""

    def slow_queries(self) -> Recent[SlowQuery]:
        """The slow statements of all pools."""

    def slow_commands(self) -> Recent[ServerCommand]:
        """The slow commands of all Redis servers."""

    def pool_connections(self) -> Sequence[PoolConnections]:
        """Who has the connections of each pool."""

    def sparklines(self) -> Sequence[Sparkline]:
        """The key figures of the last quarter of an hour."""

    def http_figures(self) -> Mapping[str, float]:
        """What HTTP does now."""

    def silences(self) -> Sequence[SilenceRecord]:
        """The silences by matchers, the newest first."""

    def preview(self, matchers: Sequence[str]) -> Sequence[Alert]:
        """What a silence by *matchers* would silence now. Raises ConfigurationError."""

    def channels(self) -> Sequence[ChannelState]:
        """Who is told, and how each fares."""

    async def alert(self, alert_id: str) -> Alert:
        """The alert of that id. Raises AlertNotFound, StoreUnavailable."""

    async def acknowledge(self, alert_id: str, *, by: str | None, comment: str | None) -> tuple[Alert, bool]:
        """Somebody owns the alert. This and the two below raise AlertNotFound and ActionForbidden."""

    async def silence(
        self, alert_id: str, *, until: float | None, by: str | None, comment: str | None
    ) -> tuple[Alert, bool]:
        """Nobody is told until *until*, or until the alert resolves."""

    async def resolve(self, alert_id: str, *, by: str | None, comment: str | None) -> tuple[Alert, bool]:
        """Close the alert by hand."""

    async def note(self, alert_id: str, *, by: str | None, text: str) -> tuple[AuditEntry, bool]:
        """Write *text* down beside the alert."""

    async def timeline(self, subject: str) -> Sequence[AuditEntry]:
        """What happened to the alert, oldest first. Raises StoreUnavailable."""

    async def create_silence(
        self,
        *,
        matchers: Sequence[str],
        starts_at: float | None,
        ends_at: float | None,
        by: str | None,
        comment: str | None,
    ) -> tuple[Silence, bool]:
        """Silence what *matchers* match. Raises ConfigurationError."""

    async def end_silence(self, silence_id: str, *, by: str | None, comment: str | None) -> tuple[Silence, bool]:
        """End the silence now. Raises SilenceNotFound, ActionForbidden."""

    async def test_channel(self, name: str) -> float:
        """Send a test message through the channel. Raises ChannelNotFound, DeliveryError."""

    async def notifications(self, wanted: OutboxFilter) -> Page[OutboxRow]:
        """The outbox. Raises StoreUnavailable."""

    async def retry_notification(self, row_id: int) -> OutboxRow:
        """Have a dead letter sent again. Raises NotificationNotFound, ActionForbidden."""

    async def retry_dead(self, channel: str | None) -> int:
        """Have all dead letters sent again: how many."""
