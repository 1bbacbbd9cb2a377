"""What looks like trouble and is none: each known false alarm, from the real instrument through scraper, store and rules.

Every one is tried where it can go wrong. Here: the instrument as it is, the cycle, all default rules, with time that a test
moves. Beside it, closer in:

| what must not fire                       | here                                   | closer in                                            |
|------------------------------------------|----------------------------------------|------------------------------------------------------|
| a pool of capacity 1 to 4 at rest        | `test_small_pools_at_rest`             | rules/test_builtin.py `…small_pool_at_rest…`         |
| overflow ignored or negative             | `test_overflow_is_room`                | instruments/test_connection_pool_monitor.py          |
| `NullPool`, unlimited pools              | `test_pools_without_a_limit`           | the same, `…no_capacity…`, `…no_queue…`              |
| an idle cache (0 hits, 0 misses)         | `test_an_idle_cache`                   | instruments/test_redis_info.py `…idle_cache…`        |
| a Redis restart, `CONFIG RESETSTAT`      | `test_counters_of_redis_that_fall`     | the same, `…resets_never…`; test_redis_monitor.py    |
| a full LRU cache                         | `test_a_full_cache`                    | rules/test_builtin.py `…full_cache…`                 |
| `maxmemory` 0                            | `test_a_redis_without_a_limit`         | instruments/test_redis_info.py `…no_memory_limit…`   |
| tmpfs, overlay, squashfs, read-only      | `test_full_mounts_that_are_no_disks`   | instruments/test_host_monitor.py `TestDisks`         |
| the host's memory seen from a container  | `test_a_full_host_around_a_container`  | the same, `TestMemory`; test_cgroup.py               |
| 4xx from scanners                        | `test_scanners`                        | instruments/test_middleware.py `…scanners…`          |
| Dozor's own queries                      | `test_dozors_own_queries`              | instruments/test_database_server_monitor.py          |
| Dozor's own commands                     | `test_dozors_own_commands`             | instruments/test_slowlog.py, test_redis_monitor.py   |
| Dozor's own requests                     | `test_dozors_own_requests`             | instruments/test_middleware.py `…left_out…`          |
| streaming, SSE, WebSocket                | `test_responses_that_last`             | instruments/test_middleware.py `…time_ends…`         |
| background tasks after the response      | `test_work_after_the_response`         | the same                                             |
| a clock that jumps                       | `test_a_clock_that_jumps`              | test_clock.py, test_scrape.py                        |
| a loop that is slow at first, debugged,  | `test_loops_that_nobody_blocks`        | rules/builtin/runtime.yml, test_loop_stalls.py       |
| stopped or suspended                     |                                        |                                                      |
"""

import asyncio
import pdb  # noqa: T100 - its path
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
import redis
from fastapi import BackgroundTasks, FastAPI, WebSocket
from fastapi.responses import StreamingResponse
from fastapi.testclient import TestClient
from msgspec.structs import replace
from sqlalchemy import Engine, NullPool, QueuePool, create_engine, text
from tests.patience import PATIENCE_SECONDS

from dozor import Dozor, Settings
from dozor.alerts import Lifecycle
from dozor.clock import Clock
from dozor.demo.servers import EmbeddedServer
from dozor.instruments import machine as machine_module
from dozor.instruments.cgroup import Cgroup
from dozor.instruments.connection_pool_monitor import ConnectionPoolMonitor
from dozor.instruments.database_server_monitor import DatabaseServerMonitor
from dozor.instruments.host_monitor import HostMonitor
from dozor.instruments.machine import Memory
from dozor.instruments.middleware import DozorMiddleware, HttpMonitor
from dozor.instruments.query_monitor import QueryMonitor
from dozor.instruments.redis_monitor import RedisMonitor
from dozor.instruments.runtime_monitor import RuntimeMonitor
from dozor.model.alert import AlertState
from dozor.rules import load_rules
from dozor.scrape import Collector, Scraper
from dozor.store.memory import MemoryStore
from dozor.testing import FakeClock

pytestmark = pytest.mark.anyio

MIB = 2**20


