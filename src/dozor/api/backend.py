"""What the API asks of Dozor. `main.Dozor` satisfies it by shape; tests put a small one in its place."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from dozor.api.live import Live
from dozor.clock import Clock
from dozor.database import AlertStatistics, AnnotationFilter, Facets, HistoryFilter, OutboxFilter, OutboxRow, Page
from dozor.instruments.connection_budget import ServerBudget
from dozor.instruments.http_answers import RequestInFlight, SlowRequest
from dozor.instruments.loop_stalls import Stalls
from dozor.instruments.query_plan import QueryPlan
from dozor.instruments.query_repeats import RepeatedQuery
from dozor.instruments.query_report import Order, QueryReport, TopQueries
from dozor.instruments.query_slow import SlowFetch, SlowQuery
from dozor.instruments.statement_book import Source
from dozor.model.alert import Alert
from dozor.model.annotation import Annotation
from dozor.model.collector import CollectorHealth
from dozor.model.notification import AuditEntry
from dozor.model.rule import GroupState, RuleChanges, RuleExplanation, RuleState
from dozor.model.sample import Family
from dozor.model.silence import Silence
from dozor.notify import ChannelState
from dozor.overview import (
    Change,
    Known,
    PoolConnections,
    PoolRecord,
    PoolReview,
    Recent,
    RedisClientDetails,
    RedisDetails,
    RedisWhole,
    ServerActivity,
    ServerCommand,
    SilenceRecord,
    Sparkline,
    StatementSource,
)
from dozor.store import Queryable

if TYPE_CHECKING:  # loaded by whoever tries a rule
    from dozor.rules.backtest import Life
    from dozor.rules.unittest import Groups

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Access:
    """Who may ask.

    Attributes:
        api_key: the key to be shown; None: none is set.
        dependency: the application's own FastAPI dependency that lets a request pass or raises. With neither, only peers on
            a loopback address are answered.
        slack_signing_secret: what Slack signs the presses of its buttons with, which is all that those need; None: there
            are no buttons.
        remote_write: whether whoever may ask may also send series.
    """

    api_key: str | None = field(default=None, repr=False)
    dependency: Callable[..., Any] | None = None
    slack_signing_secret: str | None = field(default=None, repr=False)
    remote_write: bool = False

    @property
    def loopback_only(self) -> bool:
        """Whether nothing but the peer's address stands between a stranger and the answer."""
        return self.api_key is None and self.dependency is None


