"""What the API asks of Dozor. `main.Dozor` satisfies it by shape; tests put a small one in its place."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from dozor.clock import Clock
from dozor.database import AlertStatistics, HistoryFilter, Page
from dozor.instruments.query_monitor import SlowQuery
from dozor.model.alert import Alert
from dozor.model.rule import RuleState
from dozor.model.sample import Family
from dozor.overview import Known, PoolRecord, Recent, RedisDetails, ServerCommand, Sparkline

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Access:
    """Who may ask.

    Attributes:
        api_key: the key to be shown; None: none is set.
        dependency: the application's own FastAPI dependency that lets a request pass or raises. With neither, only peers on
            a loopback address are answered.
    """

    api_key: str | None = field(default=None, repr=False)
    dependency: Callable[..., Any] | None = None

    @property
    def loopback_only(self) -> bool:
        """Whether nothing but the peer's address stands between a stranger and the answer."""
        return self.api_key is None and self.dependency is None


class Backend(Protocol):
    """Everything that the handlers need.

    Threads: `clock`, `access` and `known` may be used in any thread and never wait. The functions under "in Dozor's
    thread" are called there only, inside `in_dozor`. The coroutines may be awaited on any event loop.
    """

    @property
    def clock(self) -> Clock:
        """Dates what is shown."""

    @property
    def access(self) -> Access:
        """Who may ask. Read at each request."""

    def known(self) -> Known:
        """What is known now: an immutable record, made by the last cycle or action. Before the first cycle: an empty one."""

    def in_dozor(self, work: Callable[[], T]) -> Awaitable[T]:
        """What *work* returns or raises, run in Dozor's thread; it must be quick and must not wait.

        Raises:
            StoreUnavailable: Dozor's thread is not running, or did not get to it within a second.
        """

    # -- in Dozor's thread -----------------------------------------------------------------------------------------

    def families(self) -> Sequence[Family]:
        """All metrics as they stand."""

    def pool_records(self) -> Sequence[PoolRecord]:
        """What each pool has done, and who has its connections."""

    def slow_queries(self, pool: str | None = None) -> Recent[SlowQuery]:
        """Those of the pool of that name, or of all."""

    def slow_commands(self) -> Recent[ServerCommand]:
        """Those of all Redis servers."""

    def redis_details(self) -> Sequence[RedisDetails]:
        """What each Redis server says about itself."""

    def rule_states(self) -> Sequence[RuleState]:
        """Every rule, in the order of evaluation."""

    def sparklines(self) -> Sequence[Sparkline]:
        """The key figures of the last quarter of an hour; see `overview.Trends`."""

    def http_figures(self) -> Mapping[str, float]:
        """What HTTP does now; see `overview.http_figures`."""

    # -- on any event loop -----------------------------------------------------------------------------------------

    async def alert(self, alert_id: str) -> Alert:
        """The alert of that id, active or in the history. Raises AlertNotFound, StoreUnavailable (after a second)."""

    async def history(self, wanted: HistoryFilter) -> Page[Alert]:
        """Alerts that ever fired. Raises StoreUnavailable (after a second), ValueError for a cursor that is none."""

    async def statistics(self, since: float | None) -> AlertStatistics:
        """What the history adds up to, from *since* on. Raises StoreUnavailable (after a second)."""

    async def acknowledge(self, alert_id: str, *, by: str | None, comment: str | None) -> tuple[Alert, bool]:
        """Somebody owns the alert: the alert as it now is, and whether that is committed (within 2 s).

        This and the two below raise AlertNotFound and ActionForbidden.
        """

    async def silence(
        self, alert_id: str, *, until: float | None, by: str | None, comment: str | None
    ) -> tuple[Alert, bool]:
        """Nobody is told until *until* (Unix seconds), or, where that is None, until the alert resolves."""

    async def resolve(self, alert_id: str, *, by: str | None, comment: str | None) -> tuple[Alert, bool]:
        """Close the alert by hand."""
