"""What `dozor serve` costs: import, start, memory, CPU. On real servers, which it watches from outside.

python -m benchmarks.agent [SECONDS]

Memory is read of an agent that only watches, then after its /health and /metrics were asked, and then after somebody has looked
at the page and asked the API, which is loaded for that. As installed, Dozor and its libraries are compiled: the first start,
which may have to do so, does not count.
"""

import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import httpx2
import psutil
from benchmarks.common import ENVIRONMENT, STARTS, import_seconds, print_figure

from dozor.demo.servers import EmbeddedServers

API = "/api/v1/monitoring"
ASKED = (
    "system/health",
    "pool/status",
    "redis/status",
    "alerts/active",
    "alerts/history",
    "dashboard/overview",
    "metrics/all",
)


@dataclass
class Start:
    """One start: the process, its port, and the seconds until /health answered, on the clock and of the CPU."""

    process: "subprocess.Popen[bytes]"
    port: int
    seconds: float
    cpu_seconds: float

    def ask(self, path: str) -> None:
        """Get *path*, and wait for the answer."""
        httpx2.get(f"http://127.0.0.1:{self.port}{path}", timeout=60).raise_for_status()

    def end(self) -> None:
        """Stop it."""
        self.process.terminate()
        self.process.wait()


def launch(folder: str, postgres_url: str, redis_url: str) -> Start:
    """`dozor serve`, whose /health has answered."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    arguments = ["serve", "--port", str(port), "--database-url", postgres_url, "--redis-url", redis_url]
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "dozor.cli", *arguments], env={**ENVIRONMENT, "HOME": folder}, stdout=subprocess.DEVNULL
    )
    while process.poll() is None:
        try:
            if httpx2.get(f"http://127.0.0.1:{port}/health", timeout=1).status_code == 200:
                return Start(process, port, time.perf_counter() - began, cpu_seconds(process.pid))
        except httpx2.TransportError:
            time.sleep(0.005)
    raise SystemExit(f"dozor serve ended with {process.returncode}")


def cpu_seconds(pid: int) -> float:
    """Of the CPU, since the process began."""
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


def pss_mib(pid: int) -> dict[str, float]:
    """Proportional set size, in which shared pages count by their share: all of it, and what is no file's."""
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    found = {name: int(kib) / 1024 for name, kib in re.findall(r"^(Pss\w*): +(\d+) kB", rollup, re.MULTILINE)}
    return {"all": found["Pss"], "own": found["Pss_Anon"]}


def main() -> None:
    """Print the figures."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 60.0
    imported = import_seconds({"dozor": "dozor"})["dozor"]
    with EmbeddedServers() as servers, tempfile.TemporaryDirectory() as folder:
        launch(folder, servers.postgres_url, servers.redis_url).end()
        starts, answers = [], []
        for _ in range(STARTS):
            began = time.perf_counter()
            started = launch(folder, servers.postgres_url, servers.redis_url)
            started.ask(f"{API}/system/health")
            answers.append(time.perf_counter() - began)
            starts.append(started)
            started.end()
        watched = launch(folder, servers.postgres_url, servers.redis_url)
        time.sleep(10)
        before, began = cpu_seconds(watched.process.pid), time.perf_counter()
        time.sleep(seconds)
        used, elapsed = cpu_seconds(watched.process.pid) - before, time.perf_counter() - began
        alone = pss_mib(watched.process.pid)
        for path in ("/health", "/metrics"):
            watched.ask(path)
        time.sleep(5)
        unseen = pss_mib(watched.process.pid)
        before, began = cpu_seconds(watched.process.pid), time.perf_counter()
        watched.ask("/")
        page_seconds = time.perf_counter() - began
        page_cpu_seconds = cpu_seconds(watched.process.pid) - before
        for path in ASKED:
            watched.ask(f"{API}/{path}")
        time.sleep(5)
        seen = pss_mib(watched.process.pid)
        watched.end()
    print(f"dozor serve, one PostgreSQL and one Valkey at 1 s, {seconds:.0f} s, after {STARTS} starts (medians):")
    print_figure("import dozor beyond FastAPI and SQLAlchemy", imported * 1000, "ms", "<= 100 ms")
    print_figure("start to /health 200", statistics.median(one.seconds for one in starts), "s", "<= 1.0 s")
    print_figure("  of it CPU time", statistics.median(one.cpu_seconds for one in starts), "s", "none")
    print_figure("start to the API's first answer", statistics.median(answers), "s", "none")
    print_figure("the page, asked for first of all", page_seconds, "s", "<= 1.0 s")
    print_figure("  of it CPU time", page_cpu_seconds, "s", "none")
    aim = "<= 68 MiB; Prometheus and company 136, Netdata 53"
    print_figure("memory (PSS), nobody asks it", alone["all"], "MiB", aim)
    print_figure("  of it not of files", alone["own"], "MiB", "none")
    print_figure("memory (PSS), /health and /metrics were asked", unseen["all"], "MiB", aim)
    print_figure("  of it not of files", unseen["own"], "MiB", "none")
    print_figure("memory (PSS), page and API were used", seen["all"], "MiB", aim)
    print_figure("  of it not of files", seen["own"], "MiB", "none")
    print_figure("CPU of one core", 100 * used / elapsed, "%", "<= 1.4 %; Prometheus and company 2.8, Netdata 1.2")


if __name__ == "__main__":
    main()
