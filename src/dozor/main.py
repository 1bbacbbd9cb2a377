"""`Dozor`: what an application sees. It takes what is to be watched and hands it to a `Monitor`, which does the work."""

import asyncio
import atexit
import logging
import sys
import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from typing_extensions import override

from dozor.containment import contained
from dozor.errors import ConfigurationError

if TYPE_CHECKING:
    from starlette.applications import Starlette

    from dozor.monitor import Monitor
    from dozor.rules import Rule
    from dozor.settings import Settings

logger = logging.getLogger("dozor")

STOP_SECONDS = 5.0


class Dozor:
    """Watches an application from inside it.

        dozor = Dozor(engine=engine, redis=client)
        dozor.install(app)

    or, in any Python process, `with dozor:`.

    Args:
        engine: an `Engine`, an `AsyncEngine`, or a mapping of names to several. They are observed; Dozor never takes a
            connection from their pools.
        redis: a redis-py client (sync or async; of a cluster, or Sentinel's, too), a URL, or a mapping of names to
            several. A client is read for its address and credentials, and its commands are timed; Dozor asks the server by
            a connection of its own.
        name: who speaks, in every message. Default: `DOZOR_NAME`, the application's title, or the script's name.
        rules: paths of Prometheus rule files, or `Rule` objects, beside the default rules.
        notifiers: whom to tell, beside what the environment configures; objects with `async def send(notification)`.
        auth: the application's own FastAPI dependency, which lets a request for Dozor's routes pass, or raises.
        required: the names of what `/readyz` depends on. Default: everything watched; of a cluster the whole, not its nodes.
        listen: `HOST:PORT` at which Dozor's own thread serves the API and the page too.
        settings: everything else. Default: read from `DOZOR_…` variables and `dozor.toml`.

    Raises:
        ConfigurationError: something given, in the environment or in a rule file is wrong. Nothing has started then.

    Its methods may be called from any thread. With `DOZOR_ENABLED=0` every one of them does nothing.
    """

    def __init__(
        self,
        engine: Any = None,
        redis: Any = None,
        *,
        name: str | None = None,
        rules: "Iterable[str | Path | Rule]" = (),
        notifiers: Iterable[Any] = (),
        auth: Callable[..., Any] | None = None,
        required: Iterable[str] | None = None,
        listen: str | None = None,
        settings: "Settings | None" = None,
    ) -> None:
        # Imported here, since `import dozor` is everybody's.
        from dozor.settings import Settings  # noqa: PLC0415

        self._settings = settings if settings is not None else Settings.load()
        self._name = name or self._settings.name
        self._monitor: Monitor | None = None
        self._app: Starlette | None = None
        if not self._settings.enabled:
            return
        self._monitor = self._make_monitor(
            name=lambda: self._name or _default_name(self._app),
            engines=_named("engine", engine),
            redis=_named("redis", redis),
            rules=tuple(rules),
            notifiers=tuple(notifiers),
            auth=auth,
            required=None if required is None else frozenset(required),
            listen=listen,
            strict=self._settings.strict,
        )

    def _make_monitor(self, **given: Any) -> "Monitor":
        from dozor import monitor  # noqa: PLC0415

        return monitor.Monitor(self._settings, **given)

    @property
    def monitor(self) -> "Monitor | None":
        """What does the work: the API's backend. None where Dozor is disabled."""
        return self._monitor

    @property
    def running(self) -> bool:
        """Whether Dozor is at work in this process."""
        return self._monitor is not None and self._monitor.running

    def install(self, app: "Starlette") -> None:
        """Put Dozor into the FastAPI (or Starlette) application *app*: middleware, routes, and work during its lifespan.

        The application's own lifespan runs first. Where none comes (a mounted application, `lifespan="off"`), Dozor starts
        at the first request.
        """
        if self._monitor is None:
            return
        from dozor.embedding import Guest, install  # noqa: PLC0415

        self._app = app
        reception = self._monitor.reception
        guest = Guest(
            monitor=self._monitor.watch_http(),
            loopback_only=reception.desk().access.loopback_only,
            routes=reception.routes,
            probes=reception.probes,
            application=reception.application,
            start=self._start_in_lifespan,
            stop=self._stop_in_lifespan,
            first_request=self._start_at_request,
        )
        install(app, guest)

    def start(self) -> None:
        """Begin to watch. Returns when Dozor is ready to answer; does nothing where it runs already.

        Raises:
            ConfigurationError: the address to listen at is taken, or (with `Settings.strict`) the store cannot be used.
        """
        if self._monitor is not None and not self.running:
            self._monitor.start()
            atexit.register(self.stop)

    def stop(self) -> None:
        """Stop watching and take every listener off. Takes at most 5 seconds, whatever hangs; `start` begins anew."""
        atexit.unregister(self.stop)
        if self._monitor is not None:
            with contained("stop"):
                self._monitor.stop(STOP_SECONDS)

    def remove(self, name: str) -> None:
        """Stop watching the engine, server or scraped application called *name*; its alerts end with that reason.

        Raises:
            ConfigurationError: nothing of that name is watched.
        """
        if self._monitor is not None:
            self._monitor.remove(name)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    async def _start_in_lifespan(self) -> None:
        if self._monitor is None or self.running:
            return
        loop = asyncio.get_running_loop()
        self._monitor.watch_loop(loop)
        await _beside_the_loop(self._start_contained)

    def _start_contained(self) -> None:
        # A monitor that cannot start is no reason for the application not to.
        try:
            self.start()
        except ConfigurationError as error:
            logger.error("Dozor does not run: %s", error)  # noqa: TRY400 - the message says all; no traceback for users

    async def _stop_in_lifespan(self) -> None:
        if self._monitor is not None:
            self._monitor.unwatch_loop(asyncio.get_running_loop())
        await _beside_the_loop(self.stop)

    def _start_at_request(self) -> None:
        """Called by the middleware at a request while Dozor does not run: no lifespan event came, or this is a fork."""
        if self._monitor is not None and not self.running:
            self._monitor.watch_loop(asyncio.get_running_loop())
            self._monitor.start_in_background(on_error=lambda error: logger.error("Dozor does not run: %s", error))
            atexit.register(self.stop)


