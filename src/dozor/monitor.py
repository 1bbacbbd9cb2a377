"""`Monitor`: what is watched, the session that watches it, and the answers to the API (`api.backend.Backend`)."""

import asyncio
import logging
import socket
import sys
import threading
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from dozor import dashboard
from dozor.api import build_probes, build_router, create_app
from dozor.api.backend import Access
from dozor.clock import Clock
from dozor.containment import contained
from dozor.database import AlertStatistics, HistoryFilter, Page
from dozor.errors import ActionForbidden, AlertNotFound, ConfigurationError, StoreUnavailable
from dozor.instruments.host_monitor import HostMonitor
from dozor.instruments.middleware import HttpMonitor
from dozor.instruments.query_monitor import SlowQuery
from dozor.instruments.runtime_monitor import RuntimeMonitor
from dozor.metrics import merge
from dozor.model.alert import Alert
from dozor.model.labels import Labels
from dozor.model.rule import RuleState
from dozor.model.sample import Family
from dozor.notify import AnyNotifier, table
from dozor.overview import (
    WINDOWS,
    Known,
    PoolRecord,
    Recent,
    RedisDetails,
    ServerCommand,
    Sparkline,
    http_figures,
)
from dozor.picture import Circumstances, Picture
from dozor.rules import Rule, load_rules
from dozor.runtime import Runtime
from dozor.scrape import Collector
from dozor.serving import OwnServer, bind, parse_address
from dozor.session import Identity, Session
from dozor.settings import Settings
from dozor.targets import Targets, build_targets

if TYPE_CHECKING:
    from fastapi import FastAPI
    from starlette.routing import BaseRoute

logger = logging.getLogger("dozor")

T = TypeVar("T")

_START_SECONDS: Final = 10.0
_ACTION_SECONDS: Final = 2.0
_READ_SECONDS: Final = 1.0


