"""Statements by fingerprint: what is added up of them, what requests send and repeat, and the bounds of all that."""

import gc
import weakref
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Self

import pytest
from sqlalchemy import Engine, QueuePool, create_engine, exc, text
from sqlalchemy.ext.asyncio import create_async_engine

from dozor.instruments import query_book, statement_book
from dozor.instruments.query_monitor import QueryMonitor
from dozor.instruments.query_statement import OTHER, QueryStatement
from dozor.instruments.work import Work, current_work
from dozor.instruments.work_finished import finished_works
from dozor.testing import FakeClock

HERE = Path(__file__).name


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = create_engine(f"sqlite:///{tmp_path}/a.db", poolclass=QueuePool)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE items (id INTEGER PRIMARY KEY, name TEXT)"))
    finished_works.clear()
    yield engine
    engine.dispose()


@pytest.fixture
def monitor(engine: Engine, clock: FakeClock) -> Iterator[QueryMonitor]:
    monitor = QueryMonitor("default", engine, clock)
    monitor.attach()
    yield monitor
    monitor.detach()


class Request(Work):
    """A request to *route* while the body runs."""

    def __init__(self, route: str) -> None:
        super().__init__()
        self.route = route

    @property
    def name(self) -> str:
        return self.route

    def __enter__(self) -> Self:
        self.token = current_work.set(self)
        return self

    def __exit__(self, *_: object) -> None:
        current_work.reset(self.token)
        self.finish()


def known(monitor: QueryMonitor) -> dict[str, QueryStatement]:
    monitor.book.fold()
    return {statement.statement: statement for statement in monitor.book.statements()}


def send(engine: Engine, *statements: str) -> None:
    with engine.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


def test_texts_that_differ_in_literals_comments_and_space_are_one_statement(
    engine: Engine, monitor: QueryMonitor
) -> None:
    send(engine, "SELECT 1", "SELECT 2 ", "/* of 7 */ SELECT  3", "SELECT 4, 5")
    found = known(monitor)
    assert {shown: one.history.total.calls for shown, one in found.items()} == {"SELECT ?": 3, "SELECT ?, ?": 1}
    assert len({one.fingerprint for one in found.values()}) == 2
    assert all(len(one.fingerprint) == 16 for one in found.values())


def test_calls_rows_errors_and_times_are_added_up(engine: Engine, monitor: QueryMonitor, clock: FakeClock) -> None:
    with engine.begin() as connection:
        for number in range(20):
            connection.execute(text("INSERT INTO items (name) VALUES (:name)"), {"name": str(number)})
        connection.execute(text("UPDATE items SET name = :name"), {"name": "a"})
    clock.advance(5)
    with engine.connect() as connection, pytest.raises(exc.IntegrityError):
        connection.execute(text("INSERT INTO items (id) VALUES (1)"))
    first_seen = clock.timestamp() - 5
    found = known(monitor)
    inserted, updated = found["INSERT INTO items (name) VALUES (?)"], found["UPDATE items SET name = ?"]
    failed = found["INSERT INTO items (id) VALUES (?)"].history.total
    assert (inserted.history.total.calls, inserted.history.total.rows, inserted.history.total.rows_known) == (
        20,
        20,
        20,
    )
    assert (updated.history.total.rows, updated.operation) == (20, "UPDATE")
    assert (failed.calls, failed.errors, failed.timeouts) == (1, 1, 0)
    assert inserted.history.total.seconds > 0
    assert inserted.history.total.sketch.count == 20
    assert monitor.book.everything.total.calls == 22
    assert inserted.first_seen == inserted.last_seen == first_seen + 5  # seen when they were read


def test_who_sends_a_statement_that_always_fails_is_known(engine: Engine, monitor: QueryMonitor) -> None:
    for _ in range(3):
        with engine.connect() as connection, pytest.raises(exc.OperationalError):
            connection.exec_driver_sql("SELECT name FROM nowhere")
        monitor.book.fold()
    statement = known(monitor)["SELECT name FROM nowhere"]
    assert statement.raised.items() == (("OperationalError", 3),)
    [(caller, _)] = statement.callers.items()
    assert f"{HERE}:" in caller
    assert caller.endswith("test_who_sends_a_statement_that_always_fails_is_known")


def test_nothing_is_lost_between_threads(engine: Engine, monitor: QueryMonitor) -> None:
    def work(number: int) -> None:
        with engine.connect() as connection:
            for one in range(50):
                connection.exec_driver_sql(f"SELECT {one % 7 + number}")
                connection.exec_driver_sql("SELECT 'same'")
                monitor.book.fold()

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(work, range(8)))
    assert known(monitor)["SELECT ?"].history.total.calls == 800
    [seconds] = [s.value for f in monitor.families() for s in f.samples if s.name == "db_query_seconds_count"]
    assert seconds == 800