class Agent(Dozor):
    """Dozor as a program of its own, `dozor serve`. It listens, and answers that it lives, while the rest is still loaded.

    Raises:
        ConfigurationError: as `Dozor` does, and where the address is taken.
    """

    @override
    def _make_monitor(self, **given: Any) -> "Monitor":
        from dozor.serving import EarlyServer  # noqa: PLC0415

        server = EarlyServer(given.pop("listen"))
        try:
            return super()._make_monitor(server=server, **given)
        except BaseException:
            server.abandon()
            raise


async def _beside_the_loop(call: Callable[[], None]) -> None:
    """Await *call* in a thread of its own: the application's executor may be full of what hangs."""
    done: Future[None] = Future()

    def run() -> None:
        try:
            call()
        except BaseException as error:  # noqa: BLE001 - it belongs to whoever awaits
            done.set_exception(error)
        else:
            done.set_result(None)

    threading.Thread(target=run, name="dozor-lifespan", daemon=True).start()
    await asyncio.wrap_future(done)


def _named(kind: str, given: Any) -> dict[str, Any]:
    """What the user gave, by name: nothing, one thing (`default`), or a mapping."""
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        return {"default": given}
    for name in given:
        if not isinstance(name, str) or not name:
            raise ConfigurationError(f"the names of several are non-empty strings, not {name!r}", key=kind)
    return dict(given)


def _default_name(app: "Starlette | None") -> str:
    # FastAPI's own default title names no application.
    title = getattr(app, "title", None)
    if isinstance(title, str) and title and title != "FastAPI":
        return title
    script = Path(sys.argv[0]).stem if sys.argv and sys.argv[0] else ""
    if script == "__main__":  # python -m package
        script = Path(sys.argv[0]).parent.name
    # A server's name is no application's; the folder it was started in usually is.
    return (Path.cwd().name or "python") if script in _RUNNERS else script


_RUNNERS = frozenset({"", "-c", "-m", "uvicorn", "gunicorn", "hypercorn", "granian", "daphne", "fastapi", "flask"})
