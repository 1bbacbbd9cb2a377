"""Who belongs together, as one of them tells it: the nodes of a cluster, or a primary with its replicas and sentinels."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, Protocol

from msgspec import Struct, field

from dozor.instruments.redis_info import InfoValue

if TYPE_CHECKING:  # hiredis comes with it, and views are shown where nothing of Redis may be watched
    from dozor.instruments.redis_target import RedisTarget


MOST_NODES: Final = 128
"""Of more than these the rest is not watched, and the whole says so."""


class Role(StrEnum):
    """What a node is to the others."""

    PRIMARY = "primary"
    REPLICA = "replica"
    SENTINEL = "sentinel"


class Node(Struct, frozen=True):
    """One of them.

    Attributes:
        id: what it is called among them.
        target: where it is, and how to log in.
        state: `ok`, or what whoever was asked thinks of it, in Redis' words (`fail`, `fail?`, `s_down` …).
        primary: of a replica, its primary's id.
        slots: of a cluster's primary, how many of the 16384 it serves.
    """

    id: str
    target: "RedisTarget"
    role: Role
    state: str = "ok"
    primary: str | None = None
    slots: int = 0

    @property
    def address(self) -> str:
        """`HOST:PORT`, as Dozor reaches it."""
        return self.target.address


class View(Struct, frozen=True):
    """What one of them says of all.

    Attributes:
        well: no other opinion is needed: it finds the whole at work.
        figures: what `CLUSTER INFO` says; empty where there is no cluster.
        teller: the id of the node that says it; None where it is the one that was asked, by the same address.
    """

    nodes: tuple[Node, ...] = ()
    well: bool = False
    figures: Mapping[str, InfoValue] = field(default_factory=dict)
    teller: str | None = None

    @property
    def primary(self) -> Node | None:
        """The first primary: where sentinels watch, the only one."""
        return next((node for node in self.nodes if node.role is Role.PRIMARY), None)


class Enquiry(Protocol):
    """How to ask, and what the answers mean."""

    @property
    def kind(self) -> str:
        """`cluster` or `sentinel`."""

    @property
    def seeds(self) -> "Sequence[RedisTarget]":
        """Whom to ask at first."""

    @property
    def questions(self) -> Sequence[tuple[str, ...]]:
        """What to ask; each of bounded cost."""

    def read(self, answers: Sequence[Any], asked: "RedisTarget") -> View:
        """What the *answers* of *asked* say. Raises RedisFailure where they say nothing."""

    def peers(self, view: View) -> "Sequence[RedisTarget]":
        """Whom to ask, once that *view* is known."""


def text_of(answer: object) -> str:
    """A server's answer as text; empty if it is none."""
    return answer.decode("utf-8", "backslashreplace") if isinstance(answer, bytes) else ""
