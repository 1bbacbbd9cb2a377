"""Which requests hold a pool's connections, and which wait for them."""

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from dozor.instruments.pool_tally import Held
from dozor.instruments.work import Work
from dozor.model.labels import Labels
from dozor.model.sample import Family, MetricType, Sample

NO_REQUEST: Final = "(no request)"
OTHER: Final = "other"
_MOST: Final = 100


@dataclass(slots=True)
class EndpointUse:
    """What requests of one kind did with a pool since attachment.

    Attributes:
        held_seconds: connection-seconds, by looking once in each cycle; so it is right for those who hold long or often.
        waits: how often one waited longer than a millisecond for a connection, those in vain included.
        wait_seconds: how long in all.
        longest_wait_seconds: the longest of them.
        timeouts: how often it was in vain.
    """

    endpoint: str
    held_seconds: float = 0.0
    waits: int = 0
    wait_seconds: float = 0.0
    longest_wait_seconds: float = 0.0
    timeouts: int = 0


class PoolEndpoints:
    """Sums up by request. Not thread-safe: its user has a lock. At most 100 endpoints, the rest share one."""

    def __init__(self) -> None:
        self._uses: dict[str, EndpointUse] = {}

    def look(self, holding: Iterable[Held], seconds: float) -> None:
        """*holding* is what is out at a look; the look before was that many *seconds* ago."""
        for _, _, work, _ in holding:
            self._use(work).held_seconds += seconds

    def fold(self, notable: "deque[tuple[Work | None, float, bool]]") -> None:
        """Take in who has waited."""
        for _ in range(len(notable)):
            work, seconds, in_vain = notable.popleft()
            use = self._use(work)
            use.waits += 1
            use.wait_seconds += seconds
            use.longest_wait_seconds = max(use.longest_wait_seconds, seconds)
            use.timeouts += in_vain

    def uses(self) -> list[EndpointUse]:
        """All, those that cost most first: by the time that others and they themselves wait for it."""
        return sorted(self._uses.values(), key=lambda use: -(use.held_seconds + use.wait_seconds))

    def families(self, labels: Labels) -> list[Family]:
        """`db_pool_endpoint_…`: by the label `endpoint`."""
        rows = [(_of_endpoint(labels, use.endpoint), use) for use in self._uses.values()]
        return [
            Family(
                name, MetricType.COUNTER, text, unit, tuple(Sample(name, row, float(value(use))) for row, use in rows)
            )
            for name, (unit, text, value) in _METRICS.items()
        ]

    def _use(self, work: Work | None) -> EndpointUse:
        name = NO_REQUEST if work is None else work.name or NO_REQUEST
        found = self._uses.get(name)
        if found is None:
            if len(self._uses) >= _MOST:
                name = OTHER
            found = self._uses.setdefault(name, EndpointUse(name))
        return found


@lru_cache(maxsize=4096)
def _of_endpoint(labels: Labels, endpoint: str) -> Labels:
    return labels.with_({"endpoint": endpoint})


_METRICS: Final[Mapping[str, tuple[str, str, Any]]] = {
    "db_pool_endpoint_held_seconds_total": (
        "seconds",
        "Time for which requests held connections, in seconds, by looking once in each cycle.",
        lambda use: use.held_seconds,
    ),
    "db_pool_endpoint_wait_seconds_total": (
        "seconds",
        "Time for which requests waited for a connection, waits of up to a millisecond left out.",
        lambda use: use.wait_seconds,
    ),
    "db_pool_endpoint_timeouts_total": (
        "events",
        "Requests that gave up waiting for a connection.",
        lambda use: use.timeouts,
    ),
}
