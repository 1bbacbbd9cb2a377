"""`/metrics`: the Prometheus text format and OpenMetrics, written by prometheus-client."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from prometheus_client.core import Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST as _CONTENT_TYPE_TEXT
from prometheus_client.exposition import generate_latest as _generate_text
from prometheus_client.openmetrics.exposition import CONTENT_TYPE_LATEST as _CONTENT_TYPE_OPENMETRICS
from prometheus_client.openmetrics.exposition import generate_latest as _generate_openmetrics
from prometheus_client.registry import Collector

from dozor.model.sample import Family, MetricType

CONTENT_TYPE_TEXT: Final = _CONTENT_TYPE_TEXT
CONTENT_TYPE_OPENMETRICS: Final = _CONTENT_TYPE_OPENMETRICS


def render(families: Sequence[Family], *, openmetrics: bool = False) -> bytes:
    """*families* as text. Takes some 8 us a sample, so it belongs off any event loop that serves requests.

    A counter whose name does not end in `_total` is written as untyped: OpenMetrics would demand the suffix, and
    `total_alerts_count` keeps its name.
    """
    collector = _Families(families)
    return _generate_openmetrics(collector) if openmetrics else _generate_text(collector)  # type: ignore[no-untyped-call]


def merge(families: Iterable[Family]) -> list[Family]:
    """*families* with those of one name made into one, ordered by name. The first one's type, help and unit count."""
    merged: dict[str, Family] = {}
    for family in families:
        seen = merged.get(family.name)
        merged[family.name] = (
            family
            if seen is None
            else Family(seen.name, seen.type, seen.help, seen.unit, seen.samples + family.samples)
        )
    return [merged[name] for name in sorted(merged)]


class _Families(Collector):
    """Stands where prometheus-client expects a registry, of which it asks nothing but `collect`."""

    def __init__(self, families: Iterable[Family]) -> None:
        self._families = families

    def collect(self) -> Iterator[Metric]:
        for family in self._families:
            if family.samples:
                yield _metric(family)


def _metric(family: Family) -> Metric:
    counter = family.type is MetricType.COUNTER
    suffixed = family.name.endswith("_total")
    kind = "unknown" if counter and not suffixed else family.type.value
    metric = Metric(family.name.removesuffix("_total") if counter and suffixed else family.name, family.help, kind)
    for sample in family.samples:
        metric.add_sample(sample.name, dict(sample.labels), sample.value)
    return metric
