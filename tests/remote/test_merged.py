"""Dozor's own series beside those of a server, and answers that are there before rules ask."""

import pytest

from dozor.errors import PromQLError
from dozor.model.labels import Labels
from dozor.model.sample import Sample
from dozor.promql import compile_query
from dozor.remote import Ahead, Merged
from dozor.remote.server import ServerUnreachable
from dozor.store import Matcher, Matchers, MatchOperator, MemoryStore, Selection
from dozor.testing import FakeClock


class Server(MemoryStore):
    """A server in memory; counts what it is asked, and fails when told."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0
        self.failure: PromQLError | None = None

    def select(self, matchers: Matchers, start: int, end: int, *, markers: bool = False) -> Selection:
        self._ask()
        return super().select(matchers, start, end, markers=markers)

    def latest(self, matchers: Matchers, at: int, lookback: int) -> tuple[list[Labels], list[float]]:
        self._ask()
        return super().latest(matchers, at, lookback)

    def _ask(self) -> None:
        self.asked += 1
        if self.failure is not None:
            raise self.failure


def put(store: MemoryStore, at: float, **values: float) -> None:
    store.append(at, [Sample(name, Labels(job="a"), value) for name, value in values.items()])


def numbers(store: "Merged | Ahead", query: str, at: float) -> list[float]:
    return [sample.value for sample in compile_query(query).instant(store, at)]


def is_due(ahead: Ahead) -> bool:
    return ahead.due


def test_a_metric_that_dozor_has_is_its_own(clock: FakeClock) -> None:
    local, server = MemoryStore(), Server()
    now = clock.timestamp()
    put(local, now, db_up=1, both=2)
    put(server, now, both=20, far=30, redis_connected=0)
    merged = Merged(local, server, frozenset({"redis_connected"}))
    assert [numbers(merged, query, now) for query in ("db_up", "both", "redis_connected")] == [[1], [2], []]
    assert numbers(merged, "sum_over_time(both[1m])", now) == [2]
    assert server.asked == 0
    assert numbers(merged, "far", now) == [30]
    assert numbers(merged, '{job="a"}', now) == [2, 1, 30]
    assert numbers(merged, 'last_over_time({job="a"}[1m])', now) == [2, 1, 30]
    merged.append(now + 1, [Sample("near", Labels(), 1.0)])
    assert local.latest((Matcher("__name__", MatchOperator.EQUAL, "near"),), 10**16, 10**16)[1] == [1]


def test_rules_are_answered_from_what_was_fetched(clock: FakeClock) -> None:
    server = Server()
    ahead = Ahead(server, clock.timestamp, 15.0)
    for query, expected in (("jobs", 40.0), ("rate(jobs[30s])", 1.0), ("jobs offset 10s", 30.0)):
        for second in range(41):
            put(server, clock.timestamp() + second, jobs=second)
        clock.advance(40)
        ahead.begin(clock.timestamp())
        with pytest.raises(PromQLError, match="the next evaluation has it"):
            numbers(ahead, query, clock.timestamp())
        assert is_due(ahead)
        ahead.fetch()
        asked = server.asked
        for _ in range(15):
            assert not is_due(ahead), query
            ahead.begin(clock.timestamp())
            (value,) = numbers(ahead, query, clock.timestamp())
            assert value == pytest.approx(expected)  # as it was at the fetch
            clock.advance(1)
        assert server.asked == asked
        clock.advance(1000)


def test_a_server_that_does_not_answer_is_asked_once_and_told_of(clock: FakeClock) -> None:
    server = Server()
    ahead = Ahead(server, clock.timestamp, 15.0)

    def ask() -> list[str]:
        ahead.begin(clock.timestamp())
        said = []
        for query in ("a", "b", "sum_over_time(a[1m])"):
            try:
                numbers(ahead, query, clock.timestamp())
            except PromQLError as error:
                said.append(str(error))
        return said

    ask()
    server.failure = ServerUnreachable("gone")
    ahead.fetch()
    assert (ask(), server.asked, ahead.failure) == (["gone"] * 3, 1, "gone")
    server.failure = None
    clock.advance(15)
    ahead.fetch()
    assert ask() == []
    assert str(ahead.failure) == "None"
    clock.advance(1000)  # nobody asks
    ahead.fetch()
    assert not is_due(ahead)
