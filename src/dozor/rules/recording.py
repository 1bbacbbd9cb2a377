"""A recording rule: an expression whose result becomes a series of its own."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from dozor.errors import PromQLError
from dozor.model.labels import METRIC_NAME, Labels
from dozor.model.sample import Sample
from dozor.promql import Query
from dozor.store.interface import Appendable, Queryable

SeriesKey = tuple[str, Labels]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RecordingRule:
    """A rule that has passed every check. Its samples are named *name* and carry *labels* over those of the result."""

    name: str
    expr: str
    query: Query
    labels: Mapping[str, str]
    group: str = ""
    limit: int = 0
    offset_seconds: float = 0.0
    file: str | None = None
    line: int | None = None
    _written: set[SeriesKey] = field(default_factory=set, init=False, repr=False)

    def evaluate(self, store: Queryable, at: float) -> list[Sample]:
        """What is to be recorded for *at*.

        Raises:
            PromQLError: the expression fails, gives too many series, or several of the same labels.
        """
        vector = self.query.instant(store, at - self.offset_seconds)
        if self.limit and len(vector) > self.limit:
            raise PromQLError(f"the group allows {self.limit} series of one rule, and there are {len(vector)}")
        samples = [Sample(self.name, labels.without(METRIC_NAME).with_(self.labels), value) for labels, value in vector]
        if len({sample.labels for sample in samples}) != len(samples):
            raise PromQLError("several series have the same labels once the rule's own labels are applied")
        return samples

    def record(self, source: Queryable, into: Appendable, at: float) -> None:
        """Append to *into* what the rule says of *source*, and end the series that it no longer gives.

        Raises:
            PromQLError: see `evaluate`. All its series end, as in Prometheus.
        """
        samples: list[Sample] = []
        try:
            samples = self.evaluate(source, at)
        finally:
            written = {(sample.name, sample.labels) for sample in samples}
            ended = self._written - written
            self._written.clear()
            self._written.update(written)
            if ended:
                into.mark_stale(at, ended)
        into.append(at, samples)
