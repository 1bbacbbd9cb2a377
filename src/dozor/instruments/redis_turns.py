"""What changes among servers that belong together: who takes over, who joins, who leaves."""

from collections.abc import Iterator
from enum import StrEnum

from msgspec import Struct

from dozor.instruments.redis_view import Node, Role, View


class TurnKind(StrEnum):
    """What kind of turn."""

    FAILOVER = "failover"
    ADDED = "added"
    REMOVED = "removed"


class Turn(Struct, frozen=True):
    """A change of who belongs together, in a sentence. *subject* is the name of what is watched."""

    kind: TurnKind
    text: str
    subject: str


def failovers(before: View, after: View) -> Iterator[tuple[Node, Node]]:
    """Each node that is primary in *after* and was not in *before*, and the one whose place it has taken.

    A node that joins takes nobody's place; nor does one of a cluster that was set free and serves no slots.
    """
    known = {node.id: node for node in before.nodes}
    for node in after.nodes:
        earlier = known.get(node.id)
        if node.role is not Role.PRIMARY or (earlier is not None and earlier.role is Role.PRIMARY):
            continue
        if after.figures:
            former = known.get(earlier.primary or "") if earlier is not None and node.slots else None
        else:
            former = before.primary
        if former is not None:
            yield node, former
