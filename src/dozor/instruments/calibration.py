"""What one event costs the application, measured on things of our own.

Before, within and after each event something else is done, which is not timed: an application's code and data push ours out of the
processor's caches, and without that everything would seem to cost a third of what it does. No engine and no pool of SQLAlchemy's
is made, for there may be listeners of the application's that apply to all of them.
"""

import contextlib
import statistics
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, Final

from dozor.clock import Clock
from dozor.instruments.middleware import ASGIApp, DozorMiddleware, HttpMonitor

Timer = Callable[[], float]

_EVENTS: Final = 150
# To compile this enters a great deal of the interpreter, of which other code enters other parts.
_SOURCE: Final = """
class Order:
    lines = {"a": [1, 2.5], "b": (None, f"{1!r:>8}")}
    async def total(self, *, tax=0.2, **rest):
        async with self.lock as lock:
            return [x * y async for x, y in lock if x] or {**rest} if tax else not -tax
    def __len__(self):
        try:
            for one in self.lines: yield lambda x=one: x[1:2]
        except* ValueError as error: raise TypeError from error
        finally: del self.lines["a"]
"""


def request_seconds(timer: Timer = time.perf_counter) -> float:
    """What the middleware adds to a request. For a thread of Dozor's, as are the others; some 50 ms each."""
    elsewhere = _Elsewhere(timer)

    async def answer(scope: Any, _receive: Any, send: Any) -> None:
        elsewhere()
        scope["route"], scope["endpoint"] = _ROUTE, _endpoint
        elsewhere()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})
        elsewhere()

    return _added(_request(answer), _request(DozorMiddleware(answer, HttpMonitor())), elsewhere)


def checkout_seconds(timer: Timer = time.perf_counter) -> float:
    """What the watching of a pool adds to a checkout and its return."""
    from sqlalchemy import Pool  # noqa: PLC0415 - it is loaded where it is watched

    from dozor.instruments.pool_tally import PoolTally  # noqa: PLC0415
    from dozor.instruments.pool_wrap import PoolWrap  # noqa: PLC0415

    elsewhere, tally = _Elsewhere(timer), PoolTally()
    kind: Any = type("_Pool", (_Pool,), {"_return_conn": Pool._return_conn})
    bare, watched = kind(), kind()
    PoolWrap(watched, tally, timer=time.monotonic, on_recreate=lambda _: None).put_on()
    tally.raise_peak()
    return _added(_checkout(bare, elsewhere), _checkout(watched, elsewhere), elsewhere)


def statement_seconds(timer: Timer = time.perf_counter) -> float:
    """What the watching of statements adds to one."""
    from dozor.instruments.query_monitor import QueryMonitor  # noqa: PLC0415 - as above

    engine: Any = SimpleNamespace(sync_engine=SimpleNamespace(dialect=SimpleNamespace(name="")))
    execute = QueryMonitor("", engine, Clock(), last={}).timed(_execute)
    for _ in range(2):  # from then on it is known
        execute(_CURSOR, _STATEMENT, (), _CONTEXT)
    return _added(_statement(_execute), _statement(execute), _Elsewhere(timer))


class _Elsewhere:
    """Something else, and how long it has taken."""

    def __init__(self, timer: Timer) -> None:
        self.timer, self.seconds = timer, 0.0

    def __call__(self) -> None:
        began = self.timer()
        compile(_SOURCE, "", "exec")
        self.seconds += self.timer() - began


def _added(bare: Callable[[], None], watched: Callable[[], None], elsewhere: _Elsewhere) -> float:
    """The difference of the medians, so that it counts for nothing when others have the processor meanwhile."""
    timer = elsewhere.timer
    taken: dict[Callable[[], None], list[float]] = {bare: [], watched: []}
    for number, event in enumerate((bare, watched) * _EVENTS):
        if number % 20 == 0:
            time.sleep(0)  # somebody may wait for the interpreter
        elsewhere()
        before, began = elsewhere.seconds, timer()
        event()
        taken[event].append(timer() - began - (elsewhere.seconds - before))
    return max(0.0, statistics.median(taken[watched]) - statistics.median(taken[bare]))


def _endpoint() -> None: ...


_ROUTE: Final = SimpleNamespace(path="/calibration", endpoint=_endpoint)


async def _nothing(*_: Any) -> Any:
    return None


def _request(app: ASGIApp) -> Callable[[], None]:
    def run() -> None:
        request: Any = app(
            {"type": "http", "method": "GET", "path": "/calibration", "root_path": ""}, _nothing, _nothing
        )
        with contextlib.suppress(StopIteration):  # nothing in it waits
            request.send(None)

    return run


class _Pool:
    """As much of a pool as is wrapped, with one connection."""

    def __init__(self) -> None:
        self._record = object()
        self._connection = SimpleNamespace(_connection_record=self._record)

    def connect(self) -> Any:
        return self._connection

    def give_back(self) -> None:
        self._return_conn(self._record)

    def recreate(self) -> "_Pool":
        return self

    def _return_conn(self, record: Any) -> None: ...

    def _do_return_conn(self, record: Any) -> None: ...


def _checkout(pool: _Pool, elsewhere: _Elsewhere) -> Callable[[], None]:
    def run() -> None:
        pool.connect()
        elsewhere()
        pool.give_back()

    return run


_STATEMENT: Final = "SELECT 1"
_CURSOR: Final = SimpleNamespace(rowcount=-1)
_CONTEXT: Final = SimpleNamespace(
    root_connection=SimpleNamespace(_dbapi_connection=SimpleNamespace(_connection_record=object())), cursor=None
)


def _execute(_cursor: Any, _statement: str, _parameters: Any, _context: Any = None) -> None: ...


def _statement(execute: Callable[..., Any]) -> Callable[[], None]:
    return lambda: execute(_CURSOR, _STATEMENT, (), _CONTEXT)
