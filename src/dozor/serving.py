"""The API and the page from Dozor's own thread, so that they answer while the application's loop is blocked, or has none."""

import asyncio
import contextlib
import errno
import socket
from typing import Any, Final

import uvicorn

from dozor.errors import ConfigurationError

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
