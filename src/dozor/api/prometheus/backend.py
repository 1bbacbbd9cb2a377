"""What Prometheus' API asks of Dozor."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol, TypeVar

from dozor.clock import Clock
from dozor.model.collector import CollectorHealth
from dozor.model.rule import GroupState
from dozor.model.sample import Family
from dozor.overview import Known
from dozor.store import Queryable

T = TypeVar("T")


class PrometheusBackend(Protocol):
    """A part of `api.backend.Backend`; threads are as there."""

    @property
    def clock(self) -> Clock:
        """Dates what is shown."""

    def known(self) -> Known:
        """What is known now, the alerts among it."""

    def run_query(self, work: Callable[[Queryable], T]) -> Awaitable[T]:
        """What *work* returns or raises, handed the store in the thread for queries.

        Raises:
            StoreUnavailable: Dozor does not run, or too many queries wait.
        """

    def in_dozor(self, work: Callable[[], T]) -> Awaitable[T]:
        """What *work* returns or raises, run in Dozor's thread."""

    def families(self) -> Sequence[Family]:
        """In Dozor's thread: all metrics as they stand."""

    def metadata(self) -> Sequence[Family]:
        """In Dozor's thread: what is said of every metric, those of others too; of theirs, without samples."""

    def rule_groups(self) -> Sequence[GroupState]:
        """In Dozor's thread: all groups with all their rules, in the order of evaluation."""

    def collectors(self) -> Sequence[CollectorHealth]:
        """In Dozor's thread: what is collected from, and how that went."""
