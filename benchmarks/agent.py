"""What `dozor serve` costs: import, start, memory, CPU. On real servers, which it watches from outside.

python -m benchmarks.agent [SECONDS]
"""

import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx2
import psutil
from benchmarks.common import print_figure

from dozor.demo.servers import EmbeddedServers

STARTS = 7


def seconds_of(code: str) -> float:
    """The median time of a Python process that runs *code*."""
    taken = []
    for _ in range(STARTS):
        began = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True)
        taken.append(time.perf_counter() - began)
    return statistics.median(taken)


def launch(folder: str, postgres_url: str, redis_url: str) -> tuple["subprocess.Popen[bytes]", float, float]:
    """`dozor serve`, and the seconds until its /health answered, and its API."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    arguments = ["serve", "--port", str(port), "--database-url", postgres_url, "--redis-url", redis_url]
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "dozor.cli", *arguments], env={**os.environ, "HOME": folder}, stdout=subprocess.DEVNULL
    )
    while process.poll() is None:
        try:
            if httpx2.get(f"http://127.0.0.1:{port}/health", timeout=1).status_code == 200:
                alive = time.perf_counter() - began
                httpx2.get(f"http://127.0.0.1:{port}/api/v1/monitoring/system/health", timeout=60).raise_for_status()
                return process, alive, time.perf_counter() - began
        except httpx2.TransportError:
            time.sleep(0.005)
    raise SystemExit(f"dozor serve ended with {process.returncode}")


def pss_mib(pid: int) -> float:
    """Proportional set size: shared pages count by their share."""
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:")) / 1024


def main() -> None:
    """Print the figures."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 60.0
    imported = seconds_of("import fastapi, sqlalchemy, dozor") - seconds_of("import fastapi, sqlalchemy")
    with EmbeddedServers() as servers, tempfile.TemporaryDirectory() as folder:
        starts, answers = [], []
        for number in range(STARTS):
            process, took, answered = launch(folder, servers.postgres_url, servers.redis_url)
            starts.append(took)
            answers.append(answered)
            if number < STARTS - 1:
                process.terminate()
                process.wait()
        watched = psutil.Process(process.pid)
        time.sleep(10)
        before, began = watched.cpu_times(), time.perf_counter()
        time.sleep(seconds)
        after, elapsed = watched.cpu_times(), time.perf_counter() - began
        memory = pss_mib(process.pid)
        process.terminate()
        process.wait()
    used = (after.user + after.system) - (before.user + before.system)
    print(f"dozor serve, one PostgreSQL and one Valkey at 1 s, {seconds:.0f} s, after {STARTS} starts (medians):")
    print_figure("import dozor beyond FastAPI and SQLAlchemy", imported * 1000, "ms", "<= 100 ms")
    print_figure("start to /health 200", statistics.median(starts), "s", "<= 1.0 s")
    print_figure("start to the API's first answer", statistics.median(answers), "s", "none")
    print_figure("memory (PSS)", memory, "MiB", "<= 68 MiB; Prometheus and company 136, Netdata 53")
    print_figure("CPU of one core", 100 * used / elapsed, "%", "<= 1.4 %; Prometheus and company 2.8, Netdata 1.2")


if __name__ == "__main__":
    main()
