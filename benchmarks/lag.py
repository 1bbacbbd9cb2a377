"""How long Dozor's threads keep an application's event loop from what is due.

python -m benchmarks.lag [ROUNDS]

An application that does nothing but look each 10 ms how late it is. Without Dozor; with it; with 5,000 series from outside and 200
rules over them; and while people ask the last one what is dear. Processes side by side, in turn.
"""

import asyncio
import contextlib
import http.server
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Final
from urllib.error import HTTPError, URLError
from urllib.parse import quote
from urllib.request import urlopen

import uvicorn
from benchmarks.common import print_figure
from fastapi import FastAPI
from sqlalchemy import create_engine
from sqlalchemy.pool import QueuePool

ROUNDS = 7
SECONDS = 4.0
LOOK_SECONDS = 0.01
SERIES, RULES = 5_000, 200  # as many as Dozor takes from outside
BARE, PLAIN, LOADED, ASKED = (
    "without Dozor",
    "with Dozor",
    f"with {SERIES:,} series and {RULES} rules",
    "and dear queries",
)
_API: Final = "/api/v1/monitoring/prometheus/api/v1"
DEAR: Final = (
    '{__name__=~".+"}',
    'sum by (place) (rate({__name__=~"load_.*"}[1m]))',
    "max_over_time(max_over_time(load_total[1h:1s])[1h:1s])",
    'count_over_time({__name__=~".+"}[100y])',
    '{place=~"(1*)*(2*)*(3*)*x"}',
)


def application(variant: str) -> FastAPI:
    """The application: GET /late gives how late its loop was since the call before, in seconds, sorted."""
    late: list[float] = []

    async def look() -> None:
        while True:
            due = time.perf_counter() + LOOK_SECONDS
            await asyncio.sleep(LOOK_SECONDS)
            late.append(time.perf_counter() - due)

    @contextlib.asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        looking = asyncio.create_task(look())
        yield
        looking.cancel()

    app = FastAPI(openapi_url=None, lifespan=lifespan)

    @app.get("/late")
    async def get_late() -> list[float]:
        found = sorted(late)
        late.clear()
        return found

    if variant != BARE:
        from dozor import Dozor  # noqa: PLC0415

        Dozor(engine=create_engine("sqlite://", poolclass=QueuePool)).install(app)
    return app


def exposition() -> bytes:
    """The page with all the series, whose values have risen since it was last asked for."""
    value = int(time.time())
    lines = (f'load_total{{place="{place}",group="{place % 50}"}} {value + place}\n' for place in range(SERIES))
    return ("# TYPE load_total counter\n" + "".join(lines)).encode()


def rules() -> str:
    """Rules of every kind over them."""
    kinds = (
        'load_total{{group="{number}"}} < 0',
        'rate(load_total{{group="{number}"}}[1m]) > 1e9',
        'sum by (group) (rate(load_total{{group="{number}"}}[1m])) > 1e9',
        'max_over_time(load_total{{place="{number}"}}[5m]) < 0',
    )
    found = ["groups:", "  - name: load", "    rules:"]
    for number in range(RULES):
        expression = kinds[number % len(kinds)].format(number=number % 50)
        found += [f"      - alert: Load{number}", f"        expr: {expression}"]
    return "\n".join(found) + "\n"


class _Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        page = exposition()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.send_header("Content-Length", str(len(page)))
        self.end_headers()
        self.wfile.write(page)

    def log_message(self, *_: object) -> None: ...


@contextlib.contextmanager
def serving(variants: tuple[str, ...]) -> Iterator[dict[str, int]]:
    """The applications, each in a process of its own, by variant: their ports."""
    running: dict[str, tuple[int, subprocess.Popen[bytes]]] = {}
    with tempfile.TemporaryDirectory() as folder, http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Page) as page:
        threading.Thread(target=page.serve_forever, daemon=True).start()
        (Path(folder) / "load.yml").write_text(rules())
        loaded = {
            "DOZOR_SCRAPE": f"load=http://127.0.0.1:{page.server_port}/metrics",
            "DOZOR_RULES": f"{folder}/load.yml",
            "DOZOR_STORE_MEMORY": "128MiB",
        }
        try:
            for variant in variants:
                port = _free_port()
                more = loaded if variant in {LOADED, ASKED} else {}
                environment = {**os.environ, "HOME": folder, "XDG_STATE_HOME": f"{folder}/{port}", **more}
                command = [sys.executable, "-m", "benchmarks.lag", "serve", variant, str(port)]
                running[variant] = port, subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
            yield {variant: port for variant, (port, _) in running.items()}
        finally:
            for _, process in running.values():
                process.kill()
                process.wait()
            page.shutdown()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _get(port: int, path: str, seconds: float = 30.0) -> bytes:
    with urlopen(f"http://127.0.0.1:{port}{path}", timeout=seconds) as answer:
        return bytes(answer.read())


def _await(port: int, path: str, text: bytes) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        with contextlib.suppress(URLError, ConnectionError):
            if text in _get(port, path):
                return
        time.sleep(0.2)
    raise SystemExit(f"{path} does not answer as expected")


def _ask(port: int, until: float) -> None:
    while time.monotonic() < until:
        for query in DEAR:
            with contextlib.suppress(HTTPError):  # refused, or ended: as it should be
                _get(port, f"{_API}/query?query={quote(query)}")


def late(port: int, *, asked: bool) -> list[float]:
    """How late the application was in one round, in milliseconds, sorted."""
    _get(port, "/late")
    until = time.monotonic() + SECONDS
    if asked:
        askers = [threading.Thread(target=_ask, args=(port, until)) for _ in range(2)]
        for asker in askers:
            asker.start()
        for asker in askers:
            asker.join()
    else:
        time.sleep(SECONDS)
    return [1000 * one for one in json.loads(_get(port, "/late"))]


def main(rounds: int) -> None:
    """Print the figures."""
    found: dict[str, list[list[float]]] = {name: [] for name in (BARE, PLAIN, LOADED, ASKED)}
    with serving(tuple(found)) as ports:
        for name, port in ports.items():
            _await(port, "/late", b"[")
            if name in {LOADED, ASKED}:
                _await(port, f"{_API}/query?query={quote('count(load_total)')}", f'"{SERIES}"'.encode())
        time.sleep(SECONDS)
        for _ in range(rounds):
            for name, port in ports.items():
                found[name].append(late(port, asked=name == ASKED))
    bare = _at(found[BARE], 0.99)
    for name, lists in found.items():
        print(f"\n{name}: half of the time late by less than {_at(lists, 0.5):.2f} ms")
        print_figure(
            "p99" if name == BARE else "p99, added", _at(lists, 0.99) - (0 if name == BARE else bare), "ms", "<= 5"
        )
        print_figure("most, in the median round", statistics.median(one[-1] for one in lists), "ms", "<= 20")


def _at(rounds: list[list[float]], share: float) -> float:
    return statistics.median(one[int(len(one) * share)] for one in rounds)


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        uvicorn.run(application(sys.argv[2]), port=int(sys.argv[3]), log_level="error", access_log=False)
    else:
        main(int(sys.argv[1]) if sys.argv[1:] else ROUNDS)