def test_the_lines_that_send_a_statement_are_sampled(engine: Engine, monitor: QueryMonitor) -> None:
    for _ in range(4):
        send(engine, "SELECT 1")
        monitor.book.fold()
    [(line, times)] = known(monitor)["SELECT ?"].callers.items()
    assert line.endswith(" in send")
    assert HERE in line
    assert times == 4


def test_most_calls_take_the_short_way(engine: Engine, monitor: QueryMonitor, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    monkeypatch.setattr("dozor.instruments.query_monitor.find_caller", lambda: seen.append("looked"))
    for _ in range(3):
        send(engine, *["SELECT 1"] * 100)
        monitor.book.fold()
    assert len(seen) == 3


@pytest.mark.parametrize("before", [0, 1, 8, 9, 10, 25])
def test_statements_that_are_repeated_are_found_wherever_they_begin(
    engine: Engine, monitor: QueryMonitor, before: int
) -> None:
    send(engine, "SELECT 1")
    with Request("GET /items") as request:
        send(engine, *(f"SELECT 1, {number}, {number} AS c{number}" for number in range(before)), *["SELECT 1"] * 9)
        assert request.statements == before + 9
    monitor.book.fold()
    assert monitor.repeats.found() == []
    with Request("GET /items"):
        send(engine, *(f"SELECT 1, {number}, {number} AS c{number}" for number in range(before)), *["SELECT 1"] * 12)
    monitor.book.fold()
    [found] = monitor.repeats.found()
    assert (found.times, found.requests) == (12, 1)
    assert "test_query_book.py" in (found.caller or "")


def test_requests_name_what_they_send(engine: Engine, monitor: QueryMonitor) -> None:
    for number in range(3):
        with Request("GET /items/{id}") as request:
            send(engine, f"SELECT {number}", "SELECT 'a', 'b'")
            assert request.statements == 2
        assert request.database_seconds > 0
    with Request("POST /items"):
        send(engine, "SELECT 1")
    send(engine, "SELECT 1")
    found = known(monitor)["SELECT ?"]
    assert found.endpoints.items() == (("GET /items/{id}", 3), ("POST /items", 1))
    assert found.history.total.calls == 5


def test_what_a_request_has_sent_is_freed_with_it(engine: Engine, monitor: QueryMonitor) -> None:
    with Request("GET /") as request:
        send(engine, *["SELECT 1"] * 12)
    kept = weakref.ref(request)
    del request
    monitor.book.fold()
    gc.collect()
    assert kept() is None
    assert not finished_works
    assert not monitor.book.works


# -- N+1 ---------------------------------------------------------------------------------------------------------------


def repeat(engine: Engine, times: int) -> None:
    with engine.connect() as connection:
        for number in range(times):
            connection.execute(text("SELECT name FROM items WHERE id = :id"), {"id": number})


def test_a_statement_that_a_request_repeats_is_found_with_its_line(engine: Engine, monitor: QueryMonitor) -> None:
    for times in (9, 10, 40):
        with Request("GET /items"):
            repeat(engine, times)
    repeat(engine, 100)
    monitor.book.fold()
    [found] = monitor.repeats.found()
    assert (found.endpoint, found.requests, found.times, found.most_times) == ("GET /items", 2, 50, 40)
    assert found.statement == "SELECT name FROM items WHERE id = ?"
    assert found.caller is not None
    assert HERE in found.caller
    assert found.caller.endswith(" in repeat")
    assert 0 < found.lost_seconds < 10
    [counted] = [s for f in monitor.families() for s in f.samples if s.name == "db_query_n_plus_one_total"]
    assert (counted.labels["endpoint"], counted.value) == ("GET /items", 2)


def test_literals_in_the_text_hide_no_repetition(engine: Engine, monitor: QueryMonitor) -> None:
    with Request("GET /items"):
        send(engine, *[f"SELECT name FROM items WHERE id = {number}" for number in range(15)])
    monitor.book.fold()
    [found] = monitor.repeats.found()
    assert (found.times, found.statement) == (15, "SELECT name FROM items WHERE id = ?")
    assert found.caller is not None
    assert found.caller.endswith(" in send")


def test_how_often_is_often_can_be_set(engine: Engine, clock: FakeClock) -> None:
    monitor = QueryMonitor("default", engine, clock, repeated_at=3)
    monitor.attach()
    with Request("GET /items"):
        repeat(engine, 3)
    monitor.book.fold()
    assert [found.times for found in monitor.repeats.found()] == [3]
    monitor.detach()


@pytest.mark.anyio
async def test_repetitions_of_an_async_engine(tmp_path: Path, clock: FakeClock) -> None:
    engine = create_async_engine(f"sqlite+aiosqlite:///{tmp_path}/a.db")
    monitor = QueryMonitor("default", engine, clock)
    monitor.attach()
    async with engine.connect() as connection:
        with Request("GET /items"):
            for _ in range(12):
                await connection.execute(text("SELECT 1"))
    monitor.book.fold()
    assert [found.times for found in monitor.repeats.found()] == [12]
    assert HERE in str(monitor.repeats.found()[0].caller)
    await engine.dispose()


def test_two_engines_in_one_request_each_have_their_own(engine: Engine, monitor: QueryMonitor) -> None:
    other_engine = create_engine("sqlite://")
    other = QueryMonitor("other", other_engine, FakeClock())
    other.attach()
    with Request("GET /both"):
        repeat(engine, 11)
        send(other_engine, "SELECT 1")
    other.book.fold()
    assert [one.endpoints.items() for one in known(other).values()] == [(("GET /both", 1),)]
    assert [one.endpoints.items() for one in known(monitor).values()] == [(("GET /both", 11),)]
    assert (len(other.repeats.found()), len(monitor.repeats.found())) == (0, 1)
    other_engine.dispose()


# -- bounds ------------------------------------------------------------------------------------------------------------


def total_calls(monitor: QueryMonitor) -> int:
    return sum(one.history.total.calls for one in known(monitor).values())


def test_texts_are_bounded_and_what_finds_no_room_is_counted(
    engine: Engine, monitor: QueryMonitor, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(query_book, "MOST_TEXTS", 40)
    send(engine, *[f"SELECT {number}" for number in range(100)])
    assert monitor.book.texts == 40
    found = known(monitor)
    assert (found["SELECT ?"].history.total.calls, found[OTHER].history.total.calls) == (40, 60)
    assert monitor.book.folded.value == 60
    clock.advance(6)
    monitor.book.fold()
    assert monitor.book.texts == 20  # those idle made room
    send(engine, *[f"SELECT {number}" for number in range(200, 210)])
    assert known(monitor)["SELECT ?"].history.total.calls == 50
    assert total_calls(monitor) == 110


def test_texts_that_come_faster_than_they_are_read_are_counted_all_the_same(
    engine: Engine, monitor: QueryMonitor, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(query_book, "_READ_AT_ONCE", 10)
    send(engine, *[f"SELECT {number}" for number in range(35)])
    assert [total_calls(monitor) for _ in range(5)] == [10, 20, 30, 35, 35]
    assert monitor.book.folded.value == 0


def test_long_texts_are_bounded_together(
    engine: Engine, monitor: QueryMonitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(query_book, "_MOST_CHARACTERS", 100_000)
    for number in range(12):
        send(engine, f"SELECT {number}, '{'x' * 200_000}'")
    assert monitor.book.texts == 7
    assert monitor.book._characters <= 100_000 + 16 * 1024 + 1
    assert not monitor.book.fast
    assert total_calls(monitor) == 12


def test_statements_are_bounded(
    engine: Engine, monitor: QueryMonitor, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(statement_book, "MOST_STATEMENTS", 5)
    send(engine, *[f"SELECT 1 AS a{number}" for number in range(8)])
    found = known(monitor)
    assert len(found) == 6
    assert found[OTHER].history.total.calls == 3
    clock.advance(400)
    send(engine, "SELECT 1 AS new")
    assert "SELECT ? AS new" in known(monitor)
    assert total_calls(monitor) == 9


def test_a_reader_that_stalls_costs_no_memory(
    engine: Engine, monitor: QueryMonitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dozor.instruments.query_book.FOLD_AT", 50)
    monkeypatch.setattr("dozor.instruments.query_book.LOOK_SECONDS", 0.0)
    send(engine, *["SELECT 1"] * 200)
    [waiting] = monitor.book._texts.values()
    assert len(waiting) <= 50
    assert total_calls(monitor) == 200


def test_of_a_cut_or_odd_text_no_literal_is_kept_to_be_shown(engine: Engine, monitor: QueryMonitor) -> None:
    send(engine, f"SELECT 'hunter2', '{'x' * 40_000}', 'hunter2'", "SELECT 'hunter2\\'")
    assert all("hunter2" not in shown for shown in known(monitor))


def test_names_beyond_a_few_are_counted_together(engine: Engine, monitor: QueryMonitor) -> None:
    for number in range(12):
        with Request(f"GET /{number}"):
            send(engine, "SELECT 1")
    endpoints = known(monitor)["SELECT ?"].endpoints.items()
    assert len(endpoints) == 11
    assert endpoints[-1] == (OTHER, 2)