class Monitor:
    """Watches the targets, and answers for the API. Public methods may be called from any thread.

    Args:
        settings: checked.
        name: who speaks; asked when starting, since an application's title may be known only then.
        engines, redis: what the application gave, by name.
        rules: files and `Rule` objects beside the defaults and those of the settings.
        listen: `HOST:PORT` to serve at from Dozor's own thread.
        strict: an agent's ways: refuse a store that cannot be used, a misspelt setting.

    Raises:
        ConfigurationError: something given is wrong.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        name: Callable[[], str],
        engines: Mapping[str, Any],
        redis: Mapping[str, Any],
        rules: Sequence[str | Path | Rule] = (),
        notifiers: Sequence[Any] = (),
        auth: Callable[..., Any] | None = None,
        required: frozenset[str] | None = None,
        listen: str | None = None,
        strict: bool = False,
    ) -> None:
        self.clock = Clock()
        self._settings, self._name, self._strict = settings, name, strict
        self._runtime = Runtime(self.clock)
        self._targets = build_targets(engines, redis, settings, self.clock)
        _check_names(required, self._targets)
        self._rules = load_rules([*settings.rules, *rules], disabled=settings.disabled_rules)
        self._notifiers = _notifiers(settings, notifiers, self.clock)
        key = settings.api_key
        self._access = Access(key.get_secret_value() if key is not None else None, auth)
        self._address = parse_address(listen) if listen else None
        self._host, self._process = HostMonitor(self.clock), RuntimeMonitor(self.clock)
        self._picture = Picture(self._targets, self._host, self._process, settings.interval_seconds, required)
        self._circumstances = Circumstances()
        self._http: HttpMonitor | None = None
        self._session: Session | None = None
        self._starting = threading.Lock()

    # -- start and stop ----------------------------------------------------------------------------------------------

    @property
    def running(self) -> bool:
        """Whether the work is under way, in this process."""
        return self._runtime.running

    @property
    def store_location(self) -> str:
        """Where alerts and their history are kept, without secrets. Known while it runs."""
        return self._working().database.location

    def start(self) -> None:
        """Attach to what is watched and start the work; returns when it answers.

        Raises:
            ConfigurationError: the address is taken, or (strict) the store cannot be used. Nothing runs then.
        """
        begun = self._launch()
        try:
            begun.result(_START_SECONDS)
        except TimeoutError:
            logger.warning("Dozor is still starting after %.0f s", _START_SECONDS)
        except BaseException:
            self.stop(_START_SECONDS)
            raise

    def start_in_background(self, on_error: Callable[[Exception], None]) -> None:
        """As `start`, but without waiting; *on_error* gets what it would have raised."""

        def settled(begun: "Future[None]") -> None:
            error = begun.exception() if not begun.cancelled() else None
            if isinstance(error, ConfigurationError):
                on_error(error)
            elif error is not None:
                with contained("start"):
                    raise error

        with self._starting:
            if not self.running:
                try:
                    self._launch().add_done_callback(settled)
                except ConfigurationError as error:
                    on_error(error)

    def stop(self, timeout_seconds: float) -> None:
        """Stop the work, detach from what is watched. Takes at most *timeout_seconds*, whatever hangs."""
        self._runtime.stop(timeout_seconds)
        # Only now: taking a listener off while a connection is being opened disturbs SQLAlchemy, and probes open some.
        for pool in self._targets.pools.values():
            pool.detach()
        self._session = None
        self._picture.blank()

    def remove(self, name: str) -> None:
        """Watch the target *name* no longer; its alerts end with that reason.

        Raises:
            ConfigurationError: there is none of that name.
        """
        if name not in self._targets.names:
            known = ", ".join(sorted(self._targets.names)) or "nothing"
            raise ConfigurationError(f"{name!r} is not watched; watched: {known}")
        pool = self._targets.pools.pop(name, None)
        others: list[Collector | None] = [self._targets.redis.pop(name, None), self._targets.bouncers.pop(name, None)]
        gone: list[Collector] = [collector for collector in others if collector is not None]
        if pool is not None:
            pool.detach()
            gone.extend(pool.collectors)
        if self.running:
            self._runtime.submit(self._forget(name, gone)).result(_ACTION_SECONDS)

    def watch_loop(self, loop: asyncio.AbstractEventLoop) -> None:
        """Measure the lag of the application's *loop*."""
        self._process.watch_loop(loop)

    def unwatch_loop(self, loop: asyncio.AbstractEventLoop) -> None:
        """Measure it no longer."""
        self._process.unwatch_loop(loop)

    def watch_http(self) -> HttpMonitor:
        """The monitor for the application's middleware to write to; call it before `start`."""
        if self._http is None:
            self._http = HttpMonitor(self.clock)
        return self._http

    def routes(self) -> "list[BaseRoute]":
        """The API and the page, below their prefix, for a FastAPI application."""
        return build_router(self, pages=dashboard).routes

    def probes(self, paths: list[str]) -> "list[BaseRoute]":
        """Those of the probes that *paths* names, at the root, for a FastAPI application."""
        return build_probes(self, paths).routes

    def application(self) -> "FastAPI":
        """API, page and probes as an application of their own."""
        return create_app(self, pages=dashboard)

    def _launch(self) -> "Future[None]":
        listener = bind(*self._address) if self._address else None
        for pool in self._targets.pools.values():
            pool.attach()
        self._runtime.start()
        return self._runtime.submit(self._begin(listener))

    async def _begin(self, listener: socket.socket | None) -> None:
        settings, name = self._settings, self._name()
        session = Session(
            clock=self.clock,
            runtime=self._runtime,
            settings=settings,
            identity=Identity(name, settings.environment, settings.external_url),
            rules=self._rules,
            notifiers=self._notifiers,
            evidence=self._picture.evidence,
            on_cycle=self._look,
            strict=self._strict,
        )
        await session.begin(self._collectors())
        self._session = session
        self._circumstances = Circumstances(
            name, settings.environment, self.clock.timestamp(), tuple(self._notifiers), self._http is not None
        )
        if listener is not None:
            server = OwnServer(self.application(), listener)
            server.start()
            self._runtime.on_stop("listen", server.stop)

    def _collectors(self) -> list[Collector]:
        collectors: list[Collector] = [self._process, self._host]
        if self._http is not None:
            collectors.append(self._http)
        for pool in self._targets.pools.values():
            collectors.extend(pool.collectors)
        # An application without a response cache need not load what one needs.
        cache = sys.modules.get("dozor.response_cache")
        if cache is not None:
            collectors.append(cache.METRICS)
        return [*collectors, *self._targets.redis.values(), *self._targets.bouncers.values()]

    async def _forget(self, name: str, collectors: Sequence[Collector]) -> None:
        session = self._working()
        at = self.clock.timestamp()
        for collector in collectors:
            session.scraper.remove(collector.name)
        for label in ("pool", "redis"):
            session.apply(session.lifecycle.remove_target(Labels({label: name}), f"{name} is no longer watched", at))
        self._look(at)

    # -- what is known -------------------------------------------------------------------------------------------------

    @property
    def access(self) -> Access:
        """Who may ask."""
        return self._access

    def known(self) -> Known:
        """The picture that the last evaluation or action left."""
        return self._picture.known

    def _look(self, at: float) -> None:
        """Make the picture anew: on Dozor's loop, after each evaluation and action."""
        session = self._working()
        self._picture.look(at, session.lifecycle.active(pending=True), session.complaints(), self._circumstances)

    # -- in Dozor's thread ---------------------------------------------------------------------------------------------

    def in_dozor(self, work: Callable[[], T]) -> Awaitable[T]:
        """What *work* returns, run in Dozor's thread."""
        return self._soon(_called(work))

    def families(self) -> Sequence[Family]:
        """All metrics as they stand."""
        return merge(self._working().scraper.collect())

    def pool_records(self) -> Sequence[PoolRecord]:
        """What each pool has done, and who has its connections."""
        return [
            PoolRecord(
                name,
                {window: watched.pool.statistics(seconds) for window, seconds in WINDOWS.items()},
                watched.pool.holders(),
            )
            for name, watched in self._targets.pools.items()
        ]

    def slow_queries(self, pool: str | None = None) -> Recent[SlowQuery]:
        """The slow statements of the pool of that name, or of all."""
        watched = [one for name, one in self._targets.pools.items() if pool is None or name == pool]
        monitors = [one.queries for one in watched if one.queries is not None]
        entries = sorted((entry for one in monitors for entry in one.slow_queries()), key=lambda one: -one.at)
        return Recent(entries, sum(one.slow_total for one in monitors))

    def slow_commands(self) -> Recent[ServerCommand]:
        """The slow commands of all Redis servers."""
        monitors = self._targets.redis
        entries = [ServerCommand(name, entry) for name, one in monitors.items() for entry in one.slow_log()]
        entries.sort(key=lambda found: -found.entry.at)
        return Recent(entries, sum(one.slow_log_total for one in monitors.values()))

    def redis_details(self) -> Sequence[RedisDetails]:
        """What each Redis server says about itself."""
        return [RedisDetails(name, one.info(), one.capabilities()) for name, one in self._targets.redis.items()]

    def rule_states(self) -> Sequence[RuleState]:
        """Every rule."""
        return self._working().lifecycle.rule_states()

    def sparklines(self) -> Sequence[Sparkline]:
        """Key figures of the last quarter of an hour."""
        return self._working().trends.read(self.clock.timestamp())

    def http_figures(self) -> Mapping[str, float]:
        """What HTTP does now."""
        return http_figures(self._working().store, self.clock.timestamp())

    # -- on any loop ---------------------------------------------------------------------------------------------------

    async def alert(self, alert_id: str) -> Alert:
        """The alert of that id, active or in the history."""
        return await self._run(self._find(alert_id))

    async def history(self, wanted: HistoryFilter) -> Page[Alert]:
        """Alerts that ever fired."""
        return await self._run(self._stored(lambda session: session.database.history(wanted)))

    async def statistics(self, since: float | None) -> AlertStatistics:
        """What the history adds up to."""
        return await self._run(self._stored(lambda session: session.database.statistics(since)))

    async def acknowledge(self, alert_id: str, *, by: str | None, comment: str | None) -> tuple[Alert, bool]:
        """Somebody owns the alert."""
        return await self._act("acknowledge", alert_id, by=by, comment=comment)

    async def silence(
        self, alert_id: str, *, until: float | None, by: str | None, comment: str | None
    ) -> tuple[Alert, bool]:
        """Nobody is told of the alert until *until*, or until it resolves."""
        return await self._act("silence", alert_id, until=until, by=by, comment=comment)

    async def resolve(self, alert_id: str, *, by: str | None, comment: str | None) -> tuple[Alert, bool]:
        """Close the alert by hand."""
        return await self._act("resolve", alert_id, by=by, comment=comment)

    async def _act(self, action: str, alert_id: str, **how: Any) -> tuple[Alert, bool]:
        return await self._run(self._act_here(action, alert_id, how))

    async def _act_here(self, action: str, alert_id: str, how: Mapping[str, Any]) -> tuple[Alert, bool]:
        session = self._working()
        at = self.clock.timestamp()
        try:
            alert, changes = getattr(session.lifecycle, action)(alert_id, at, **how)
        except AlertNotFound:
            ended = await self._find(alert_id)
            raise ActionForbidden(action, alert_id, ended.state) from None
        written = session.apply(changes)
        self._look(at)
        return alert, await _done(written) and session.database.durable

    async def _find(self, alert_id: str) -> Alert:
        session = self._working()
        found = session.lifecycle.get(alert_id)
        if found is None:
            found = await session.thread.run(session.database.get, alert_id, timeout=_READ_SECONDS)
        if found is None or (found.fired_at is None and found.resolved_at is not None):
            raise AlertNotFound(alert_id)
        return found

    async def _stored(self, read: Callable[[Session], T]) -> T:
        session = self._working()
        return await session.thread.run(read, session, timeout=_READ_SECONDS)

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
            if self.running:
                raise
            raise StoreUnavailable("Dozor is not running") from error

    def _working(self) -> Session:
        if self._session is None:
            raise StoreUnavailable("Dozor is starting, or has stopped")
        return self._session


