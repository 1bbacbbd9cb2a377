"""From label matchers to series: which series carry which value of which label."""

from collections import OrderedDict
from collections.abc import Iterable
from typing import Final, Generic, Protocol, TypeVar

from dozor.model.labels import METRIC_NAME, Labels
from dozor.store.interface import Matchers
from dozor.store.matchers import Matcher

_CACHED_SELECTORS: Final = 8192
_CACHED_PARTS: Final = 4
METADATA_LABELS: Final = (METRIC_NAME, "__type__", "__unit__")
"""The labels that say what is measured rather than of what; what is computed from a series loses them."""


class Shortened:
    """Parts of a list of labels: the same list for the same part, so that readers know it by identity. Series end rarely."""

    __slots__ = ("_labels", "_parts")

    def __init__(self, labels: list[Labels]) -> None:
        self._labels = labels
        self._parts: list[tuple[list[int], list[Labels]]] = []

    def __call__(self, places: list[int]) -> list[Labels]:
        """The labels at *places*, which are in rising order."""
        if len(places) == len(self._labels):
            return self._labels
        for known, labels in self._parts:
            if known == places:
                return labels
        labels = [self._labels[place] for place in places]
        self._parts = [(places, labels), *self._parts[: _CACHED_PARTS - 1]]
        return labels


class Labelled(Protocol):
    """Something with labels, `__name__` among them."""

    @property
    def labels(self) -> Labels:
        """Its labels."""


S = TypeVar("S", bound=Labelled)


class Found(Generic[S]):
    """The series of one selector in the order of their labels; the same object until series come or go."""

    __slots__ = ("_bare", "_labels", "bare", "labels", "series")

    def __init__(self, series: list[S]) -> None:
        self.series = series
        self.labels = [one.labels for one in series]
        self.bare = [labels.without(*METADATA_LABELS) for labels in self.labels]
        self._labels, self._bare = Shortened(self.labels), Shortened(self.bare)

    def part(self, places: list[int]) -> tuple[list[Labels], list[Labels]]:
        """`labels` and `bare` of the series at *places* alone."""
        return self._labels(places), self._bare(places)


class LabelIndex(Generic[S]):
    """Not thread-safe: its store guards it.

    Answers are kept per selector. A selector that names its metric is worked out anew only when a series of that metric
    came or went; the others, when any did.
    """

    def __init__(self) -> None:
        self._postings: dict[str, dict[str, set[S]]] = {}
        self._all: set[S] = set()
        self._version = 0
        self._versions: dict[str, int] = {}
        self._cache: OrderedDict[Matchers, tuple[str | None, int, Found[S]]] = OrderedDict()

    def add(self, series: S) -> None:
        """Find *series* from now on."""
        self._all.add(series)
        for name, value in series.labels.pairs:
            self._postings.setdefault(name, {}).setdefault(value, set()).add(series)
        self._changed(series.labels.metric_name)

    def remove(self, series: S) -> None:
        """Find *series* no longer."""
        self._all.discard(series)
        for name, value in series.labels.pairs:
            values = self._postings[name]
            values[value].discard(series)
            if not values[value]:
                del values[value]
                if not values:
                    del self._postings[name]
        self._changed(series.labels.metric_name)

    def find(self, matchers: Matchers) -> Found[S]:
        """The series that pass all *matchers*."""
        cached = self._cache.get(matchers)
        if cached is not None:
            metric, version, found = cached
            if version == (self._version if metric is None else self._versions.get(metric, 0)):
                return found
        metric, found = _metric_of(matchers), Found(self._search(matchers))
        version = self._version if metric is None else self._versions.get(metric, 0)
        self._cache[matchers] = (metric, version, found)
        self._cache.move_to_end(matchers)
        if len(self._cache) > _CACHED_SELECTORS:
            self._cache.popitem(last=False)
        return found

    def lacks(self, metrics: frozenset[str]) -> bool:
        """Whether no series has one of *metrics* for its name."""
        return self._postings.get(METRIC_NAME, {}).keys().isdisjoint(metrics)

    def label_names(self) -> list[str]:
        """All label names, sorted."""
        return sorted(self._postings)

    def label_values(self, name: str) -> list[str]:
        """All values of the label *name*, sorted."""
        return sorted(self._postings.get(name, ()))

    def _changed(self, metric: str) -> None:
        self._version += 1
        self._versions[metric] = self._version

    def _search(self, matchers: Matchers) -> list[S]:
        # A matcher that passes the empty value also passes series without the label, of which the postings know nothing:
        # those matchers only sift what the others found.
        sets = sorted((self._holding(matcher) for matcher in matchers if not matcher.matches_empty), key=len)
        candidates: Iterable[S] = set.intersection(*sets) if sets else self._all
        sieves = [matcher for matcher in matchers if matcher.matches_empty]
        passed = [
            series
            for series in candidates
            if all(matcher.accepts(series.labels.get(matcher.name)) for matcher in sieves)
        ]
        return sorted(passed, key=lambda series: series.labels)

    def _holding(self, matcher: Matcher) -> set[S]:
        values = self._postings.get(matcher.name, {})
        accepted = matcher.literals if matcher.literals is not None else filter(matcher.accepts, values)
        sets = [values[value] for value in accepted if value in values]
        return sets[0] if len(sets) == 1 else set().union(*sets)


def _metric_of(matchers: Matchers) -> str | None:
    """The one metric that *matchers* can mean, None where there may be several."""
    for matcher in matchers:
        if matcher.name == METRIC_NAME and matcher.literals is not None and len(matcher.literals) == 1:
            return next(iter(matcher.literals))
    return None
