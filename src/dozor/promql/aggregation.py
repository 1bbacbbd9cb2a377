"""Aggregations: many series into one for each group."""

import hashlib
import math
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final

from dozor.errors import PromQLError
from dozor.model.labels import METRIC_NAME, Labels
from dozor.promql.arithmetic import format_value, largest, mean, quantile, smallest, total, variance
from dozor.promql.context import Context
from dozor.promql.names import Renamed, like
from dozor.promql.parsing import Expr
from dozor.promql.vector import EMPTY, NO_LABELS, UNLABELLED, Vector

if TYPE_CHECKING:
    from dozor.promql.compile import Compiler, VectorNode

_STATISTICS: Final[dict[str, Callable[[list[float]], float]]] = {
    "sum": total,
    "avg": mean,
    "min": smallest,
    "max": largest,
    "count": lambda values: float(len(values)),
    "group": lambda _: 1.0,
    "stddev": lambda values: math.sqrt(variance(values)),
    "stdvar": variance,
}
_OF_ONE_ITSELF: Final = frozenset({"sum", "avg", "min", "max"})
"""What these make of one value alone is that value."""
_EXPERIMENTAL: Final = frozenset({"limit_ratio"})
_INT64: Final = 2.0**63


class Grouping:
    """`by` and `without`: sorts series into groups. Remembers the last list of labels that it was handed."""

    __slots__ = ("_last", "_names", "_without")

    def __init__(self, modifier: Expr) -> None:
        self._without = modifier is not None and str(modifier.type).endswith("Without")
        self._names = () if modifier is None else tuple(modifier.labels)
        self._last: tuple[list[Labels], list[Labels], list[list[int]]] = (NO_LABELS, NO_LABELS, [])

    def __call__(self, labels: list[Labels]) -> tuple[list[Labels], list[list[int]]]:
        """The groups' labels, and the places of each group's members."""
        known, groups, members = self._last
        if known is not labels:
            groups, members = self._group(labels)
            self._last = (labels, groups, members)
        return groups, members

    def key(self, labels: Labels) -> Labels:
        """The labels of the group that *labels* belong to."""
        return labels.without(METRIC_NAME, *self._names) if self._without else labels.only(self._names)

    def key_of_value(self, labels: Labels, name: str, value: str) -> Labels:
        """The same, with *value* as the label *name*: kept by `by`, though not named there, and dropped by `without`."""
        valued = labels.with_({name: value})
        return self.key(valued) if self._without else valued.only((*self._names, name))

    def _group(self, labels: list[Labels]) -> tuple[list[Labels], list[list[int]]]:
        if not self._names and not self._without:
            return (UNLABELLED, [list(range(len(labels)))]) if labels else (NO_LABELS, [])
        groups: dict[Labels, list[int]] = {}
        for place, one in enumerate(labels):
            groups.setdefault(self.key(one), []).append(place)
        if any(isinstance(one, Renamed) for one in labels):
            return [like(key, *(labels[place] for place in group)) for key, group in groups.items()], list(
                groups.values()
            )
        return list(groups), list(groups.values())


def compile_aggregate(compiler: "Compiler", aggregate: Expr) -> "VectorNode":
    """One aggregation."""
    name = str(aggregate.op).lower()
    if name in _EXPERIMENTAL:
        compiler.require_experimental(f"{name}()")
    node, grouping = compiler.vector(aggregate.expr), Grouping(aggregate.modifier)
    if name in _STATISTICS:
        return _statistic(node, grouping, _STATISTICS[name], of_one_itself=name in _OF_ONE_ITSELF)
    if aggregate.param is None:
        raise PromQLError(f"{name} needs a parameter")
    if name == "count_values":
        return _count_values(node, grouping, compiler.text(aggregate.param))
    parameter = compiler.scalar(aggregate.param)
    if name == "quantile":
        return _quantile(node, grouping, parameter)
    if name == "limit_ratio":
        return _limit_ratio(node, parameter)
    if name in _SELECTIONS:
        return _select(node, grouping, parameter, _SELECTIONS[name])
    raise PromQLError(f"unknown aggregation {name!r}")


