"""Where connections are taken: the line of a leak the first time, and for an application that takes many, a fair sample of bounded cost."""

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, QueuePool, create_engine, text
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.orm import Session
from tests.instruments.pools import Request, cycle, only, request, watched

from dozor.instruments import pool_attachment
from dozor.instruments.detail import DETAIL
from dozor.instruments.pool_stacks import STACKS_EACH_SECOND, PoolStacks, StackMode
from dozor.instruments.pool_tally import PoolTally
from dozor.instruments.query_caller import Place, own_lines, take_stack
from dozor.instruments.work import Work

HERE = Path(__file__)
MOST_IN_A_CYCLE = 2 * STACKS_EACH_SECOND


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    made = create_engine(f"sqlite:///{tmp_path}/one.db", poolclass=QueuePool, pool_size=10, max_overflow=0)
    yield made
    made.dispose()


def take(engine: Engine) -> Any:
    return engine.connect()  # here it is taken


def line_of(words: str) -> str:
    lines = HERE.read_text(encoding="utf-8").splitlines()
    (number,) = [number for number, line in enumerate(lines, 1) if line.endswith(f"# {words}")]
    return f"{HERE.parent.name}/{HERE.name}:{number}"


# -- the first leak names its line, with each driver -------------------------------------------------------------------


def leak_with_engine(engine: Engine) -> Any:
    connection = engine.connect()  # the engine leaks
    connection.execute(text("SELECT 1"))
    return connection


def leak_with_session(engine: Engine) -> Any:
    session = Session(engine)
    session.execute(text("SELECT 1"))  # the session leaks
    return session


@pytest.mark.parametrize(
    ("leak", "words"), [(leak_with_engine, "the engine leaks"), (leak_with_session, "the session leaks")]
)
@pytest.mark.parametrize("driver", ["sqlite3", "psycopg"])
def test_the_first_leak_of_a_thread_names_its_line(
    engine: Engine, postgres_database: str, driver: str, leak: Callable[[Engine], Any], words: str
) -> None:
    watched_engine = engine if driver == "sqlite3" else create_engine(postgres_database)
    now, kept = 100.0, []
    with watched(watched_engine, timer=lambda: now) as monitor:
        thread = threading.Thread(target=lambda: kept.append(leak(watched_engine)), name="forgets")
        thread.start()
        thread.join(30)
        now += 61
        cycle(monitor)
        (found,) = monitor.leaks()
        assert line_of(words) in found.holder.taken_at[0]
        assert found.holder.usually_taken_at == ()
        kept[0].close()
    watched_engine.dispose()


async def leak_with_async_engine(engine: AsyncEngine) -> Any:
    connection = await engine.connect()  # the async engine leaks
    await connection.execute(text("SELECT 1"))
    return connection


async def leak_with_async_session(engine: AsyncEngine) -> Any:
    session = AsyncSession(engine)
    await session.execute(text("SELECT 1"))  # the async session leaks
    return session


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("leak", "words"),
    [(leak_with_async_engine, "the async engine leaks"), (leak_with_async_session, "the async session leaks")],
)
@pytest.mark.parametrize("driver", ["aiosqlite", "asyncpg"])
async def test_the_first_leak_of_a_task_names_its_line(
    tmp_path: Path, async_postgres_database: str, driver: str, leak: Callable[[AsyncEngine], Any], words: str
) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path}/a.db" if driver == "aiosqlite" else async_postgres_database
    engine, now = create_async_engine(url), 100.0
    with watched(engine, timer=lambda: now) as monitor, request("POST /imports"):
        kept = await asyncio.create_task(leak(engine), name="forgets")
        now += 61
        await monitor.refresh()
        (found,) = monitor.leaks()
        assert line_of(words) in found.holder.taken_at[0]
        assert (found.holder.endpoint, found.holder.task) == ("POST /imports", "forgets (ended)")
        await kept.close()
    await engine.dispose()


