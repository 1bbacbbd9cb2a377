"""The demo from beginning to end: servers, shop, Dozor, visitors; and the way back."""

import contextlib
import os
import signal
import socket
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Final

import uvicorn
from fastapi import FastAPI
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from sqlalchemy.ext.asyncio import create_async_engine
from typing_extensions import override

from dozor.demo.director import Director
from dozor.demo.faults import FAULTS
from dozor.demo.narrator import Narrator
from dozor.demo.servers import EmbeddedServers
from dozor.demo.shop import create_shop
from dozor.errors import ConfigurationError, DozorError
from dozor.main import Dozor
from dozor.settings import Settings

_HOST: Final = "127.0.0.1"
# How long a caller waits for a connection. SQLAlchemy's default is 30 s, which is long to look at.
_POOL_TIMEOUT_SECONDS: Final = 5
# For requests still running when the demo ends.
_GRACE_SECONDS: Final = 1


def run_demo(port: int, fault: str | None) -> int:
    """Run until told to end; return the exit status. Raises `ConfigurationError` before anything is started."""
    if fault is not None and fault not in FAULTS:
        raise ConfigurationError(f"there is no fault {fault!r}; there are: {', '.join(FAULTS)}", key="--fault")
    _demand_free(port)
    narrator = Narrator()
    narrator.dozor_url = f"http://{_HOST}:{port}"
    server: list[uvicorn.Server] = []
    with _ending_in_order(server), narrator.reading_log():
        narrator.say("starting PostgreSQL and Valkey")
        with EmbeddedServers() as servers:
            _serve(servers, port, fault, narrator, server)
    return 0


def _serve(
    servers: EmbeddedServers, port: int, fault: str | None, narrator: Narrator, running: "list[uvicorn.Server]"
) -> None:
    shop_port = _free_port(after=port)
    shop_url = f"http://{_HOST}:{shop_port}"
    director = Director(shop_url, servers.redis, narrator, fault=fault)
    app = _build(servers, port, director, narrator)

    def begin() -> None:
        narrator.heading(f"Dozor: {narrator.dozor_url}/   (API: {narrator.dozor_url}/docs)")
        narrator.say(f"the shop that it watches: {shop_url}/docs")
        narrator.say(f"cause a fault: curl -X POST {shop_url}/faults/NAME   (NAME: {', '.join(FAULTS)})")
        narrator.say("end it before its time: the same with -X DELETE; end the demo: Ctrl+C")
        director.start()

    server = _Server(app, shop_port, begin)
    running.append(server)
    try:
        server.run()
    finally:
        director.stop()
    if not server.started:
        raise DozorError("the shop did not start")


class _Server(uvicorn.Server):
    """uvicorn, calling *begin* when it serves."""

    def __init__(self, app: FastAPI, port: int, begin: Callable[[], None]) -> None:
        # Errors are what the demo is about, and requests cut off at its end are no news: uvicorn logs neither.
        config = uvicorn.Config(
            app, _HOST, port, log_level="critical", access_log=False, timeout_graceful_shutdown=_GRACE_SECONDS
        )
        super().__init__(config)
        self._begin = begin

    @override
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._begin()


def _build(servers: EmbeddedServers, port: int, director: Director, narrator: Narrator) -> FastAPI:
    engine = create_async_engine(servers.async_postgres_url, pool_timeout=_POOL_TIMEOUT_SECONDS)
    redis = Redis.from_url(servers.redis_url, client_name="shop", socket_timeout=0.5, retry=Retry(NoBackoff(), 0))
    app = create_shop(engine, redis, servers.redis_url, director)
    # What makes the demo a demo stands in the second line; an application of your own needs only the first.
    dozor = Dozor(engine=engine, redis=redis, listen=f"{_HOST}:{port}",
                  notifiers=[narrator], settings=_settings())  # fmt: skip
    dozor.install(app)
    return app


def _settings() -> Settings:
    # Kept in memory, so that the demo leaves nothing behind. What the user's own environment says comes before.
    own = {"DOZOR_NAME": "shop", "DOZOR_ENVIRONMENT": "demo", "DOZOR_STORE_URL": "sqlite://"}
    return Settings.load(environ={**own, **os.environ})


@contextlib.contextmanager
def _ending_in_order(running: list[uvicorn.Server]) -> Iterator[None]:
    """Turn SIGTERM, SIGINT and SIGHUP into the way back: through every `finally`, and out with status 0.

    uvicorn takes the first two over while it serves, and repeats them when it has shut down; it knows no SIGHUP.
    """

    def end(_number: int, _frame: FrameType | None) -> None:
        if running and running[0].started and not running[0].should_exit:
            running[0].should_exit = True
        else:
            raise SystemExit(0)

    signals = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    before = {number: signal.signal(number, end) for number in signals}
    try:
        yield
    except SystemExit as stop:
        if stop.code:
            raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _demand_free(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_HOST, port))
        except (OSError, OverflowError) as error:
            raise ConfigurationError(
                f"{_HOST}:{port} cannot be used ({getattr(error, 'strerror', None) or error}); "
                "name another port, such as --port 8102",
                key="--port",
            ) from None


def _free_port(*, after: int) -> int:
    """The port after *after* if it is free, else any that is."""
    for port in (after + 1, 0):
        with socket.socket() as probe, contextlib.suppress(OSError, OverflowError):
            probe.bind((_HOST, port))
            found: int = probe.getsockname()[1]
            return found
    raise ConfigurationError("no port is free for the shop")
