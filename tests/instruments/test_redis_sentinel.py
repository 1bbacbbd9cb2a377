"""What a sentinel says of the service that it watches."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dozor.instruments.redis_connection import AnswerError
from dozor.instruments.redis_failure import RedisFailure
from dozor.instruments.redis_sentinel import SentinelEnquiry
from dozor.instruments.redis_source import SentinelSource
from dozor.instruments.redis_target import RedisTarget

ASKED = RedisTarget.of("redis://sentinel-0:26379")
OTHER = RedisTarget.of("redis://sentinel-1:26379")


def flat(**fields: str) -> list[bytes]:
    return [word.encode() for pair in fields.items() for word in (pair[0].replace("_", "-"), pair[1])]


PRIMARY = flat(name="main", ip="10.0.0.1", port="6379", runid="p1", flags="master", quorum="2")
REPLICAS = [
    flat(name="10.0.0.2:6379", ip="10.0.0.2", port="6379", runid="r1", flags="slave"),
    flat(name="10.0.0.3:6379", ip="10.0.0.3", port="6379", runid="", flags="s_down,slave,disconnected"),
]
SENTINELS = [flat(name="s1", ip="10.0.1.1", port="26379", runid="s1", flags="sentinel")]


def enquiry() -> SentinelEnquiry:
    return SentinelEnquiry(SentinelSource("main", (ASKED, OTHER), RedisTarget.of("rediss://user:pw@unused")))


def seen(view: Any) -> list[tuple[str, str, str]]:
    return [(node.role, node.address, node.state) for node in view.nodes]


def test_primary_replicas_and_sentinels() -> None:
    view = enquiry().read([PRIMARY, REPLICAS, SENTINELS, b"s0"], ASKED)
    assert seen(view) == [
        ("primary", "10.0.0.1:6379", "ok"),
        ("replica", "10.0.0.2:6379", "ok"),
        ("replica", "10.0.0.3:6379", "s_down"),
        ("sentinel", "sentinel-0:26379", "ok"),
        ("sentinel", "10.0.1.1:26379", "ok"),
    ]
    assert view.well
    assert view.nodes[0].target.tls, "servers are reached as the URL says"
    assert not view.nodes[4].target.tls, "sentinels as theirs does"
    assert view.nodes[1].primary == view.nodes[0].id


def test_a_primary_that_is_down_asks_for_another_opinion() -> None:
    down = [word.replace(b"master", b"master,s_down,o_down") for word in PRIMARY]
    view = enquiry().read([down, REPLICAS, SENTINELS, b"s0"], ASKED)
    assert not view.well
    assert view.nodes[0].state == "o_down"


def test_a_sentinel_keeps_the_name_that_it_was_asked_by() -> None:
    asks = enquiry()
    asks.read([PRIMARY, [], SENTINELS, b"s0"], ASKED)
    as_others_see_it = [flat(name="s0", ip="10.0.1.0", port="26379", runid="s0", flags="sentinel")]
    view = asks.read([PRIMARY, [], as_others_see_it, b"s1"], OTHER)
    assert [address for role, address, _ in seen(view) if role == "sentinel"] == [
        "sentinel-1:26379",
        "sentinel-0:26379",
    ]


def test_in_the_midst_of_a_failover_a_server_stands_there_once() -> None:
    twice = [flat(name="x", ip="10.0.0.1", port="6379", runid="p1", flags="slave")]
    view = enquiry().read([PRIMARY, twice, [], AnswerError("ERR unknown subcommand")], ASKED)
    assert seen(view) == [("primary", "10.0.0.1:6379", "ok"), ("sentinel", "sentinel-0:26379", "ok")]


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (AnswerError("ERR No such master with that name"), "noservice"),
        (AnswerError("ERR unknown command 'SENTINEL', with args beginning with:"), "nosentinel"),
        (AnswerError("NOPERM User x has no permissions to run the 'sentinel|master' command"), "noview"),
        ([], "garbage"),
        ([b"name", b"main"], "garbage"),
        (flat(ip="10.0.0.1", port="no"), "garbage"),
        (b"OK", "garbage"),
    ],
)
def test_what_is_no_answer_is_told_apart(answer: object, kind: str) -> None:
    with pytest.raises(RedisFailure) as caught:
        enquiry().read([answer, [], [], b"s0"], ASKED)
    assert caught.value.kind == kind


ANSWER = st.recursive(st.none() | st.integers() | st.binary(max_size=8), lambda inner: st.lists(inner, max_size=6))


@given(st.lists(ANSWER, min_size=4, max_size=4))
def test_no_answer_makes_it_stumble(answers: list[Any]) -> None:
    for said in (answers, [PRIMARY, *answers[1:]]):
        try:
            view = enquiry().read(said, ASKED)
        except RedisFailure:
            continue
        assert view.primary is not None
