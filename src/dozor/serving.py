"""The API and the page from Dozor's own thread, so that they answer while the application's loop is blocked, or has none."""

import asyncio
import contextlib
import ctypes
import errno
import gc
import json
import socket
from collections.abc import Callable, Sequence
from typing import Any, Final

import uvicorn

from dozor.clock import Clock
from dozor.containment import report
from dozor.errors import ConfigurationError
from dozor.runtime import Runtime

_IDLE_SECONDS: Final = 75
"""How long an idle connection stays. Clients that write every 5 seconds would lose requests to a server that closes after 5."""


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
    """uvicorn on the running loop, over a socket that is listening already."""

    def __init__(self, app: Any, listener: socket.socket) -> None:
        config = uvicorn.Config(
            app, log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=1, server_header=False,
            proxy_headers=False, timeout_keep_alive=_IDLE_SECONDS,
        )  # fmt: skip
        self._server = uvicorn.Server(config)
        self._listener = listener
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Serve from now on."""
        self._task = asyncio.create_task(self._server.serve(sockets=[self._listener]), name="dozor.listen")

    async def stop(self) -> None:
        """Close the socket and what is connected to it; a response under way has a second to end."""
        self._server.should_exit = self._server.force_exit = True
        if self._task is not None:
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        self._listener.close()


class Front:
    """Stands before the application: answers the three probes itself, and has the rest made when somebody asks for it.

    That the process lives is said at once. All else waits until Dozor has started, and the first to ask for more than a
    probe waits until the application is made, with all those who come meanwhile. Belongs to the loop that serves.
    """

    _ALIVE: Final = frozenset({"/health", "/livez"})
    _LONGEST_WAIT_SECONDS: Final = 30.0

    def __init__(self) -> None:
        self._started = asyncio.Event()
        self._make: Callable[[], Any] = object
        self._unready: Callable[[], Sequence[str]] = tuple
        self._making: asyncio.Future[Any] | None = None
        self._app: Any = None

    def open(self, make: Callable[[], Any], unready: Callable[[], Sequence[str]]) -> None:
        """Dozor has started. *make* is called in a thread, for the application; *unready* says why no traffic should come."""
        self._make, self._unready = make, unready
        self._started.set()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request."""
        probe = scope["path"] if scope["type"] == "http" and scope["method"] in {"GET", "HEAD"} else ""
        if probe in self._ALIVE:
            await _answer(send, 200, {"status": "ok"})
            return
        try:
            async with asyncio.timeout(self._LONGEST_WAIT_SECONDS):
                await self._started.wait()
                app = None if probe == "/readyz" else await self._made()
        except TimeoutError:
            await _refuse(scope, send, 503, "Service Unavailable", "Dozor is still starting; ask again in a moment.")
            return
        except Exception:  # noqa: BLE001 - nothing is wrong with the request, which wants an answer
            report("application")
            await _refuse(
                scope, send, 500, "Internal Server Error", "The API could not be loaded; Dozor's log says why."
            )
            return
        if app is None:
            reasons = list(self._unready())
            status = 503 if reasons else 200
            await _answer(send, status, {"status": "not ready" if reasons else "ready", "reasons": reasons})
        else:
            await app(scope, receive, send)

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


class EarlyServer:
    """Listens and answers `/health` before most of Dozor is loaded, which takes longer than all else of a start.

    Raises:
        ConfigurationError: the address is taken, or is none.
    """

    def __init__(self, listen: str) -> None:
        listener = bind(*parse_address(listen))
        self.runtime = Runtime(Clock())
        self.front = Front()
        self._server = OwnServer(self.front, listener)
        self.runtime.start()
        self.runtime.submit(self._begin()).result()

    async def _begin(self) -> None:
        self._server.start()
        self.runtime.on_stop("listen", self.stop)

    async def stop(self) -> None:
        """Stop serving, on the runtime's loop. Again: does nothing."""
        await self._server.stop()

    def abandon(self) -> None:
        """Stop everything: nothing came of the start."""
        self.runtime.stop(1.0)


def return_memory() -> None:
    """Give back what loading took: the C library keeps what was freed, some 8 MiB here, until it is asked."""
    gc.collect()
    gc.freeze()  # what is there now stays; looking through it again and again would be most of each collection
    with contextlib.suppress(OSError, AttributeError):  # only the GNU C library can be asked
        ctypes.CDLL(None).malloc_trim(0)


async def _refuse(scope: Any, send: Any, status: int, title: str, detail: str) -> None:
    """Answer a request for which there is no application."""
    if scope["type"] == "http":
        problem = {"type": "about:blank", "title": title, "status": status, "detail": detail}
        later = [(b"retry-after", b"1")] if status == 503 else []
        await _answer(send, status, problem, b"application/problem+json", later)


async def _answer(
    send: Any, status: int, body: dict[str, Any], kind: bytes = b"application/json", more: Sequence[Any] = ()
) -> None:
    content = json.dumps(body, separators=(",", ":")).encode()
    length = str(len(content)).encode()
    headers = [(b"content-type", kind), (b"content-length", length), (b"cache-control", b"no-store"), *more]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content})
