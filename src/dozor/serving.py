"""The API and the page from Dozor's own thread, so that they answer while the application's loop is blocked, or has none."""

import asyncio
import contextlib
import ctypes
import errno
import gc
import json
import socket
from collections.abc import Callable, Mapping
from typing import Any, Final

from dozor.clock import Clock
from dozor.containment import report
from dozor.doorman import IDLE_SECONDS, Answer, Doorman
from dozor.errors import ConfigurationError
from dozor.runtime import Runtime


def parse_address(text: str) -> tuple[str, int]:
    """`127.0.0.1:8002`, `[::1]:8002` or `localhost:8002` as host and port.

    Raises:
        ConfigurationError: it is none of these.
    """
    host, colon, port = text.rpartition(":")
    if not colon or not host or not port.isdecimal() or int(port) > 65535:
        raise ConfigurationError(f"{text!r} is not HOST:PORT, such as 127.0.0.1:8002", key="listen")
    return host.strip("[]"), int(port)


def bind(host: str, port: int) -> socket.socket:
    """A listening socket, so that a port in use is known before anything starts.

    Raises:
        ConfigurationError: the port is in use, or the address is not this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The protocol is named because asyncio sets TCP_NODELAY only where it is; without, each answer takes 40 ms more.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(2048)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise ConfigurationError(
                f"port {port} on {host} is in use; end what listens there, or choose another with --port", key="listen"
            ) from None
        raise ConfigurationError(f"cannot listen on {host}:{port}: {error.strerror or error}", key="listen") from None
    listener.setblocking(False)  # noqa: FBT003 - the only spelling that socket has
    return listener


class OwnServer:
    """uvicorn on the running loop, over *listener*, which is listening already, or for connections that it is handed.

    Making one loads uvicorn, which belongs into a thread.
    """

    def __init__(self, app: Any, listener: socket.socket | None = None) -> None:
        import uvicorn  # noqa: PLC0415 - see doorman

        config = uvicorn.Config(
            app, log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=1, server_header=False,
            proxy_headers=False, timeout_keep_alive=IDLE_SECONDS,
        )  # fmt: skip
        config.load()
        self._server = uvicorn.Server(config)
        self._sockets = [] if listener is None else [listener]
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Serve from now on."""
        self._task = asyncio.create_task(self._server.serve(sockets=self._sockets), name="dozor.listen")

    def take(self, transport: asyncio.Transport, received: bytes) -> None:
        """Serve the connection of *transport*, of which *received* is already there; as uvicorn hands one to a WebSocket."""
        config = self._server.config
        protocol: Any = config.http_protocol_class(
            config=config, server_state=self._server.server_state, app_state={}, _loop=asyncio.get_running_loop()
        )  # type: ignore[call-arg]  # it is one of several classes, which are made alike
        transport.set_protocol(protocol)
        protocol.connection_made(transport)
        transport.resume_reading()
        protocol.data_received(received)

    async def stop(self) -> None:
        """Close the socket and what is connected to it; a response under way has a second to end."""
        self._server.should_exit = self._server.force_exit = True
        if self._task is not None:
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        for one in self._sockets:
            one.close()