def test_where_events_do_the_counting_the_line_is_known_too(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_attachment, "unsupported", lambda _pool: "it is another one")
    with watched(engine) as monitor:
        assert monitor.fallback_reason is not None
        spend(engine)
        with request("POST /imports", lambda: None):
            kept = take(engine)
        assert line_of("here it is taken") in only(monitor).taken_at[0], "the first of its kind"
        kept.close()


# -- which checkouts are looked at -------------------------------------------------------------------------------------


def test_all_stacks_and_none(engine: Engine) -> None:
    modes: list[tuple[StackMode, bool]] = [("all", True), ("off", False)]
    for mode, expected in modes:
        with watched(engine, stacks=mode) as monitor:
            for _ in range(2):
                cycle(monitor)
                connections = [take(engine) for _ in range(3)]
                assert [bool(holder.taken_at) for holder in monitor.holders()] == [expected] * 3
                if expected:
                    assert all(line_of("here it is taken") in holder.taken_at[0] for holder in monitor.holders())
                for connection in connections:
                    connection.close()


PLACE = (take.__code__, 1)


class Desk:
    """The decisions alone: looks at checkouts as the wrap does, with stacks that cost nothing."""

    def __init__(self, mode: StackMode = "auto", capacity: int | None = None) -> None:
        self.tally = PoolTally()
        self.stacks = PoolStacks(self.tally, mode, take=lambda: (PLACE,))
        self.capacity = capacity

    def checkout(self, work: Work | None = None) -> bool:
        """Whether the stack was taken. The connection is back at once."""
        return self.tally.wants_look(work) and self.tally.look(work) is not None

    def count(self, times: int, work: Work | None = None) -> int:
        return sum(self.checkout(work) for _ in range(times))

    def cycle(self, seconds: float = 1.0) -> None:
        self.stacks.begin_cycle(seconds, self.capacity)


def endpoint(name: str) -> Request:
    def answer() -> None: ...

    answers = ENDPOINTS.setdefault(name, answer)
    return Request(name, answers)


ENDPOINTS: dict[str, Callable[[], None]] = {}


def test_an_application_that_takes_few_has_the_stack_of_each() -> None:
    desk = Desk()
    for _ in range(20):
        assert desk.count(140, endpoint("GET /orders")) == 140
        desk.cycle()
    for _ in range(20):
        assert sum(desk.count(40, endpoint(f"GET /{name}")) for name in "abcd") == 160
        desk.cycle()


def test_also_where_cycles_are_long() -> None:
    desk = Desk()
    desk.count(10_000, endpoint("GET /orders"))
    desk.cycle(10.0)
    desk.cycle(10.0)
    for _ in range(5):
        assert desk.count(1000, endpoint("GET /orders")) == 1000
        desk.cycle(10.0)
    desk.cycle(3600.0)
    assert desk.count(100_000, endpoint("GET /orders")) < 4000


def test_one_that_takes_many_has_a_sample_which_no_endpoint_has_for_itself() -> None:
    desk = Desk()
    desk.count(10_000, endpoint("GET /popular"))
    for _ in range(10):
        desk.cycle()
        popular = rare = 0
        for number in range(10_000):
            if number % 50:
                popular += desk.checkout(endpoint("GET /popular"))
            else:
                rare += desk.checkout(endpoint("GET /rare"))
        assert 20 < popular < STACKS_EACH_SECOND
        assert rare > popular / 10, "one in fifty checkouts, and yet"


def test_the_first_of_a_kind_is_looked_at_whatever_else_goes_on() -> None:
    desk = Desk()
    busy, new = endpoint("GET /busy"), endpoint("GET /new")
    desk.count(10_000, busy)
    desk.cycle()
    desk.count(10_000, busy)
    assert desk.checkout(new)
    assert not desk.checkout(new), "the second is one of many"


