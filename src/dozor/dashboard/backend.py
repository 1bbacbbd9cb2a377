"""What the page asks of others: of Dozor, and of whoever decides who may see it."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from dozor.clock import Clock
from dozor.instruments.query_monitor import SlowQuery
from dozor.model.alert import Alert
from dozor.overview import Known, PoolRecord, Recent, ServerCommand, Sparkline

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
        """What *work* returns, run in Dozor's thread, as are the five functions below."""

    def slow_queries(self) -> Recent[SlowQuery]:
        """The slow statements of all pools."""

    def slow_commands(self) -> Recent[ServerCommand]:
        """The slow commands of all Redis servers."""

    def pool_records(self) -> Sequence[PoolRecord]:
        """What each pool has done, and who has its connections."""

    def sparklines(self) -> Sequence[Sparkline]:
        """The key figures of the last quarter of an hour."""

    def http_figures(self) -> Mapping[str, float]:
        """What HTTP does now."""

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
