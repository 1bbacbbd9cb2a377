"""A load for an application, from a process that does nothing else: python -m benchmarks.load PORT SECONDS RATE prints what it felt.

Connections that send one request after the other, as fast as answers come (RATE 0), or RATE requests a second, evenly spread. A
request that is due while its connection still waits for an answer counts from when it was due: that the application was late is
felt by those who come meanwhile, too.
"""

import asyncio
import gc
import json
import sys
import time
from typing import Any

from typing_extensions import override

CONNECTIONS = 8
_REQUEST = b"GET /items/7 HTTP/1.1\r\nHost: localhost\r\n\r\n"


class Visitor(asyncio.Protocol):
    """One connection."""

    def __init__(self, first: float, until: float, interval: float) -> None:
        self._due, self._until, self._interval = first, until, interval
        self._loop = asyncio.get_running_loop()
        self.ended = self._loop.create_future()
        self.times: list[float] = []
        self._answer = b""

    @override
    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._next(time.perf_counter())

    def _next(self, now: float) -> None:
        if self._due >= self._until or now >= self._until:
            self._transport.close()
            self.ended.set_result(None)
        elif self._due > now:
            self._loop.call_later(self._due - now, self._send)
        else:  # late already
            self._began = self._due
            self._write()

    def _send(self) -> None:
        self._began = time.perf_counter()
        self._write()

    def _write(self) -> None:
        self._due = self._due + self._interval if self._interval else self._until - 1e-9
        self._transport.write(_REQUEST)

    @override
    def data_received(self, data: bytes) -> None:
        self._answer += data
        head, end, body = self._answer.partition(b"\r\n\r\n")
        if not end or len(body) < int(head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0]):
            return
        now = time.perf_counter()
        if not head.startswith(b"HTTP/1.1 200"):
            raise SystemExit(f"the application answers {head[:40]!r}")
        self._answer = b""
        self.times.append(now - self._began)
        if not self._interval:
            self._due = now
        self._next(now)

    @override
    def connection_lost(self, error: Exception | None) -> None:
        if not self.ended.done():
            self.ended.set_exception(error or ConnectionError("the application closed the connection"))


async def load(port: int, seconds: float, rate: float) -> list[float]:
    """The seconds that each request took, sorted."""
    loop, began = asyncio.get_running_loop(), time.perf_counter()
    interval = CONNECTIONS / rate if rate else 0.0
    visitors = [
        Visitor(began + interval * number / CONNECTIONS, began + seconds, interval) for number in range(CONNECTIONS)
    ]
    for visitor in visitors:
        await loop.create_connection(lambda one=visitor: one, "127.0.0.1", port)  # type: ignore[misc]
    await asyncio.gather(*(visitor.ended for visitor in visitors))
    return sorted(taken for visitor in visitors for taken in visitor.times)


def main() -> None:
    """Print the figures as JSON."""
    port, seconds, rate = int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3])
    gc.disable()
    cpu = time.process_time()
    times = asyncio.run(load(port, seconds, rate))
    found = {
        "requests": len(times),
        "requests_per_second": len(times) / seconds,
        "cpu_us": 1e6 * (time.process_time() - cpu) / len(times),
        **{f"p{share}_ms": 1000 * times[int(len(times) * share / 100)] for share in (50, 99, 99.9)},
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
