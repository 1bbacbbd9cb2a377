"""Statistics of a pool by window, from cumulative counts."""

import pytest

from dozor.instruments.pool_history import KEEP_SECONDS, PoolHistory, PoolPoint, quantile
from dozor.metrics import Histogram

BOUNDS = (0.1, 1.0, 10.0)


class Pool:
    """A pool's counts, raised by hand."""

    def __init__(self) -> None:
        self.at, self.checkouts, self.peak = 1000.0, 0, 0
        self.waits, self.uses = Histogram(BOUNDS), Histogram(BOUNDS)
        self.history = PoolHistory(self.point(), BOUNDS)

    def point(self) -> PoolPoint:
        wait, use = self.waits.snapshot(), self.uses.snapshot()
        return PoolPoint(
            at=self.at,
            checkouts=self.checkouts,
            timeouts=self.checkouts // 10,
            errors=0,
            connects=1,
            slow_queries=None,
            wait=wait,
            use=use,
            max_wait_seconds=wait.max_since_last,
            max_use_seconds=use.max_since_last,
            peak_checked_out=self.peak,
        )

    def cycle(self, *uses: float, seconds: float = 1.0, peak: int = 0) -> None:
        self.at += seconds
        self.peak = peak
        for use in uses:
            self.checkouts += 1
            self.uses.observe(use)
            self.waits.observe(use / 10)
        self.history.note(self.point())


def test_counts_are_those_of_the_window() -> None:
    pool = Pool()
    pool.cycle(*[0.5] * 20)
    for _ in range(400):
        pool.cycle(0.05)
    whole = pool.history.statistics(None, pool.point())
    recent = pool.history.statistics(300, pool.point())
    assert (whole.checkouts, whole.timeouts, whole.errors, whole.slow_queries) == (420, 42, 0, None)
    assert recent.checkouts == pytest.approx(300, abs=5)
    assert recent.until - recent.since == pytest.approx(300, abs=5)
    assert whole.use.count == 420
    assert whole.use.mean_seconds == pytest.approx((20 * 0.5 + 400 * 0.05) / 420)


def test_largest_values_are_those_of_the_window() -> None:
    pool = Pool()
    pool.cycle(9.0, peak=7)
    for _ in range(400):
        pool.cycle(0.05, peak=2)
    recent, whole = (pool.history.statistics(window, pool.point()) for window in (300, None))
    assert (recent.use.max_seconds, recent.peak_checked_out) == (0.05, 2)
    assert (whole.use.max_seconds, whole.peak_checked_out) == (9.0, 7)
    assert whole.wait is not None
    assert whole.wait.max_seconds == pytest.approx(0.9)


def test_no_peak_between_two_kept_moments_is_lost() -> None:
    pool = Pool()
    for number in range(60):
        pool.cycle(0.01, peak=9 if number == 32 else 1)
    assert pool.history.statistics(40, pool.point()).peak_checked_out == 9
    assert pool.history.statistics(10, pool.point()).peak_checked_out == 1


def test_a_pool_younger_than_the_window_is_told_whole() -> None:
    pool = Pool()
    pool.cycle(0.5)
    assert pool.history.statistics(3600, pool.point()) == pool.history.statistics(None, pool.point())


def test_without_values_there_are_no_durations() -> None:
    pool = Pool()
    pool.cycle()
    use = pool.history.statistics(300, pool.point()).use
    assert (use.count, use.mean_seconds, use.p95_seconds, use.max_seconds) == (0, None, None, None)


def test_memory_is_bounded_by_an_hour() -> None:
    pool = Pool()
    for _ in range(10_000):
        pool.cycle(seconds=1)
    assert len(pool.history._points) <= KEEP_SECONDS / 5 + 3
    hour = pool.history.statistics(3600, pool.point())
    assert hour.until - hour.since == pytest.approx(3600, abs=6)


@pytest.mark.parametrize(
    ("q", "cumulative", "largest", "expected"),
    [
        (0.5, [10, 10, 10, 10], None, 0.05),
        (0.5, [0, 10, 10, 10], None, 0.55),
        (1.0, [0, 10, 10, 10], 0.8, 0.8),
        (0.99, [0, 0, 0, 10], 42.0, 42.0),
        (0.5, [5, 10, 10, 10], None, 0.1),
        (0.95, [0, 100, 100, 100], 0.05, 0.1),
    ],
)
def test_quantiles_are_interpolated_and_never_beyond_the_largest(
    q: float, cumulative: list[int], largest: float | None, expected: float
) -> None:
    assert quantile(q, BOUNDS, cumulative, largest) == pytest.approx(expected)
