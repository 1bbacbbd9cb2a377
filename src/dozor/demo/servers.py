"""Real servers without an installation: Valkey and PostgreSQL from wheels, for the demo and the tests.

    with EmbeddedServers() as servers:
        create_engine(servers.postgres_url)

A guard process (`server_guard.py`) owns the servers. It stops them and leaves nothing behind when this process ends, in
whatever way it ends.
"""

import contextlib
import json
import select
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Literal, Self

from dozor.errors import DozorError

__all__ = ["EmbeddedServer", "EmbeddedServers", "ServersUnavailable"]

Kind = Literal["redis", "sentinel", "postgres"]

# Longer than any one thing that the guard does, so that its own answer, which says what is wrong, comes first.
_ANSWER_SECONDS: Final = 150.0
_GUARD: Final = Path(__file__).with_name("server_guard.py")


class ServersUnavailable(DozorError):  # noqa: N818 - named for what is the case
    """The servers cannot be started here; the message says why."""


class EmbeddedServer:
    """One server. Its port, and so its URLs, stay the same when it is stopped and started."""

    def __init__(self, owner: "EmbeddedServers", kind: Kind, name: str, options: Sequence[str] = ()) -> None:
        self.kind, self._owner, self._name = kind, owner, name
        self.port = 0
        self.pid: int | None = None
        """The server's process id, None while it is stopped."""
        self._tell("launch", kind=kind, options=[*options])

    @property
    def url(self) -> str:
        """`redis://…`, or `postgresql+psycopg://…` (for synchronous engines)."""
        return self._postgres_url("psycopg") if self.kind == "postgres" else f"redis://127.0.0.1:{self.port}/0"

    @property
    def async_url(self) -> str:
        """`postgresql+asyncpg://…` (for asynchronous engines); for Redis the same as `url`."""
        return self._postgres_url("asyncpg") if self.kind == "postgres" else self.url

    def stop(self) -> None:
        """Stop the server in an orderly way."""
        self._tell("stop")

    def kill(self) -> None:
        """End the server without warning."""
        self._tell("kill")

    def start(self) -> None:
        """Start the server again, on the same port; returns when it answers."""
        self._tell("start")

    def freeze(self) -> None:
        """Let the server hang: connections stay, nothing is answered."""
        self._tell("freeze")

    def thaw(self) -> None:
        """Let a frozen server go on."""
        self._tell("thaw")

    def remove(self) -> None:
        """End the server and delete its data."""
        self._tell("remove")

    def _postgres_url(self, driver: str) -> str:
        return f"postgresql+{driver}://postgres@127.0.0.1:{self.port}/postgres"

    def _tell(self, action: str, **more: str | list[str]) -> None:
        answer = self._owner.command(action=action, name=self._name, **more)
        self.port, self.pid = answer["port"], answer["pid"]


class EmbeddedServers:
    """Servers that live as long as this object, or this process.

    Args:
        redis: start a Valkey server at once, as `redis`.
        postgres: start a PostgreSQL server at once, as `postgres`.

    Any thread may call; every call waits until it is done (up to some seconds). Raises `ServersUnavailable`.
    """

    def __init__(self, *, redis: bool = True, postgres: bool = True) -> None:
        self._lock = threading.Lock()
        self._names = count(1)
        self._buffer = b""
        self._guard = subprocess.Popen(  # noqa: S603 - this Python, a file of this package
            # -P: the guard is run by its path, and the modules beside it must not hide those of the standard library.
            [sys.executable, "-P", str(_GUARD)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        self._folder: str | None = None
        try:
            self._folder = self._receive()["folder"]
            self._redis = self.launch("redis") if redis else None
            self._postgres = self.launch("postgres") if postgres else None
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def launch(self, kind: Kind, options: Sequence[str] = ()) -> EmbeddedServer:
        """Start one more server of *kind*, empty; Valkey takes *options* of its command line, a sentinel lines of its file."""
        return EmbeddedServer(self, kind, f"{kind}-{next(self._names)}", options)

    @property
    def redis(self) -> EmbeddedServer:
        """The Valkey server started at once."""
        return _started(self._redis)

    @property
    def postgres(self) -> EmbeddedServer:
        """The PostgreSQL server started at once."""
        return _started(self._postgres)

    @property
    def redis_url(self) -> str:
        """`redis://…` of `redis`."""
        return self.redis.url

    @property
    def postgres_url(self) -> str:
        """`postgresql+psycopg://…` of `postgres`."""
        return self.postgres.url

    @property
    def async_postgres_url(self) -> str:
        """`postgresql+asyncpg://…` of `postgres`."""
        return self.postgres.async_url

    def stop_redis(self) -> None:
        """Stop `redis`."""
        self.redis.stop()

    def start_redis(self) -> None:
        """Start `redis` again, on the same port."""
        self.redis.start()

    def freeze_redis(self) -> None:
        """Let `redis` hang."""
        self.redis.freeze()

    def thaw_redis(self) -> None:
        """Let `redis` go on."""
        self.redis.thaw()

    def stop_postgres(self) -> None:
        """Stop `postgres`."""
        self.postgres.stop()

    def start_postgres(self) -> None:
        """Start `postgres` again, on the same port."""
        self.postgres.start()

    def freeze_postgres(self) -> None:
        """Let `postgres` hang."""
        self.postgres.freeze()

    def thaw_postgres(self) -> None:
        """Let `postgres` go on."""
        self.postgres.thaw()

    def command(self, **command: str | list[str]) -> dict[str, Any]:
        """Have the guard do *command* and return its answer. For `EmbeddedServer`."""
        with self._lock:
            assert self._guard.stdin is not None
            try:
                self._guard.stdin.write(json.dumps(command).encode() + b"\n")
                self._guard.stdin.flush()
            except (BrokenPipeError, ValueError):
                raise ServersUnavailable("the process that guards the servers has ended") from None
            return self._receive()

    def close(self) -> None:
        """Stop all servers and remove their data. A second call does nothing."""
        assert self._guard.stdin is not None
        assert self._guard.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            self._guard.stdin.close()
        try:
            self._guard.wait(10)
        except subprocess.TimeoutExpired:
            self._guard.kill()
            self._guard.wait()
        self._guard.stdout.close()
        if self._folder is not None:  # a guard that was killed could not remove it
            shutil.rmtree(self._folder, ignore_errors=True)

    def _receive(self) -> dict[str, Any]:
        assert self._guard.stdout is not None
        deadline = time.monotonic() + _ANSWER_SECONDS
        while b"\n" not in self._buffer:
            readable, _, _ = select.select([self._guard.stdout], [], [], max(0.0, deadline - time.monotonic()))
            chunk = self._guard.stdout.read1(65536) if readable else b""  # type: ignore[attr-defined]  # buffered
            if not chunk:
                what = "has ended" if readable else f"has not answered for {_ANSWER_SECONDS:.0f} s"
                raise ServersUnavailable(f"the process that guards the servers {what}")
            self._buffer += chunk
        line, self._buffer = self._buffer.split(b"\n", 1)
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise ServersUnavailable(answer["error"])
        return answer


def _started(server: EmbeddedServer | None) -> EmbeddedServer:
    if server is None:
        raise ServersUnavailable("this server was not asked for")
    return server
