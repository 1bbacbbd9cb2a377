"""The API and the page from Dozor's own thread, so that they answer while the application's loop is blocked, or has none."""

import asyncio
import contextlib
import errno
import json
import socket
from typing import Any, Final

import uvicorn

from dozor.clock import Clock
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
    """Answers for an application that is still being made: that the process lives at once, all else when it is there."""

    _ALIVE: Final = frozenset({"/health", "/livez"})
    _LONGEST_WAIT_SECONDS: Final = 30.0

    def __init__(self) -> None:
        self._app: Any = None
        self._made = asyncio.Event()

    def become(self, app: Any) -> None:
        """Hand everything to *app* from now on. Call it on the loop that serves."""
        self._app = app
        self._made.set()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request."""
        if self._app is None and scope["type"] == "http":
            if scope["path"] in self._ALIVE and scope["method"] in {"GET", "HEAD"}:
                await _answer(send, 200, {"status": "ok"})
                return
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._LONGEST_WAIT_SECONDS):
                    await self._made.wait()
        if self._app is None:
            if scope["type"] == "http":
                problem = {"type": "about:blank", "title": "Service Unavailable", "status": 503}
                await _answer(send, 503, {**problem, "detail": "Dozor is still starting; ask again in a moment."})
            return
        await self._app(scope, receive, send)


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


async def _answer(send: Any, status: int, body: dict[str, Any]) -> None:
    kind = b"application/json" if status == 200 else b"application/problem+json"
    content = json.dumps(body, separators=(",", ":")).encode()
    headers = [
        (b"content-type", kind), (b"content-length", str(len(content)).encode()), (b"cache-control", b"no-store"),
        *([(b"retry-after", b"1")] if status == 503 else []),
    ]  # fmt: skip
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content})
