"""`Desk`: what answers the API (`api.backend.Backend`): what is read, and what people do about alerts."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeVar
from uuid import uuid4

from dozor.api.backend import Access
from dozor.api.changes import changes_json
from dozor.api.live import Live
from dozor.api.live_document import live_document
from dozor.clock import Clock
from dozor.database import AlertStatistics, AnnotationFilter, Facets, HistoryFilter, OutboxFilter, OutboxRow, Page
from dozor.errors import (
    ActionForbidden,
    AlertNotFound,
    ChannelNotFound,
    QueryNotFound,
    SilenceNotFound,
    StoreUnavailable,
)
from dozor.garbage import seldom_collected
from dozor.instruments.query_plan import QueryPlan
from dozor.instruments.runtime_monitor import RuntimeMonitor
from dozor.model.alert import Alert
from dozor.model.annotation import Annotation
from dozor.model.notification import NOTE, AuditEntry, Changes
from dozor.model.rule import RuleChanges
from dozor.model.silence import Silence
from dozor.overview import OWN_PREFIX, Change, Known, own_silence
from dozor.reading import Reading
from dozor.runtime import Runtime
from dozor.session import Session
from dozor.store import Queryable
from dozor.targets import Targets

if TYPE_CHECKING:
    from dozor.instruments.middleware import HttpMonitor
    from dozor.rules.backtest import Life
    from dozor.rules.unittest import Groups

T = TypeVar("T")

_ACTION_SECONDS: Final = 2.0
_READ_SECONDS: Final = 1.0
_QUERY_SECONDS: Final = 30.0
_RECEIVE_SECONDS: Final = 10.0


class Desk(Reading):
    """Answers for a monitor. The coroutines may be awaited on any loop; they run on Dozor's.

    Args:
        known: the picture that the last evaluation or action left.
        look: makes it anew, as of a time; called on Dozor's loop after each action.
        working: the session; raises StoreUnavailable where there is none.
        max_streams: how many may be open at once.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        access: Access,
        runtime: Runtime,
        targets: Targets,
        known: Callable[[], Known],
        look: Callable[[float], None],
        working: Callable[[], Session],
        process: RuntimeMonitor,
        http: "Callable[[], HttpMonitor | None]",
        max_streams: int,
    ) -> None:
        super().__init__(clock, targets, working, process, http)
        self.access = access
        self.live = Live(lambda: live_document(self), clock, most=max_streams)
        self.known = known
        self._runtime, self._look = runtime, look

    def in_dozor(self, work: Callable[[], T]) -> Awaitable[T]:
        """What *work* returns, run in Dozor's thread. Raises StoreUnavailable after a second."""
        return self._soon(_called(work))

    async def receive(self, body: bytes) -> None:
        """Keep the series that a remote write's *body* holds; in a thread of its own, since many may be sent."""
        session = self._working()

        def take() -> None:
            with seldom_collected():
                session.remote_write.take(body)

        try:
            await session.receiving.run(take, timeout=_RECEIVE_SECONDS)
        except StoreUnavailable:
            raise StoreUnavailable("more series are sent than Dozor can take; send them again in a moment") from None

    async def run_query(self, work: Callable[[Queryable], T]) -> T:
        """What *work* makes of the series, in the thread for queries.

        Raises StoreUnavailable where too many wait there, or it has not come to this one after half a minute.
        """
        session = self._working()

        def evaluate() -> T:
            with seldom_collected():
                return work(session.queried)

        try:
            return await session.queries.run(evaluate, timeout=_QUERY_SECONDS)
        except StoreUnavailable:
            raise StoreUnavailable("Dozor is busy with other queries, or stops; ask again in a moment") from None

    def tell(self, changes: Sequence[Change]) -> None:
        """Have streams told of *changes*, which are new. In Dozor's thread."""
        self.live.tell(changes_json(changes, self.clock))

    # -- what is kept --------------------------------------------------------------------------------------------------

    async def alert(self, alert_id: str) -> Alert:
        """The alert of that id, active or in the history."""
        return await self._run(self._find(alert_id))

    async def history(self, wanted: HistoryFilter) -> Page[Alert]:
        """Alerts that ever fired."""
        return await self._stored(lambda session: session.database.history(wanted))

    async def facets(self, wanted: HistoryFilter, values: int) -> Facets:
        """Which labels those alerts have."""
        return await self._stored(lambda session: session.database.facets(wanted, values))

    async def statistics(self, since: float | None) -> AlertStatistics:
        """What the history adds up to."""
        return await self._stored(lambda session: session.database.statistics(since))

    async def annotations(self, wanted: AnnotationFilter) -> Sequence[Annotation]:
        """Marks in time, the newest first; what is set but not yet written is among them."""
        return await self._run(self._annotations(wanted))

    async def annotate(
        self, text: str, *, at: float | None, tags: Sequence[str], by: str | None
    ) -> tuple[Annotation, bool]:
        """Set a mark at *at* (None: now)."""

        def mark(_: Session, now: float) -> tuple[Annotation, Changes]:
            annotation = Annotation(uuid4().hex, now if at is None else at, text, tuple(tags), by)
            return annotation, Changes(annotations=(annotation,))

        return await self._act(mark)

    async def _annotations(self, wanted: AnnotationFilter) -> Sequence[Annotation]:
        session = self._working()
        waiting = [one for changes in session.keeper.journal.waiting() for one in changes.annotations]
        written = await session.thread.run(session.database.annotations, wanted, timeout=_READ_SECONDS)
        found = {one.id: one for one in (*written, *filter(wanted.matches, waiting))}
        return sorted(found.values(), key=lambda one: (one.at, one.id), reverse=True)[: wanted.limit]

    async def timeline(self, subject: str) -> Sequence[AuditEntry]:
        """What happened to an alert or a silence, oldest first."""
        return await self._run(self._timeline(subject))

    async def _timeline(self, subject: str) -> Sequence[AuditEntry]:
        session = self._working()
        # What waits first: what is written meanwhile is then in both, and not in neither.
        waiting = [entry for changes in session.keeper.journal.waiting() for entry in changes.audit]
        written = await session.thread.run(session.database.audit, subject, timeout=_READ_SECONDS)
        return [*written, *(entry for entry in waiting if entry.alert_id == subject and entry not in written)]

    # -- what people do ------------------------------------------------------------------------------------------------

    async def acknowledge(self, alert_id: str, *, by: str | None, comment: str | None) -> tuple[Alert, bool]:
        """Somebody owns the alert."""
        return await self._act_on("acknowledge", alert_id, by=by, comment=comment)

    async def release(self, alert_id: str, *, by: str | None, comment: str | None) -> tuple[Alert, bool]:
        """Nobody owns the alert any more."""
        return await self._act_on("release", alert_id, by=by, comment=comment)

    async def silence(
        self, alert_id: str, *, until: float | None, by: str | None, comment: str | None
    ) -> tuple[Alert, bool]:
        """Nobody is told of the alert until *until*, or until it resolves."""
        return await self._act_on("silence", alert_id, until=until, by=by, comment=comment)

    async def resolve(self, alert_id: str, *, by: str | None, comment: str | None) -> tuple[Alert, bool]:
        """Close the alert by hand."""
        return await self._act_on("resolve", alert_id, by=by, comment=comment)

    async def note(self, alert_id: str, *, by: str | None, text: str) -> tuple[AuditEntry, bool]:
        """Write *text* down beside the alert, which may have ended long ago."""
        return await self._run(self._note(alert_id, by, text))

    async def create_silence(self, **silence: Any) -> tuple[Silence, bool]:
        """Silence what matchers match; see `Lifecycle.create_silence`."""
        return await self._act(lambda session, at: session.lifecycle.create_silence(at, **silence))

    async def update_silence(self, silence_id: str, **silence: Any) -> tuple[Silence, bool]:
        """Make the silence what is said here; see `Lifecycle.update_silence`."""
        return await self._act(lambda session, at: session.lifecycle.update_silence(silence_id, at, **silence))

    async def end_silence(self, silence_id: str, *, by: str | None, comment: str | None) -> tuple[Silence, bool]:
        """End the silence, or take an alert's own off."""
        if silence_id.startswith(OWN_PREFIX):
            return await self._act(lambda session, at: _lift(session, silence_id, at, by, comment))
        return await self._act(
            lambda session, at: session.lifecycle.end_silence(silence_id, at, by=by, comment=comment)
        )

    def trial_life(self, rules: "Groups") -> "Life":
        """A life for the alerts of *rules* as they would have it here, which nobody is told of."""
        return self._working().rehearsal(rules)

    async def reload_rules(self) -> RuleChanges:
        """Read the rules again. Raises ConfigurationError where something in them is wrong; the old ones stay in force."""
        return await self._run(self._working().reloader.reload())

    # -- who is told ---------------------------------------------------------------------------------------------------

    async def test_channel(self, name: str) -> float:
        """Send a test message, now; the seconds that it took."""
        return await self._run(self._working().delivery.test(name))

    async def plan(self, fingerprint: str, pool: str | None = None) -> QueryPlan:
        """How the database would run a statement."""
        for watched in self._watched(pool).values():
            counts = watched.counts
            if counts is not None and (statement := counts.book.statement(fingerprint)) is not None:
                return await self._run(counts.planner.plan(statement))
        raise QueryNotFound(fingerprint)

    async def notifications(self, wanted: OutboxFilter) -> Page[OutboxRow]:
        """The outbox."""
        return await self._stored(lambda session: session.database.notifications(wanted))

    async def retry_notification(self, row_id: int) -> OutboxRow:
        """Have a dead letter sent again."""
        row = await self._stored(lambda session: session.database.retry(row_id, self.clock.timestamp()))
        await self._wake()
        return row

    async def retry_dead(self, channel: str | None) -> int:
        """Have all dead letters (of *channel*) sent again; how many.

        Letters of a channel that is set up no longer wait until it is again. Raises ChannelNotFound for one that has none
        and is not set up.
        """
        count = await self._stored(lambda session: session.database.retry_dead(self.clock.timestamp(), channel))
        if not count and channel is not None and channel not in self._working().delivery.receivers:
            raise ChannelNotFound(channel)
        await self._wake()
        return count

    async def _wake(self) -> None:
        await self.in_dozor(self._working().delivery.wake)

    # -- on Dozor's loop -----------------------------------------------------------------------------------------------

    async def _act_on(self, action: str, alert_id: str, **how: Any) -> tuple[Alert, bool]:
        try:
            return await self._act(lambda session, at: getattr(session.lifecycle, action)(alert_id, at, **how))
        except AlertNotFound:
            ended = await self.alert(alert_id)
            raise ActionForbidden(action, alert_id, ended.state) from None

    async def _act(self, action: Callable[[Session, float], tuple[T, Changes]]) -> tuple[T, bool]:
        """What *action* gives, and whether what it changed is committed within the time that an action may take."""

        async def act() -> tuple[T, bool]:
            session, at = self._working(), self.clock.timestamp()
            result, changes = action(session, at)
            return result, await self._kept(session, changes, at)

        return await self._run(act())

    async def _kept(self, session: Session, changes: Changes, at: float) -> bool:
        written = session.apply(changes)
        self._look(at)
        return await _done(written) and session.keeper.durable

    async def _note(self, alert_id: str, by: str | None, text: str) -> tuple[AuditEntry, bool]:
        session, at = self._working(), self.clock.timestamp()
        try:
            entry, changes = session.lifecycle.note(alert_id, at, by=by, text=text)
        except AlertNotFound:
            await self._find(alert_id)
            entry = AuditEntry(alert_id, at, NOTE, by, text)
            changes = Changes(audit=(entry,))
        return entry, await self._kept(session, changes, at)

    async def _find(self, alert_id: str) -> Alert:
        session = self._working()
        found = session.lifecycle.get(alert_id)
        if found is None:
            found = await session.thread.run(session.database.get, alert_id, timeout=_READ_SECONDS)
        if found is None or (found.fired_at is None and found.resolved_at is not None):
            raise AlertNotFound(alert_id)
        return found

    async def _stored(self, read: Callable[[Session], T]) -> T:
        async def ask() -> T:
            session = self._working()
            return await session.thread.run(read, session, timeout=_READ_SECONDS)

        return await self._run(ask())

    async def _soon(self, work: Coroutine[Any, Any, T]) -> T:
        try:
            async with asyncio.timeout(_READ_SECONDS) as limit:
                return await self._run(work)
        except TimeoutError:
            if not limit.expired():
                raise
            raise StoreUnavailable("Dozor's own thread is busy") from None

    async def _run(self, work: Coroutine[Any, Any, T]) -> T:
        try:
            return await self._runtime.run_async(work)
        except RuntimeError as error:
            if self._runtime.running:
                raise
            raise StoreUnavailable("Dozor is not running") from error


def _lift(session: Session, silence_id: str, at: float, by: str | None, comment: str | None) -> tuple[Silence, Changes]:
    """Take off an alert's own silence: as it was, ended."""
    lifecycle, alert_id = session.lifecycle, silence_id.removeprefix(OWN_PREFIX)
    alert = lifecycle.get(alert_id)
    silence = own_silence(alert, ended_at=at) if alert is not None else None
    if silence is None:
        raise SilenceNotFound(silence_id)
    _, changes = lifecycle.lift(alert_id, at, by=by, comment=comment)
    return silence, changes


async def _called(work: Callable[[], T]) -> T:
    return work()


async def _done(written: "asyncio.Future[None] | None") -> bool:
    """Whether *written* is, within the time that an action may take."""
    if written is None:
        return True
    finished, _ = await asyncio.wait([written], timeout=_ACTION_SECONDS)
    return bool(finished) and not written.cancelled()
