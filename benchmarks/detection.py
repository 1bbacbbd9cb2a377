"""From the death of Redis to the webhook, for a rule without `for`, at an interval of 1 s.

python -m benchmarks.detection [DEATHS]
"""

import random
import socket
import statistics
import sys
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Queue

from benchmarks.common import print_figure

from dozor import Dozor, Rule, Settings
from dozor.demo.servers import EmbeddedServers


class Receiver(BaseHTTPRequestHandler):
    """Notes when each webhook came."""

    came: "Queue[tuple[float, bytes]]" = Queue()

    def do_POST(self) -> None:
        self.came.put((time.perf_counter(), self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *args: object) -> None:
        pass


def wait_for(status: bytes) -> float:
    while True:
        came, body = Receiver.came.get(timeout=60)
        if b'"status":"' + status in body.replace(b'": "', b'":"'):
            return came


def main() -> None:
    """Print the median and the worst."""
    deaths = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    rule = Rule(alert="RedisGone", expr="redis_connected == 0", labels={"severity": "critical"})
    random.seed(1)
    taken = []
    with EmbeddedServers(postgres=False) as servers, tempfile.TemporaryDirectory() as folder:
        settings = Settings(
            store_url=f"sqlite:///{folder}/alerts.db", group_interval_seconds=0,
            webhook_url=f"http://127.0.0.1:{server.server_port}/",
        )  # fmt: skip
        with Dozor(redis=servers.redis_url, rules=[rule], name=socket.gethostname(), settings=settings):
            for _ in range(deaths):
                time.sleep(2 + random.random())
                died = time.perf_counter()
                servers.redis.kill()
                taken.append(wait_for(b"firing") - died)
                servers.start_redis()
                wait_for(b"resolved")
    server.shutdown()
    print(f"death of Redis to webhook, {deaths} deaths at random moments of a 1 s interval:")
    print_figure("median", statistics.median(taken), "s", "<= 0.3 s, later; up to one interval now")
    print_figure("worst", max(taken), "s", "-")


if __name__ == "__main__":
    main()
