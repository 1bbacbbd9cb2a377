"""series, labels, label/{name}/values and metadata: what there is to ask for."""

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, Protocol, runtime_checkable

from fastapi import Response

from dozor.api.prometheus.backend import PrometheusBackend
from dozor.api.prometheus.envelope import ApiError, ErrorType, respond, success
from dozor.api.prometheus.parameters import EARLIEST, LATEST, Parameters
from dozor.api.prometheus.values import TRUNCATED
from dozor.model.labels import METRIC_NAME, Labels
from dozor.model.sample import Family
from dozor.store import Matcher, Matchers, MatchOperator, Queryable, milliseconds

_ALL: Final[Matchers] = (Matcher(METRIC_NAME, MatchOperator.REGEX, ".+"),)
_ESCAPED_PREFIX: Final = "U__"
_ESCAPED: Final = re.compile(r"__|_([0-9a-fA-F]{1,6})_")


async def series(backend: PrometheusBackend, given: Parameters) -> Response:
    """The label sets that match any of `match[]`."""
    if not given.all("match[]"):
        raise ApiError(ErrorType.BAD_DATA, "no match[] parameter provided")
    return await _listed(backend, given, lambda found: [dict(labels) for labels in sorted(found)])


async def label_names(backend: PrometheusBackend, given: Parameters) -> Response:
    """The names of labels."""
    return await _listed(backend, given, lambda found: sorted({name for labels in found for name in labels}))


async def label_values(backend: PrometheusBackend, given: Parameters) -> Response:
    """The values of one label."""
    name = unescaped(given.path["name"])
    return await _listed(
        backend, given, lambda found: sorted({labels.get(name) for labels in found if labels.get(name)})
    )


async def metadata(backend: PrometheusBackend, given: Parameters) -> Response:
    """Type, help and unit of metrics."""
    limit, only = given.integer("limit", -1), given.get("metric")
    given.integer("limit_per_metric", -1)  # there is one description of each; but what is no number is refused

    def build() -> bytes:
        shown = [family for family in backend.metadata() if not only or family.name == only]
        return success({family.name: [_described(family)] for family in shown[: limit if limit >= 0 else None]})

    return respond(await backend.in_dozor(build))


def unescaped(name: str) -> str:
    """The label that *name* stands for: clients write names that are no plain words as `U__http_2e_route`."""
    if not name.startswith(_ESCAPED_PREFIX):
        return name
    return _ESCAPED.sub(_character, name.removeprefix(_ESCAPED_PREFIX))


def _character(found: "re.Match[str]") -> str:
    code = found[1]
    if code is None:
        return "_"
    point = int(code, 16)
    return chr(point) if point <= 0x10FFFF else found[0]


def _described(family: Family) -> dict[str, str]:
    return {"type": family.type.value, "help": family.help, "unit": ""}


@runtime_checkable
class Lister(Protocol):
    """A store that knows what it has without looking at samples."""

    def labels_between(self, matchers: Matchers, start: int, end: int) -> Sequence[Labels]:
        """The labels of the series that match and have samples in (*start*, *end*], in Unix milliseconds."""


def _labels(store: Queryable, matchers: Matchers, start: int, end: int) -> Sequence[Labels]:
    return (
        store.labels_between(matchers, start, end)
        if isinstance(store, Lister)
        else store.select(matchers, start, end).labels
    )


async def _listed(
    backend: PrometheusBackend, given: Parameters, make: Callable[[Iterable[Labels]], Sequence[Any]]
) -> Response:
    start, end = given.time("start", EARLIEST), given.time("end", LATEST)
    selectors = given.selectors() or [_ALL]
    limit = given.limit()

    def look(store: Queryable) -> bytes:
        found = {
            labels
            for matchers in selectors
            for labels in _labels(store, matchers, milliseconds(start) - 1, milliseconds(end))
        }
        items = make(found)
        cut = limit is not None and len(items) > limit
        return success(items[:limit], warnings=[TRUNCATED] if cut else ())

    return respond(await backend.run_query(look))
