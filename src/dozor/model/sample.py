"""What instruments hand over: metric families of samples."""

from collections.abc import Callable, Iterable
from enum import StrEnum
from functools import partial
from typing import Final, NamedTuple

from msgspec import Struct

from dozor.model.labels import Labels

_BARE: Final = Labels()


class MetricType(StrEnum):
    """The types of the Prometheus exposition, by their names there."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"
    # What other programs expose; Dozor's own metrics are one of the three above.
    SUMMARY = "summary"
    GAUGE_HISTOGRAM = "gaugehistogram"
    INFO = "info"
    STATE_SET = "stateset"
    UNKNOWN = "unknown"


class Sample(NamedTuple):
    """One value of one series at the moment of collection.

    *name* is the sample's own name: the family's, or for a histogram one of `…_bucket`, `…_sum`, `…_count`. *labels* are
    without `__name__`. A value that is unknown has no sample; it is never 0 or NaN.
    """

    name: str
    labels: Labels
    value: float


_as_sample: Callable[[tuple[str, Labels, float]], Sample] = partial(tuple.__new__, Sample)


def samples_of(names: Iterable[str], labelled: Iterable[Labels], values: Iterable[float]) -> list[Sample]:
    """One sample for each name, label set and value, which run in parallel; of many at once each costs a third."""
    return list(map(_as_sample, zip(names, labelled, values, strict=True)))


class Family(Struct, frozen=True):
    """All samples of one metric, with what is said about them.

    *unit* is the base unit in words (`seconds`, `bytes`, `percent`, `connections`), empty for a number without one.
    """

    name: str
    type: MetricType
    help: str
    unit: str
    samples: tuple[Sample, ...]

    @classmethod
    def gauge(cls, name: str, text: str, unit: str, value: float, labels: Labels = _BARE) -> "Family":
        """A gauge of one sample, with *text* as its help."""
        return cls(name, MetricType.GAUGE, text, unit, (Sample(name, labels, float(value)),))

    @classmethod
    def counter(cls, name: str, text: str, unit: str, value: float, labels: Labels = _BARE) -> "Family":
        """A counter of one sample, with *text* as its help."""
        return cls(name, MetricType.COUNTER, text, unit, (Sample(name, labels, float(value)),))
