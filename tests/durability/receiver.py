"""A program: takes webhooks on a port of its own, well or badly by chance, and notes each in a file before it answers.

python -m tests.durability.receiver FILE SEED MOOD=WEIGHT …
"""

import json
import random
import socket
import struct
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

MOODS = ("ok", "error", "busy", "close", "reset", "half", "hang")
_HANG_SECONDS = 30


class Receiver(ThreadingHTTPServer):
    """Answers by chance."""

    daemon_threads = True

    def __init__(self, log: Path, seed: int, weights: dict[str, float]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.log, self.chance, self.weights = log.open("a", encoding="utf-8"), random.Random(seed), weights
        self.lock = threading.Lock()

    def mood(self) -> str:
        return self.chance.choices(list(self.weights), list(self.weights.values()))[0]

    def handle_error(self, *_: object) -> None:
        """The other side went away, which is what a kill looks like from here."""


class Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        with self.server.lock:
            mood = self.server.mood()
            line = {
                "id": self.headers["webhook-id"],
                "mood": mood,
                "at": time.time(),
                "alerts": [[alert["id"], alert["status"], alert["labels"]["alertname"]] for alert in body["alerts"]],
            }
            self.server.log.write(json.dumps(line) + "\n")
            self.server.log.flush()
        getattr(self, f"answer_{mood}")()

    def answer_ok(self) -> None:
        self.send_response(200)
        self.end_headers()

    def answer_error(self) -> None:
        self.send_response(500)
        self.end_headers()

    def answer_busy(self) -> None:
        self.send_response(429)
        self.send_header("Retry-After", "0.1")
        self.end_headers()

    def answer_close(self) -> None:
        self.connection.shutdown(socket.SHUT_RDWR)

    def answer_reset(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    def answer_half(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        self.wfile.write(b"half")

    def answer_hang(self) -> None:
        time.sleep(_HANG_SECONDS)

    def log_message(self, *_: object) -> None:
        """Not into the test's output."""


def main() -> None:
    """Say the port, then serve until killed."""
    file, seed, *moods = sys.argv[1:]
    weights = {name: float(weight) for name, weight in (mood.split("=") for mood in moods)}
    receiver = Receiver(Path(file), int(seed), weights)
    print(receiver.server_port, flush=True)
    receiver.serve_forever(poll_interval=0.1)


if __name__ == "__main__":
    main()