class Scene:
    """Real collectors, read, stored and judged by the default rules each *step* seconds of a clock that tests move."""

    def __init__(self, *collectors: Collector, step: float = 5.0) -> None:
        self.clock, self._step = FakeClock(), step
        self.store = MemoryStore()
        self.lifecycle = Lifecycle(load_rules())
        self.seen: set[str] = set()
        self.scraper = Scraper(self.store, self.clock, step, self._judge)
        for collector in collectors:
            self.add(collector)

    def add(self, collector: Collector) -> None:
        self.scraper.add(collector)
        if len(self.scraper.health()) == 1:
            self.scraper.add(_Own(self))

    async def run(self, seconds: float, each: Callable[[], object] | None = None) -> None:
        """Let *seconds* pass; *each* is what the world does before each collection."""
        for _ in range(round(seconds / self._step)):
            self.clock.advance(self._step)
            if each is not None:
                each()
            await self.scraper.cycle()

    async def _judge(self, at: float) -> None:
        self.lifecycle.evaluate(self.store, at)
        self.seen |= {alert.rule for alert in self.lifecycle.active(pending=True)}

    def state(self, rule: str) -> AlertState | None:
        return next((alert.state for alert in self.lifecycle.active(pending=True) if alert.rule == rule), None)

    def known(self, metric: str) -> list[float]:
        """The values that collectors now give of *metric*."""
        families = self.scraper.collect()
        return [sample.value for family in families for sample in family.samples if sample.name == metric]


class _Own:
    """Dozor's figures about itself and its alerts, which rules 11 and 15 look at."""

    name = "dozor"

    def __init__(self, scene: Scene) -> None:
        self._scene = scene

    async def refresh(self) -> None: ...

    def families(self) -> list[Any]:
        return [*self._scene.scraper.families(), *self._scene.lifecycle.families()]


# -- pools -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def make_engine(tmp_path: Path) -> Iterator[Callable[..., Engine]]:
    made: list[Engine] = []

    def make(**options: Any) -> Engine:
        engine = create_engine(f"sqlite:///{tmp_path}/{len(made)}.db", **{"poolclass": QueuePool, **options})
        made.append(engine)
        return engine

    yield make
    for engine in made:
        engine.dispose()


def watched_pool(scene: Scene, engine: Engine) -> ConnectionPoolMonitor:
    queries = QueryMonitor("default", engine, scene.clock)
    pool = ConnectionPoolMonitor("default", engine, scene.clock, slow_total=lambda: queries.slow_total)
    for monitor in (pool, queries):
        monitor.attach()
        scene.add(monitor)
    return pool


def use(engine: Engine) -> None:
    with engine.connect() as connection:
        connection.execute(text("SELECT 1"))


@pytest.mark.parametrize(("size", "overflow"), [(1, 0), (2, 0), (1, 2), (4, 0)])
async def test_small_pools_at_rest(make_engine: Callable[..., Engine], size: int, overflow: int) -> None:
    scene, engine = Scene(), make_engine(pool_size=size, max_overflow=overflow)
    watched_pool(scene, engine)
    await scene.run(300, lambda: use(engine))
    assert scene.known("db_pool_capacity") == [size + overflow]
    assert scene.seen == set()


async def test_overflow_is_room(make_engine: Callable[..., Engine]) -> None:
    """All of `pool_size` in use is no exhaustion; SQLAlchemy's own figure for overflow is below zero until then."""
    scene, engine = Scene(), make_engine(pool_size=5, max_overflow=10)
    watched_pool(scene, engine)
    await scene.run(60)
    held = [engine.connect() for _ in range(6)]
    await scene.run(300)
    assert (scene.known("db_pool_utilization"), scene.known("db_pool_overflow")) == ([40.0], [1.0])
    for connection in held:
        connection.close()
    assert scene.seen == set()


@pytest.mark.parametrize(
    "options", [{"poolclass": NullPool}, {"pool_size": 0}, {"pool_size": 1, "max_overflow": -1}], ids=str
)
async def test_pools_without_a_limit(make_engine: Callable[..., Engine], options: dict[str, Any]) -> None:
    scene, engine = Scene(), make_engine(**options)
    watched_pool(scene, engine)
    held = [engine.connect() for _ in range(12)]
    await scene.run(300)
    assert scene.known("db_pool_checked_out") == [12.0]
    for connection in held:
        connection.close()
    assert scene.seen == set()


