"""Which elements of two vectors belong together: `on`, `ignoring`, `group_left`, `group_right`, `fill`."""

from collections.abc import Callable
from typing import Any

from msgspec import Struct

from dozor.errors import PromQLError
from dozor.model.labels import METRIC_NAME, Labels
from dozor.promql.names import Renamed, bare, like
from dozor.promql.parsing import Expr


class Matching(Struct, frozen=True):
    """How a binary operation matches.

    Attributes:
        on: match by *names* alone, rather than by all labels but *names*.
        cardinality: `OneToOne`, `ManyToOne` (group_left), `OneToMany` (group_right), `ManyToMany` (set operations).
        include: labels taken over from the one side.
        fill_many, fill_one: what stands for a missing element of either side. As upstream has it, `fill_left` is for the
            many side even where that stands on the right.
    """

    on: bool = False
    names: tuple[str, ...] = ()
    cardinality: str = "OneToOne"
    include: tuple[str, ...] = ()
    fill_many: float | None = None
    fill_one: float | None = None

    def signature(self, labels: Labels) -> Labels:
        """The labels of an element that must be equal on both sides."""
        return labels.only(self.names) if self.on else labels.without(METRIC_NAME, *self.names)


def matching_of(modifier: Expr) -> Matching:
    """The matching that a binary operation's *modifier* asks for."""
    if modifier is None:
        return Matching()
    matching: Any = modifier.matching
    return Matching(
        on=matching is not None and str(matching.type).endswith("Include"),
        names=() if matching is None else tuple(matching.labels),
        cardinality=str(modifier.card).rpartition(".")[2],
        include=tuple(modifier.group_labels or ()),
        fill_many=modifier.fill_values.lhs,
        fill_one=modifier.fill_values.rhs,
    )


Pair = tuple[int, int]
"""The places of two elements that belong together, left and right; -1 where the fill value stands in."""


class Pairs(Struct, frozen=True):
    """All pairs, and the labels of what comes of each."""

    pairs: list[Pair]
    labels: list[Labels]


Renaming = Callable[[Labels], Labels]


def pair_up(matching: Matching, left: list[Labels], right: list[Labels], rename: Renaming) -> Pairs:
    """Match *left* with *right*. *rename* does to the labels of a result what the operation does to names.

    Raises PromQLError where a match is not unique.
    """
    swapped = matching.cardinality == "OneToMany"
    many, one = (right, left) if swapped else (left, right)
    ones = _by_signature(matching, one, "left" if swapped else "right")
    found: list[tuple[int, int, Labels]] = []
    for place, labels in enumerate(many):
        signature = matching.signature(labels)
        partner = ones.get(signature, -1)
        if partner >= 0 or matching.fill_one is not None:
            found.append((place, partner, signature))
    if matching.fill_many is not None:
        matched = {signature for _, _, signature in found}
        found.extend((-1, place, signature) for signature, place in ones.items() if signature not in matched)
    results = [
        _result(matching, many[place] if place >= 0 else signature, one[partner] if partner >= 0 else signature, rename)
        for place, partner, signature in found
    ]
    _check_unique(matching, [signature for _, _, signature in found], results)
    pairs = [(partner, place) if swapped else (place, partner) for place, partner, _ in found]
    return Pairs(pairs, results)


def _by_signature(matching: Matching, labels: list[Labels], side: str) -> dict[Labels, int]:
    places: dict[Labels, int] = {}
    for place, one in enumerate(labels):
        signature = matching.signature(one)
        other = places.setdefault(signature, place)
        if other != place:
            first, second = sorted((_spelled(one), _spelled(labels[other])))
            raise PromQLError(
                f"found duplicate series for the match group {_spelled(signature)} on the {side} hand-side of the"
                f" operation: [{first}, {second}];many-to-many matching not allowed: matching labels must be unique on"
                " one side"
            )
    return places


def _result(matching: Matching, many: Labels, one: Labels, rename: Renaming) -> Labels:
    labels = rename(many)
    if matching.cardinality == "OneToOne":
        labels = like(labels.only(matching.names) if matching.on else labels.without(*matching.names), labels)
    if matching.include:
        labels = like(labels.with_({name: one.get(name) for name in matching.include}), labels)
    return labels


def _check_unique(matching: Matching, signatures: list[Labels], results: list[Labels]) -> None:
    if matching.cardinality == "OneToOne":
        if len(set(signatures)) < len(signatures):
            raise PromQLError(
                "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)"
            )
    elif len(set(zip(signatures, results, strict=True))) < len(results):
        raise PromQLError("multiple matches for labels: grouping labels must ensure unique matches")


def keep_name(labels: Labels) -> Labels:
    """For operations that leave the left side's values as they are."""
    return labels


def drop_name(labels: Labels) -> Labels:
    """For operations that make other values."""
    return bare(labels)


def drop_name_later(labels: Labels) -> Labels:
    """For the same, where names go at the end of a query."""
    return Renamed(labels)


def _spelled(labels: Labels) -> str:
    return "{" + ", ".join(f'{name}="{value}"' for name, value in labels.pairs) + "}"
