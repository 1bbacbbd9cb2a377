"""What CLUSTER NODES and CLUSTER INFO say."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dozor.instruments.redis_cluster import ClusterEnquiry
from dozor.instruments.redis_connection import AnswerError
from dozor.instruments.redis_failure import RedisFailure
from dozor.instruments.redis_source import ClusterSource
from dozor.instruments.redis_target import RedisTarget

PLAIN = RedisTarget.of("redis://seed:7000")
TLS = RedisTarget.of("rediss://seed:7000")
INFO = b"cluster_enabled:1\r\ncluster_state:ok\r\ncluster_slots_ok:16384\r\n"
NODES = b"""\
aaa 10.0.0.1:7000@17000,one.example,shard-id=69bc myself,master - 0 1795801234908 0 connected 0-5460 5462 [5461->-ccc]
bbb 10.0.0.2:7000@17000,,shard-id=69bc slave aaa 0 1795801235108 1 connected
ccc 10.0.0.3:7000@17000 master,fail - 1 1795801234908 2 disconnected 5461 5463-16383
ddd 10.0.0.4:7000@17000 slave,fail? ccc 1 1795801234908 2 connected
eee :0@0 master,noaddr - 1 1795801234908 2 disconnected
fff 10.0.0.6:7000@17000 handshake - 1 1795801234908 2 disconnected
ggg fd00::7:7000@17000 master - 0 1795801234908 0 connected
"""


def read(nodes: object = NODES, info: object = INFO, *, asked: RedisTarget = PLAIN, **more: Any) -> Any:
    return ClusterEnquiry(ClusterSource((asked,), **more)).read([nodes, info], asked)


def test_nodes_with_their_roles_and_what_the_others_think_of_them() -> None:
    view = read()
    assert [(node.id, node.address, node.role, node.state, node.primary, node.slots) for node in view.nodes] == [
        ("aaa", "10.0.0.1:7000", "primary", "ok", None, 5462),
        ("bbb", "10.0.0.2:7000", "replica", "ok", "aaa", 0),
        ("ccc", "10.0.0.3:7000", "primary", "fail", None, 10922),
        ("ddd", "10.0.0.4:7000", "replica", "fail?", "ccc", 0),
        ("ggg", "[fd00::7]:7000", "primary", "ok", None, 0),
    ]
    assert view.well
    assert view.figures["cluster_slots_ok"] == 16384
    assert not read(info=INFO.replace(b":ok", b":fail")).well


def test_with_tls_a_node_is_called_what_its_certificate_says() -> None:
    assert [node.address for node in read(asked=TLS).nodes][:2] == ["one.example:7000", "10.0.0.2:7000"]
    assert read(asked=TLS).nodes[0].target.tls


def test_a_node_that_nobody_has_met_is_where_it_was_asked() -> None:
    view = read(b"aaa :7000@17000 myself,master - 0 0 0 connected 0-16383\n")
    assert view.nodes[0].address == "seed:7000"


def test_nodes_of_old_servers() -> None:
    view = read(b"aaa 10.0.0.1:7000 myself,master - 0 0 0 connected 0-16383\n")
    assert view.nodes[0].slots == 16384


def test_addresses_are_mapped_as_the_applications_client_does() -> None:
    view = read(remap=lambda place: ("outside", place[1] + 1))
    assert view.nodes[0].address == "outside:7001"


def test_a_mapping_that_fails_is_passed_over() -> None:
    def remap(_: Any) -> Any:
        raise KeyError

    assert read(remap=remap).nodes[0].address == "10.0.0.1:7000"


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (AnswerError("ERR This instance has cluster support disabled"), "nocluster"),
        (AnswerError("ERR unknown command 'CLUSTER', with args beginning with:"), "nocluster"),
        (AnswerError("NOPERM User x has no permissions to run the 'cluster|nodes' command"), "noview"),
        (AnswerError("LOADING Redis is loading"), "loading"),
        (b"", "garbage"),
        (b"nonsense", "garbage"),
        (7, "garbage"),
    ],
)
def test_what_is_no_answer_is_told_apart(answer: object, kind: str) -> None:
    with pytest.raises(RedisFailure) as caught:
        read(answer)
    assert caught.value.kind == kind
    assert "seed:7000" in str(caught.value)


@given(st.binary(max_size=300), st.binary(max_size=60))
def test_no_answer_makes_it_stumble(nodes: bytes, info: bytes) -> None:
    for said in (nodes, NODES + nodes, NODES.replace(b"7000", nodes[:3])):
        try:
            view = read(said, INFO + info)
        except RedisFailure:
            continue
        assert all(node.address for node in view.nodes)
