from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from dozor.instruments.redis_connection import AnswerError
from dozor.instruments.redis_survey import (
    parse_events,
    parse_history,
    parse_primaries,
    parse_settings,
    parse_standing,
)
from dozor.instruments.redis_surveyed import LatencyEvent


def test_what_the_server_says_is_read() -> None:
    assert parse_events([[b"command", 1795787240, 12, 250], [b"fork", b"?"], 3]) == (
        LatencyEvent("command", 1795787240.0, 0.012, 0.25),
    )
    assert parse_history([[1795787240, 12], [1795787250, 250]]) == ((1795787240.0, 0.012), (1795787250.0, 0.25))
    assert parse_settings([b"slowlog-log-slower-than", b"10000", b"dir", b"/data"]) == {
        "slowlog-log-slower-than": 10000
    }
    assert parse_primaries([[b"name", b"main", b"ip", b"10.0.0.1", b"quorum", b"2"], b"?"]) == (
        {"name": "main", "ip": "10.0.0.1", "quorum": "2"},
    )


def test_how_a_primary_stands_with_its_sentinel() -> None:
    up, down = [b"flags", b"slave"], [b"flags", b"s_down,slave,disconnected"]
    enough = {"replicas": [up, down], "sentinels": [], "ckquorum": b"OK 1 usable Sentinels."}
    assert parse_standing(enough) == (1, 1, True)
    assert parse_standing({**enough, "ckquorum": AnswerError("NOQUORUM 1 usable Sentinels")}).quorum is False
    assert parse_standing({}) == (None, None, None)


@given(
    st.recursive(st.sampled_from([b"get", b"", 7, -1, None]), lambda inner: st.lists(inner, max_size=4), max_leaves=12)
)
def test_no_answer_upsets_it(answer: Any) -> None:
    parse_events(answer)
    parse_history(answer)
    parse_primaries(answer)
    parse_standing({"replicas": answer, "sentinels": answer, "ckquorum": answer})
    parse_settings(answer if isinstance(answer, list) else [])
