from hypothesis import given
from hypothesis import strategies as st

from dozor.instruments.redis_info import parse_info
from dozor.overview.redis_keyspace import DatabaseKeys, KeySizes, keyspace


def test_databases_and_what_redis_8_tells_of_sizes() -> None:
    found = keyspace(
        parse_info(
            b"# Keyspace\ndb0:keys=118,expires=7,avg_ttl=1500,subexpiry=0\ndb11:keys=2,expires=0,avg_ttl=0\n"
            b"# Keysizes\ndb0_distrib_strings_sizes:0=1,64=40,1K=3,8M=1\ndb0_distrib_lists_items:64=1\n"
        )
    )
    assert found.databases == (DatabaseKeys("db0", 118, 7, 1.5), DatabaseKeys("db11", 2, 0, None))
    assert (found.keys, found.expiring) == (120, 7)
    assert found.sizes == (
        KeySizes("db0", "strings", "bytes", ((0, 1), (64, 40), (1024, 3), (8 * 2**20, 1))),
        KeySizes("db0", "lists", "items", ((64, 1),)),
    )


@given(
    st.dictionaries(
        st.sampled_from(["db0", "db0_distrib_strings_sizes", "db0_distrib_sets_items", "db99999999"]),
        st.lists(st.sampled_from(["keys=1", "=", "1K=x", "K=2", "²=1", "512=3"]), max_size=4).map(",".join),
    )
)
def test_no_answer_upsets_it(section: dict[str, str]) -> None:
    keyspace({"keyspace": section, "keysizes": section})
