"""How large a pool has to be, and how that comes about."""

import pytest

from dozor.instruments.pool_advice import Looks, PoolAdvice, advise
from dozor.instruments.pool_gauges import PoolGauges
from dozor.instruments.pool_history import DurationStatistics, PoolStatistics

GAUGES = PoolGauges(size=5, capacity=15, checked_out=2)


def an_hour(
    *,
    checkouts: int = 36_000,
    use: float | None = 0.2,
    peak: int = 6,
    wait: float = 0.001,
    timeouts: int = 0,
    connects: int = 5,
) -> PoolStatistics:
    waits = DurationStatistics(checkouts, wait, wait, wait, wait, wait)
    return PoolStatistics(
        0.0, 3600.0, checkouts, timeouts, 0, connects, 0, waits, DurationStatistics(checkouts, use), peak
    )


def advice(
    hour: PoolStatistics, looks: list[int] | None = None, gauges: PoolGauges = GAUGES, leaked: int = 0
) -> PoolAdvice:
    return advise(hour, [1, 2, 3] * 33 + [4] if looks is None else looks, gauges, leaked)


def test_the_size_covers_the_looks_and_the_overflow_the_peak_and_the_working_is_shown() -> None:
    found = advice(an_hour())
    assert (found.checkouts_per_second, found.mean_use_seconds, found.mean_connections) == (10, 0.2, 2)
    assert (found.p99_connections, found.peak_connections) == (3, 6)
    assert (found.pool_size, found.max_overflow) == (3, 5)
    assert found.working == (
        (
            "In the last 3600 s there were 10 checkouts a second, each held for 200 ms on average: 10 x 0.2 = 2 connections in use on "
            "average (Little's law). 99 % of the looks found at most 3 in use or waited for, the most at any moment was 6."
        ),
        (
            "pool_size=3 covers the average and 99 % of the looks, max_overflow=5 the peak of 6 with a fifth to spare; now: "
            "pool_size=5, max_overflow=10."
        ),
    )


def test_the_average_counts_where_the_looks_missed_the_busy_moments() -> None:
    assert advice(an_hour(use=1.25, peak=14), looks=[0]).pool_size == 13


@pytest.mark.parametrize("hour", [an_hour(checkouts=99), an_hour(use=None), an_hour(checkouts=0)])
def test_from_too_little_nothing_is_advised(hour: PoolStatistics) -> None:
    found = advice(hour)
    assert (found.pool_size, found.max_overflow) == (None, None)
    assert found.working[-1] == "That is too little to advise from: it takes 100 checkouts."


def test_a_leak_waiting_and_churn_are_named() -> None:
    said = " ".join(advice(an_hour(timeouts=7, connects=9_000), leaked=2).working)
    assert "7 callers gave up waiting, so more was wanted than could be seen." in said
    assert "2 connection(s) are held beyond the leak threshold: mend that first" in said
    assert "25% of the checkouts opened a connection (9000 of 36000)" in said
    assert "One in a hundred callers waited 50 ms" in " ".join(advice(an_hour(wait=0.05)).working)


@pytest.mark.parametrize(
    ("gauges", "said"),
    [(PoolGauges(), "now: no limit."), (PoolGauges(size=5), "now: pool_size=5, without a limit.")],
)
def test_what_is_configured_is_said(gauges: PoolGauges, said: str) -> None:
    assert advice(an_hour(), gauges=gauges).working[-1].endswith(said)


def test_looks_go_back_an_hour() -> None:
    looks = Looks()
    for number in range(5000):
        looks.add(number)
    assert looks.values()[0] == 1400
