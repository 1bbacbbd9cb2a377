"""`Monitor`: what is watched, and the session that watches it, from start to stop."""

import asyncio
import logging
import socket
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from dozor.clock import Clock
from dozor.containment import contained
from dozor.errors import ConfigurationError, StoreUnavailable
from dozor.instruments.host_monitor import HostMonitor
from dozor.instruments.runtime_monitor import RuntimeMonitor
from dozor.model.collector import SCRAPE_PREFIX
from dozor.model.labels import Labels
from dozor.model.rule import RuleChanges
from dozor.notify import table
from dozor.overview import Known, TargetWatch
from dozor.picture import Circumstances, Picture
from dozor.plain_answers import PlainAnswers
from dozor.reception import Reception
from dozor.rules import Rule, RuleSource, load_rules
from dozor.runtime import Runtime
from dozor.scrape import Collector
from dozor.serving import EarlyServer, OwnServer, bind, parse_address
from dozor.session import Identity, Session
from dozor.settings import Settings
from dozor.targets import Targets, build_targets

if TYPE_CHECKING:
    from dozor.instruments.middleware import HttpMonitor

logger = logging.getLogger("dozor")

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
        server: serves already, and runs the thread.
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
        server: EarlyServer | None = None,
        strict: bool = False,
    ) -> None:
        self.clock = Clock()
        self._settings, self._name, self._strict = settings, name, strict
        self._server, self._launched = server, False
        self._runtime = Runtime(self.clock) if server is None else server.runtime
        self._targets = build_targets(engines, redis, settings, self.clock)
        _check_names(required, self._targets)
        self._rules = RuleSource(
            [*settings.rules, *rules],
            lambda given: load_rules(
                given,
                disabled=settings.disabled_rules,
                locale=settings.locale,
                external_url=settings.external_url,
                external_labels={"environment": settings.environment} if settings.environment else {},
            ),
        )
        self._receivers = table(settings.channels, notifiers, self.clock, settings.locale)
        self._address = parse_address(listen) if listen else None
        self._host, self._process = (
            HostMonitor(self.clock),
            RuntimeMonitor(self.clock, stall_seconds=settings.stall_seconds),
        )
        self._picture = Picture(self._targets, self._host, self._process, settings.interval_seconds, required)
        self._circumstances = Circumstances()
        self._target_watch = TargetWatch()
        self._http: HttpMonitor | None = None
        self._session: Session | None = None
        self._starting = threading.Lock()
        self.reception = Reception(
            settings,
            auth,
            clock=self.clock,
            runtime=self._runtime,
            targets=self._targets,
            known=self.known,
            look=self._look,
            working=self._working,
            process=self._process,
            http=lambda: self._http,
        )

    # -- start and stop ----------------------------------------------------------------------------------------------

    @property
    def running(self) -> bool:
        """Whether the work is under way, in this process."""
        return self._launched and self._runtime.running

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
        self._launched = False
        self._runtime.stop(timeout_seconds)
        # Only now: taking a listener off while a connection is being opened disturbs SQLAlchemy, and probes open some.
        for pool in self._targets.pools.values():
            pool.detach()
        for client in self._targets.redis_clients.values():
            client.detach()
        self._process.detach()
        self._session = None
        self._picture.blank()

    def remove(self, name: str) -> None:
        """Watch the target *name* no longer; its alerts end with that reason.

        Raises:
            ConfigurationError: there is none of that name.
        """
        watched = self._targets.names | self._targets.expositions.keys()
        if name not in watched:
            known = ", ".join(sorted(watched)) or "nothing"
            raise ConfigurationError(f"{name!r} is not watched; watched: {known}")
        pool = self._targets.pools.pop(name, None)
        group = self._targets.redis_groups.pop(name, None)
        nodes = list(group.nodes) if group is not None else []
        targets: tuple[dict[str, Any], ...] = (self._targets.redis, self._targets.bouncers, self._targets.expositions)
        others: list[Collector | None] = [one.pop(each, None) for one in targets for each in (name, *nodes)] + [group]
        gone: list[Collector] = [collector for collector in others if collector is not None]
        client = self._targets.redis_clients.pop(name, None)
        if client is not None:
            client.detach()
            gone.append(client)
        if pool is not None:
            pool.detach()
            gone.extend(pool.collectors)
        if self.running:
            self._runtime.submit(self._forget((name, *nodes), gone)).result(_ACTION_SECONDS)

    def reload_rules(self) -> "Future[RuleChanges]":
        """Read the rules again; what that has changed, once it is done. Where there is a mistake, the old ones stay in force.

        The future raises ConfigurationError then; the mistake is in the log and in `system/health` too.

        Raises:
            RuntimeError: Dozor does not run.
        """
        return self._runtime.submit(self._working().reloader.reload())

    def watch_loop(self, loop: asyncio.AbstractEventLoop) -> None:
        """Measure the lag of the application's *loop*."""
        self._process.watch_loop(loop)

    def unwatch_loop(self, loop: asyncio.AbstractEventLoop) -> None:
        """Measure it no longer."""
        self._process.unwatch_loop(loop)

    def watch_http(self) -> "HttpMonitor":
        """The monitor for the application's middleware to write to; call it before `start`."""
        if self._http is None:
            from dozor.instruments.middleware import HttpMonitor  # noqa: PLC0415 - an agent has no application

            self._http = HttpMonitor(self.clock, slow_seconds=self._settings.slow_request_seconds)
        return self._http

    def _launch(self) -> "Future[None]":
        listener = bind(*self._address) if self._address else None
        for pool in self._targets.pools.values():
            pool.attach()
        for client in self._targets.redis_clients.values():
            client.attach()
        self._process.attach()
        self._runtime.start()
        self._launched = True
        return self._runtime.submit(self._begin(listener))

    async def _begin(self, listener: socket.socket | None) -> None:
        settings, name = self._settings, self._name()
        session = Session(
            clock=self.clock,
            runtime=self._runtime,
            settings=settings,
            identity=Identity(name, settings.environment, settings.external_url),
            rules=self._rules,
            receivers=self._receivers,
            evidence=self._picture.evidence,
            on_cycle=self._look,
            on_changes=self.reception.tell,
            strict=self._strict,
        )
        if self._targets.redis_groups:
            from dozor.following import follow  # noqa: PLC0415 - hiredis comes with it

            follow(self._targets, session, self.clock.timestamp)
        if self._http is not None or any(not pool.outside for pool in self._targets.pools.values()):
            from dozor.hot_paths import hot_paths  # noqa: PLC0415 - an agent has no application

            session.cost.hot_paths += hot_paths(self._http, self._targets)
        await session.begin(self._collectors())
        if self._process.loops:  # an agent watches none, and need not wake up for that
            self._runtime.always("event loops", self._process.keep_watch)
        self._session = session
        self._circumstances = Circumstances(
            name, settings.environment, self.clock.timestamp(), tuple(self._receivers), self._http is not None
        )
        self.reception.open()
        if listener is not None:
            server = await asyncio.to_thread(lambda: OwnServer(self.reception.application(), listener))
            server.start()
            self._runtime.on_stop("listen", server.stop)
        elif self._server is not None:
            key = settings.api_key
            plain = PlainAnswers(
                self.clock, None if key is None else key.get_secret_value(), self.known, lambda: self._session
            )
            self._server.front.open(self.reception.application, plain.by_path())
            # Served from before all else, and to be ended before all else.
            self._runtime.on_stop("listen", self._server.stop)
        # First of all, since servers wait for responses that have not ended.
        self._runtime.on_stop("streams", self.reception.close)

    def _collectors(self) -> list[Collector]:
        collectors: list[Collector] = [self._process, self._host]
        if self._http is not None:
            collectors.append(self._http)
        for pool in self._targets.pools.values():
            collectors.extend(pool.collectors)
        if any(not pool.outside for pool in self._targets.pools.values()):
            collectors.append(self._targets.budget)
        # An application without a response cache need not load what one needs.
        cache = sys.modules.get("dozor.response_cache")
        if cache is not None:
            collectors.append(cache.METRICS)
        targets = self._targets
        collectors += [*targets.redis_groups.values(), *targets.redis.values(), *targets.redis_clients.values()]
        return [*collectors, *targets.bouncers.values(), *targets.expositions.values()]

    async def _forget(self, names: Sequence[str], collectors: Sequence[Collector]) -> None:
        session = self._working()
        at = self.clock.timestamp()
        for collector in collectors:
            session.forget(collector)
        labels = ["pool", "redis"]
        if any(collector.name.startswith(SCRAPE_PREFIX) for collector in collectors):
            labels.append("job")
        for label, name in product(labels, names):
            session.apply(session.lifecycle.remove_target(Labels({label: name}), f"{name} is no longer watched", at))
        self._look(at)

    def known(self) -> Known:
        """The picture that the last evaluation or action left."""
        return self._picture.known

    def _look(self, at: float) -> None:
        """Make the picture anew: on Dozor's loop, after each evaluation and action."""
        session = self._working()
        self._picture.look(
            at,
            session.lifecycle.active(pending=True),
            session.lifecycle.silences(),
            session.complaints(),
            self._circumstances,
        )
        session.changes.add(self._target_watch.look(self._picture.known, at))
        self.reception.look()

    def _working(self) -> Session:
        if self._session is None:
            raise StoreUnavailable("Dozor is starting, or has stopped")
        return self._session


def _check_names(required: frozenset[str] | None, targets: Targets) -> None:
    known = targets.names | {f"{kind}:{name}" for kind in ("pool", "redis") for name in targets.names}
    if required is not None and (unknown := required - known):
        raise ConfigurationError(
            f"{', '.join(sorted(unknown))}: not watched; watched: {', '.join(sorted(targets.names)) or 'nothing'}",
            key="required",
        )