async def test_a_pool_that_is_exhausted_fires_here_too(make_engine: Callable[..., Engine]) -> None:
    """That the scene sees trouble where there is some."""
    scene, engine = Scene(), make_engine(pool_size=5, max_overflow=0)
    watched_pool(scene, engine)
    held = [engine.connect() for _ in range(5)]
    await scene.run(120)
    for connection in held:
        connection.close()
    assert scene.state("PoolUtilizationHigh") is AlertState.FIRING


# -- Redis -------------------------------------------------------------------------------------------------------------


@pytest.fixture
async def cache(own_valkey: EmbeddedServer) -> AsyncIterator[tuple[Scene, redis.Redis]]:
    """A server that has been up for an hour, as far as its monitor knows; and the application's client."""
    scene = Scene(step=10.0)
    monitor = RedisMonitor("cache", own_valkey.url, scene.clock, interval=10.0)
    scene.add(_Aged(monitor))
    with redis.Redis(port=own_valkey.port) as client:
        yield scene, client
    await monitor.close()


class _Aged:
    """A server that says it is an hour older than it is, so that its first quarter of an hour is over."""

    def __init__(self, monitor: RedisMonitor) -> None:
        self._monitor, self.name = monitor, monitor.name

    async def refresh(self) -> None:
        await self._monitor.refresh()

    def families(self) -> Iterator[Any]:
        for family in self._monitor.families():
            if family.name == "redis_uptime_in_seconds":
                (sample,) = family.samples
                yield replace(family, samples=(sample._replace(value=sample.value + 3600),))
            else:
                yield family


def lookups(client: redis.Redis, *, hits: int, misses: int) -> None:
    client.set("there", "x")
    with client.pipeline(transaction=False) as pipeline:
        for _ in range(hits):
            pipeline.get("there")
        for _ in range(misses):
            pipeline.get("not there")
        pipeline.execute()


async def test_an_idle_cache(cache: tuple[Scene, redis.Redis]) -> None:
    scene, _ = cache
    await scene.run(1500)
    assert scene.known("redis_keyspace_hits_total") == [0.0]
    assert scene.known("redis_hit_rate") == []
    assert scene.seen == set()


async def test_counters_of_redis_that_fall(cache: tuple[Scene, redis.Redis], own_valkey: EmbeddedServer) -> None:
    scene, client = cache
    await scene.run(700, lambda: lookups(client, hits=50, misses=2))
    client.config_resetstat()
    await scene.run(700, lambda: lookups(client, hits=50, misses=2))
    own_valkey.stop()
    own_valkey.start()
    await scene.run(700, lambda: lookups(client, hits=50, misses=2))
    assert min(scene.known("redis_hit_rate")) > 90
    assert scene.seen == set()


async def test_a_low_hit_rate_fires_here_too(cache: tuple[Scene, redis.Redis]) -> None:
    scene, client = cache
    await scene.run(700, lambda: lookups(client, hits=20, misses=20))
    assert scene.state("RedisHitRateLow") is AlertState.FIRING


