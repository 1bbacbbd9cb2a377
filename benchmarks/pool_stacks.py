"""What it costs an application to have the lines of code noted at which it takes connections: so many a second, in handlers of FastAPI.

python -m benchmarks.pool_stacks
"""

import asyncio
import os
import statistics
import time
from collections.abc import Callable

from benchmarks.common import print_figure
from benchmarks.overhead import new_engine
from fastapi import FastAPI
from starlette.types import Message

from dozor.clock import Clock
from dozor.instruments.connection_pool_monitor import ConnectionPoolMonitor
from dozor.instruments.middleware import DozorMiddleware, HttpMonitor
from dozor.instruments.pool_stacks import StackMode

RATES = (10, 100, 200, 1_000, 10_000)
ROUTES = 20
ROUNDS = 31


class Watched:
    """An application of some routes, each of which takes as many connections as it is told to."""

    def __init__(self, stacks: StackMode) -> None:
        engine = new_engine()
        self.monitor = ConnectionPoolMonitor("default", engine, Clock(), stacks=stacks)
        self.monitor.attach()
        self._loop, self._seconds = asyncio.new_event_loop(), 0.0
        app = FastAPI(openapi_url=None)
        for number in range(ROUTES):
            app.get(f"/route{number}")(self._handler(engine.raw_connection))
        self._app = DozorMiddleware(app, HttpMonitor())

    def _handler(self, take: Callable[[], object]) -> Callable[[int], object]:
        async def handler(times: int) -> None:
            began = time.thread_time()
            for _ in range(times):
                take().close()  # type: ignore[attr-defined]
            self._seconds += time.thread_time() - began

        return handler

    def second(self, checkouts: int) -> tuple[float, float]:
        """Seconds of CPU in the application, and in Dozor's thread, for a second with so many *checkouts*."""
        began = time.thread_time()
        asyncio.run(self.monitor.refresh())
        cycle, self._seconds = time.thread_time() - began, 0.0
        # As though a second had passed: the budget is refilled by time.
        self.monitor._stacks.begin_cycle(1.0, 15)
        each, rest = divmod(checkouts, ROUTES)
        for number in range(ROUTES):
            self._loop.run_until_complete(self._ask(f"/route{number}", each + (number < rest)))
        return self._seconds, cycle

    async def _ask(self, path: str, times: int) -> None:
        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "path": path,
            "raw_path": path.encode(), "root_path": "", "scheme": "http", "query_string": f"times={times}".encode(),
            "headers": [], "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80), "state": {},
        }  # fmt: skip

        async def receive() -> Message:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(_message: Message) -> None:
            pass

        await self._app(scope, receive, send)


def main() -> None:
    """Print what stacks add, against none."""
    print(f"stacks at checkout, added to none; load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    without, noted = Watched("off"), Watched("auto")
    for rate in RATES:
        pairs = [(without.second(rate), noted.second(rate)) for _ in range(ROUNDS)]
        hot, cycle = (statistics.median(ours[i] - theirs[i] for theirs, ours in pairs) for i in (0, 1))
        title = f"{rate} checkouts a second: the application"
        print_figure(title, 100 * hot, "%", "<= 0.1 % of a core")
        print_figure("    Dozor's own thread", 100 * cycle, "%", "<= 0.1 % of a core")


if __name__ == "__main__":
    main()
