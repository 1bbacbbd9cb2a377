"""Dozor's own series and those of a metrics server, as one."""

from collections.abc import Iterable
from typing import Protocol

from dozor.model.labels import METRIC_NAME, Labels
from dozor.model.sample import Sample
from dozor.store.columns import in_columns
from dozor.store.interface import Appendable, Matchers, Queryable, Selection
from dozor.store.matchers import Matcher, MatchOperator


class LocalStore(Queryable, Appendable, Protocol):
    """Where Dozor's own series are."""

    def series(self, matchers: Matchers) -> list[Labels]:
        """The labels of all series that match, whether or not they have ended."""


class Merged:
    """*local* and *remote* behind one `Queryable`; what is appended goes to *local*.

    A metric that Dozor has itself is Dozor's alone, for all of its series: the server often scrapes the same application, and every
    alert would come twice, every sum be double. Such metrics do not depend on the server at all.

    Args:
        own: metrics that are Dozor's although no series may be there.
    """

    def __init__(self, local: LocalStore, remote: Queryable, own: frozenset[str] = frozenset()) -> None:
        self._local, self._remote, self._own = local, remote, own

    def select(self, matchers: Matchers, start: int, end: int, *, markers: bool = False) -> Selection:
        """See `Queryable`."""
        near = self._local.select(matchers, start, end, markers=markers)
        if self._is_own(matchers):
            return near
        far = self._remote.select(matchers, start, end, markers=markers)
        foreign = self._foreign(far.labels, near.labels)
        if not near.labels and len(foreign) == len(far.labels):
            return far
        rows = [*zip(near.labels, near.bare, near.windows, strict=True)]
        rows += [(far.labels[place], far.bare[place], far.windows[place]) for place in foreign]
        rows.sort(key=lambda row: row[0])
        return Selection([row[0] for row in rows], [row[1] for row in rows], in_columns(row[2] for row in rows))

    def latest(self, matchers: Matchers, at: int, lookback: int) -> tuple[list[Labels], list[float]]:
        """See `Queryable`."""
        near = self._local.latest(matchers, at, lookback)
        if self._is_own(matchers):
            return near
        far = self._remote.latest(matchers, at, lookback)
        foreign = self._foreign(far[0], near[0])
        if not near[0] and len(foreign) == len(far[0]):
            return far
        rows = [*zip(*near, strict=True), *((far[0][place], far[1][place]) for place in foreign)]
        rows.sort(key=lambda row: row[0])
        return [labels for labels, _ in rows], [value for _, value in rows]

    def lacks(self, metrics: frozenset[str]) -> bool:
        """See `Queryable`. What the server has is known only once it was asked."""
        return metrics <= self._own and self._local.lacks(metrics)

    def append(self, at: float, samples: Iterable[Sample]) -> None:
        """See `Appendable`."""
        self._local.append(at, samples)

    def mark_stale(self, at: float, keys: Iterable[tuple[str, Labels]]) -> None:
        """See `Appendable`."""
        self._local.mark_stale(at, keys)

    def _is_own(self, matchers: Matchers) -> bool:
        """Whether no metric that *matchers* can mean is the server's."""
        for matcher in matchers:
            if matcher.name == METRIC_NAME and matcher.literals is not None:
                return all(name in self._own or self._has(name) for name in matcher.literals)
        return False

    def _foreign(self, far: list[Labels], near: list[Labels]) -> list[int]:
        """The places in *far* of series whose metrics are not Dozor's."""
        names = {labels.metric_name for labels in far}
        known = {labels.metric_name for labels in near}
        taken = {name for name in names if name in known or name in self._own or self._has(name)}
        return [place for place, labels in enumerate(far) if labels.metric_name not in taken]

    def _has(self, name: str) -> bool:
        return bool(self._local.series((_named(name),)))


class RemoteLister(Queryable, Protocol):
    """A server that can also say what there is."""

    def series(self, matchers: Matchers, start: int, end: int) -> list[Labels]:
        """The labels of the series that match and have samples in the range."""


class Listed(Merged):
    """As `Merged`; and what there is to ask for can be listed without fetching all samples of the server."""

    def __init__(self, local: LocalStore, remote: RemoteLister, own: frozenset[str] = frozenset()) -> None:
        super().__init__(local, remote, own)
        self._lister = remote

    def labels_between(self, matchers: Matchers, start: int, end: int) -> list[Labels]:
        """The labels of the series that match and have samples in (*start*, *end*]. Raises PromQLError."""
        near = self._local.select(matchers, start, end).labels
        if self._is_own(matchers):
            return near
        far = self._lister.series(matchers, start, end)
        return sorted([*near, *(far[place] for place in self._foreign(far, near))])


def _named(name: str) -> Matcher:
    return Matcher(METRIC_NAME, MatchOperator.EQUAL, name)
