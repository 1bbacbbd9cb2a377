"""An application with a `/metrics`, in a thread of its own, which answers as a test says."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Target(ThreadingHTTPServer):
    """Answers every GET by `answer(handler)`; keeps the headers of the last request."""

    daemon_threads = True

    def __init__(self) -> None:
        self.answer: Callable[[Any], None] = text("up_and_running 1\n")
        self.headers: dict[str, str] = {}
        self.paths: list[str] = []
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def address(self) -> str:
        """HOST:PORT."""
        return f"127.0.0.1:{self.server_address[1]}"

    @property
    def url(self) -> str:
        """Of the metrics."""
        return f"http://{self.address}/metrics"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Target

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.answer(self)

    def do_GET(self) -> None:
        self.server.headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.paths.append(self.path)
        self.server.answer(self)

    def log_message(self, *_: object) -> None:
        pass


def reply(status: int, body: bytes = b"", **headers: str) -> Callable[[Any], None]:
    """An answer; `_` in names of headers stands for `-`."""

    def answer(handler: Any) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def text(body: str, content_type: str = "text/plain; version=0.0.4") -> Callable[[Any], None]:
    """*body* with status 200."""
    return reply(200, body.encode(), Content_Type=content_type)


@contextmanager
def serving() -> Iterator[Target]:
    """A target while the body runs."""
    with Target() as target:
        thread = threading.Thread(target=target.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield target
        finally:
            target.shutdown()
            thread.join(5)
