"""From the death of Redis to the webhook, for a rule without `for`, at an interval of 1 s.

Two Dozors watch the same server: one as it is, one that does not listen for the end of its connection and finds out in its
next cycle, as whoever polls does. Both see the same deaths, at random moments of the interval.

python -m benchmarks.detection [DEATHS]
"""

import os
import random
import statistics
import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Queue

from benchmarks.common import print_figure

from dozor import Dozor, Rule, Settings
from dozor.demo.servers import EmbeddedServers

HEARS, POLLS = "hears the end of its connection", "finds out in its next cycle"


class Receiver(ThreadingHTTPServer):
    """Notes when each webhook came, by its path."""

    daemon_threads = True

    def __init__(self) -> None:
        self.came: dict[str, Queue[tuple[float, bytes]]] = {f"/{number}": Queue() for number in range(2)}
        super().__init__(("127.0.0.1", 0), _Handler)

    def wait_for(self, path: str, status: bytes) -> float:
        while True:
            came, body = self.came[path].get(timeout=60)
            if b'"status":"' + status in body.replace(b'": "', b'":"'):
                return came


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        came = time.perf_counter()
        self.server.came[self.path].put((came, self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *args: object) -> None:
        pass


def watch(stack: ExitStack, receiver: Receiver, path: str, redis_url: str) -> Dozor:
    """A Dozor at work, which tells *receiver*."""
    folder = stack.enter_context(tempfile.TemporaryDirectory())
    settings = Settings(
        store_url=f"sqlite:///{folder}/alerts.db", group_interval_seconds=0, flapping_count=0,
        webhook_url=f"http://127.0.0.1:{receiver.server_port}{path}",
    )  # fmt: skip
    rule = Rule(alert="RedisGone", expr="redis_connected == 0", labels={"severity": "critical"})
    return stack.enter_context(Dozor(redis=redis_url, rules=[rule], name="detection", settings=settings))


def main() -> None:
    """Print the medians, the worst, and what else the machine had to do."""
    deaths = int(sys.argv[1]) if len(sys.argv) > 1 else 25
    random.seed(1)
    taken: dict[str, list[float]] = {HEARS: [], POLLS: []}
    with EmbeddedServers(postgres=False) as servers, ExitStack() as stack:
        receiver = Receiver()
        threading.Thread(target=receiver.serve_forever, daemon=True).start()
        stack.callback(receiver.shutdown)
        watch(stack, receiver, "/0", servers.redis_url)
        deaf = watch(stack, receiver, "/1", servers.redis_url).monitor
        assert deaf is not None
        for server in deaf._targets.redis.values():
            server.when_lost(lambda: None)
        loads = []
        for _ in range(deaths):
            time.sleep(1.5 + random.random())
            loads.append(os.getloadavg()[0])
            died = time.perf_counter()
            servers.redis.kill()
            for path, name in (("/0", HEARS), ("/1", POLLS)):
                taken[name].append(receiver.wait_for(path, b"firing") - died)
            servers.start_redis()
            for path in receiver.came:
                receiver.wait_for(path, b"resolved")
    medians = {name: statistics.median(times) for name, times in taken.items()}
    print(f"death of Redis to webhook, {deaths} deaths, interval 1 s; load {min(loads):.1f} to {max(loads):.1f}:")
    print_figure(f"median, {HEARS}", medians[HEARS], "s", "<= 0.3 s")
    print_figure("nine of ten", statistics.quantiles(taken[HEARS], n=10)[-1], "s", "-")
    print_figure("worst", max(taken[HEARS]), "s", "-")
    print_figure(f"median, {POLLS}", medians[POLLS], "s", "-")
    print(f"  {medians[POLLS] / medians[HEARS]:.1f} times as long without listening")


if __name__ == "__main__":
    main()