def test_an_endpoint_that_cannot_be_a_key_is_told_by_which_it_is(engine: Engine) -> None:
    class Answer:
        __hash__ = None  # type: ignore[assignment]  # as of a class with an equality of its own

        def __call__(self) -> None: ...

    with watched(engine, stacks="off") as pool, request("GET /odd", Answer()):
        for _ in range(3):
            with take(engine):
                assert only(pool).endpoint == "GET /odd"
    desk, first, second = Desk(), Request("GET /odd", Answer()), Request("GET /odder", Answer())
    desk.count(10_000, endpoint("GET /busy"))
    assert [desk.checkout(one) for one in (first, first, second)] == [True, False, True]


def test_who_leaked_or_holds_long_is_looked_at_each_time() -> None:
    desk = Desk()
    busy, leaky = endpoint("GET /busy"), endpoint("POST /leaky")
    assert desk.checkout(leaky)
    desk.stacks.suspect("POST /leaky")
    for _ in range(5):
        desk.cycle()
        desk.count(10_000, busy)
        assert desk.count(50, leaky) == 50
        assert desk.count(10_000, leaky) < STACKS_EACH_SECOND
        assert not desk.tally.wants_look(leaky), "when nothing is left, nothing is paid"


def test_a_suspicion_ends_when_nothing_has_come_of_it() -> None:
    desk = Desk()
    busy, leaky = endpoint("GET /busy"), endpoint("POST /leaky")
    desk.checkout(leaky)
    desk.stacks.suspect("POST /leaky")
    desk.cycle(599.0)
    desk.count(10_000, busy)
    assert desk.count(5, leaky) == 5
    desk.cycle(2.0)
    desk.count(10_000, busy)
    assert desk.count(5, leaky) == 1, "as one of a new kind"


def test_when_all_are_suspects_the_first_of_a_new_kind_is_looked_at_all_the_same() -> None:
    desk = Desk()
    works = [endpoint(f"GET /{number}") for number in range(20)]
    for work in works:
        desk.checkout(work)
        desk.stacks.suspect(work.name)
    desk.stacks.suspect("")
    for number in range(10):
        desk.cycle()
        assert sum(desk.count(100, work) for work in works) > STACKS_EACH_SECOND / 2
        desk.count(1000)
        assert desk.checkout(endpoint(f"GET /new/{number}"))


def test_what_is_no_request_is_looked_at_when_it_has_leaked() -> None:
    desk = Desk()
    desk.stacks.suspect("")
    for _ in range(5):
        desk.count(100_000, endpoint("GET /busy"))
        desk.cycle()
        assert desk.count(20) == 20


def test_of_a_pool_that_is_nearly_used_up_all_are_looked_at(engine: Engine) -> None:
    with watched(engine) as monitor:
        desk = monitor._stacks
        desk.begin_cycle(1.0, 10)
        for _ in range(10_000):
            engine.raw_connection().close()
        connections = [take(engine) for _ in range(10)]
        assert [bool(holder.taken_at) for holder in monitor.holders()] == [*[False] * 7, *[True] * 3]
        for connection in connections:
            connection.close()


