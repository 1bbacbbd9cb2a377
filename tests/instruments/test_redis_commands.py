from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from dozor.instruments.redis_commands import (
    COMMANDS,
    Calls,
    CommandCost,
    CommandStats,
    parse_calls,
    parse_histograms,
    parse_percentiles,
)


def look(
    stats: CommandStats,
    at: float,
    calls: dict[str, Calls],
    own: dict[str, int] | None = None,
    buckets: dict[str, tuple[tuple[float, int], ...]] | None = None,
    percentiles: dict[str, dict[str, float]] | None = None,
) -> dict[str, CommandCost]:
    stats.update(at, calls, uptime_seconds=at, histograms=buckets or {}, percentiles=percentiles or {}, own=own or {})
    return costs(stats, "since_start")


def costs(stats: CommandStats, window: str) -> dict[str, CommandCost]:
    return {cost.command: cost for cost in stats.windows[window].commands}


def test_what_the_server_says_is_read() -> None:
    assert parse_calls({
        "cmdstat_config|get": "calls=2,usec=10,usec_per_call=5.00,rejected_calls=1,failed_calls=3",
        "cmdstat_set": "calls=261265,usec=1634157,usec_per_call=6.25",
        "cmdstat_bad": "calls=many", "other": 1,
    }) == {"config|get": Calls(2, 1e-5, 1, 3), "set": Calls(261265, 1.634157)}  # fmt: skip
    assert parse_percentiles({"latency_percentiles_usec_get": "p50=0.001,p99=1.003,p99.9=nan"}) == {
        "get": {"50": 0.001, "99": 1.003}
    }
    answer = [b"get", [b"calls", 300, b"histogram_usec", [1, 282, 2, 300]], b"bad", [1], b"alone"]
    assert parse_histograms(answer) == {"get": ((1.0, 282), (2.0, 300))}


@given(
    st.recursive(st.sampled_from([b"get", b"", 7, -1, None]), lambda inner: st.lists(inner, max_size=4), max_leaves=12)
)
def test_no_answer_upsets_the_parser(answer: Any) -> None:
    parse_histograms(answer)


def test_a_window_is_what_has_come_since_and_the_costliest_is_first() -> None:
    stats = CommandStats()
    look(
        stats,
        0.0,
        {"get": Calls(1000, 1.0, 0, 0), "keys": Calls(1, 0.5, 0, 0)},
    )
    assert "1m" not in stats.windows
    look(
        stats,
        30.0,
        {"get": Calls(1100, 1.1, 0, 2), "keys": Calls(3, 4.5, 0, 0)},
    )
    window = stats.windows["1m"]
    assert (window.seconds, [cost.command for cost in window.commands]) == (30.0, ["KEYS", "GET"])
    get = costs(stats, "1m")["GET"]
    assert (get.calls, round(get.seconds, 6), get.errors) == (100, 0.1, 2)
    look(
        stats,
        100.0,
        {"get": Calls(1100, 1.1, 0, 2), "keys": Calls(3, 4.5, 0, 0)},
    )
    assert stats.windows["1m"].commands == ()
    assert costs(stats, "5m")["KEYS"].calls == 2


def test_percentiles_of_a_window_are_those_of_its_calls() -> None:
    stats = CommandStats()
    look(
        stats,
        0.0,
        {"get": Calls(1000, 0.001, 0, 0)},
        buckets={"get": ((1.0, 900), (2.0, 1000))},
    )
    said = look(
        stats,
        10.0,
        {"get": Calls(1100, 0.06, 0, 0)},
        buckets={"get": ((1.0, 950), (2.0, 1050), (1024.0, 1100))},
        percentiles={"get": {"50": 1.003, "99": 700.0}},
    )
    assert (said["GET"].p50_seconds, said["GET"].p99_seconds) == (1.003e-6, 7e-4)
    get = costs(stats, "1m")["GET"]
    assert (get.p50_seconds, get.p99_seconds) == (1e-6, 1024e-6)


def test_a_restart_or_resetstat_begins_anew_and_nothing_is_negative() -> None:
    stats = CommandStats()
    look(
        stats,
        0.0,
        {"get": Calls(1000, 1.0, 0, 0)},
    )
    look(
        stats,
        10.0,
        {"get": Calls(5, 0.1, 0, 0)},
    )
    assert [*stats.windows] == ["since_start"]
    look(
        stats,
        20.0,
        {"get": Calls(8, 0.2, 0, 0)},
    )
    assert costs(stats, "1m")["GET"].calls == 3


def test_our_own_calls_do_not_count() -> None:
    stats = CommandStats()
    assert look(
        stats,
        0.0,
        {"info": Calls(40, 0.4, 0, 0), "get": Calls(1, 0.1, 0, 0)},
        own={"info": 40},
    ).keys() == {"GET"}
    said = look(
        stats,
        10.0,
        {"info": Calls(60, 0.6, 0, 0), "get": Calls(1, 0.1, 0, 0)},
        own={"info": 50},
    )
    assert (said["INFO"].calls, round(said["INFO"].seconds, 6)) == (10, 0.1)
    said = look(
        stats,
        20.0,
        {"info": Calls(3, 0.03, 0, 0), "get": Calls(1, 0.1, 0, 0)},
        own={"info": 70},
    )
    assert "INFO" not in said, "after a reset, those before it no longer count"
    assert (
        look(
            stats,
            30.0,
            {"info": Calls(24, 0.2, 0, 0), "get": Calls(1, 0.1, 0, 0)},
            own={"info": 70},
        )["INFO"].calls
        == 4
    )


def test_counters_of_others_never_fall_when_a_command_of_ours_was_lost() -> None:
    stats = CommandStats()
    look(
        stats,
        0.0,
        {"info": Calls(10, 0.1, 0, 0)},
        own={"info": 0},
    )
    look(
        stats,
        10.0,
        {"info": Calls(12, 0.12, 0, 0)},
        own={"info": 5},
    )
    assert stats.current["info"].calls == 10


def test_there_are_only_so_many_commands() -> None:
    stats = CommandStats()
    many = {f"c{number}": Calls(1000 - number, 0.001, 0, 0) for number in range(COMMANDS + 40)}
    said = look(stats, 0.0, many)
    assert len(said) == COMMANDS + 1
    assert stats.folded == 40
    assert said["other"].calls == sum(1000 - number for number in range(COMMANDS, COMMANDS + 40))
    said = look(stats, 10.0, many | {"c99": Calls(10**6, 1.0, 0, 0)})
    assert "C99" not in said, "who has a name keeps it, or a counter would seem to vanish"
    assert costs(stats, "1m")["other"].calls == 10**6 - 901


@given(st.lists(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 9)), max_size=5), max_size=20))
def test_any_course_of_counters_gives_windows_without_negatives(course: list[list[tuple[str, int]]]) -> None:
    stats = CommandStats()
    for number, looked in enumerate(course):
        look(stats, number * 50.0, {name: Calls(calls, calls / 10, 0, calls) for name, calls in looked})
        for window in stats.windows.values():
            assert all(cost.calls >= 0 and cost.seconds >= 0 and (cost.errors or 0) >= 0 for cost in window.commands)