class Backend(Protocol):
    """Everything that the handlers need.

    Threads: `clock`, `access`, `live` and `known` may be used in any thread and never wait. The functions under "in Dozor's
    thread" are called there only, inside `in_dozor`. The coroutines may be awaited on any event loop.
    """

    @property
    def clock(self) -> Clock:
        """Dates what is shown."""

    @property
    def access(self) -> Access:
        """Who may ask. Read at each request."""

    @property
    def live(self) -> Live:
        """What streams carry."""

    def known(self) -> Known:
        """What is known now, `silences` among it: an immutable record, made by the last cycle or action.

        Before the first cycle: an empty one.
        """

    def in_dozor(self, work: Callable[[], T]) -> Awaitable[T]:
        """What *work* returns or raises, run in Dozor's thread; it must be quick and must not wait.

        Raises:
            StoreUnavailable: Dozor's thread is not running, or did not get to it within a second.
        """

    def receive(self, body: bytes) -> Awaitable[None]:
        """Keep the series that a remote write's *body* holds.

        Raises:
            WireError: it holds none that can be read.
            StoreUnavailable: Dozor does not run, or too many wait.
        """

    def run_query(self, work: Callable[[Queryable], T]) -> Awaitable[T]:
        """What *work* returns or raises, handed the store in the thread for queries: it may take long, and delays nobody.

        Raises:
            StoreUnavailable: Dozor does not run, or is busy with other queries.
        """

    # -- in Dozor's thread -----------------------------------------------------------------------------------------

    def families(self) -> Sequence[Family]:
        """All metrics as they stand."""

    def metadata(self) -> Sequence[Family]:
        """What is said of every metric, those of others too; of theirs, without samples."""

    def pool_records(self) -> Sequence[PoolRecord]:
        """What each pool has done, and who has its connections."""

    def pool_connections(self, pool: str | None = None) -> Sequence[PoolConnections]:
        """Who has connections of the pool of that name, or of all, and who waits for them."""

    def pool_reviews(self) -> Sequence[PoolReview]:
        """What each pool of the application's has been used for, and what is advised for it."""

    def budgets(self) -> Sequence[ServerBudget]:
        """What the pools may open of each server's connections, against what there is."""

    def slow_queries(self, pool: str | None = None) -> Recent[SlowQuery]:
        """Those of the pool of that name, or of all."""

    def slow_fetches(self, pool: str | None = None) -> Recent[SlowFetch]:
        """Those of the pool of that name, or of all."""

    def top_queries(
        self, window: str, order: Order, pool: str | None = None, source: Source | None = None
    ) -> TopQueries:
        """The statements of *window*, one of `query_tally.WINDOWS`, of the pool of that name, or of all; of one source, or of both."""

    def statement_sources(self, pool: str | None = None) -> Sequence[StatementSource]:
        """Who counts the statements of each pool, and how that fares."""

    def query(self, fingerprint: str) -> Mapping[str, Sequence[QueryReport]]:
        """One statement by the name of the window, in each pool that knows it."""

    def server_activity(self, pool: str | None = None) -> Sequence[ServerActivity]:
        """The open transactions of the servers behind the pools, or behind the one of that name."""

    def repeated_queries(self, pool: str | None = None) -> Sequence[RepeatedQuery]:
        """What requests repeat, the last found first, of the pool of that name, or of all."""

    def slow_commands(self) -> Recent[ServerCommand]:
        """Those of all Redis servers."""

    def redis_details(self) -> Sequence[RedisDetails]:
        """What each Redis server says about itself."""

    def redis_clients(self) -> Sequence[RedisClientDetails]:
        """What the application's own Redis clients do."""

    def redis_groups(self) -> Sequence[RedisWhole]:
        """What each cluster, and what each set of sentinels watches, consists of."""

    def rule_states(self) -> Sequence[RuleState]:
        """Every rule, in the order of evaluation."""

    def explain_rule(self, rule: str) -> Sequence[RuleExplanation]:
        """Why the rules of this name fire or do not. Raises RuleNotFound."""

    def recent_changes(self, since: float) -> Sequence[Change]:
        """What has changed since then (Unix seconds), the newest first."""

    def rule_groups(self) -> Sequence[GroupState]:
        """All groups with all their rules, recording ones too, in the order of evaluation."""

    def sparklines(self) -> Sequence[Sparkline]:
        """The key figures of the last quarter of an hour; see `overview.Trends`."""

    def http_figures(self) -> Mapping[str, float]:
        """What HTTP does now; see `overview.http_figures`."""

    def requests_in_flight(self, most: int) -> tuple[Sequence[RequestInFlight], int]:
        """The oldest of those being answered now, at most *most*, and how many there are."""

    def slow_requests(self) -> tuple[Recent[SlowRequest], float]:
        """Those that were answered late, the newest first, and from how many seconds on that is so."""

    def stalls(self) -> Stalls:
        """The times that the application's event loop was blocked."""

    def silences(self) -> Sequence[SilenceRecord]:
        """The silences by matchers that are scheduled or active, or expired in the last day, the newest first.

        Those that alerts themselves have are not among them: `overview.inventory` adds them from `known().alerts`.
        """

    def preview(self, matchers: Sequence[str]) -> Sequence[Alert]:
        """The alerts, pending ones too, that a silence by *matchers* would silence now.

        Raises ConfigurationError (key `matchers`) for matchers that no silence may have.
        """

    def channels(self) -> Sequence[ChannelState]:
        """Who is told, and how each fares."""

    def collectors(self) -> Sequence[CollectorHealth]:
        """What is collected from, and how that goes."""

    # -- on any event loop -----------------------------------------------------------------------------------------

    async def alert(self, alert_id: str) -> Alert:
        """The alert of that id, active or in the history. Raises AlertNotFound, StoreUnavailable (after a second)."""

    async def history(self, wanted: HistoryFilter) -> Page[Alert]:
        """Alerts that ever fired. Raises StoreUnavailable (after a second), ValueError for a cursor that is none."""

    async def facets(self, wanted: HistoryFilter, values: int) -> Facets:
        """Which labels those alerts have, at most *values* of each. Raises StoreUnavailable (after a second)."""

    async def statistics(self, since: float | None) -> AlertStatistics:
        """What the history adds up to, from *since* on. Raises StoreUnavailable (after a second)."""

    async def acknowledge(self, alert_id: str, *, by: str | None, comment: str | None) -> tuple[Alert, bool]:
        """Somebody owns the alert: the alert as it now is, and whether that is committed (within 2 s).

        This and the three below raise AlertNotFound and ActionForbidden.
        """

    async def release(self, alert_id: str, *, by: str | None, comment: str | None) -> tuple[Alert, bool]:
        """Nobody owns the alert any more; people are told of it again."""

    async def silence(
        self, alert_id: str, *, until: float | None, by: str | None, comment: str | None
    ) -> tuple[Alert, bool]:
        """Nobody is told until *until* (Unix seconds), or, where that is None, until the alert resolves."""

    async def resolve(self, alert_id: str, *, by: str | None, comment: str | None) -> tuple[Alert, bool]:
        """Close the alert by hand."""

    async def note(self, alert_id: str, *, by: str | None, text: str) -> tuple[AuditEntry, bool]:
        """Write *text* down beside the alert, which may have ended: the entry, and whether that is committed.

        Raises AlertNotFound, StoreUnavailable (for an alert that only the store knows).
        """

    async def annotations(self, wanted: AnnotationFilter) -> Sequence[Annotation]:
        """Marks in time, the newest first. Raises StoreUnavailable (after a second)."""

    async def annotate(
        self, text: str, *, at: float | None, tags: Sequence[str], by: str | None
    ) -> tuple[Annotation, bool]:
        """Set a mark at *at* (Unix seconds; None: now): it, and whether it is committed (within 2 s)."""

    async def timeline(self, subject: str) -> Sequence[AuditEntry]:
        """What happened to the alert, or to the silence, of that id, oldest first; nothing where it is not known.

        What is done but not yet written is in it too. Raises StoreUnavailable (after a second).
        """

    async def create_silence(
        self,
        *,
        matchers: Sequence[str],
        starts_at: float | None,
        ends_at: float | None,
        by: str | None,
        comment: str | None,
    ) -> tuple[Silence, bool]:
        """Silence what *matchers* match, from *starts_at* (None: now) to *ends_at* (None: until it has resolved).

        The silence, and whether it is committed (within 2 s), as the two below. Raises ConfigurationError with the key
        `matchers`, `starts_at` or `ends_at`.
        """

    async def update_silence(
        self,
        silence_id: str,
        *,
        matchers: Sequence[str],
        starts_at: float | None,
        ends_at: float | None,
        by: str | None,
        comment: str | None,
    ) -> tuple[Silence, bool]:
        """Make the silence what is said here; what is None but *ends_at* stays as it was.

        Raises as `create_silence`, SilenceNotFound, and ActionForbidden for one that has expired. An alert's own silence
        does not come here.
        """

    async def end_silence(self, silence_id: str, *, by: str | None, comment: str | None) -> tuple[Silence, bool]:
        """End the silence now; of an alert's own (`overview.OWN_PREFIX`), take it off the alert (`overview.own_silence`).

        Raises SilenceNotFound, and ActionForbidden for one that has expired.
        """

    def trial_life(self, rules: "Groups") -> "Life":
        """A life for the alerts of *rules* as they would have it here, which nobody is told of. In any thread."""

    async def reload_rules(self) -> RuleChanges:
        """Read all rules again and put them in force: what that has changed.

        Raises ConfigurationError where something in them is wrong; those from before stay in force then.
        """

    async def test_channel(self, name: str) -> float:
        """Send a test message through the channel, now: the seconds that it took.

        Raises ChannelNotFound, DeliveryError.
        """

    async def plan(self, fingerprint: str, pool: str | None = None) -> QueryPlan:
        """How the database of the pool of that name, or of the first that knows the statement, would run it; in at most 5 s.

        Raises QueryNotFound; PlanUnavailable, which says why.
        """

    async def notifications(self, wanted: OutboxFilter) -> Page[OutboxRow]:
        """The outbox. Raises StoreUnavailable (after a second), ValueError for a cursor that is none."""

    async def retry_notification(self, row_id: int) -> OutboxRow:
        """Have a dead letter sent again: the row as it now is.

        Raises NotificationNotFound, StoreUnavailable, and ActionForbidden for one that is not dead.
        """

    async def retry_dead(self, channel: str | None) -> int:
        """Have all dead letters (of *channel*) sent again: how many. Raises ChannelNotFound, StoreUnavailable."""