async def _called(work: Callable[[], T]) -> T:
    return work()


async def _done(written: "asyncio.Future[None] | None") -> bool:
    """Whether *written* is, within the time that an action may take."""
    if written is None:
        return True
    finished, _ = await asyncio.wait([written], timeout=_ACTION_SECONDS)
    return bool(finished) and not written.cancelled()


def _notifiers(settings: Settings, own: Sequence[Any], clock: Clock) -> dict[str, AnyNotifier]:
    for notifier in own:
        if not callable(getattr(notifier, "send", None)):
            raise ConfigurationError(
                f"a {type(notifier).__name__} is no notifier: it has no method `async def send(self, notification)`",
                key="notifiers",
            )
    secret = settings.webhook_secret
    return table(
        clock,
        webhook_url=settings.webhook_url,
        webhook_secret=secret.get_secret_value() if secret is not None else None,
        own=own,
    )


def _check_names(required: frozenset[str] | None, targets: Targets) -> None:
    known = targets.names | {f"{kind}:{name}" for kind in ("pool", "redis") for name in targets.names}
    if required is not None and (unknown := required - known):
        raise ConfigurationError(
            f"{', '.join(sorted(unknown))}: not watched; watched: {', '.join(sorted(targets.names)) or 'nothing'}",
            key="required",
        )
