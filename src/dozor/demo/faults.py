"""What goes wrong in the demo, how it is put right, and where to look."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, Protocol

import httpx2
from msgspec import Struct

_API: Final = "/api/v1/monitoring"


class Server(Protocol):
    """A server that can be stopped."""

    def stop(self) -> None:
        """Stop it."""

    def start(self) -> None:
        """Start it again, at the same address."""


class Stage(Struct, frozen=True):
    """What a fault works with: the shop as its visitors see it, the Redis server, and a voice.

    *pace* shortens all waiting, for tests; 1 is real time.
    """

    client: httpx2.AsyncClient
    redis: Server
    say: Callable[[str], None]
    pace: float = 1.0

    async def wait(self, seconds: float) -> None:
        """Let *seconds* pass."""
        await asyncio.sleep(seconds * self.pace)


class Fault(Struct, frozen=True):
    """One thing that goes wrong.

    Attributes:
        name: as in `--fault NAME`, `POST /faults/NAME` and, to end it, `DELETE /faults/NAME`.
        story: what happens, in a sentence.
        expect: what Dozor makes of it, and when.
        look: where to see it: a path of Dozor's API.
        cause: does it, and puts it right again, also when it is cancelled.
    """

    name: str
    story: str
    expect: str
    look: str
    cause: Callable[[Stage], Awaitable[None]]


async def _redis_stopped(stage: Stage) -> None:
    stopped = asyncio.ensure_future(asyncio.to_thread(stage.redis.stop))
    try:
        await asyncio.shield(stopped)
        await stage.wait(25)
    finally:
        await stopped  # it cannot be called off in the middle
        await asyncio.shield(asyncio.to_thread(stage.redis.start))
    stage.say("Redis is back")


async def _slow_query(stage: Stage) -> None:
    async def ask() -> None:
        for _ in range(25):
            await _patiently(stage.client.get("/margins"))

    await asyncio.gather(*(ask() for _ in range(4)))
    stage.say("nobody asks for /margins any more")


async def _n_plus_one(stage: Stage) -> None:
    for _ in range(20):
        await _patiently(stage.client.get("/recent-orders"))
        await stage.wait(0.5)
    stage.say("nobody asks for /recent-orders any more")


async def _slow_fetch(stage: Stage) -> None:
    for _ in range(5):
        await _patiently(stage.client.get("/ledger", params={"seconds": 2 * stage.pace}))
    stage.say("the ledger is read")


async def _blocked_loop(stage: Stage) -> None:
    for _ in range(5):
        await _patiently(stage.client.get("/invoice", params={"seconds": 2 * stage.pace}))
        await stage.wait(1)
    stage.say("the event loop is free again")


async def _error_burst(stage: Stage) -> None:
    try:
        await _patiently(stage.client.put("/payment", params={"down": True}))
        await stage.wait(130)
    finally:
        await asyncio.shield(_patiently(stage.client.put("/payment", params={"down": False})))
    stage.say("the payment provider answers again")


async def _exhausted_pool(stage: Stage) -> None:
    exports = (stage.client.get("/export", params={"seconds": 80 * stage.pace}, timeout=100) for _ in range(15))
    try:
        await asyncio.gather(*map(_patiently, exports))
    finally:
        await asyncio.shield(_patiently(stage.client.delete("/export")))
    stage.say("the exports are done, their connections are back in the pool")


async def _hot_command(stage: Stage) -> None:
    async def ask() -> None:
        for _ in range(12):
            await _patiently(stage.client.get("/top-rated"))
            await stage.wait(2)

    try:
        await asyncio.gather(*(ask() for _ in range(2)))
    finally:
        await asyncio.shield(_patiently(stage.client.delete("/top-rated")))
    stage.say("nobody asks for /top-rated any more")


async def _leaked_connection(stage: Stage) -> None:
    try:
        for _ in range(6):
            await _patiently(stage.client.post("/imports"))
        await stage.wait(90)
    finally:
        await asyncio.shield(_patiently(stage.client.delete("/imports")))
    stage.say("the leaked connections are back in the pool")


async def _idle_in_transaction(stage: Stage) -> None:
    transfers = (stage.client.post("/transfers", params={"seconds": 40 * stage.pace}, timeout=60) for _ in range(3))
    try:
        await asyncio.gather(*map(_patiently, transfers))
    finally:
        await asyncio.shield(_patiently(stage.client.delete("/transfers")))
    stage.say("the transfers have ended their transactions")


async def _patiently(request: Awaitable[object]) -> None:
    """Await *request*; that it fails is part of the show."""
    try:
        await request
    except httpx2.HTTPError:
        return


FAULTS: Final[Mapping[str, Fault]] = {
    fault.name: fault
    for fault in (
        Fault(
            "redis-stopped",
            "Redis is stopped for 25 s; the shop goes on without its cache",
            "redis/status says DISCONNECTED at once; RedisDisconnected fires after 15 s and ends 30 s after Redis is back",
            f"{_API}/redis/status",
            _redis_stopped,
        ),
        Fault(
            "slow-query",
            "four visitors ask for /margins, whose statement takes 1.2 s, for half a minute",
            "SlowQueries fires when there are at least 5, and 1 % of all; the statement and its line of code are kept",
            f"{_API}/pool/slow-queries",
            _slow_query,
        ),
        Fault(
            "n-plus-one",
            "/recent-orders asks for the customer of each of its 25 orders in a statement of its own, twenty times",
            "queries/n-plus-one names the request, the statement and its line of code",
            f"{_API}/queries/n-plus-one",
            _n_plus_one,
        ),
        Fault(
            "slow-fetch",
            "five visitors read /ledger: its statement is executed at once, its rows take 2 s to come",
            "queries/slow-fetches has it, with the time and the line of code that waits for the rows; slow-queries has not",
            f"{_API}/queries/slow-fetches",
            _slow_fetch,
        ),
        Fault(
            "hot-command",
            "two visitors ask for /top-rated for half a minute, for which Redis sorts 100,000 ratings each time",
            "redis/slow-commands names SORT, the client, the request and its line of code; redis/commands what it costs",
            f"{_API}/redis/slow-commands",
            _hot_command,
        ),
        Fault(
            "blocked-loop",
            "/invoice blocks the event loop for 2 s, five times",
            "EventLoopBlocked fires (from two minutes after the start on); Dozor, in its own thread, says which line it is",
            f"{_API}/runtime/stalls",
            _blocked_loop,
        ),
        Fault(
            "error-burst",
            "the payment provider is down for two minutes: every order ends in a 502",
            "HttpErrorsHigh fires when over 5 % of all requests have failed for a minute",
            f"{_API}/dashboard/overview",
            _error_burst,
        ),
        Fault(
            "exhausted-pool",
            "15 exports hold all 15 connections of the pool for 80 s; who comes now waits 5 s, in vain",
            "PoolTimeouts fires after 5 s; PoolUtilizationHigh and PoolConnectionsLow fire too, and nobody is told of those",
            f"{_API}/pool/status",
            _exhausted_pool,
        ),
        Fault(
            "leaked-connection",
            "6 imports take a connection each and forget it for 90 s",
            "db_pool_leaked counts them when they have been held for 60 s; the log and pool/leaks name the line that took them",
            f"{_API}/pool/holders",
            _leaked_connection,
        ),
        Fault(
            "idle-in-transaction",
            "3 transfers keep a transaction open for 40 s while they wait for another service",
            "db_pool_idle_in_transaction is 3; pool/holders names the request, its last statement and the line at which it waits",
            f"{_API}/pool/holders",
            _idle_in_transaction,
        ),
    )
}

# Seconds of quiet before each, from the start or the end of the fault before. The first one is over, its alert ended,
# within 75 s of the start.
TIMETABLE: Final[tuple[tuple[float, str], ...]] = (
    (8, "redis-stopped"),
    (50, "slow-query"),
    (30, "n-plus-one"),
    (20, "slow-fetch"),
    (20, "hot-command"),
    (30, "blocked-loop"),
    (30, "exhausted-pool"),
    (60, "error-burst"),
    (60, "leaked-connection"),
    (60, "idle-in-transaction"),
    (240, "redis-stopped"),
)
