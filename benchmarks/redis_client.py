"""What it adds to a command of the application's redis-py client to be timed, sync and async.

The client's own work is left out of it: its `execute_command` is replaced by one that does nothing, since a round trip would hide
what is measured. Beside Dozor: a subclass with prometheus-client, as one writes it by hand.

python -m benchmarks.redis_client
"""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import redis
import redis.asyncio
from benchmarks.common import interleaved, print_added
from prometheus_client import CollectorRegistry, Histogram

from dozor.clock import Clock
from dozor.instruments.redis_client_monitor import RedisClientMonitor
from dozor.instruments.work import Work, current_work

CALLS = 20_000
BARE, OURS, IN_REQUEST, BY_HAND = "bare", "Dozor", "Dozor, within a request", "subclass with prometheus-client"


class Idle(redis.Redis):
    def execute_command(self, *_args: Any, **_options: Any) -> Any:
        return None


class IdleAsync(redis.asyncio.Redis):
    async def execute_command(self, *_args: Any, **_options: Any) -> Any:
        return None


HISTOGRAM = Histogram("command_seconds", "", ["command"], registry=CollectorRegistry())


class ByHand(Idle):
    def execute_command(self, *args: Any, **options: Any) -> Any:
        began = time.perf_counter()
        try:
            return super().execute_command(*args, **options)
        finally:
            HISTOGRAM.labels(args[0]).observe(time.perf_counter() - began)


class ByHandAsync(IdleAsync):
    async def execute_command(self, *args: Any, **options: Any) -> Any:
        began = time.perf_counter()
        try:
            return await super().execute_command(*args, **options)
        finally:
            HISTOGRAM.labels(args[0]).observe(time.perf_counter() - began)


def watched(client: Any) -> Any:
    RedisClientMonitor("cache", client, Clock()).attach()
    return client


def in_request(run: Callable[[int], None]) -> Callable[[int], None]:
    def inside(calls: int) -> None:
        token = current_work.set(Work())
        run(calls)
        current_work.reset(token)

    return inside


def sync(client: Any) -> Callable[[int], None]:
    def run(calls: int) -> None:
        get = client.get
        for _ in range(calls):
            get("k")

    return run


def asynchronous(client: Any) -> Callable[[int], None]:
    async def gets(calls: int) -> None:
        get = client.get
        for _ in range(calls):
            await get("k")

    return lambda calls: asyncio.run(gets(calls))


def measure(title: str, run: Callable[[Any], Callable[[int], None]], idle: type[Any], by_hand: type[Any]) -> None:
    variants = {
        BARE: run(idle()),
        OURS: run(watched(idle())),
        IN_REQUEST: in_request(run(watched(idle()))),
        BY_HAND: run(by_hand()),
    }
    print_added(title, interleaved(variants, calls=CALLS), bare=BARE, ours=OURS, target_us=3.0)


def main() -> None:
    """Print what each adds."""
    measure("a command of a redis.Redis", sync, Idle, ByHand)
    measure("a command of a redis.asyncio.Redis", asynchronous, IdleAsync, ByHandAsync)


if __name__ == "__main__":
    main()
