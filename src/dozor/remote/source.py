"""A metrics server as a `Queryable`."""

from array import array
from collections.abc import Iterable
from typing import Final

import msgspec

from dozor.model.labels import METRIC_NAME, Labels
from dozor.remote.server import MetricsServer, ServerSeries
from dozor.store.columns import in_columns
from dozor.store.index import METADATA_LABELS
from dozor.store.interface import Matchers, Selection
from dozor.store.window import Window
from dozor.store.wire import SeriesKey, WireReader

SERVER_LOOKBACK_MS: Final = 300_000
"""How old the last sample may be that an instant query of the server's gives, unless it is set up otherwise there."""

_MOST_REMEMBERED: Final = 100_000
# Prometheus counts in 64 bits of nanoseconds; nobody keeps samples for longer.
_LONGEST_MS: Final = 10 * 365 * 86_400_000
_LATEST_MS: Final = 4_102_444_800_000
"""The year 2100."""

Found = tuple[Labels, Labels, Window]
"""Labels, the same without the metric's name, and samples."""


class RemoteStore:
    """The series that *server* keeps. For one thread at a time; every method blocks, and raises PromQLError.

    Raw samples come by instant queries of a range (`name[5m]`), which every such server answers. Staleness markers come by remote read
    only; a server without it (VictoriaMetrics) shows a series that ended for the rest of the lookback, in range queries.
    """

    def __init__(self, server: MetricsServer) -> None:
        self._server = server
        self._reader = WireReader()
        self._reads = True
        self._by_text: dict[bytes, tuple[Labels, Labels]] = {}
        self._by_key: dict[SeriesKey, tuple[Labels, Labels]] = {}
        self._lists: dict[tuple[Matchers, str], tuple[list[Labels], list[Labels]]] = {}

    def select(self, matchers: Matchers, start: int, end: int, *, markers: bool = False) -> Selection:
        """See `Queryable`."""
        end = min(end, _LATEST_MS)
        start = max(start, end - _LONGEST_MS)
        if end <= start:
            return Selection([], [], [])
        if not markers:
            return self._selection(matchers, "samples", self._samples(matchers, start, end))
        return self._selection(matchers, "markers", self._with_markers(matchers, start, end))

    def latest(self, matchers: Matchers, at: int, lookback: int) -> tuple[list[Labels], list[float]]:
        """See `Queryable`."""
        if lookback != SERVER_LOOKBACK_MS:
            selection = self.select(matchers, at - lookback, at, markers=True)
            last = [window.latest(at, lookback) for window in selection.windows]
            present = [(labels, one[1]) for labels, one in zip(selection.labels, last, strict=True) if one is not None]
            return [labels for labels, _ in present], [value for _, value in present]
        found = [
            (*self._labels(series), float(series.value[1]))
            for series in self._server.query(selector(matchers), at)
            if series.value is not None
        ]
        found.sort(key=lambda one: one[0])
        labels, _ = self._kept(matchers, "latest", [one[0] for one in found], [one[1] for one in found])
        return labels, [value for _, _, value in found]

    def lacks(self, metrics: frozenset[str]) -> bool:  # noqa: ARG002
        """See `Queryable`."""
        return False

    def series(self, matchers: Matchers, start: int, end: int) -> list[Labels]:
        """The labels of the series that match and have samples in the range, without fetching those."""
        return sorted(map(Labels, self._server.series(selector(matchers), *_within(start, end))))

    def close(self) -> None:
        """Close what is open."""
        self._server.close()

    def _samples(self, matchers: Matchers, start: int, end: int) -> list[Found]:
        found: list[Found] = []
        for series in self._server.query(f"{selector(matchers)}[{end - start}ms]", end):
            points = [(round(at * 1000), float(text)) for at, text in series.values]
            window = _window(point for point in points if point[0] > start)  # before 3.0 both ends belong to a range
            if window is not None:
                found.append((*self._labels(series), window))
        return found

    def _with_markers(self, matchers: Matchers, start: int, end: int) -> list[Found]:
        answer = self._server.read(matchers, start + 1, end, self._reader) if self._reads else None
        if answer is None:
            self._reads = False
            return self._samples(matchers, start, end)
        found: list[Found] = []
        for key, points, _ in answer:
            window = _window(point for point in points if start < point[0] <= end)
            if window is not None:
                found.append((*self._named(key), window))
        return found

    def _selection(self, matchers: Matchers, kind: str, found: list[Found]) -> Selection:
        found.sort(key=lambda one: one[0])
        labels, bare = self._kept(matchers, kind, [one[0] for one in found], [one[1] for one in found])
        return Selection(labels, bare, in_columns(window for _, _, window in found))

    def _kept(
        self, matchers: Matchers, kind: str, labels: list[Labels], bare: list[Labels]
    ) -> tuple[list[Labels], list[Labels]]:
        """The lists of the last time, if they are the same: readers know them by identity."""
        kept = self._lists.get((matchers, kind))
        if kept is not None and kept[0] == labels:
            return kept
        if len(self._lists) >= _MOST_REMEMBERED:
            self._lists.clear()
        self._lists[matchers, kind] = labels, bare
        return labels, bare

    def _labels(self, series: ServerSeries) -> tuple[Labels, Labels]:
        text = bytes(series.metric)
        known = self._by_text.get(text)
        if known is None:
            if len(self._by_text) >= _MOST_REMEMBERED:
                self._by_text.clear()
            labels = Labels(msgspec.json.decode(text, type=dict[str, str]))
            known = self._by_text[text] = labels, labels.without(*METADATA_LABELS)
        return known

    def _named(self, key: SeriesKey) -> tuple[Labels, Labels]:
        known = self._by_key.get(key)
        if known is None:
            if len(self._by_key) >= _MOST_REMEMBERED:
                self._by_key.clear()
            name, bare = key
            known = self._by_key[key] = bare.with_({METRIC_NAME: name}), bare.without(*METADATA_LABELS)
        return known


def _within(start: int, end: int) -> tuple[int, int]:
    """Times that every server can read: clients ask for "everything" with the largest numbers there are."""
    return max(start + 1, 0), min(max(end, 0), _LATEST_MS)


def selector(matchers: Matchers) -> str:
    """*matchers* as PromQL."""
    return "{" + ",".join(map(str, matchers)) + "}"


def _window(points: Iterable[tuple[int, float]]) -> Window | None:
    times, values = array("q"), array("d")
    for time, value in points:
        times.append(time)
        values.append(value)
    return Window(times, values, 0, 0, len(times)) if times else None
