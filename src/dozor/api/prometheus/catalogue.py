"""series, labels, label/{name}/values and metadata: what there is to ask for."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from fastapi import Response

from dozor.api.prometheus.backend import PrometheusBackend
from dozor.api.prometheus.envelope import bad_parameter, respond, success
from dozor.api.prometheus.parameters import EARLIEST, LATEST, Parameters
from dozor.model.labels import METRIC_NAME, Labels
from dozor.model.sample import Family
from dozor.store import Matcher, Matchers, MatchOperator, Queryable, milliseconds

_ALL: Final[Matchers] = (Matcher(METRIC_NAME, MatchOperator.REGEX, ".+"),)
_TRUNCATED: Final = "results truncated due to limit"


async def series(backend: PrometheusBackend, given: Parameters) -> Response:
    """The label sets that match any of `match[]`."""
    return await _listed(backend, given, lambda found: [dict(labels) for labels in sorted(found)], required=True)


async def label_names(backend: PrometheusBackend, given: Parameters) -> Response:
    """The names of labels."""
    return await _listed(backend, given, lambda found: sorted({name for labels in found for name in labels}))


async def label_values(backend: PrometheusBackend, given: Parameters, name: str) -> Response:
    """The values of one label. In Prometheus' escaped form (`U__a_2e_b`) the name may be any text."""
    if not name:
        raise bad_parameter("name", "the name of the label is empty")
    return await _listed(
        backend, given, lambda found: sorted({labels.get(name) for labels in found if labels.get(name)})
    )


async def metadata(backend: PrometheusBackend, given: Parameters) -> Response:
    """Type, help and unit of metrics."""
    limit, only = given.limit(), given.get("metric")
    families = await backend.in_dozor(backend.families)
    shown = [family for family in families if not only or family.name == only][:limit]
    return respond(success({family.name: [_described(family)] for family in shown}))


def _described(family: Family) -> dict[str, str]:
    return {"type": family.type.value, "help": family.help, "unit": ""}


async def _listed(
    backend: PrometheusBackend,
    given: Parameters,
    make: Callable[[Iterable[Labels]], Sequence[Any]],
    *,
    required: bool = False,
) -> Response:
    selectors = given.selectors(required=required) or [_ALL]
    start, end = given.time("start", EARLIEST), given.time("end", LATEST)
    limit = given.limit()
    if end < start:
        raise bad_parameter("end", "end timestamp must not be before start time")

    def look(store: Queryable) -> bytes:
        found = {
            labels
            for matchers in selectors
            for labels in store.select(matchers, milliseconds(start) - 1, milliseconds(end)).labels
        }
        items = make(found)
        cut = limit is not None and len(items) > limit
        return success(items[:limit], warnings=[_TRUNCATED] if cut else ())

    return respond(await backend.run_query(look))
