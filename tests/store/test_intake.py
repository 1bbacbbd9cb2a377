"""What comes from outside: never late, never of the future, never too much."""

from dozor.model.labels import Labels
from dozor.model.sample import Sample
from dozor.store import STALE_NAN, Matcher, MatchOperator, MemoryStore
from dozor.store.intake import Intake
from dozor.testing import FakeClock

SERIES = Labels(job="a")


def intake(clock: FakeClock, max_series: int = 10) -> tuple[Intake, MemoryStore]:
    store = MemoryStore()
    return Intake(store, clock, max_series=max_series), store


def counted(into: Intake) -> dict[str, float]:
    return {one.labels.get("outcome"): one.value for family in into.families()[:1] for one in family.samples}


def latest(store: MemoryStore, at: float) -> list[float]:
    matchers = (Matcher("__name__", MatchOperator.EQUAL, "up"),)
    return store.latest(matchers, round(at * 1000), 300_000)[1]


def test_samples_that_cannot_be_stored_are_counted_by_reason(clock: FakeClock) -> None:
    into, store = intake(clock)
    now = clock.timestamp()
    for at in (now, now, now - 5, now - 4000, now + 30, now + 61):
        into.take("test", at, [Sample("up", SERIES, 1.0)])
    assert counted(into) == {"stored": 2, "late": 2, "old": 1, "ahead": 1}
    assert latest(store, now + 30) == [1.0]


def test_a_marker_ends_its_series_and_makes_none(clock: FakeClock) -> None:
    into, store = intake(clock)
    now = clock.timestamp()
    into.take("test", now, [Sample("up", SERIES, 1.0)])
    into.take("test", now + 1, [Sample("up", SERIES, STALE_NAN), Sample("up", Labels(job="unknown"), STALE_NAN)])
    assert latest(store, now + 1) == []
    assert store.stats.series == into.series == 1


def test_there_is_room_for_so_many_series_and_again_when_old_ones_are_gone(clock: FakeClock) -> None:
    into, _ = intake(clock, max_series=2)

    def send(*names: str) -> None:
        into.take("test", clock.timestamp(), [Sample("up", Labels(job=name), 1.0) for name in names])

    send("a", "b", "c")
    assert into.crowded is True
    assert counted(into) == {"stored": 2, "crowded": 1}
    clock.advance(1800)
    assert bool(into.crowded) is False
    send("b")
    clock.advance(1801)
    send("b", "c")
    assert bool(into.crowded) is False
    assert into.series == 2
