"""An application behind uvicorn, and a load for it: what visitors feel of what watches it.

python -m benchmarks.served VARIANT PORT serves; `compare` does the rest.
"""

import contextlib
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import uvicorn
from benchmarks.variants import OURS, variants
from fastapi import FastAPI
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.pool import QueuePool

ROUNDS = 12
FULL_SECONDS, STEADY_SECONDS = 1.0, 2.0
STEADY_RATE = 800.0
"""Requests a second: a quarter of what the application can answer on a slow core, as servers are run."""


class Felt(NamedTuple):
    """What one round has found: as fast as answers come, and at a steady rate below that.

    *seconds* are those that pass for each request; *cpu_us* is the CPU time of the server's process for each request, its other threads included.
    """

    seconds: float
    cpu_us: float
    full_p99_ms: float
    steady_p50_ms: float
    steady_p99_ms: float


class Served(NamedTuple):
    """A variant's rounds, and the memory of its process after them (proportional set size)."""

    rounds: list[Felt]
    pss_mib: float

    def added(self, other: "Served", figure: str) -> float:
        """What is more here than there: of rounds side by side, since the machine's speed drifts, the median."""
        pairs = zip(self.rounds, other.rounds, strict=True)
        return float(statistics.median(getattr(ours, figure) - getattr(theirs, figure) for ours, theirs in pairs))

    def ratio(self, other: "Served", figure: str) -> float:
        """How many times more in the quieter rounds (the lower quartile): what else the machine does only makes a time longer."""
        return self._quiet(figure) / other._quiet(figure)

    def _quiet(self, figure: str) -> float:
        return float(statistics.quantiles((getattr(one, figure) for one in self.rounds), n=4)[0])


def shop() -> tuple[FastAPI, Engine]:
    """A route with one statement, as most have."""
    engine = create_engine(
        "sqlite://", poolclass=QueuePool, pool_size=5, max_overflow=10, connect_args={"check_same_thread": False}
    )
    app = FastAPI(openapi_url=None)
    statement = text("SELECT 1")

    @app.get("/items/{item}")
    async def item(item: int) -> int:
        with engine.connect() as connection:
            return item + int(connection.execute(statement).scalar_one())

    return app, engine


def serve(name: str, port: int) -> None:
    """Serve the shop, watched by the variant *name*, until killed."""
    app, engine = shop()
    asgi = app
    if name == OURS:  # the whole of it, not its parts: collectors, rules and store at the interval of a second
        from dozor import Dozor  # noqa: PLC0415

        Dozor(engine=engine).install(app)
    else:
        variant = variants()[name]
        if variant.engine is not None:
            variant.engine(engine)
        if variant.app is not None:
            asgi = variant.app(app)  # type: ignore[assignment]
    uvicorn.run(asgi, port=port, log_level="error", access_log=False)


def compare(names: Sequence[str], rounds: int = ROUNDS) -> dict[str, Served]:
    """Load on each of *names* in turn, *rounds* times; all servers are up all the time."""
    felt: dict[str, list[Felt]] = {name: [] for name in names}
    with _servers(names) as running:
        for port, _ in running.values():
            _load(port, STEADY_SECONDS)
        for number in range(rounds):
            # Each begins a round in its turn: whatever comes first may find the machine otherwise than what comes last.
            for name in [*names[number % len(names) :], *names[: number % len(names)]]:
                felt[name].append(_felt(*running[name]))
        memory = {name: _pss_mib(process.pid) for name, (_, process) in running.items()}
    return {name: Served(found, memory[name]) for name, found in felt.items()}


def _felt(port: int, process: "subprocess.Popen[bytes]") -> Felt:
    before = _cpu_seconds(process.pid)
    full = _load(port, FULL_SECONDS)
    cpu_us = 1e6 * (_cpu_seconds(process.pid) - before) / full["requests"]
    steady = _load(port, STEADY_SECONDS, STEADY_RATE)
    return Felt(1 / full["requests_per_second"], cpu_us, full["p99_ms"], steady["p50_ms"], steady["p99_ms"])


def _load(port: int, seconds: float, rate: float = 0.0) -> dict[str, float]:
    # In a process of its own: one that has imported all that is compared is held up by its own garbage collector.
    command = [sys.executable, "-m", "benchmarks.load", str(port), str(seconds), str(rate)]
    found: dict[str, float] = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    return found


@contextlib.contextmanager
def _servers(names: Sequence[str]) -> "Iterator[dict[str, tuple[int, subprocess.Popen[bytes]]]]":
    running: dict[str, tuple[int, subprocess.Popen[bytes]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        try:
            for name in names:
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", 0))
                    port = probe.getsockname()[1]
                command = [sys.executable, "-m", "benchmarks.served", name, str(port)]
                environment = {**os.environ, "HOME": folder, "XDG_STATE_HOME": folder}
                process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
                running[name] = (port, process)
            for name, (port, process) in running.items():
                _await_port(name, port, process)
            yield running
        finally:
            for _, process in running.values():
                process.kill()
                process.wait()


def _await_port(name: str, port: int, process: "subprocess.Popen[bytes]") -> None:
    while process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    raise SystemExit(f"the application with {name} ended with {process.returncode}")


def _cpu_seconds(pid: int) -> float:
    """Of all threads; to the nanosecond, which a process's own sum is not."""
    return sum(int(one.read_text().split()[0]) for one in Path(f"/proc/{pid}/task").glob("*/schedstat")) / 1e9


def _pss_mib(pid: int) -> float:
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:")) / 1024


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]))
