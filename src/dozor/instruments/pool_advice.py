"""How large a pool has to be, from what was observed, with the working shown in words."""

import math
from collections import deque
from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from dozor.instruments.pool_gauges import PoolGauges
from dozor.instruments.pool_history import PoolStatistics

_LOOKS_KEPT: Final = 3600
_FEW_CHECKOUTS: Final = 100
_HEADROOM: Final = 1.2
_CHURNING: Final = 0.05


class PoolAdvice(Struct, frozen=True):
    """What is advised for one pool.

    Attributes:
        seconds: how long was looked back.
        checkouts_per_second, mean_use_seconds: their product is `mean_connections`, by Little's law.
        p99_connections: 99 % of the looks found at most as many wanted: in use or waited for.
        peak_connections: the most that were wanted at any moment.
        connects_per_checkout: churn; 1 where each checkout opens a connection.
        pool_size, max_overflow: advised; None where too little was seen.
        working: how that comes about, a sentence each.
    """

    seconds: float
    checkouts_per_second: float
    mean_use_seconds: float | None
    mean_connections: float | None
    p99_connections: int | None
    peak_connections: int | None
    connects_per_checkout: float | None
    pool_size: int | None
    max_overflow: int | None
    working: tuple[str, ...]


class Looks:
    """How many connections were wanted (in use or waited for) at the looks of the last hour or so. Not thread-safe."""

    def __init__(self) -> None:
        self._wanted: deque[int] = deque(maxlen=_LOOKS_KEPT)

    def add(self, wanted: int) -> None:
        """Take in one look."""
        self._wanted.append(wanted)

    def values(self) -> list[int]:
        """All, oldest first."""
        return list(self._wanted)


def advise(hour: PoolStatistics, looks: Sequence[int], gauges: PoolGauges, leaked: int) -> PoolAdvice:
    """What *hour*, the statistics of the last hour, and *looks* say about a pool; *leaked* are held beyond the threshold now."""
    seconds = max(hour.until - hour.since, 1e-9)
    rate, use = hour.checkouts / seconds, hour.use.mean_seconds
    mean = None if use is None else rate * use
    ordered = sorted(looks)
    p99 = ordered[min(len(ordered) - 1, math.ceil(0.99 * len(ordered)) - 1)] if ordered else None
    peak = max((one for one in (hour.peak_checked_out, *ordered[-1:]) if one is not None), default=None)
    churn = hour.connects / hour.checkouts if hour.checkouts else None
    size = overflow = None
    if mean is not None and peak is not None and hour.checkouts >= _FEW_CHECKOUTS:
        size = max(1, math.ceil(mean), p99 or 0)
        overflow = max(1, math.ceil(peak * _HEADROOM) - size)
    working = _Working(hour, seconds, rate, use, mean, p99, peak)
    return PoolAdvice(
        seconds=round(seconds, 3),
        checkouts_per_second=rate,
        mean_use_seconds=use,
        mean_connections=mean,
        p99_connections=p99,
        peak_connections=peak,
        connects_per_checkout=churn,
        pool_size=size,
        max_overflow=overflow,
        working=tuple(working.sentences(size, overflow, gauges, leaked, churn)),
    )


class _Working(Struct, frozen=True):
    hour: PoolStatistics
    seconds: float
    rate: float
    use: float | None
    mean: float | None
    p99: int | None
    peak: int | None

    def sentences(
        self, size: int | None, overflow: int | None, gauges: PoolGauges, leaked: int, churn: float | None
    ) -> list[str]:
        told = [self._seen(), *self._waited(), *self._leaked(leaked)]
        if size is None or overflow is None:
            told.append(f"That is too little to advise from: it takes {_FEW_CHECKOUTS} checkouts.")
        else:
            told.append(
                f"pool_size={size} covers the average and 99 % of the looks, max_overflow={overflow} the peak of {self.peak} with a "
                f"fifth to spare; now: {_configured(gauges)}."
            )
        if churn is not None and churn > _CHURNING and self.hour.checkouts >= _FEW_CHECKOUTS:
            told.append(
                f"{churn:.0%} of the checkouts opened a connection ({self.hour.connects} of {self.hour.checkouts}): overflow connections "
                "are closed when they come back, so a pool_size nearer to what is in use saves that."
            )
        return told

    def _seen(self) -> str:
        if self.use is None or self.mean is None:
            return f"In the last {self.seconds:.0f} s no connection was given back."
        return (
            f"In the last {self.seconds:.0f} s there were {self.rate:.3g} checkouts a second, each held for {self.use * 1000:.3g} ms on "
            f"average: {self.rate:.3g} x {self.use:.3g} = {self.mean:.2g} connections in use on average (Little's law). 99 % of the "
            f"looks found at most {self.p99} in use or waited for, the most at any moment was {self.peak}."
        )

    def _waited(self) -> list[str]:
        wait = self.hour.wait
        if self.hour.timeouts:
            return [f"{self.hour.timeouts} callers gave up waiting, so more was wanted than could be seen."]
        if wait is not None and wait.p99_seconds is not None and wait.p99_seconds > 0.01:
            return [f"One in a hundred callers waited {wait.p99_seconds * 1000:.0f} ms or longer for a connection."]
        return []

    def _leaked(self, leaked: int) -> list[str]:
        if not leaked:
            return []
        return [
            f"{leaked} connection(s) are held beyond the leak threshold: mend that first, no pool is large enough for a leak."
        ]


def _configured(gauges: PoolGauges) -> str:
    if gauges.size is None:
        return "no limit"
    if gauges.capacity is None:
        return f"pool_size={gauges.size}, without a limit"
    return f"pool_size={gauges.size}, max_overflow={gauges.capacity - gauges.size}"
