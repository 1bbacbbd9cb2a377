import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dozor.overview.redis_memory import MemoryPicture, memory_picture

GIB, MIB = 2**30, 2**20


def picture(**said: float | str) -> MemoryPicture:
    return memory_picture({"memory": {"used_memory": GIB, "used_memory_rss": GIB, **said}})


@pytest.mark.parametrize(
    ("said", "advice", "working"),
    [
        ({"maxmemory": GIB, "maxmemory_policy": "noeviction"}, "refuse writes", "1 GiB / 1 GiB = 100 % of maxmemory"),
        (
            {"maxmemory": GIB, "maxmemory_policy": "volatile-lru"},
            "evict keys that have an expiry",
            "policy volatile-lru",
        ),
        ({"total_system_memory": GIB + MIB}, "Set maxmemory", "99.9 %"),
        ({"used_memory_peak": 3 * GIB}, "much more", "peak 3 GiB, now 1 GiB"),
        ({"used_memory_rss": 2 * GIB}, "activedefrag", "2 GiB resident / 1 GiB in use = 2"),
        ({"used_memory_rss": 2 * GIB, "active_defrag_running": 5}, "is running", "= 2"),
        ({"used_memory_rss": GIB // 2}, "swap", "= 0.5"),
        ({"mem_clients_normal": GIB // 2}, "CLIENT LIST", "512 MiB, 50 % of what is in use"),
        ({"mem_clients_slaves": GIB // 4}, "cannot keep up", "25 %"),
        ({"mem_aof_buffer": GIB // 4}, "disk", "25 %"),
        ({"number_of_cached_scripts": 5000}, "KEYS and ARGV", "5,000 scripts"),
        ({"used_memory_dataset": GIB // 4}, "into hashes", "overhead 768 MiB, dataset 256 MiB"),
    ],
)
def test_advice_with_its_working(said: dict[str, int | str], advice: str, working: str) -> None:
    (found,) = picture(**said).advice
    assert advice in found.text
    assert working in found.working


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"maxmemory": GIB, "maxmemory_policy": "allkeys-lru"},  # a cache is full by design
        {"maxmemory": 2 * GIB, "maxmemory_policy": "noeviction"},
        {"used_memory": 2 * MIB, "used_memory_rss": 14 * MIB},  # an empty server's ratio says nothing
        {"used_memory_rss": GIB + 100 * MIB, "mem_clients_normal": 50_000, "used_memory_dataset": 800 * MIB},
    ],
)
def test_a_server_in_health_gets_none(said: dict[str, int | str]) -> None:
    assert picture(**said).advice == ()


def test_what_is_unknown_stays_unknown() -> None:
    assert memory_picture({}) == MemoryPicture(None, None, None, None, None, "")


@example({"used_memory": 1, "used_memory_dataset": 0})
@given(
    st.dictionaries(
        st.sampled_from(
            [
                "used_memory",
                "used_memory_dataset",
                "mem_clients_normal",
                "used_memory_startup",
                "maxmemory",
                "used_memory_rss",
            ]
        ),
        st.integers(-1, 2**40) | st.just("text") | st.just(1.5),
    )
)
def test_no_answer_upsets_it(said: dict[str, int | float | str]) -> None:
    for part in memory_picture({"memory": said}).parts:
        assert part.bytes > 0