def test_no_stack_is_taken_while_dozor_saves_detail(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk()
    monkeypatch.setattr(DETAIL, "lines", False)
    desk.cycle()
    work = endpoint("GET /orders")
    assert desk.count(100, work) == 0
    assert not desk.tally.wants_look(work), "nor is it considered each time"
    monkeypatch.undo()
    desk.cycle()
    assert desk.checkout(work)


@given(
    st.lists(
        st.one_of(
            st.integers(0, 3),
            st.sampled_from(["cycle", "suspect", "busy"]),
        ),
        max_size=60,
    )
)
def test_the_cost_is_bounded_whatever_comes(steps: list[int | str]) -> None:
    desk = Desk(capacity=1)
    works = [None, *(endpoint(f"GET /{number}") for number in range(3))]
    taken, looks, cycles = 0, 0, 1
    for step in steps:
        if isinstance(step, int):
            for _ in range(70):
                looks += desk.tally.wants_look(works[step])
                taken += desk.checkout(works[step])
        elif step == "cycle":
            desk.cycle()
            cycles += 1
        elif step == "suspect":
            desk.stacks.suspect("GET /1")
        else:
            desk.tally.holders[object()] = (0.0, 0, None, None)
    most = MOST_IN_A_CYCLE + (cycles - 1) * STACKS_EACH_SECOND
    assert taken <= most
    # Beside what is paid for: one look at each kind in a cycle for which nothing is left, and those that raise the peak.
    assert looks <= 8 * most + cycles * (len(works) + 3) + len(desk.tally.holders)


def test_without_budget_for_a_cycle_a_new_kind_is_looked_at_in_the_next() -> None:
    desk = Desk()
    crowd = [desk.checkout(endpoint(f"GET /crowd/{number}")) for number in range(1000)]
    assert 1000 > sum(crowd) > STACKS_EACH_SECOND
    late = endpoint("GET /late")
    assert not desk.tally.wants_look(late) or not desk.checkout(late)
    assert not desk.tally.wants_look(late)
    desk.cycle()
    assert desk.checkout(late)


# -- what is known where nobody looked ---------------------------------------------------------------------------------


def spend(engine: Engine) -> None:
    """Leave nothing for samples."""

    def ask() -> None:
        for _ in range(10_000):
            engine.raw_connection().close()

    thread = threading.Thread(target=ask)  # the request of this one has no part in it
    thread.start()
    thread.join()


def test_where_nobody_looked_the_usual_places_are_told_as_such(
    engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    def answer() -> None: ...

    def elsewhere() -> Any:
        return engine.connect()  # it is taken elsewhere

    now = 100.0
    with watched(engine, timer=lambda: now) as monitor, request("POST /imports", answer):
        for _ in range(3):
            take(engine).close()
        elsewhere().close()
        spend(engine)
        kept = take(engine)
        holder = only(monitor)
        assert holder.taken_at == ()
        first, second = holder.usually_taken_at
        assert (first.times, second.times) == (3, 1)
        assert line_of("here it is taken") in first.lines[0]
        assert line_of("it is taken elsewhere") in second.lines[0]
        now += 61
        cycle(monitor)
        (leak,) = monitor.leaks()
        assert leak.holder.usually_taken_at == holder.usually_taken_at
        assert "; usually taken at " in caplog.text
        kept.close()


def test_a_request_of_which_nothing_was_seen_has_no_usual_place(engine: Engine) -> None:
    with watched(engine) as monitor:
        spend(engine)
        with request("GET /quiet"):
            kept = take(engine)
        assert (only(monitor).taken_at, only(monitor).usually_taken_at) == ((), ())
        kept.close()


# -- the walk ----------------------------------------------------------------------------------------------------------


def deep(levels: int, done: Callable[[], Any]) -> Any:
    return done() if levels == 0 else deep(levels - 1, done)


def test_at_most_ten_own_lines_are_taken_the_innermost_first() -> None:
    stack = deep(30, take_stack)
    assert len(stack) == 10
    assert all("in deep" in line for line in own_lines(stack))


def test_own_code_below_a_library_is_found() -> None:
    seen: list[tuple[Place, ...]] = []

    class Encoder(json.JSONEncoder):
        def default(self, _value: object) -> str:
            seen.append(take_stack())
            return ""

    Encoder().encode([object()])
    first, second, *_ = own_lines(seen[0])
    assert "Encoder.default" in first
    assert "test_own_code_below_a_library_is_found" in second


@pytest.mark.anyio
async def test_the_walk_goes_through_greenlets(tmp_path: Path) -> None:
    engine = create_async_engine(f"sqlite+aiosqlite:///{tmp_path}/a.db")

    def inside(_connection: Any) -> tuple[str, ...]:
        return own_lines(take_stack())

    async def outside() -> tuple[str, ...]:
        async with engine.connect() as connection:
            return await connection.run_sync(inside)

    first, second, *_ = await outside()
    assert first.endswith("inside")
    assert second.endswith("outside")
    await engine.dispose()