@pytest.mark.parametrize(("policy", "fires"), [("allkeys-lru", False), ("noeviction", True)])
async def test_a_full_cache(cache: tuple[Scene, redis.Redis], policy: str, fires: bool) -> None:
    scene, client = cache
    client.config_set("maxmemory-policy", policy)
    client.set("filling", "x" * 8 * MIB)
    client.config_set("maxmemory", int(client.info("memory")["used_memory"]) + MIB // 2)
    await scene.run(300)
    assert scene.known("redis_memory_limit") != []
    assert scene.seen == ({"RedisMemoryHigh"} if fires else set())


async def test_a_redis_without_a_limit(cache: tuple[Scene, redis.Redis]) -> None:
    scene, client = cache
    client.set("filling", "x" * 8 * MIB)
    await scene.run(600)
    assert scene.known("redis_memory_limit") == []
    assert scene.seen == set()


async def test_dozors_own_commands(cache: tuple[Scene, redis.Redis]) -> None:
    """Every command is slow, and only Dozor sends any."""
    scene, client = cache
    client.config_set("slowlog-log-slower-than", 0)
    client.slowlog_reset()
    await scene.run(50)
    before = scene.known("redis_slow_commands_total")
    await scene.run(600)
    assert scene.known("redis_slow_commands_total") == before
    assert scene.known("redis_operations_per_second") == [0.0]
    assert scene.seen == set()


# -- the host ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A machine with nothing left: 97 % of its memory and 99 % of all that is mounted are in use."""
    state = SimpleNamespace(partitions=[])
    monkeypatch.setattr(machine_module, "memory", lambda: Memory(total=1000 * MIB, available=30 * MIB))
    monkeypatch.setattr(psutil, "disk_usage", lambda _: SimpleNamespace(percent=99.0))
    monkeypatch.setattr(psutil, "disk_partitions", lambda **_: state.partitions)
    return state


def mount(mountpoint: str, fstype: str, opts: str = "rw", device: str = "/dev/sda1") -> SimpleNamespace:
    return SimpleNamespace(device=device, mountpoint=mountpoint, fstype=fstype, opts=opts)


def container(folder: Path) -> Cgroup:
    """An idle one that may use 100 MiB and has 40 in its hands, and 50 of file cache that the kernel can drop."""
    for name, content in (
        ("cpu.max", "100000 100000"),
        ("cpu.stat", "usage_usec 0"),
        ("memory.max", 100 * MIB),
        ("memory.current", 90 * MIB),
        ("memory.stat", f"inactive_file {50 * MIB}\n"),
    ):
        (folder / name).write_text(str(content))
    return Cgroup(folder, folder / "membership")


async def test_full_mounts_that_are_no_disks(machine: SimpleNamespace, tmp_path: Path) -> None:
    machine.partitions = [
        mount("/dev/shm", "tmpfs", device="tmpfs"),
        mount("/", "overlay", device="overlay"),
        mount("/snap/core/1", "squashfs", "ro,nodev", device="/dev/loop0"),
        mount("/mnt/backup", "ext4", "ro,relatime", device="/dev/sdb1"),
        mount("/etc/hosts", "ext4"),  # of the host's disk, in a container
        mount("/dev/termination-log", "ext4"),
    ]
    scene = Scene()
    scene.add(HostMonitor(scene.clock, cgroup=container(tmp_path)))
    await scene.run(900)
    assert scene.known("host_disk_utilization") == []
    assert scene.seen == set()


async def test_a_full_disk_fires_here_too(machine: SimpleNamespace, tmp_path: Path) -> None:
    machine.partitions = [mount("/var/lib/data", "ext4")]
    scene = Scene()
    scene.add(HostMonitor(scene.clock, cgroup=container(tmp_path)))
    await scene.run(600)
    assert scene.state("DiskSpaceLow") is AlertState.FIRING


async def test_a_full_host_around_a_container(machine: SimpleNamespace, tmp_path: Path) -> None:
    scene = Scene()
    scene.add(HostMonitor(scene.clock, cgroup=container(tmp_path)))
    await scene.run(900)
    assert scene.known("host_memory_utilization") == [40.0]
    assert scene.seen == set()


# -- HTTP --------------------------------------------------------------------------------------------------------------


class Shop:
    """An application under Dozor's middleware, and a scene that watches it. Its time is the scene's."""

    def __init__(self) -> None:
        self.scene = Scene(step=10.0)
        self.monitor = HttpMonitor(timer=self.scene.clock.monotonic)
        self.scene.add(self.monitor)
        self.app = FastAPI()
        self.app.add_middleware(DozorMiddleware, monitor=self.monitor)
        self.client = TestClient(self.app, raise_server_exceptions=False)

    def lasts(self, seconds: float) -> None:
        self.scene.clock.advance(seconds)


async def test_scanners() -> None:
    shop = Shop()

    @shop.app.get("/items/{item}")
    async def item(item: int) -> int:
        return item

    def scan() -> None:
        for number in range(8):
            shop.client.get(f"/wp-admin/{number}.php")
            shop.client.post("/items/1")
            shop.client.get("/items/%00")

    await shop.scene.run(300, scan)
    assert sum(shop.scene.known("http_requests_total")) == 30 * 24
    assert shop.scene.seen == set()


async def test_responses_that_last() -> None:
    shop = Shop()

    async def events() -> AsyncIterator[str]:
        for _ in range(3):
            yield "data: x\n\n"
            shop.lasts(2.5)

    @shop.app.get("/events")
    async def stream() -> StreamingResponse:
        return StreamingResponse(events(), media_type="text/event-stream")

    @shop.app.websocket("/socket")
    async def socket(socket: WebSocket) -> None:
        await socket.accept()
        shop.lasts(7.5)
        await socket.close()

    def visit() -> None:
        for _ in range(6):
            assert shop.client.get("/events").status_code == 200
        with shop.client.websocket_connect("/socket") as opened:
            assert opened.receive()["type"] == "websocket.close"

    await shop.scene.run(200, visit)
    assert sum(shop.scene.known("http_requests_total")) == 20 * 6
    assert shop.scene.seen == set()


async def test_work_after_the_response() -> None:
    shop = Shop()

    @shop.app.post("/orders")
    async def order(tasks: BackgroundTasks) -> None:
        tasks.add_task(shop.lasts, 7.5)

    def visit() -> None:
        for _ in range(4):
            assert shop.client.post("/orders").status_code == 200

    await shop.scene.run(200, visit)
    assert shop.scene.seen == set()


async def test_a_route_that_is_slow_to_answer_fires_here_too() -> None:
    shop = Shop()

    @shop.app.get("/slow")
    async def slow() -> None:
        shop.lasts(6)

    def visit() -> None:
        for _ in range(2):
            shop.client.get("/slow")

    await shop.scene.run(400, visit)
    assert "HttpRequestsSlow" in shop.scene.seen


# -- Dozor itself ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pooled", [True, False])
async def test_dozors_own_queries(make_engine: Callable[..., Engine], pooled: bool) -> None:
    """The probe of the server behind a pool of one, taken: it neither waits for it, nor is it counted."""
    options: dict[str, Any] = {"pool_size": 1, "max_overflow": 0} if pooled else {"poolclass": NullPool}
    scene, engine = Scene(), make_engine(**options)
    use(engine)
    pool = watched_pool(scene, engine)
    probe = DatabaseServerMonitor("default", engine, Clock(), interval=5.0)
    scene.add(probe)
    with engine.connect():
        before = pool.figures()["db_pool_checkouts_total"]
        await scene.run(50)
        assert pool.figures()["db_pool_checkouts_total"] == before
    await scene.run(300)
    await probe.close()
    assert scene.known("db_up") == [1.0]
    assert sum(scene.known("db_query_seconds_count")) == 0
    # Its one connection was in use for a while, but by the application and for less than a minute.
    assert scene.seen == ({"PoolUtilizationHigh"} if pooled else set())
    assert scene.lifecycle.active() == []


async def test_dozors_own_requests(tmp_path: Path) -> None:
    """Reading the API and its probes, wrong and unwelcome requests included, is no traffic of the application's."""
    app = FastAPI()

    @app.get("/work")
    async def work() -> None: ...

    dozor = Dozor(name="own", settings=Settings(store_url=f"sqlite:///{tmp_path}/own.db", interval_seconds=0.1))
    dozor.install(app)
    with TestClient(app, client=("127.0.0.1", 1)) as client:
        base = "/api/v1/monitoring"
        client.get("/work")
        for path in (
            "/health", "/livez", "/readyz", "/metrics", f"{base}/", base, f"{base}/pool/status", f"{base}/nowhere",
            f"{base}/alerts/history?limit=0", f"{base}/metrics",
        ):  # fmt: skip
            client.get(path)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while 'route="/work"' not in (shown := client.get("/metrics").text):
            assert time.monotonic() < deadline
            await asyncio.sleep(0.02)
    lines = [line for line in shown.splitlines() if line.startswith("http_requests_total{")]
    assert len(lines) == 1, lines


# -- the clock ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("jump", [86_400.0, -86_400.0, 3600.0, -30.0])
async def test_a_clock_that_jumps(make_engine: Callable[..., Engine], jump: float) -> None:
    """An administrator, NTP or a virtual machine that wakes up sets the time of day. No time has passed."""
    scene, engine = Scene(step=1.0), make_engine(pool_size=5, max_overflow=0)
    watched_pool(scene, engine)
    shop = HttpMonitor(timer=scene.clock.monotonic)
    scene.add(shop)
    await scene.run(90, lambda: use(engine))
    scene.clock.set_wall(jump)
    await scene.run(90, lambda: use(engine))
    assert scene.seen == set()


@pytest.mark.parametrize("jump", [86_400.0, -86_400.0])
async def test_a_clock_that_jumps_ends_no_wait_and_prolongs_none(
    make_engine: Callable[..., Engine], jump: float
) -> None:
    scene, engine = Scene(step=1.0), make_engine(pool_size=5, max_overflow=0)
    watched_pool(scene, engine)
    await scene.run(5)
    held = [engine.connect() for _ in range(5)]
    await scene.run(30)
    scene.clock.set_wall(jump)
    await scene.run(29)
    assert scene.state("PoolUtilizationHigh") is AlertState.PENDING
    await scene.run(3)
    assert scene.state("PoolUtilizationHigh") is AlertState.FIRING
    for connection in held:
        connection.close()
    await scene.run(118)
    assert scene.state("PoolUtilizationHigh") is AlertState.FIRING
    scene.clock.set_wall(-jump)
    await scene.run(5)
    assert scene.state("PoolUtilizationHigh") is None


# -- the event loop ----------------------------------------------------------------------------------------------------


class WatchedLoop:
    """An application's loop in a thread, real, watched in time that a test moves; `used` is what it had of a processor."""

    def __init__(self) -> None:
        self.scene, self.used = Scene(step=1.0), 0.0
        self.monitor = RuntimeMonitor(
            self.scene.clock, timer=self.scene.clock.monotonic, processor_timer=lambda: self.used
        )
        self.scene.add(self.monitor)
        self.loop = asyncio.new_event_loop()
        self.loop.time = self.scene.clock.monotonic  # type: ignore[method-assign]  # its timers go by the same clock
        self._thread = threading.Thread(target=self.loop.run_forever)
        self._thread.start()
        self.monitor.watch_loop(self.loop)

    async def idle(self, seconds: float) -> None:
        for _ in range(round(10 * seconds)):
            await self._look(0.1)
            await self._settle()

    async def block(self, seconds: float, *, file: str = "shop.py") -> None:
        """Something in *file* does not let go of the loop."""
        begun, let_go = threading.Event(), threading.Event()
        names: dict[str, Any] = {"begun": begun.set, "wait": let_go.wait}
        exec(compile("def work():\n    begun()\n    wait()\n", file, "exec"), names)
        self.loop.call_soon_threadsafe(names["work"])
        assert await asyncio.to_thread(begun.wait, PATIENCE_SECONDS)
        for _ in range(round(10 * seconds)):
            await self._look(0.1)
        let_go.set()
        await self._settle()

    async def stop_the_process(self, seconds: float) -> None:
        """SIGSTOP, a machine that is suspended, a container that is paused: the clock goes on, and nothing else."""
        self.monitor.watch()
        self.scene.clock.advance(seconds)
        await self._look(0.0)
        await self._settle()

    async def _look(self, seconds: float) -> None:
        second = int(self.scene.clock.monotonic())
        self.scene.clock.advance(seconds)
        self.monitor.watch()
        if int(self.scene.clock.monotonic()) != second:
            await self.scene.scraper.cycle()

    async def _settle(self) -> None:
        for _ in range(2):  # timers that are due are run after what came before
            done = threading.Event()
            self.loop.call_soon_threadsafe(done.set)
            assert await asyncio.to_thread(done.wait, PATIENCE_SECONDS)

    def close(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()


@pytest.fixture
def watched_loop() -> Iterator[WatchedLoop]:
    watched = WatchedLoop()
    yield watched
    watched.close()


@pytest.mark.parametrize("what", ["start", "first use", "debugger", "stopped", "suspended"])
async def test_loops_that_nobody_blocks(watched_loop: WatchedLoop, what: str) -> None:
    if what == "start":
        for _ in range(6):
            await watched_loop.block(5)
    await watched_loop.idle(125)
    if what == "first use":
        await watched_loop.block(8)
        await watched_loop.block(7)
    elif what == "debugger":
        for _ in range(4):
            await watched_loop.block(10, file=pdb.__file__)
    elif what == "stopped":
        for _ in range(4):
            await watched_loop.stop_the_process(10)
            await watched_loop.idle(1)
    elif what == "suspended":
        await watched_loop.stop_the_process(8 * 3600)
    await watched_loop.idle(70)
    assert watched_loop.scene.seen - {"MonitoringStale"} == set()


async def test_a_loop_that_is_blocked_is_told_of(watched_loop: WatchedLoop) -> None:
    """The same loop, and the same ways to look at it: it is blocked in earnest."""
    await watched_loop.idle(125)
    for _ in range(3):
        await watched_loop.block(2)
        await watched_loop.idle(1)
    assert watched_loop.scene.state("EventLoopBlocked") is AlertState.FIRING
