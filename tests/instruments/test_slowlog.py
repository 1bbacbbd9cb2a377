import io
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dozor.instruments.slowlog import FETCHED, SlowLog, parse_entry

RECORDED = Path(__file__).parents[3] / "shared/yardsticks/redis-info/recorded"
RECORDINGS = sorted(RECORDED.rglob("*.slowlog.resp")) if RECORDED.exists() else []


def entry(number: int, *arguments: bytes, client: bytes = b"10.0.0.1:5000", name: bytes = b"") -> list[Any]:
    return [number, 1_795_369_127, 12_000, list(arguments or (b"HGETALL", b"k")), client, name]


def poll(log: SlowLog, server: list[list[Any]]) -> None:
    """One collection, with *server* as the server's list, newest first."""
    if count := log.wanted(server[:1]):
        log.take(server[:count])


def newest_first(*numbers: int) -> list[list[Any]]:
    return [entry(number) for number in sorted(numbers, reverse=True)]


@pytest.mark.parametrize(
    ("arguments", "command", "hidden"),
    [
        ((b"GET", b"k"), "GET", 1),
        ((b"hgetall", b"k"), "HGETALL", 1),
        ((b"AUTH", b"hunter2"), "AUTH", 1),
        ((b"CONFIG", b"SET", b"requirepass", b"hunter2"), "CONFIG SET", 2),
        ((b"MIGRATE", b"h", b"6379", b"k", b"0", b"10", b"AUTH", b"hunter2"), "MIGRATE", 7),
        ((b"ACL", b"\x1b[31mhunter2"), "ACL", 1),
        ((b"EVAL", b"return redis.call('get', 'hunter2')", b"0"), "EVAL", 2),
        ((b"PING",), "PING", 0),
        ((b"DEL", *[b"k"] * 30, b"... (969 more arguments)"), "DEL", 999),
        ((b"\x1b[31mred\r\n\xff",), "\\x1b[31mred\\r\\n\\xff", 0),
    ],
)
def test_only_the_name_of_a_command_is_shown(arguments: tuple[bytes, ...], command: str, hidden: int) -> None:
    found = parse_entry(entry(1, *arguments))
    assert found is not None
    assert (found.command, found.arguments) == (command, hidden)
    assert found.duration_seconds == 0.012


@pytest.mark.parametrize(
    ("arguments", "shape"),
    [
        ((b"SORT", b"hunter2", b"by", b"hunter2_*", b"LIMIT", b"0", b"10"), "SORT ? BY ? LIMIT ? ?"),
        ((b"MGET", *[b"hunter2"] * 30), "MGET ? ? ? …"),
        ((b"SET", b"k", b"hunter2", b"EX", b"60", b"NX"), "SET ? ? EX ? NX"),
        ((b"CONFIG", b"SET", b"requirepass", b"hunter2"), "CONFIG SET ? ?"),
        ((b"two words", b"hunter2"), "two words ?"),
        ((b"PING",), "PING"),
    ],
)
def test_the_shape_shows_options_and_nothing_of_the_users(arguments: tuple[bytes, ...], shape: str) -> None:
    found = parse_entry(entry(1, *arguments))
    assert found is not None
    assert found.shape == shape


@given(
    st.recursive(
        st.none() | st.integers() | st.binary(max_size=20), lambda inner: st.lists(inner, max_size=7), max_leaves=20
    )
)
def test_any_answer_is_read(answer: Any) -> None:
    found = parse_entry(answer)
    assert found is None or (found.command.isprintable() and found.shape.isprintable())


class TestCounting:
    def test_each_entry_counts_once(self) -> None:
        log = SlowLog("dozor")
        poll(log, newest_first(1, 2))
        poll(log, newest_first(1, 2))
        poll(log, newest_first(1, 2, 3))
        assert (log.total, [each.id for each in log.entries]) == (3, [3, 2, 1])

    def test_entries_that_wrapped_out_between_two_polls_count_by_their_number(self) -> None:
        log = SlowLog("dozor")
        poll(log, newest_first(1))
        poll(log, newest_first(*range(400, 528)))
        assert (log.total, log.missed) == (527, 398)

    def test_an_emptied_log_counts_on(self) -> None:
        log = SlowLog("dozor")
        poll(log, newest_first(5, 6))
        poll(log, [])
        poll(log, newest_first(7))
        assert log.total == 3

    def test_a_restarted_server_numbers_from_zero(self) -> None:
        log = SlowLog("dozor")
        log.server_is("a")
        poll(log, newest_first(5, 6))
        log.server_is("b")
        poll(log, newest_first(0, 1))
        assert (log.total, log.missed) == (4, 0)

    def test_a_restart_is_noticed_even_if_the_numbers_go_on_as_before(self) -> None:
        log = SlowLog("dozor")
        log.server_is("a")
        poll(log, newest_first(0))
        log.server_is("b")
        poll(log, newest_first(0, 1))
        assert log.total == 3

    def test_a_restart_is_noticed_without_info_by_the_numbers(self) -> None:
        log = SlowLog("dozor")
        poll(log, newest_first(5, 6))
        poll(log, newest_first(0, 1))
        assert log.total == 4

    def test_our_own_commands_do_not_count(self) -> None:
        log = SlowLog("dozor")
        log.connected("10.0.0.9:7")
        poll(log, [entry(3, name=b"dozor"), entry(2, client=b"10.0.0.9:7"), entry(1)])
        poll(log, [entry(4, b"INFO", name=b"dozor")])
        assert (log.total, log.missed, [each.id for each in log.entries]) == (1, 0, [1])

    def test_what_is_asked_for_is_bounded(self) -> None:
        log = SlowLog("dozor")
        assert log.wanted(newest_first(10**6)) == FETCHED
        log.take(newest_first(10**6))
        assert log.wanted(newest_first(10**9)) == FETCHED
        assert log.wanted(newest_first(10**6 + 1)) < 20

    @given(st.lists(st.integers(0, 60), max_size=30), st.integers(1, 128))
    def test_however_it_is_polled_the_total_is_what_was_logged(self, bursts: list[int], kept: int) -> None:
        log, server, logged = SlowLog("dozor"), newest_first(0), 1
        poll(log, server)
        for burst in bursts:
            server = (newest_first(*range(logged, logged + burst)) + server)[:kept]
            logged += burst
            poll(log, server)
        assert log.total == logged


@pytest.mark.skipif(not RECORDINGS, reason="the recorded answers of real servers are not on this machine")
@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.parent.name)
def test_a_hostile_slow_log_comes_out_clean(path: Path) -> None:
    log = SlowLog("dozor")
    poll(log, _decoded(path.read_bytes()))
    assert len(log.entries) > 5
    text = repr(log.entries)
    assert "hunter2" not in text
    assert text.isprintable()


def _decoded(raw: bytes) -> Any:
    """The first value of *raw*, an answer in RESP."""
    stream = io.BytesIO(raw)

    def value() -> Any:
        line = stream.readline()
        kind, size = line[:1], int(line[1:])
        if kind == b"*":
            return [value() for _ in range(size)]
        if kind == b"$":
            return stream.read(size + 2)[:-2]
        assert kind == b":"
        return size

    return value()