class Front:
    """Stands before the application: gives plain answers itself, and has the rest made when somebody asks for it.

    That the process lives is said at once. All else waits until Dozor has started, and the first to ask for what has no
    plain answer waits until the application is made, with all those who come meanwhile. Belongs to the loop that serves.
    """

    _ALIVE: Final = frozenset({"/health", "/livez"})
    _LONGEST_WAIT_SECONDS: Final = 30.0

    def __init__(self) -> None:
        self._started = asyncio.Event()
        self._make: Callable[[], Any] = object
        self._plain: Mapping[str, Callable[[Any], Answer | None]] = {}
        self._making: asyncio.Future[Any] | None = None
        self._app: Any = None

    def open(self, make: Callable[[], Any], plain: Mapping[str, Callable[[Any], Answer | None]]) -> None:
        """Dozor has started.

        Args:
            make: called in a thread, for the application.
            plain: by path, what answers a GET or HEAD by its scope; None: the application is to.
        """
        self._make, self._plain = make, plain
        self._started.set()

    async def answer(self, scope: Any) -> Answer | None:
        """The plain answer to a request; None: it is for the application."""
        path = scope["path"] if scope["type"] == "http" and scope["method"] in {"GET", "HEAD"} else ""
        if path in self._ALIVE:
            return Answer(200, b'{"status":"ok"}')
        try:
            async with asyncio.timeout(self._LONGEST_WAIT_SECONDS):
                await self._started.wait()
            return self._plain[path](scope) if path in self._plain else None
        except TimeoutError:
            return _problem(503, "Service Unavailable", "Dozor is still starting; ask again in a moment.")
        except Exception:  # noqa: BLE001 - nothing is wrong with the request, which wants an answer
            report("plain answer")
            return _problem(500, "Internal Server Error", "There is no answer; Dozor's log says why.")

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request."""
        answer = await self.answer(scope)
        if answer is None:
            try:
                app = await self._made()
            except Exception:  # noqa: BLE001 - as above
                report("application")
                answer = _problem(500, "Internal Server Error", "The API could not be loaded; Dozor's log says why.")
            else:
                await app(scope, receive, send)
                return
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": answer.status, "headers": answer.headers})
            await send({"type": "http.response.body", "body": answer.body})

    async def _made(self) -> Any:
        """The application. Where it could not be made, the next request tries anew."""
        if self._app is None:
            if self._making is None or self._making.done():
                self._making = asyncio.ensure_future(asyncio.to_thread(self._load))
            self._app = await asyncio.shield(self._making)
        return self._app

    def _load(self) -> Any:
        app = self._make()
        return_memory()
        return app


class _Lodge:
    """Where an agent listens: each connection is a `Doorman`'s, and uvicorn's once it asks for what has no plain answer."""

    def __init__(self, front: Front, listener: socket.socket) -> None:
        self._front, self._listener = front, listener
        self._present: set[Doorman] = set()
        self._loading = asyncio.Lock()
        self._server: OwnServer | None = None
        self._listening: asyncio.Server | None = None

    async def open(self) -> None:
        """Listen from now on."""
        self._listening = await asyncio.get_running_loop().create_server(
            lambda: Doorman(self._front.answer, self._leave_to_uvicorn, self._present), sock=self._listener
        )

    async def close(self) -> None:
        """Close the socket and what is connected to it."""
        if self._listening is not None:
            self._listening.close()
        for doorman in list(self._present):
            doorman.end()
        if self._server is not None:
            await self._server.stop()

    async def _leave_to_uvicorn(self, transport: asyncio.Transport, received: bytes) -> None:
        async with self._loading:
            if self._server is None:
                self._server = await asyncio.to_thread(OwnServer, self._front)
                self._server.start()
                await asyncio.sleep(0)  # it begins, and knows the date
        if not transport.is_closing():
            self._server.take(transport, received)


class EarlyServer:
    """Listens and answers `/health` before most of Dozor is loaded, which takes longer than all else of a start.

    Raises:
        ConfigurationError: the address is taken, or is none.
    """

    def __init__(self, listen: str) -> None:
        listener = bind(*parse_address(listen))
        self.runtime = Runtime(Clock())
        self.front = Front()
        self._lodge = _Lodge(self.front, listener)
        self.runtime.start()
        self.runtime.submit(self._begin()).result()

    async def _begin(self) -> None:
        await self._lodge.open()
        self.runtime.on_stop("listen", self.stop)

    async def stop(self) -> None:
        """Stop serving, on the runtime's loop. Again: does nothing."""
        await self._lodge.close()

    def abandon(self) -> None:
        """Stop everything: nothing came of the start."""
        self.runtime.stop(1.0)


def return_memory() -> None:
    """Give back what loading took: the C library keeps what was freed, some 8 MiB here, until it is asked."""
    gc.collect()
    gc.freeze()  # what is there now stays; looking through it again and again would be most of each collection
    with contextlib.suppress(OSError, AttributeError):  # only the GNU C library can be asked
        ctypes.CDLL(None).malloc_trim(0)


def _problem(status: int, title: str, detail: str) -> Answer:
    problem = {"type": "about:blank", "title": title, "status": status, "detail": detail}
    later = ((b"retry-after", b"1"),) if status == 503 else ()
    return Answer(status, json.dumps(problem).encode(), b"application/problem+json", later)