def _statistic(
    node: "VectorNode", grouping: Grouping, compute: Callable[[list[float]], float], *, of_one_itself: bool
) -> "VectorNode":
    def evaluate(context: Context) -> Vector:
        vector = node(context)
        values = vector.values
        if not values:
            return EMPTY
        labels, members = grouping(vector.labels)
        if len(members) == 1:
            return Vector(labels, [compute(values)])
        if of_one_itself and len(members) == len(values):
            return Vector(labels, values)
        return Vector(labels, [compute([values[place] for place in group]) for group in members])

    return evaluate


def _quantile(node: "VectorNode", grouping: Grouping, parameter: Callable[[Context], float]) -> "VectorNode":
    def evaluate(context: Context) -> Vector:
        vector, q = node(context), parameter(context)
        warn_of_quantile(context, q)
        labels, members = grouping(vector.labels)
        return Vector(labels, [quantile(q, (vector.values[place] for place in group)) for group in members])

    return evaluate


def warn_of_quantile(context: Context, q: float) -> None:
    """Note a quantile outside 0 to 1."""
    if not 0 <= q <= 1:
        context.notes.warn(f"quantile value should be between 0 and 1, got {format_value(q)}")


def _count_values(node: "VectorNode", grouping: Grouping, label: str) -> "VectorNode":
    if not label or "\N{REPLACEMENT CHARACTER}" in label:
        raise PromQLError(f"invalid label name {label!r}")

    def evaluate(context: Context) -> Vector:
        vector = node(context)
        counts: dict[Labels, int] = {}
        for labels, value in zip(vector.labels, vector.values, strict=True):
            key = grouping.key_of_value(labels, label, format_value(value))
            counts[key] = counts.get(key, 0) + 1
        return Vector(list(counts), [float(count) for count in counts.values()])

    return evaluate


Selecting = Callable[[list[int], list[float], int], Iterable[int]]
"""Of a group's members (places), at most so many, given all values."""


def _top(members: list[int], values: list[float], count: int) -> list[int]:
    return sorted(members, key=lambda place: (math.isnan(values[place]), -values[place]))[:count]


def _bottom(members: list[int], values: list[float], count: int) -> list[int]:
    return sorted(members, key=lambda place: (math.isnan(values[place]), values[place]))[:count]


def _first(members: list[int], _values: list[float], count: int) -> list[int]:
    return members[:count]


_SELECTIONS: Final[dict[str, Selecting]] = {"topk": _top, "bottomk": _bottom, "limitk": _first}


def _select(
    node: "VectorNode", grouping: Grouping, parameter: Callable[[Context], float], choose: Selecting
) -> "VectorNode":
    def evaluate(context: Context) -> Vector:
        count, vector = _whole(parameter(context)), node(context)
        if count < 1:
            return EMPTY
        places = [place for group in grouping(vector.labels)[1] for place in choose(group, vector.values, count)]
        return Vector([vector.labels[place] for place in places], [vector.values[place] for place in places])

    return evaluate


def _whole(parameter: float) -> int:
    if math.isnan(parameter):
        raise PromQLError("Parameter value is NaN")
    if parameter >= _INT64:
        raise PromQLError(f"Scalar value {format_value(parameter)} overflows int64")
    if parameter <= -_INT64:
        raise PromQLError(f"Scalar value {format_value(parameter)} underflows int64")
    return int(parameter)


def _limit_ratio(node: "VectorNode", parameter: Callable[[Context], float]) -> "VectorNode":
    def evaluate(context: Context) -> Vector:
        ratio, vector = parameter(context), node(context)
        if math.isnan(ratio):
            raise PromQLError("Ratio value is NaN")
        capped = min(max(ratio, -1.0), 1.0)
        if capped != ratio:
            context.notes.warn(
                f"ratio value should be between -1 and 1, got {format_value(ratio)}, capping to {capped:g}"
            )
        # A negative ratio takes just what its complement would leave out.
        places = [
            place
            for place, labels in enumerate(vector.labels)
            if (_share(labels) < capped if capped >= 0 else _share(labels) >= 1.0 + capped)
        ]
        return Vector([vector.labels[place] for place in places], [vector.values[place] for place in places])

    return evaluate


def _share(labels: Labels) -> float:
    """A number from 0 to 1 that is always the same for the same labels, and spread evenly over different ones."""
    digest = hashlib.blake2b(repr(labels.pairs).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2.0**64
