"""When a result is no longer what its metric's name says, and the name goes."""

from functools import lru_cache
from typing import Final

from dozor.errors import PromQLError
from dozor.model.labels import METRIC_NAME, Labels
from dozor.promql.vector import NO_LABELS
from dozor.store.index import METADATA_LABELS

DUPLICATE_LABELS: Final = "vector cannot contain metrics with the same labelset"


class Renamed(Labels):
    """Labels that still hold the metric's name, which must not outlive the query.

    Equal to plain labels of the same pairs. Used only where names are dropped at the end (`delayed_name_removal`).
    """

    __slots__ = ()

    def __init__(self, labels: Labels) -> None:
        # Shares everything with *labels*, so that neither sorting nor hashing is done again.
        self._pairs, self._values, self._hash = labels._pairs, labels._values, labels._hash


@lru_cache(maxsize=65_536)
def bare(labels: Labels) -> Labels:
    """*labels* without the metric's name, type and unit."""
    return labels.without(*METADATA_LABELS) if any(name in labels for name in METADATA_LABELS) else labels


class NameDropper:
    """Takes the names off a list of labels. Made for one node: remembers the last list that it was handed."""

    __slots__ = ("_delayed", "_last")

    def __init__(self, *, delayed: bool) -> None:
        self._delayed = delayed
        self._last: tuple[list[Labels], list[Labels]] = (NO_LABELS, NO_LABELS)

    def __call__(self, labels: list[Labels]) -> list[Labels]:
        """*labels* without names. Raises PromQLError where two series are then alike."""
        known, dropped = self._last
        if known is not labels:
            dropped = [Renamed(one) for one in labels] if self._delayed else unique([bare(one) for one in labels])
            self._last = (labels, dropped)
        return dropped


def unique(labels: list[Labels]) -> list[Labels]:
    """*labels*, if no two are alike; raises PromQLError otherwise."""
    if len(labels) > 1 and len(set(labels)) < len(labels):
        raise PromQLError(DUPLICATE_LABELS)
    return labels


def finished(labels: list[Labels]) -> list[Labels]:
    """*labels* at the end of a query: names that were to go are gone."""
    if not any(isinstance(one, Renamed) for one in labels):
        return labels
    return unique([bare(Labels(one.pairs)) if isinstance(one, Renamed) else one for one in labels])


def like(labels: Labels, *sources: Labels) -> Labels:
    """*labels*, whose name must go at the end if that of one of *sources*, from which they were made, must."""
    if any(isinstance(source, Renamed) for source in sources) and METRIC_NAME in labels:
        return Renamed(labels)
    return labels
