"""`/metrics`: the Prometheus text format and OpenMetrics, written by prometheus-client.

That is loaded when somebody asks for the first time: it brings an HTTP server and client of its own, 2.5 MiB that a Dozor whose
metrics nobody scrapes need not hold.
"""

from collections.abc import Iterable, Iterator, Sequence
from types import ModuleType
from typing import TYPE_CHECKING

from dozor.model.sample import Family, MetricType

if TYPE_CHECKING:
    from prometheus_client import Metric


def content_type(*, openmetrics: bool = False) -> str:
    """The media type of what `render` writes."""
    return str(_format(openmetrics=openmetrics).CONTENT_TYPE_LATEST)


def render(families: Sequence[Family], *, openmetrics: bool = False) -> bytes:
    """*families* as text. Takes some 8 us a sample, so it belongs off any event loop that serves requests.

    A counter whose name does not end in `_total` is written as untyped: OpenMetrics would demand the suffix, and
    `total_alerts_count` keeps its name.
    """
    written: bytes = _format(openmetrics=openmetrics).generate_latest(_Families(families))
    return written


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


def _format(*, openmetrics: bool) -> ModuleType:
    if openmetrics:
        from prometheus_client.openmetrics import exposition as openmetrics_exposition  # noqa: PLC0415

        return openmetrics_exposition
    from prometheus_client import exposition  # noqa: PLC0415

    return exposition


class _Families:
    """Stands where prometheus-client expects a registry, of which it asks nothing but `collect`."""

    def __init__(self, families: Iterable[Family]) -> None:
        self._families = families

    def collect(self) -> "Iterator[Metric]":
        for family in self._families:
            if family.samples:
                yield _metric(family)


def _metric(family: Family) -> "Metric":
    from prometheus_client import Metric  # noqa: PLC0415

    counter = family.type is MetricType.COUNTER
    suffixed = family.name.endswith("_total")
    kind = "unknown" if counter and not suffixed else family.type.value
    metric = Metric(family.name.removesuffix("_total") if counter and suffixed else family.name, family.help, kind)
    for sample in family.samples:
        metric.add_sample(sample.name, dict(sample.labels), sample.value)
    return metric


def prefers_openmetrics(accept: str) -> bool:
    """Whether an Accept header asks for OpenMetrics at least as much as for plain text."""
    wanted = {"application/openmetrics-text": 0.0, "text/plain": 0.0}
    for part in accept.split(","):
        kind, *parameters = (piece.strip() for piece in part.split(";"))
        if kind.lower() in wanted:
            wanted[kind.lower()] = max(wanted[kind.lower()], _quality(parameters))
    openmetrics, plain = wanted.values()
    return openmetrics > 0 and openmetrics >= plain


def _quality(parameters: list[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "q":
            try:
                return float(value)
            except ValueError:
                return 0.0
    return 1.0
