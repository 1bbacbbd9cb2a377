"""An application behind uvicorn, and a load for it: what visitors feel of what watches it.

python -m benchmarks.served VARIANT PORT serves; `compare` does the rest.
"""

import asyncio
import contextlib
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

ROUNDS = 7
SECONDS = 1.5
CONNECTIONS = 8
_REQUEST = b"GET /items/7 HTTP/1.1\r\nHost: localhost\r\n\r\n"


class Felt(NamedTuple):
    """What one round of load has found."""

    requests_per_second: float
    p50_ms: float
    p99_ms: float


class Served(NamedTuple):
    """A variant's rounds, and the memory of its process after them (proportional set size)."""

    rounds: list[Felt]
    pss_mib: float

    def median(self, figure: str) -> float:
        return float(statistics.median(getattr(one, figure) for one in self.rounds))


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
            asyncio.run(_load(port, SECONDS))
        for _round in range(rounds):
            for name, (port, _) in running.items():
                felt[name].append(asyncio.run(_load(port, SECONDS)))
        memory = {name: _pss_mib(process.pid) for name, (_, process) in running.items()}
    return {name: Served(found, memory[name]) for name, found in felt.items()}


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
                environment = {**os.environ, "HOME": folder, "DOZOR_STORE_URL": "sqlite://"}
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


async def _load(port: int, seconds: float) -> Felt:
    until = time.perf_counter() + seconds
    found = await asyncio.gather(*(_visitor(port, until) for _ in range(CONNECTIONS)))
    times = sorted(taken for one in found for taken in one)
    return Felt(len(times) / seconds, 1000 * times[len(times) // 2], 1000 * times[int(len(times) * 0.99)])


async def _visitor(port: int, until: float) -> list[float]:
    """One request after the other on one connection; answers are small and come in one piece."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    times: list[float] = []
    while (began := time.perf_counter()) < until:
        writer.write(_REQUEST)
        answer = await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(int(answer.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0]))
        if not answer.startswith(b"HTTP/1.1 200"):
            raise SystemExit(f"the application answers {answer[:40]!r}")
        times.append(time.perf_counter() - began)
    writer.close()
    return times


def _pss_mib(pid: int) -> float:
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:")) / 1024


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]))
