"""Who takes whose place."""

from dozor.instruments.redis_target import RedisTarget
from dozor.instruments.redis_turns import failovers
from dozor.instruments.redis_view import Node, Role, View

CLUSTER = {"cluster_state": "ok"}


def node(name: str, role: Role, primary: str | None = None, slots: int = 0) -> Node:
    return Node(name, RedisTarget.of(f"redis://{name}"), role, primary=primary, slots=slots)


def turns(before: View, after: View) -> list[tuple[str, str]]:
    return [(now.id, former.id) for now, former in failovers(before, after)]


def cluster(*nodes: Node) -> View:
    return View(nodes, figures=CLUSTER)


BEFORE = cluster(node("a", Role.PRIMARY, slots=16384), node("b", Role.REPLICA, "a"))


def test_a_replica_that_serves_slots_has_taken_over() -> None:
    after = cluster(node("a", Role.PRIMARY), node("b", Role.PRIMARY, slots=16384))
    assert turns(BEFORE, after) == [("b", "a")]
    assert turns(after, cluster(node("a", Role.REPLICA, "b"), node("b", Role.PRIMARY, slots=16384))) == []


def test_a_node_that_joins_or_is_set_free_takes_nobodys_place() -> None:
    assert turns(BEFORE, cluster(*BEFORE.nodes, node("c", Role.PRIMARY, slots=1))) == []
    assert turns(BEFORE, cluster(BEFORE.nodes[0], node("b", Role.PRIMARY))) == []


def test_what_is_seen_first_is_no_change() -> None:
    assert turns(View(), BEFORE) == []
    assert turns(View(), View((node("p", Role.PRIMARY),))) == []


def test_of_what_sentinels_watch_any_new_primary_has_taken_over() -> None:
    before = View((node("p", Role.PRIMARY), node("r", Role.REPLICA, "p")))
    assert turns(before, View((node("r", Role.PRIMARY), node("p", Role.REPLICA, "r")))) == [("r", "p")]
    assert turns(before, View((node("new", Role.PRIMARY),))) == [("new", "p")]
    assert turns(before, before) == []
