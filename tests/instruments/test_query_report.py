"""Which statements cost most, and what has become of them since the window before."""

from collections.abc import Sequence

import pytest

from dozor.instruments.query_book import QueryBook
from dozor.instruments.query_repeats import QueryRepeats
from dozor.instruments.query_report import Order, TopQueries, one_query, top_queries
from dozor.metrics import Children, Histogram
from dozor.model.labels import Labels
from dozor.testing import FakeClock


class World:
    """A book, and what is sent."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        durations = Children(("operation",), lambda: Histogram((1.0,)), base=Labels())
        self.book = QueryBook("postgresql", self.clock, durations, 1.0, QueryRepeats("default", Labels()))

    def send(self, statement: str, *seconds: float, failures: Sequence[str] = ()) -> None:
        text = self.book.text(statement, None)
        text.extend(seconds)
        text.rows.extend(2 for _ in seconds)
        text.failures.extend(failures)  # type: ignore[arg-type]
        self.book.fold()

    def top(self, window: str = "5m", order: Order = "total") -> TopQueries:
        return top_queries({"default": self.book}, window, order, self.clock.monotonic())

    def changes(self) -> dict[str, str | None]:
        found = self.top()
        return {one.statement: one.change for one in (*found.entries, *found.gone)}


@pytest.fixture
def world() -> World:
    return World()


@pytest.mark.parametrize(
    ("order", "first"),
    [("total", "a"), ("calls", "b"), ("mean", "c"), ("p95", "d"), ("errors", "e")],
)
def test_the_largest_come_first(world: World, order: Order, first: str) -> None:
    world.send("SELECT a", 0.2, 0.2, 0.2, 0.2)
    world.send("SELECT b", *[0.001] * 50)
    world.send("SELECT c", 0.5)
    world.send("SELECT d", 0.7, 0.001, 0.001)
    world.send("SELECT e", 0.001, failures=["timeout"])
    found = world.top(order=order)
    assert found.entries[0].statement == f"SELECT {first}"
    assert found.everything.calls == 59
    assert sum(one.present.share for one in found.entries) == pytest.approx(1.0)
    assert found.entries[-1].present.calls_per_second == 0.0  # no time has passed
    [failed] = [one.present for one in found.entries if one.statement == "SELECT e"]
    assert (failed.errors, failed.timeouts, failed.cancelled, failed.rows) == (1, 1, 0, 2)


def test_without_a_window_before_nothing_is_compared(world: World) -> None:
    world.clock.advance(10)
    world.send("SELECT a", 0.1)
    found = world.top()
    assert (found.seconds, found.compared, found.entries[0].before, found.entries[0].change) == (10, False, None, None)
    assert found.entries[0].present.calls_per_second == 0.1
    assert found.gone == ()


def test_what_has_become_of_each_since_the_window_before(world: World) -> None:
    world.clock.advance(1000)
    world.send("SELECT gone", 0.1)
    world.send("SELECT slower", *[0.010] * 6)
    world.send("SELECT faster", *[0.1] * 6)
    world.send("SELECT same", *[0.01] * 6)
    world.send("SELECT few", *[0.01] * 4)
    world.send("SELECT tiny", *[0.0001] * 6)
    world.clock.advance(400)
    world.send("SELECT new", 0.1)
    world.send("SELECT slower", *[0.016] * 6)
    world.send("SELECT faster", *[0.01] * 6)
    world.send("SELECT same", *[0.012] * 6)
    world.send("SELECT few", *[0.9] * 4)
    world.send("SELECT tiny", *[0.0009] * 6)
    assert world.changes() == {
        "SELECT gone": "gone",
        "SELECT slower": "slower",
        "SELECT faster": "faster",
        "SELECT same": "same",
        "SELECT few": "same",
        "SELECT tiny": "same",
        "SELECT new": "new",
    }
    found = world.top()
    assert [one.statement for one in found.gone] == ["SELECT gone"]
    assert "SELECT gone" not in [one.statement for one in found.entries]
    slower = next(one for one in found.entries if one.statement == "SELECT slower")
    assert slower.before is not None
    assert slower.before.mean_seconds == pytest.approx(0.010)
    assert slower.before.calls == 6


def test_since_start_has_all_and_compares_nothing(world: World) -> None:
    world.send("SELECT a", 0.1)
    world.clock.advance(10_000)
    world.send("SELECT a", 0.3)
    [found] = world.top("since_start").entries
    assert (found.present.calls, found.change) == (2, None)
    assert found.present.total_seconds == pytest.approx(0.4)
    assert world.top("since_start").seconds == 10_000
    assert world.top("1m").entries[0].present.calls == 1


def test_quantiles_are_those_of_the_window_and_at_most_the_longest(world: World) -> None:
    world.send("SELECT a", *[0.001 * number for number in range(1, 101)])
    [found] = world.top().entries
    assert found.present.p50_seconds == pytest.approx(0.05, rel=0.03)
    assert found.present.p95_seconds == pytest.approx(0.095, rel=0.03)
    assert found.present.max_seconds == 0.1
    assert found.present.p99_seconds is not None
    assert found.present.p99_seconds <= 0.1


def test_pools_are_told_apart_and_shared_out_together(world: World) -> None:
    other = World()
    world.send("SELECT a", 0.3)
    other.send("SELECT a", 0.1)
    books = {"default": world.book, "reports": other.book}
    found = top_queries(books, "5m", "total", world.clock.monotonic())
    assert [(one.pool, round(one.present.share, 9)) for one in found.entries] == [("default", 0.75), ("reports", 0.25)]
    fingerprint = found.entries[0].fingerprint
    windows = one_query(books, fingerprint, world.clock.monotonic())
    assert set(windows) == {"1m", "5m", "15m", "1h", "since_start"}
    assert [(one.pool, one.present.calls) for one in windows["1h"]] == [("default", 1), ("reports", 1)]
    assert one_query(books, "none", 0.0)["5m"] == []
    assert top_queries({}, "5m", "total", 0.0).entries == ()
