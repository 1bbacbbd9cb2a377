"""What a rule needs of a PromQL expression; `promql.Query` satisfies it by shape."""

from typing import Protocol

from dozor.promql import VectorSample
from dozor.store.interface import Queryable


class Expression(Protocol):
    """Evaluates to a vector. A rule unit test and a backtest put expressions of their own into a rule's place."""

    @property
    def expr(self) -> str:
        """As it was written."""

    def metric_names(self) -> frozenset[str]:
        """The metrics that it names outright."""

    def instant(self, store: Queryable, at: float) -> list[VectorSample]:
        """The vector at *at*, in Unix seconds. Raises PromQLError."""
