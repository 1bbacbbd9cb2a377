"""What Prometheus' API asks of Dozor, beside what the rest of the API does."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol, TypeVar

from dozor.clock import Clock
from dozor.model.alert import Alert
from dozor.model.rule import RuleState
from dozor.model.sample import Family
from dozor.store import Queryable

T = TypeVar("T")


class PrometheusBackend(Protocol):
    """Threads are as in `api.backend.Backend`, which the desk satisfies too."""

    @property
    def clock(self) -> Clock:
        """Dates what is shown."""

    def run_query(self, work: Callable[[Queryable], T]) -> Awaitable[T]:
        """What *work* makes of the store, in a thread for queries: however long it takes, it delays no collector and no rule.

        Raises:
            StoreUnavailable: Dozor does not run, or too many queries wait.
        """

    def in_dozor(self, work: Callable[[], T]) -> Awaitable[T]:
        """What *work* returns or raises, run in Dozor's thread."""

    def families(self) -> Sequence[Family]:
        """In Dozor's thread: all metrics as they stand."""

    def rule_states(self) -> Sequence[RuleState]:
        """In Dozor's thread: every rule that alerts, in the order of evaluation."""

    def open_alerts(self) -> Sequence[Alert]:
        """In Dozor's thread: the alerts that have not ended, pending ones too."""
