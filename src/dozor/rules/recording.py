"""A recording rule: an expression whose result becomes a series of its own."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from dozor.errors import PromQLError
from dozor.model.labels import METRIC_NAME, Labels
from dozor.model.sample import Sample
from dozor.rules.expression import Expression
from dozor.store.interface import Appendable, Queryable

SeriesKey = tuple[str, Labels]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RecordingRule:
    """A rule that has passed every check. Its samples are named *name* and carry *labels* over those of the result."""

    name: str
    expr: str
    query: Expression
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

    @property
    def definition(self) -> tuple[object, ...]:
        """All that is written of the rule, and where but for the line: equal for two readings of an unchanged rule."""
        about = (self.file, self.group, self.name, self.expr, self.limit, self.offset_seconds)
        return (*about, tuple(self.labels.items()))

    def record(self, source: Queryable, into: Appendable, at: float) -> None:
        """Append to *into* what the rule says of *source*, and end the series that it no longer gives.

        With a `query_offset` all that is as of the time that the expression looked at, as in Prometheus.

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
                into.mark_stale(at - self.offset_seconds, ended)
        into.append(at - self.offset_seconds, samples)

    def end(self, into: Appendable, at: float) -> None:
        """The rule is no more: its series end."""
        into.mark_stale(at - self.offset_seconds, self._written)
        self._written.clear()
